"""Positions, money and margin: exact, and conserved to the last decimal after every event."""

from __future__ import annotations

import random
from collections import defaultdict
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from sim_scene import SYMBOL, SimScene, inverse, perpetual, spot

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon.basics.defs import TIF, OrderType, Side
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.sim.account import Account
from mlthon.sim.exchange import SimExchange
from mlthon.sim.funding import FundingRules
from mlthon.sim.ledger import Ledger
from mlthon.sim.orders import (
    Fees,
    Limits,
    NewOrder,
    OrderState,
    Refusal,
    Refused,
    SelfTrade,
    SimFill,
    SimOrder,
    SimPayment,
)
from mlthon.sim.terms import Terms


@pytest.fixture
def scene() -> SimScene:
    scene = SimScene()
    scene.depth([("100", "1000")], [("110", "1000")], is_snapshot=True)
    return scene


# -- positions ----------------------------------------------------------------------------------------------------


def test_a_position_is_held_at_average_cost(scene: SimScene) -> None:
    scene.buy(scene.alice, "1", "110")
    scene.depth([("119", "10")], [("110", "0"), ("120", "10")])
    scene.buy(scene.alice, "3", "120")
    position = scene.alice.position(SYMBOL)
    assert (position.size, position.avg_price) == (Qty("4"), Price("117.5"))
    assert position.mark_price == Price("119.5")
    assert position.unrealised_pnl == MLDecimal("8")


def test_closing_realises_and_crossing_zero_opens_anew(scene: SimScene) -> None:
    scene.buy(scene.alice, "2", "110")
    scene.sell(scene.alice, "5", "100")
    [_, fill] = scene.exchange.fills(scene.alice)
    assert (fill.closed_qty, fill.realised_pnl) == (Qty("2"), MLDecimal("-20"))
    position = scene.alice.position(SYMBOL)
    assert (position.size, position.avg_price, position.realised_pnl) == (
        Qty("-3"),
        Price("100"),
        MLDecimal("-20"),
    )


def test_a_short_position_gains_when_the_price_falls(scene: SimScene) -> None:
    scene.sell(scene.alice, "2", "100")
    scene.depth([("100", "0"), ("80", "5")], [("110", "0"), ("90", "5")])
    assert scene.alice.position(SYMBOL).unrealised_pnl == MLDecimal("30")
    scene.buy(scene.alice, "2", "90")
    assert scene.alice.position(SYMBOL).realised_pnl == MLDecimal("20")


def test_the_balance_changes_by_realised_pnl_and_fees(scene: SimScene) -> None:
    scene.buy(scene.alice, "2", "110")
    scene.sell(scene.alice, "2", "100")
    fees = MLDecimal("420") * MLDecimal("0.00055")
    wallet = scene.alice.wallet("USDT")
    assert wallet.balance == MLDecimal("100000") - MLDecimal("20") - fees
    assert scene.alice.position(SYMBOL).fees == fees
    assert wallet.available == wallet.balance


def test_a_negative_maker_rate_is_a_rebate() -> None:
    exchange = SimExchange([perpetual()], lambda: 0, fees=Fees(maker=MLDecimal("-0.001")))
    account = exchange.add_account("alice", {"USDT": Qty("1000")})
    exchange.place(account, NewOrder(SYMBOL, Side.Buy, Qty("1"), Price("100")))
    exchange.apply_trade(SYMBOL, PublicTrade(Side.Sell, "100", "1"))
    assert account.wallet("USDT").balance == MLDecimal("1000.1")
    exchange.check_conservation()


def test_the_check_notices_money_and_positions_that_come_from_nowhere() -> None:
    ledger = Ledger([Terms.of(perpetual())])
    purse = ledger.open_purse({"USDT": MLDecimal("10")})
    ledger.check()
    purse.move("USDT", MLDecimal("0.000000000000000001"))
    with pytest.raises(AssertionError, match="USDT"):
        ledger.check()
    purse.move("USDT", MLDecimal("-0.000000000000000001"))
    purse.position(SYMBOL).apply_fill(Side.Buy, Price("1"), Qty("1"))
    with pytest.raises(AssertionError, match="positions"):
        ledger.check()


