"""The exchange against naive accounts over the naive matcher: on random markets they agree on every balance.

Both match the same, but a fill with the market may be cut into two at different places. Each part is rounded, so what
they book may differ in the last decimals; that nothing is lost to the last one is `test_ledger`'s business.
"""

from __future__ import annotations

import random
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from naive_accounts import CONTRACTS, INVERSE, LEVERAGE, LINEAR, PAIR, NaiveExchange
from naive_matcher import BUY, NaiveOrder
from sim_scene import BookFollower, inverse, perpetual, spot

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon.basics.defs import TIF, OrderType, Side
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.sim.account import Account
from mlthon.sim.exchange import SimExchange
from mlthon.sim.funding import FundingRules
from mlthon.sim.orders import Limits, NewOrder, Origin, Refusal, Refused, SelfTrade

ACCOUNTS = 3
EVENTS = 200
LOT = Decimal("0.1")
TICKS = {LINEAR: Decimal("0.5"), INVERSE: Decimal("0.5"), PAIR: Decimal("0.5")}
DEPOSITS = {"USDT": Decimal("40"), "BTC": Decimal("0.4")}
RULES = {"price_tick_rules": "0.5", "quantity_tick_rules": "0.1", "min_quantity": "0.1", "min_notional": None}
RATE = "0.002"
SIDES = (Side.Buy, Side.Sell)


