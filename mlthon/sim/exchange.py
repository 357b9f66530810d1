"""SimExchange: a simulated exchange without a protocol. Venues put one in front of it, `run` plays a market into it.

It checks orders, matches them (`mlthon._core.matching`), books what comes of it (`ledger`), and tells its listeners.
One thread, no clock of its own, no randomness: the same calls at the same times give the same answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon._core.matching import MatchingEngine
from mlthon._core.order_change import RateUpdate
from mlthon._core.outbox import Outbox
from mlthon._core.plain_exchange import PlainExchange
from mlthon._core.price_book import PriceLevelBook
from mlthon.basics.defs import TIF
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.errors import ConfigError
from mlthon.instruments.instrument import Instrument
from mlthon.sim.account import Account
from mlthon.sim.funding import FundingRules, PastFunding
from mlthon.sim.ledger import ZERO_QTY, Ledger
from mlthon.sim.liquidation import Liquidator
from mlthon.sim.order_checks import OrderChecks, bounds
from mlthon.sim.orders import (
    EndReason,
    Fees,
    Limits,
    NewOrder,
    OrderState,
    QueueRule,
    Refusal,
    Refused,
    SelfTrade,
    SimFill,
    SimListener,
    SimOrder,
    SimPayment,
)
from mlthon.sim.settlement import Settlement
from mlthon.sim.symbol_market import SymbolMarket

__all__ = ["Account", "SimExchange"]


class SimExchange(PlainExchange):
    """Contracts and spot pairs, traded by accounts against each other and against a market told from outside.

    A symbol is the venue's own, or ``"BTC/USDT"`` for spot (`mlthon.sim.terms.symbol_of`).
    `now_ns` stamps orders and fills; it is asked only when something happens to one.

    >>> from mlthon.basics.defs import Side
    >>> from mlthon.instruments.perpetual import Perpetual
    >>> btc = Perpetual(exch_instr_id="BTCUSDT", quote_currency="USDT", settlement_method="linear",
    ...                 price_tick_rules="0.10", quantity_tick_rules="0.001", min_quantity="0.001")
    >>> exchange = SimExchange([btc], now_ns=lambda: 0)
    >>> exchange.apply_depth("BTCUSDT", DepthUpdate([("60000.0", "2")], [("60000.1", "3")], is_snapshot=True))
    >>> account = exchange.add_account("alice", {"USDT": Qty("100000")})
    >>> exchange.place(account, NewOrder("BTCUSDT", Side.Buy, Qty("1"), Price("60001"))).state
    <OrderState.Filled: 3>
    >>> account.position("BTCUSDT").avg_price, account.wallet("USDT").balance
    (Price('60000.10000000'), MLDecimal('99966.99994500'))
    """

    def __init__(
        self,
        instruments: Iterable[Instrument],
        now_ns: Callable[[], int],
        *,
        fees: Fees | None = None,
        limits: Limits | None = None,
        funding: FundingRules | None = None,
        queue_rule: QueueRule = QueueRule.Behind,
    ) -> None:
        self.fees = fees or Fees()
        self.limits = limits or Limits()
        if self.limits.history <= self.limits.max_open_orders:
            raise ConfigError(
                f"history: expected more than {self.limits.max_open_orders}, got {self.limits.history}"
            )
        if self.limits.default_leverage < MLDecimal("1"):
            raise ConfigError(f"default leverage: expected 1 or more, got {self.limits.default_leverage}")
        self.funding_rules = funding or FundingRules()
        self._now_ns = now_ns
        markets = [SymbolMarket(instrument, self.funding_rules, queue_rule) for instrument in instruments]
        self._markets = {market.symbol: market for market in markets}
        if len(self._markets) < len(markets):
            symbols = ", ".join(market.symbol for market in markets)
            raise ConfigError(f"instruments: expected each symbol once, got {symbols}")
        self._terms = {symbol: market.terms for symbol, market in self._markets.items()}
        self._ledger = Ledger(self._terms.values())
        self._outbox = Outbox()
        self._settlement = Settlement(self._ledger, self._outbox, self.fees, now_ns)
        super().__init__(self._settlement, self._markets, self.limits.max_open_orders)
        self._checks = OrderChecks(self.limits.max_open_orders, now_ns)
        self._accounts: list[Account] = []
        self._liquidator = Liquidator(self._markets, self._accounts, self._settlement)

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """What is traded, by the exchange's symbol."""
        return {symbol: market.instrument for symbol, market in self._markets.items()}

    def add_account(self, name: str, deposits: Mapping[str, Qty | MLDecimal]) -> Account:
        """Open an account with money in it; raises ConfigError for a name that is taken, and for debts."""
        if any(account.name == name for account in self._accounts):
            raise ConfigError(f"account: {name!r} exists already")
        amounts = {coin: MLDecimal(str(amount)) for coin, amount in deposits.items()}
        for coin, amount in amounts.items():
            if amount.sign() < 0:
                raise ConfigError(f"deposit: {coin}: expected 0 or more, got {amount}")
        purse = self._ledger.open_purse(amounts)
        index = len(self._accounts)
        for market in self._markets.values():
            market.engine.add_account()
        orders = self._settlement.orders
        account = Account(name, index, purse, self._terms, self.mark_price, orders, self.limits)
        self._accounts.append(account)
        return account

    def attach(self, listener: SimListener) -> None:
        """Tell a listener everything from now on; several are told in the order in which they attached."""
        self._outbox.attach(listener)

    # -- what clients do ---------------------------------------------------------------------------------------

    def place(self, account: Account, order: NewOrder) -> SimOrder:
        """Enter an order, and return it as it is then: resting, filled, or ended. Raises Refused."""
        plain = (
            None
            if not is_plain(order)
            else self.place_plain(
                account,
                order.symbol,
                order.link_id,
                order.side,
                order.price,
                order.qty,
                order_type=order.order_type,
                tif=order.tif,
                post_only=order.post_only,
            )
        )
        return self._place_any(account, order) if plain is None else plain

    def _place_any(self, account: Account, order: NewOrder) -> SimOrder:
        market = self._market(order.symbol)
        self._checks.check_new(account, market, order)
        qty, max_value = bounds(account, market, order)
        placed = self._settlement.new_order(account, order)
        market.engine.place(
            placed.order_id,
            account.index,
            order.side,
            qty,
            order.price,
            immediate=order.tif in (TIF.IOC, TIF.FOK),
            whole=order.tif is TIF.FOK,
            post_only=order.post_only,
            reduce_only=order.reduce_only,
            self_trade=order.self_trade,
            max_value=max_value,
            lot=market.lot,
        )
        self._settlement.put(account, placed)
        return self._follow_request(account, market, placed, is_new=True)

    def amend(
        self,
        account: Account,
        symbol: str,
        *,
        order_id: int | None = None,
        link_id: str | None = None,
        price: Price | None = None,
        qty: Qty | None = None,
    ) -> SimOrder:
        """Change an open order's price, or its total quantity (fills included), or both. Raises Refused.

        It keeps its place in the queue only when the quantity shrinks and the price stays.
        """
        market = self._market(symbol)
        before = self._checks.find_open(account, symbol, order_id, link_id)
        after = self._checks.amended(account, market, before, price, qty)
        assert after.price is not None, "a market order never rests"
        market.engine.amend(after.order_id, after.price, after.leaves_qty)
        self._settlement.put(account, after)
        return self._follow_request(account, market, after)

    def cancel(
        self, account: Account, symbol: str, *, order_id: int | None = None, link_id: str | None = None
    ) -> SimOrder:
        """End an open order. Raises Refused."""
        plain = None if order_id is not None or not link_id else self.cancel_plain(account, symbol, link_id)
        if plain is not None:
            return plain
        market = self._market(symbol)
        order = self._checks.find_open(account, symbol, order_id, link_id)
        cancelled = self._cancel(market, account, order)
        self._liquidate_if_marked(market)
        self._outbox.deliver()
        return cancelled

    def cancel_all(self, account: Account, symbol: str) -> list[SimOrder]:
        """End all of an account's open orders in a symbol, the oldest first. Raises Refused."""
        market = self._market(symbol)
        cancelled = [self._cancel(market, account, order) for order in self.open_orders(account, symbol)]
        self._liquidate_if_marked(market)
        self._outbox.deliver()
        return cancelled

    # -- what the market does ------------------------------------------------------------------------------------

    def apply_depth(self, symbol: str, update: DepthUpdate) -> None:
        """Apply a message of the market's own book. Raises ValueError for quantities out of range."""
        market = self._market(symbol)
        market.engine.apply_depth(update)
        self._follow_event(market)

    def apply_trade(self, symbol: str, trade: PublicTrade) -> None:
        """Apply a trade of the market's own. Raises ValueError for a quantity out of range."""
        market = self._market(symbol)
        market.engine.apply_trade(trade)
        self._follow_event(market, trade)

    def apply_rate(self, symbol: str, rate: RateUpdate) -> None:
        """Take what the market's own venue tells of a contract: its funding rate, mark price or index price.

        A rate is charged at the time that it names; positions are valued at the mark, and who is bankrupt at it is
        liquidated. Of a spot pair nothing of that counts. Prices count for five minutes at most.
        """
        market, now_ns = self._market(symbol), self._now_ns()
        if market.terms.is_spot:
            return
        if rate.kind == "funding":
            self._pay_what_is_due(market, now_ns)
            market.funding.tell(rate.value, rate.due_ns, now_ns)
        elif rate.kind == "mark":
            market.tell_mark(Price.from_mantissa(rate.value.mantissa), now_ns)
            self._liquidate_if_marked(market)
        else:
            market.tell_index(Price.from_mantissa(rate.value.mantissa), now_ns)
        self._outbox.deliver()

    def engine(self, symbol: str) -> MatchingEngine:
        """A symbol's matching engine, for a compiled loop that applies the market's events to it by itself.

        Whenever `concerns_clients` is true after an event, the loop must call `catch_up`. Nothing but market
        events may be applied past the exchange.
        """
        return self._market(symbol).engine

    def catch_up(self, symbol: str, trade: PublicTrade | None = None) -> None:
        """Book what a market event did that the symbol's engine was given directly, and tell the listeners.

        They are told what `apply_depth` or `apply_trade` tells; `trade` is the event if it was a trade. Of events
        that concern no client they hear nothing: whoever applied those knows them.
        """
        market = self._market(symbol)
        self._settle_event(market, trade)
        self._outbox.deliver()

    def pass_time(self) -> None:
        """Look at the clock: take the marks into account, and pay the fundings that are due.

        Whoever keeps the exchange's time calls this every now and then: the more often, the better what is paid
        reflects the market.
        """
        now_ns = self._now_ns()
        for market in self._markets.values():
            if market.terms.is_spot:
                continue
            market.forget_old_prices(now_ns)
            self._liquidate_if_marked(market)
            market.funding.look(market.mark_price(), now_ns)
            self._pay_what_is_due(market, now_ns)
        self._outbox.deliver()

    # -- how things are ------------------------------------------------------------------------------------------

    def book(self, symbol: str) -> PriceLevelBook:
        """The displayed book: the market's levels not taken, and clients' orders. Live, and not to be changed."""
        return self._market(symbol).engine.displayed

    def mark_price(self, symbol: str) -> Price | None:
        """What the market's venue marks at, if it tells; else the mid of the displayed book; else the last trade's
        price; else None."""
        return self._market(symbol).mark_price()

    def index_price(self, symbol: str) -> Price | None:
        """What the market's venue tells, else the slow average of a contract's mark (see `mlthon.sim.funding`); the
        mark before time has passed."""
        market = self._market(symbol)
        return market.funding.told_index or market.funding.index or market.mark_price()

    def funding_rate(self, symbol: str) -> MLDecimal:
        """The rate at which a contract would be funded now."""
        return self._market(symbol).funding.rate

    def funding_due_ns(self, symbol: str) -> int:
        """When a contract is funded next."""
        return self._market(symbol).funding.due_ns(self._now_ns())

    def past_funding(self, symbol: str) -> list[PastFunding]:
        """When a contract was funded, and at which rates: the last 200, the oldest first."""
        return list(self._market(symbol).funding.past)

    def open_interest(self, symbol: str) -> Qty:
        """What clients hold long of a contract, or short, whichever is more: the market has the other side."""
        sizes = [account.purse.position(symbol).size for account in self._accounts]
        long = sum((size for size in sizes if size.sign() > 0), ZERO_QTY)
        short = sum((-size for size in sizes if size.sign() < 0), ZERO_QTY)
        return max(long, short)

    def market_seq(self, symbol: str) -> int:
        """Sequence number of the market's last depth message."""
        return self._market(symbol).engine.market_seq

    def market_ns(self, symbol: str) -> int:
        """Venue time of the market's last event."""
        return self._market(symbol).engine.market_ns

    def open_orders(self, account: Account, symbol: str | None = None) -> list[SimOrder]:
        """An account's open orders, the oldest first."""
        orders = account.archive.open_orders()
        return [order for order in orders if symbol is None or order.symbol == symbol]

    def recent_orders(self, account: Account) -> list[SimOrder]:
        """An account's closed orders, as many as are remembered, in the order in which they closed."""
        return list(account.archive.closed_orders())

    def find_order(
        self, account: Account, order_id: int | None = None, link_id: str | None = None
    ) -> SimOrder | None:
        """An order by the exchange's id, or else by the client's; None when unknown or forgotten."""
        return account.archive.find(order_id, link_id)

    def fills(self, account: Account) -> list[SimFill]:
        """An account's fills, as many as are remembered, the oldest first."""
        return list(account.archive.fills)

    def payments(self, account: Account) -> list[SimPayment]:
        """What an account paid and received as funding, as much as is remembered, the oldest first."""
        return list(account.archive.payments)

    def fill_count(self, account: Account) -> int:
        """How many fills an account has had, forgotten ones included."""
        return account.archive.fill_count

    def qty_ahead(self, order: SimOrder) -> Qty:
        """What must trade at an open order's price before its turn; raises KeyError when it does not rest."""
        return self._market(order.symbol).engine.qty_ahead(order.order_id)

    def crossed_updates(self, symbol: str) -> int:
        """How many depth messages left the market's own book crossed."""
        return self._market(symbol).engine.crossed_updates

    def check_conservation(self) -> None:
        """Raise AssertionError unless money and positions are conserved, and engine and ledger agree, exactly."""
        self._ledger.check()
        for account in self._accounts:
            for symbol, market in self._markets.items():
                held, matched = account.purse.size(symbol), market.engine.position(account.index)
                if held != matched:
                    raise AssertionError(f"{account.name}: {symbol}: booked {held}, matched {matched}")

    def _market(self, symbol: str) -> SymbolMarket:
        market = self._markets.get(symbol)
        if market is None:
            raise Refused(Refusal.UnknownSymbol, f"symbol: {symbol!r} is not traded here")
        return market

    # -- what comes of it ----------------------------------------------------------------------------------------

    def _follow_event(self, market: SymbolMarket, trade: PublicTrade | None = None) -> None:
        """Book and tell what a market event did."""
        if market.engine.concerns_clients():
            self._settle_event(market, trade)
        else:
            if trade is not None:
                self._outbox.on_trade(market.symbol, trade)
            self._settlement.tell_depth(market)
        self._outbox.deliver()

    def _settle_event(self, market: SymbolMarket, trade: PublicTrade | None) -> None:
        """Book what a market event did to clients, and liquidate whom it has made bankrupt."""
        self._settlement.settle(market, trade=trade)
        self._liquidator.check(market.terms.coins)

    def _follow_request(
        self, account: Account, market: SymbolMarket, order: SimOrder, *, is_new: bool = False
    ) -> SimOrder:
        """Book what a request for an order did, and tell; returns the order as it is then."""
        if market.engine.concerns_clients():
            order = self.settle_request(account, market, order, is_new)
        else:
            self._settlement.tell_quiet(market, order)
        self._outbox.deliver()
        return order

    def settle_request(
        self, account: Account, market: SymbolMarket, order: SimOrder, is_new: bool
    ) -> SimOrder:
        """Book and queue what a request for an order did that has concerned somebody; returns the order after it."""
        self._settlement.settle(market, placed=order if is_new else None, changed=None if is_new else order)
        self._liquidator.check(market.terms.coins)
        after = account.archive.find(order.order_id)
        assert after is not None, "history holds more than one operation can close"
        return after

    def liquidate(self, market: SymbolMarket) -> None:
        """Liquidate whom another mark of a symbol has made bankrupt."""
        self._liquidator.check(market.terms.coins)

    def _liquidate_if_marked(self, market: SymbolMarket) -> None:
        """Liquidate whom cancels have made bankrupt: they fill nobody, but may move the mark."""
        if market.engine.concerns_clients():
            self._liquidator.check(market.terms.coins)

    def _pay_what_is_due(self, market: SymbolMarket, now_ns: int) -> None:
        while market.funding.due_ns(now_ns) <= now_ns:
            self._pay_funding(market)

    def _pay_funding(self, market: SymbolMarket) -> None:
        rate, mark = market.funding.rate, market.mark_price()
        market.funding.paid()
        if mark is None:
            return
        for account in self._accounts:
            if not account.purse.position(market.symbol).size.is_zero():
                self._settlement.pay_funding(market, account, mark, rate)
        self._liquidator.check(market.terms.coins)

    def _cancel(self, market: SymbolMarket, account: Account, order: SimOrder) -> SimOrder:
        market.engine.cancel(order.order_id)
        ended = self._settlement.end(account, order, OrderState.Cancelled, EndReason.ByUser)
        self._settlement.tell_quiet(market, ended)
        return ended


def is_plain(order: NewOrder) -> bool:
    """Whether an order asks for nothing that only the long way knows."""
    return not (order.reduce_only or order.by_value) and order.self_trade is SelfTrade.Allow