# -- margin -------------------------------------------------------------------------------------------------------


def test_margin_is_the_value_by_the_leverage(scene: SimScene) -> None:
    scene.buy(scene.alice, "10", "110")
    scene.buy(scene.alice, "5", "100")
    wallet = scene.alice.wallet("USDT")
    assert (wallet.position_margin, wallet.order_margin) == (MLDecimal("110"), MLDecimal("50"))
    assert wallet.available == wallet.balance + wallet.unrealised_pnl - MLDecimal("160")


def test_orders_that_would_close_need_no_margin_of_their_own(scene: SimScene) -> None:
    scene.buy(scene.alice, "10", "110")
    scene.sell(scene.alice, "10", "120")
    assert scene.alice.wallet("USDT").order_margin == MLDecimal("0")
    scene.sell(scene.alice, "12", "120")  # together they would end short: 2640 - 1100 is above 1100
    assert scene.alice.wallet("USDT").order_margin == MLDecimal("44")


def test_an_order_that_funds_do_not_cover_is_refused_also_at_the_market(scene: SimScene) -> None:
    for price, order_type in (("100", OrderType.Limit), (None, OrderType.Market)):
        with pytest.raises(Refused) as refused:
            scene.buy(scene.alice, "12000", price, order_type=order_type)
        assert refused.value.reason is Refusal.InsufficientFunds
    scene.buy(scene.alice, "9000", "100")


def test_who_has_lost_his_margin_may_close_and_nothing_else() -> None:
    scene = SimScene()
    scene.depth([("100", "50000")], [("101", "50000")])
    scene.buy(scene.alice, "9000", "101")
    scene.depth([("100", "0"), ("95", "50000")], [("101", "0"), ("96", "50000")])
    assert scene.alice.wallet("USDT").available < MLDecimal("0")
    with pytest.raises(Refused):
        scene.buy(scene.alice, "1", "96")
    assert scene.sell(scene.alice, "9000", "95").state is OrderState.Filled
    assert scene.alice.wallet("USDT").available > MLDecimal("0")
    scene.exchange.check_conservation()


def test_margin_is_freed_when_orders_end(scene: SimScene) -> None:
    before = scene.alice.wallet("USDT")
    resting = scene.buy(scene.alice, "10", "100")
    scene.exchange.amend(scene.alice, SYMBOL, order_id=resting.order_id, qty=Qty("20"))
    assert scene.alice.wallet("USDT").order_margin == MLDecimal("200")
    scene.exchange.cancel(scene.alice, SYMBOL, order_id=resting.order_id)
    assert scene.alice.wallet("USDT") == before


def test_leverage_may_change_as_far_as_the_margin_allows(scene: SimScene) -> None:
    scene.buy(scene.alice, "5000", "100")
    scene.alice.set_leverage(SYMBOL, MLDecimal("5"))
    assert scene.alice.wallet("USDT").order_margin == MLDecimal("100000")
    with pytest.raises(ValueError, match="margin"):
        scene.alice.set_leverage(SYMBOL, MLDecimal("4.9"))
    with pytest.raises(ValueError, match="1 or more"):
        scene.alice.set_leverage(SYMBOL, MLDecimal("0.5"))
    assert scene.alice.leverage(SYMBOL) == MLDecimal("5")


def test_an_unknown_coin_has_an_empty_wallet(scene: SimScene) -> None:
    assert scene.alice.coins == ["BTC", "USDT"]
    assert scene.alice.wallet("ETH").equity == MLDecimal("0")


# -- everything at once -------------------------------------------------------------------------------------------


LINEAR, OTHER_LINEAR, INVERSE, PAIR = "BTCUSDT", "ETHUSDT", "BTCUSD", "BTC/USDT"
SYMBOLS = (LINEAR, OTHER_LINEAR, INVERSE, PAIR)
CONTRACTS = {"USDT": (LINEAR, OTHER_LINEAR), "BTC": (INVERSE,)}  # by the coin they are settled in
DEPOSITS = {"USDT": Decimal("0.0003"), "BTC": Decimal("0.0003")}