class Rehearsal:
    """Gives both the same random events, and compares them after each."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.now = 0
        self.exchange = SimExchange(
            [perpetual(**RULES), inverse(**RULES), spot(**RULES)],
            lambda: self.now,
            limits=Limits(default_leverage=MLDecimal(LEVERAGE)),
            funding=FundingRules(interval_ns=20, rate=MLDecimal(RATE)),
        )
        deposits = {coin: Qty(amount) for coin, amount in DEPOSITS.items()}
        self.accounts = [self.exchange.add_account(str(index), deposits) for index in range(ACCOUNTS)]
        self.naive = NaiveExchange(ACCOUNTS, DEPOSITS, TICKS, LOT)
        self.middles = dict.fromkeys(TICKS, 200)  # in ticks
        self.orders = 0
        self.kinds: set[str] = set()
        self.followers = [BookFollower(self.exchange, symbol) for symbol in TICKS]
        self.exchange.pass_time()

    def run(self) -> None:
        for number in range(EVENTS):
            event = self.rng.choice(
                (self.depth, self.trade, self.place, self.place, self.place, self.amend, self.cancel)
            )
            symbol = self.rng.choice(tuple(TICKS))
            told = event(symbol)
            self.kinds.add(f"{event.__name__} {told}".split(":")[0])
            context = f"event {number}: {event.__name__} {symbol}: {told}"
            self.pass_time()
            self.compare(context)

    # -- events ------------------------------------------------------------------------------------------------

    def pass_time(self) -> None:
        self.now += 1
        if self.now % 20 == 0:
            for symbol in CONTRACTS:
                self.naive.pay_funding(symbol, Fraction(RATE))
        self.exchange.pass_time()

    def price(self, symbol: str) -> Decimal:
        return (self.middles[symbol] + self.rng.randint(-6, 6)) * TICKS[symbol]

    def qty(self) -> Decimal:
        return self.rng.randint(1, 60) * LOT

    def depth(self, symbol: str) -> str:
        self.middles[symbol] += self.rng.choice((0, 0, 1, -1, 3, -3, 8, -8))
        sides: list[list[tuple[Decimal, Decimal]]] = []
        for sign in (-1, 1):
            ticks = {self.middles[symbol] + sign * self.rng.randint(1, 5) for _ in range(3)}
            sides.append([(count * TICKS[symbol], self.qty()) for count in ticks])
        texts = [[(str(price), str(qty)) for price, qty in side] for side in sides]
        self.naive.depth(symbol, *sides, self.now)
        self.exchange.apply_depth(
            symbol, DepthUpdate(*texts, is_snapshot=True, venue_ns=self.now, seq=self.now)
        )
        return ""

    def trade(self, symbol: str) -> str:
        side, price, qty = self.rng.randint(0, 1), self.price(symbol), self.qty()
        self.naive.trade(symbol, side, price, qty, self.now)
        self.exchange.apply_trade(symbol, PublicTrade(SIDES[side], str(price), str(qty), venue_ns=self.now))
        return f": {side} {price} {qty}"

    def place(self, symbol: str) -> str:
        account, side, qty = self.rng.randrange(ACCOUNTS), self.rng.randint(0, 1), self.qty()
        price = None if self.rng.random() < 0.2 else self.price(symbol)
        tif = self.rng.choice((TIF.GTC, TIF.GTC, TIF.IOC, TIF.FOK)) if price is not None else TIF.IOC
        post_only = tif is TIF.GTC and self.rng.random() < 0.2
        held = self.naive.accounts[account].size[symbol]
        reduce_only = symbol != PAIR and held * (1 if side == BUY else -1) < 0 and self.rng.random() < 0.4
        smp = self.rng.randint(0, 3)
        order = NaiveOrder(
            self.orders + 1,
            account,
            side,
            price,
            qty,
            immediate=tif is not TIF.GTC,
            whole=tif is TIF.FOK,
            post_only=post_only,
            reduce_only=reduce_only,
            self_trade=smp,
        )
        expected = self.naive.place(symbol, order)
        request = NewOrder(
            symbol,
            SIDES[side],
            Qty(qty),
            None if price is None else Price(price),
            OrderType.Market if price is None else OrderType.Limit,
            tif,
            post_only,
            reduce_only,
            self_trade=SelfTrade(smp),
        )
        done = self.ask(lambda: self.exchange.place(self.accounts[account], request), expected, request)
        # Every order and every takeover takes a number.
        self.orders = (
            self.orders + 1 + len(self.naive.takeovers) - self.seen_takeovers if done else self.orders
        )
        self.seen_takeovers = len(self.naive.takeovers)
        return f"{'done' if done else 'refused'}: {request}"

    seen_takeovers = 0

    def ask(self, call: Any, expected: bool, what: Any) -> bool:
        """Whether the exchange does it; it must be as the accounts can afford."""
        try:
            call()
        except Refused as refused:
            assert refused.reason is Refusal.InsufficientFunds, f"{what}: {refused}"
            assert not expected, f"{what}: {refused}"
            return False
        assert expected, f"{what}: done, but not covered"
        return True

    def some_order(self, symbol: str) -> NaiveOrder | None:
        orders = sorted(self.naive.matchers[symbol].resting(), key=lambda order: order.order_id)
        return self.rng.choice(orders) if orders else None

    def amend(self, symbol: str) -> str:
        order = self.some_order(symbol)
        if order is None:
            return "nothing"
        account = self.accounts[order.account]
        price, leaves = (
            self.rng.choice((order.price, self.price(symbol))),
            self.rng.choice((order.leaves, self.qty())),
        )
        if (price, leaves) == (order.price, order.leaves):
            return "nothing"
        filled = self.exchange.find_order(account, order.order_id).cum_qty.to_decimal()
        order_id = order.order_id
        expected = self.naive.amend(symbol, order_id, price, leaves)
        change = {"price": Price(price), "qty": Qty(leaves + filled)}
        done = self.ask(
            lambda: self.exchange.amend(account, symbol, order_id=order_id, **change), expected, change
        )
        return f"{'done' if done else 'refused'}: {order_id} {change}"

    def cancel(self, symbol: str) -> str:
        order = self.some_order(symbol)
        if order is None or self.rng.random() < 0.5:
            return "nothing"
        order_id = order.order_id
        self.naive.cancel(symbol, order_id)
        self.exchange.cancel(self.accounts[order.account], symbol, order_id=order_id)
        return f": {order_id}"

    # -- agreement ---------------------------------------------------------------------------------------------

    def compare(self, context: str) -> None:
        self.orders += len(self.naive.takeovers) - self.seen_takeovers  # those of depth, trades and funding
        self.seen_takeovers = len(self.naive.takeovers)
        self.exchange.check_conservation()
        for follower in self.followers:
            assert follower.levels == follower.displayed(), context
        for account, naive in zip(self.accounts, self.naive.accounts, strict=True):
            for symbol in CONTRACTS:
                self.compare_position(account, symbol, naive, context)
            for coin in DEPOSITS:
                wallet = account.wallet(coin)
                for said, expected in (
                    (wallet.balance, naive.cash[coin]),
                    (wallet.equity, self.naive.equity(naive, coin)),
                    (wallet.locked, self.naive.locked(naive, coin)),
                    (wallet.available, self.naive.available(naive, coin)),
                    (wallet.spendable, self.naive.spendable(naive, coin)),
                ):
                    assert agree(said, expected), f"{context}: {account} {coin}: {said}"
            resting = {o.order_id: o.leaves for s in TICKS for o in self.naive.resting(naive, s)}
            orders = self.exchange.open_orders(account)
            assert {o.order_id: o.leaves_qty.to_decimal() for o in orders} == resting, context
        taken = [
            (int(fill.account), fill.symbol, exact(fill.price))
            for account in self.accounts
            for fill in self.exchange.fills(account)
            if fill.origin is Origin.Liquidation
        ]
        assert sorted(taken) == sorted(self.naive.takeovers), context

    def compare_position(self, account: Account, symbol: str, naive: Any, context: str) -> None:
        position = account.position(symbol)
        assert exact(position.size) == naive.size[symbol], context
        for said, expected in (
            (abs(position.entry_value), naive.cost[symbol]),
            (position.unrealised_pnl, self.naive.unrealised(naive, symbol)),
            (position.maintenance_margin, self.naive.maintenance(naive, symbol)),
            (account.margin(symbol), self.naive.margin(naive, symbol)),
        ):
            assert agree(said, expected), f"{context}: {account}: {said}"


def exact(value: Price | Qty | MLDecimal) -> Fraction:
    return Fraction(value.mantissa, 10**18)


def agree(said: MLDecimal, expected: Fraction) -> bool:
    return abs(exact(said) - expected) <= Fraction(1, 10**15)


@pytest.mark.parametrize("seed", range(8))
def test_every_balance_agrees_after_every_event(seed: int) -> None:
    print(f"seed {seed}")
    rehearsal = Rehearsal(seed)
    rehearsal.run()
    assert "place done" in rehearsal.kinds


def test_the_rehearsal_reaches_what_matters() -> None:
    kinds: set[str] = set()
    takeovers = 0
    for seed in (207, 210):
        rehearsal = Rehearsal(seed)
        rehearsal.run()
        kinds |= rehearsal.kinds
        takeovers += len(rehearsal.naive.takeovers)
    assert {"place done", "place refused", "amend done", "amend refused", "cancel "} <= kinds
    assert takeovers > 0