def rounded(value: Fraction) -> Fraction:
    """Half-even at the 18th decimal."""
    return Fraction(round(value * 10**18), 10**18)


class Follower:
    """Keeps books of its own, from nothing but what the exchange tells, in fractions."""

    def __init__(self) -> None:
        self.orders: dict[int, SimOrder] = {}
        self.sizes: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self.paid: defaultdict[tuple[str, str], Fraction] = defaultdict(Fraction)  # by coin, fees included
        self.books: defaultdict[str, tuple[dict[Price, Qty], dict[Price, Qty]]] = defaultdict(
            lambda: ({}, {})
        )
        self.exec_ids: set[int] = set()
        self.kinds: set[str] = set()
        self.news: set[tuple[str, str]] = set()

    def on_order(self, order: SimOrder) -> None:
        before = self.orders.get(order.order_id)
        if before is None:
            assert order.state is OrderState.New or not order.is_open, f"began as {order}"
        else:
            assert before.is_open, f"ended, and told again: {order}"
            assert before.cum_qty <= order.cum_qty
        assert order.cum_qty + order.leaves_qty == order.qty or not order.is_open
        self.orders[order.order_id] = order
        self.kinds |= {order.end_reason.name, order.origin.name}

    def on_fill(self, fill: SimFill) -> None:
        assert fill.exec_id not in self.exec_ids, "told twice"
        self.exec_ids.add(fill.exec_id)
        sign = 1 if fill.side is Side.Buy else -1
        self.sizes[fill.account, fill.symbol] += sign * fill.qty.to_decimal()
        price, qty = Fraction(fill.price.to_decimal()), Fraction(fill.qty.to_decimal())
        if fill.symbol == INVERSE:
            self.paid[fill.account, "BTC"] -= sign * rounded(qty / price)
        else:
            self.paid[fill.account, "USDT"] += sign * price * qty
        if fill.symbol == PAIR:
            self.paid[fill.account, "BTC"] -= sign * qty
            self.news |= {(fill.account, "BTC"), (fill.account, "USDT")}
        else:
            self.news |= {(fill.account, fill.symbol), (fill.account, fill.fee_coin)}
        self.paid[fill.account, fill.fee_coin] += Fraction(fill.fee.to_decimal())

    def on_funding(self, payment: SimPayment) -> None:
        assert payment.exec_id not in self.exec_ids, "told twice"
        self.exec_ids.add(payment.exec_id)
        self.kinds.add("Paid")
        assert payment.amount.sign() == payment.rate.sign()
        self.paid[payment.account, payment.coin] += Fraction(payment.amount.to_decimal())
        self.news |= {(payment.account, payment.symbol), (payment.account, payment.coin)}

    def on_position(self, account: Account, symbol: str) -> None:
        self.news.discard((account.name, symbol))

    def on_wallet(self, account: Account, coins: tuple[str, ...]) -> None:
        self.news -= {(account.name, coin) for coin in coins}

    def on_depth(self, symbol: str, update: DepthUpdate) -> None:
        for side, levels in zip(self.books[symbol], (update.bids(), update.asks()), strict=True):
            for price, qty in levels:
                side.pop(price, None)
                if not qty.is_zero():
                    side[price] = qty

    def on_trade(self, symbol: str, trade: PublicTrade) -> None:
        assert trade.qty > Qty("0")


class Crowd:
    """Random accounts in contracts and a pair, and random markets."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.now = 0
        self.symbols = SYMBOLS
        self.middles = dict.fromkeys(SYMBOLS, 10**7)  # in ticks
        # Prices with so many decimals that average costs have to be rounded.
        rules = {
            "price_tick_rules": "0.0000001",
            "quantity_tick_rules": "0.0000001",
            "min_quantity": "0.0000001",
        }
        instruments = [
            *(perpetual(symbol, **rules, min_notional=None) for symbol in (LINEAR, OTHER_LINEAR)),
            inverse(INVERSE, **rules),
            spot(**rules | {"min_notional": None}),
        ]
        self.exchange = SimExchange(
            instruments,
            lambda: self.now,
            limits=Limits(default_leverage=MLDecimal("100"), maintenance_rate=MLDecimal("0.009")),
            funding=FundingRules(interval_ns=50, rate=MLDecimal("0.0003") if seed % 2 else None),
        )
        deposits = {coin: Qty(amount) for coin, amount in DEPOSITS.items()}
        self.accounts = [self.exchange.add_account(f"account {index}", deposits) for index in range(4)]
        self.follower = Follower()
        self.exchange.attach(self.follower)
        self.kinds: defaultdict[str, int] = defaultdict(int)

    def price(self, symbol: str) -> Price:
        return Price(Decimal(self.middles[symbol] + self.rng.randint(-10, 10)) / 10**7)

    def qty(self, symbol: str = LINEAR) -> Qty:
        return Qty(Decimal(self.rng.randint(1, 2_999 if symbol == PAIR else 99_999)) / 10**7)

    def step(self) -> None:
        self.now += 1
        acts = (self.depth, self.trade, self.place, self.place, self.amend, self.cancel)
        try:
            self.rng.choice(acts)(self.rng.choice(self.symbols))
        except Refused as refused:
            self.kinds[refused.reason.name] += 1
        self.exchange.pass_time()

    def depth(self, symbol: str) -> None:
        self.middles[symbol] += self.rng.choice((0, 0, 0, 1, -1, 5, -5, 3000, -3000, 150_000, -150_000))
        middle = self.middles[symbol]
        sides: list[list[tuple[str, str]]] = []
        for sign in (-1, 1):
            prices = {middle + sign * self.rng.randint(1, 6) for _ in range(3)}
            sides.append([(str(Decimal(price) / 10**7), str(self.qty().to_decimal())) for price in prices])
        self.exchange.apply_depth(
            symbol, DepthUpdate(*sides, is_snapshot=True, venue_ns=self.now, seq=self.now)
        )

    def trade(self, symbol: str) -> None:
        side = self.rng.choice((Side.Buy, Side.Sell))
        self.exchange.apply_trade(
            symbol, PublicTrade(side, self.price(symbol), self.qty(), venue_ns=self.now)
        )

    def place(self, symbol: str) -> None:
        market = self.rng.random() < (0.3 if symbol == PAIR else 0.1)
        by_value = market and symbol == PAIR and self.rng.random() < 0.7
        tif = self.rng.choice((TIF.GTC, TIF.GTC, TIF.IOC, TIF.FOK)) if not by_value else TIF.IOC
        placed = self.exchange.place(
            self.rng.choice(self.accounts),
            NewOrder(
                symbol=symbol,
                side=self.rng.choice((Side.Buy, Side.Sell)),
                qty=self.qty(symbol),
                price=None if market else self.price(symbol),
                order_type=OrderType.Market if market else OrderType.Limit,
                tif=tif,
                post_only=tif is TIF.GTC and not market and self.rng.random() < 0.3,
                reduce_only=symbol != PAIR and self.rng.random() < 0.3,
                self_trade=self.rng.choice(tuple(SelfTrade)),
                by_value=by_value,
            ),
        )
        self.kinds[placed.state.name] += 1
        self.kinds[placed.end_reason.name] += 1

    def some_order(self, symbol: str) -> tuple[Account, int]:
        account = self.rng.choice(self.accounts)
        orders = self.exchange.open_orders(account, symbol)
        return account, self.rng.choice(orders).order_id if orders else 10**9

    def amend(self, symbol: str) -> None:
        account, order_id = self.some_order(symbol)
        change: dict[str, Any] = self.rng.choice(
            (
                {"price": self.price(symbol)},
                {"qty": self.qty(symbol)},
                {"price": self.price(symbol), "qty": self.qty(symbol)},
            )
        )
        self.exchange.amend(account, symbol, order_id=order_id, **change)

    def cancel(self, symbol: str) -> None:
        if self.rng.random() < 0.1:
            self.exchange.cancel_all(self.rng.choice(self.accounts), symbol)
            return
        account, order_id = self.some_order(symbol)
        self.exchange.cancel(account, symbol, order_id=order_id)

    def check(self) -> None:
        self.exchange.check_conservation()
        follower = self.follower
        assert not follower.news, "fills without a word on the position or the wallet"
        told_open = sorted(order.order_id for order in follower.orders.values() if order.is_open)
        open_orders = [order for account in self.accounts for order in self.exchange.open_orders(account)]
        assert told_open == sorted(order.order_id for order in open_orders)
        assert all(follower.orders[order.order_id] == order for order in open_orders)
        for account in self.accounts:
            self.check_account(account)
        for symbol in self.symbols:
            book = self.exchange.book(symbol)
            assert not book.is_crossed()
            for held, levels in zip(follower.books[symbol], (book.bids(), book.asks()), strict=True):
                assert held == {level.get_price(): level.get_qty() for level in levels}

    def check_account(self, account: Account) -> None:
        follower, name = self.follower, account.name
        assert account.purse.size(PAIR).to_decimal() == follower.sizes[name, PAIR]
        for coin, contracts in CONTRACTS.items():
            positions = [account.position(symbol) for symbol in contracts]
            for position in positions:
                assert position.size.to_decimal() == follower.sizes[name, position.symbol]
            wallet = account.wallet(coin)
            assert not account.is_bankrupt(coin)
            if not any(account.position(symbol).fees for symbol in contracts):
                assert wallet.balance >= wallet.locked, "more was given than there was"
            at_cost = sum((position.entry_value.to_decimal() for position in positions), Decimal(0))
            # What was paid for is held, at cost, or has been realised: whatever was rounded on the way.
            assert Fraction(wallet.balance.to_decimal() - at_cost) == (
                Fraction(DEPOSITS[coin]) - follower.paid[name, coin]
            )
            assert wallet.order_margin >= MLDecimal("0")
            assert wallet.locked == self.locked(account, coin)
        for order in self.exchange.open_orders(account):
            if order.reduce_only:
                size = account.position(order.symbol).size
                assert size.sign() == (-1 if order.side is Side.Buy else 1), (
                    "nothing to reduce, and still there"
                )

    def locked(self, account: Account, coin: str) -> MLDecimal:
        """What the open spot orders would give of a coin."""
        side = Side.Buy if coin == "USDT" else Side.Sell
        orders = [order for order in self.exchange.open_orders(account, PAIR) if order.side is side]
        amounts = [
            order.price * order.leaves_qty if side is Side.Buy else order.leaves_qty.to_mldecimal()
            for order in orders
            if order.price is not None
        ]
        return sum(amounts, MLDecimal("0"))


@pytest.mark.parametrize("seed", range(12))
def test_everything_is_conserved_and_told_after_every_event(seed: int) -> None:
    crowd = Crowd(seed)
    for number in range(400):
        crowd.step()
        try:
            crowd.check()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, step {number}: {error}") from error
    assert crowd.follower.exec_ids


def test_the_crowd_meets_refusals_and_ends_of_every_kind() -> None:
    kinds: set[str] = set()
    for seed in range(8):
        crowd = Crowd(seed)
        for _ in range(400):
            crowd.step()
        kinds |= crowd.follower.kinds | set(crowd.kinds)
    expected = {
        "New",
        "Filled",
        "PartiallyFilled",
        "Cancelled",
        "Rejected",
        "PostOnlyWouldCross",
        "SelfTrade",
    }
    expected |= {
        "NoImmediateLiquidity",
        "ValueSpent",
        "Paid",
        "Liquidation",
        "BeforeLiquidation",
        "NotFillableWhole",
        "ReduceOnly",
        "UnknownOrder",
        "InsufficientFunds",
    }
    assert expected <= kinds
