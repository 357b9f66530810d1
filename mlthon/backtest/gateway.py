"""Order entry of the simulated exchange, as it looks from the strategy's side of the wire.

Each request travels to the exchange and is answered from there; what the exchange tells of orders, fills, positions
and balances travels back. Nothing overtakes on either way. What the account looked like is told as of the moment at
which it was told, however long that takes to arrive.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from mlthon._core.market_event import PublicTrade
from mlthon._core.replay import Replay
from mlthon._core.request_limits import RequestLimits
from mlthon._core.sim_gateway import SimGateway, Way, order_report
from mlthon.backtest.cancel_queue import CancelQueue
from mlthon.backtest.feed import BacktestFeed
from mlthon.backtest.latency import Latency
from mlthon.backtest.request_limits import RequestRates
from mlthon.backtest.story import available, fill_report, new_order, reject_code
from mlthon.backtest.trace import NOBODYS, Trace
from mlthon.basics.defs import GtwRejectCode, GtwStatus
from mlthon.basics.qty import Qty
from mlthon.engine.ports import (
    CancelOrderRequest,
    GatewayListener,
    ModifyOrderRequest,
    NewOrderRequest,
    RequestKind,
)
from mlthon.errors import UsageError
from mlthon.instruments.instrument import Instrument
from mlthon.instruments.spot import Spot
from mlthon.sim.account import Account
from mlthon.sim.exchange import SimExchange
from mlthon.sim.orders import Origin, Refused, SimFill, SimOrder, SimPayment
from mlthon.sim.terms import symbol_of

__all__ = ["BacktestGateway"]

log = logging.getLogger("mlthon.backtest")

_NS_PER_MS = 1_000_000
_NOTHING = Qty("0")
_ABOUT_ORDERS = frozenset(
    {RequestKind.NewOrder, RequestKind.ModifyOrder, RequestKind.CancelOrder, RequestKind.CancelAll}
)
_AT_ONCE_NS = 0  # before all that is due: what is refused on this side has no way to go
_BEHIND_NS = 1  # behind that, and before all else: once a callback and all that is at once has returned
_ENDLESS = 10_000  # refusals, each of a request that was made when the one before was told


class BacktestGateway(SimGateway):
    """One account at a simulated exchange. Implements `mlthon.engine.ports.Gateway`, and listens to the exchange.

    Plain new orders and cancels, and what the exchange tells of them, are the base's.
    """

    def __init__(
        self,
        exchange: SimExchange,
        account: Account,
        feed: BacktestFeed,
        replay: Replay,
        latency: Latency,
        trace: Trace,
        rates: RequestRates,
    ) -> None:
        instruments = dict(exchange.instruments)
        there, back = Way(replay, latency.order), Way(replay, latency.response)
        super().__init__(exchange, account, instruments, replay, RequestLimits(rates), there, back, feed)
        self.status = GtwStatus.Connecting
        self._trace = trace
        self._cancels = CancelQueue(self.limits, replay, self._send_cancels)
        self.waiting_cancels = self._cancels.waiting
        self._exchange = exchange
        self._account = account
        self._feed = feed
        self._replay = replay
        self._instruments = instruments
        self._refusals_in_a_row = 0
        exchange.attach(self)

    def attach(self, listener: GatewayListener) -> None:
        self.listen(listener)

    async def connect(self) -> None:
        """Nothing has to be waited for: tell what the account holds, and be ready."""
        self.status = GtwStatus.ReadyToTrade
        tell = self._told
        for coin in self._account.coins:
            tell.on_wallet(coin, *available(self._account.wallet(coin)))
        tell.on_status(self.status, "")

    async def close(self) -> None:
        self.status = GtwStatus.Connecting

    # -- requests ----------------------------------------------------------------------------------------------

    def send_modify(self, request: ModifyOrderRequest) -> None:
        kind, now_ns, is_spot = RequestKind.ModifyOrder, self._now_ns(), isinstance(request.instrument, Spot)
        reason = self.limits.take(kind, now_ns, is_spot=is_spot)
        if reason is None:
            self._send(kind, is_spot, self._amend, request)
        else:
            self.refuse_here(kind, request.wire_id, reason)

    def send_cancels(self, requests: Sequence[CancelOrderRequest]) -> None:
        for request in requests:
            self._cancels.add(request)
        self._cancels.flush()

    def send_cancel_all(self, instrument: Instrument) -> None:
        self._send_in_turn(RequestKind.CancelAll, instrument, self._cancel_all, instrument)

    # -- questions ---------------------------------------------------------------------------------------------

    def fetch_order_status(self, instrument: Instrument, wire_id: str, exchange_id: str) -> None:
        self._send_in_turn(RequestKind.OrderStatus, instrument, self._tell_order_status, instrument, wire_id)

    def fetch_orders(self, instrument: Instrument | None) -> None:
        self._send_in_turn(RequestKind.OrdersInfo, instrument, self._tell_orders, instrument)

    def recover_fills(self, instrument: Instrument, wire_id: str, exchange_id: str) -> None:
        self._send_in_turn(RequestKind.OrderStatus, instrument, self._tell_fills, wire_id)

    def fetch_position(self, instrument: Instrument) -> None:
        self._send_in_turn(RequestKind.PositionInfo, instrument, self._tell_position, instrument)

    def fetch_wallet(self, coin: str) -> None:
        self._send_in_turn(RequestKind.WalletInfo, None, self._tell_wallet, coin)

    def fetch_account(self) -> None:
        self._send_in_turn(RequestKind.AccountInfo, None, self._tell_account)

    def fetch_funding(self, instrument: Instrument) -> None:
        self._send_in_turn(RequestKind.FundingInfo, instrument, self._tell_funding, instrument)

    # -- what the exchange tells, as its listener --------------------------------------------------------------

    def on_fill(self, fill: SimFill) -> None:
        if fill.account != self._account.name:
            return
        self.filled.add(fill.order_id)
        report = fill_report(fill, self._instruments[fill.symbol], fill.exec_ns)
        if fill.origin is Origin.Liquidation:
            log.warning("liquidated: %s %s of %s at %s", fill.side.name, fill.qty, fill.symbol, fill.price)
            self._trace.record_liquidation(fill.exec_ns, report)
        else:
            order = None if self.listener is None else self.listener.find(report.wire_id, report.exchange_id)
            self._trace.record_fill(fill.exec_ns, report, NOBODYS if order is None else order.record_row)
        self._answer(self._arrived_fill, fill)

    def on_funding(self, payment: SimPayment) -> None:
        """Write it down; the strategy is told by the wallet that follows, as venues do."""
        if payment.account == self._account.name:
            number = self._instruments[payment.symbol].get_instrument_id()
            self._trace.record_funding(number, -payment.amount)

    def on_position(self, account: Account, symbol: str) -> None:
        if account is self._account:
            self.follow_position(symbol)

    def on_wallet(self, account: Account, coins: tuple[str, ...]) -> None:
        if account is self._account:
            for coin in coins:
                self._answer(self._told.on_wallet, coin, *available(account.wallet(coin)))

    def on_trade(self, symbol: str, trade: PublicTrade) -> None:
        self._feed.on_trade(symbol, trade)

    # -- requests at the exchange ------------------------------------------------------------------------------

    def place(self, request: NewOrderRequest) -> None:
        symbol = symbol_of(request.instrument)
        self._try(
            RequestKind.NewOrder,
            request,
            lambda: self._exchange.place(self._account, new_order(request, symbol)),
        )

    def _amend(self, request: ModifyOrderRequest) -> None:
        symbol = symbol_of(request.instrument)
        self._try(
            RequestKind.ModifyOrder,
            request,
            lambda: self._exchange.amend(
                self._account, symbol, link_id=request.wire_id, price=request.new_price, qty=request.new_qty
            ),
        )

    def _cancel(self, request: CancelOrderRequest) -> SimOrder:
        symbol = symbol_of(request.instrument)
        return self._exchange.cancel(self._account, symbol, link_id=request.wire_id)

    def cancel(self, request: CancelOrderRequest) -> None:
        self._cancel_each([request])

    def _cancel_each(self, requests: Sequence[CancelOrderRequest]) -> None:
        """Carry out the cancels of one message, and answer them together."""
        outcomes = [
            self._outcome(RequestKind.CancelOrder, each, partial(self._cancel, each)) for each in requests
        ]
        self.tell_usage()
        for outcome in outcomes:
            self._answer(*outcome)

    def _try(
        self,
        kind: RequestKind,
        request: NewOrderRequest | ModifyOrderRequest | CancelOrderRequest,
        carry_out: Callable[[], SimOrder],
    ) -> None:
        """Carry out a request, and answer it."""
        outcome = self._outcome(kind, request, carry_out)
        self.tell_usage()
        self._answer(*outcome)

    def _outcome(
        self,
        kind: RequestKind,
        request: NewOrderRequest | ModifyOrderRequest | CancelOrderRequest,
        carry_out: Callable[[], SimOrder],
    ) -> tuple[Any, ...]:
        """Carry out a request; returns what is to be called to answer it, and with what."""
        try:
            order = carry_out()
        except Refused as refused:
            code = reject_code(refused.reason, is_spot=isinstance(request.instrument, Spot))
            return self._told.on_request_refused, kind, request.wire_id, code, refused.text
        return self._told.on_request_accepted, kind, request.wire_id, str(order.order_id)

    def _cancel_all(self, instrument: Instrument) -> None:
        self._exchange.cancel_all(self._account, symbol_of(instrument))
        self.tell_usage()
        self._answer(self._told.on_cancel_all_accepted, instrument)

    # -- answers to questions ----------------------------------------------------------------------------------

    def _tell_order_status(self, instrument: Instrument, wire_id: str) -> None:
        order = self._exchange.find_order(self._account, link_id=wire_id)
        if order is None:
            detail = f"the venue does not know order {wire_id}"
            self._answer(
                self._told.on_query_refused, RequestKind.OrderStatus, GtwRejectCode.UnknownOrder, detail
            )
            return
        self._answer(
            lambda: self._told.on_order_status(
                order_report(order, instrument.get_instrument_id(), self._now_ns())
            )
        )

    def _tell_orders(self, instrument: Instrument | None) -> None:
        symbol = None if instrument is None else symbol_of(instrument)
        orders = self._exchange.open_orders(self._account, symbol)
        self._answer(
            lambda: self._told.on_orders(
                [
                    order_report(order, self._instruments[order.symbol].get_instrument_id(), self._now_ns())
                    for order in orders
                ]
            )
        )

    def _tell_fills(self, wire_id: str) -> None:
        for fill in self._exchange.fills(self._account):
            if fill.link_id == wire_id:
                self._answer(self._arrived_fill, fill)

    def _tell_position(self, instrument: Instrument) -> None:
        is_spot = isinstance(instrument, Spot)
        size = _NOTHING if is_spot else self._account.position(symbol_of(instrument)).size
        self._answer(self._told.on_position, instrument, size)

    def _tell_wallet(self, coin: str) -> None:
        self._answer(self._told.on_wallet, coin, *available(self._account.wallet(coin)))

    def _tell_account(self) -> None:
        self._answer(self._told.on_account, str(self._account.index + 1))

    def _tell_funding(self, instrument: Instrument) -> None:
        symbol = symbol_of(instrument)
        if isinstance(instrument, Spot):
            detail = f"{instrument.get_instrument_name()} is not funded"
            self._answer(
                self._told.on_query_refused, RequestKind.FundingInfo, GtwRejectCode.InvalidRequest, detail
            )
            return
        rate = self._exchange.funding_rate(symbol).to_float()
        due_ms = self._exchange.funding_due_ns(symbol) // _NS_PER_MS
        self._answer(self._told.on_funding, instrument, rate, due_ms)

    # -- both ways ---------------------------------------------------------------------------------------------

    def refuse_here(self, kind: RequestKind, wire_id: str, reason: str) -> None:
        """Refuse a request that the venue would refuse for its number, before it is sent.

        That takes no time, so answering each refusal with a request would never end: raises RecursionError then.
        """
        in_a_row = self._refusals_in_a_row + 1
        if in_a_row > _ENDLESS:
            raise RecursionError(
                f"{_ENDLESS} requests in a row were refused for want of room in a rate limit, each made when the"
                " refusal before was told: the strategy answers its own rejects without end"
            )
        self._replay.later(_AT_ONCE_NS, self._tell_refusal, in_a_row, kind, wire_id, reason)

    def _tell_refusal(self, in_a_row: int, kind: RequestKind, wire_id: str, reason: str) -> None:
        self._refusals_in_a_row = in_a_row
        try:
            self._told.on_request_refused(kind, wire_id, GtwRejectCode.RateLimited, reason)
        finally:
            self._refusals_in_a_row = 0

    def _send_in_turn(
        self, kind: RequestKind, instrument: Instrument | None, arrive: Callable[..., None], *args: Any
    ) -> None:
        """Send what connectors send by HTTP, when its turn has come; what a callback sends by websocket is first."""
        self._replay.later(_BEHIND_NS, self._send_in_room, kind, instrument, arrive, *args)

    def _send_in_room(
        self, kind: RequestKind, instrument: Instrument | None, arrive: Callable[..., None], *args: Any
    ) -> None:
        now_ns, is_spot = self._now_ns(), isinstance(instrument, Spot)
        wait_ns = self.limits.wait_ns(kind, now_ns, is_spot=is_spot)
        if wait_ns:
            self._replay.later(now_ns + wait_ns, self._send_in_room, kind, instrument, arrive, *args)
        else:
            self._send(kind, is_spot, arrive, *args)

    def _send_cancels(self, requests: Sequence[CancelOrderRequest], *, is_spot: bool, in_batch: bool) -> None:
        batch = len(requests) if in_batch else 0
        self._send(RequestKind.CancelOrder, is_spot, self._cancel_each, requests, batch=batch)

    def _send(
        self, kind: RequestKind, is_spot: bool, arrive: Callable[..., None], *args: Any, batch: int = 0
    ) -> None:
        """Let something reach the exchange."""
        self.there.send(self._arrive, kind, is_spot, batch, arrive, *args)

    def _arrive(
        self, kind: RequestKind, is_spot: bool, batch: int, carry_out: Callable[..., None], *args: Any
    ) -> None:
        self.count_arrived(kind, self._now_ns(), is_spot=is_spot, batch=batch)
        if kind not in _ABOUT_ORDERS:
            self.tell_usage()  # else after what the request does, and before its answer
        carry_out(*args)

    def _answer(self, arrive: Callable[..., object], *args: Any) -> None:
        """Let something reach the strategy's side."""
        self.back.send(arrive, *args)

    def drop_cancels(self, order: SimOrder) -> None:
        """Refuse the cancels of an order that has ended before they were sent."""
        for request in self._cancels.drop(order.link_id):
            reason = "the order ended before the cancel was sent"
            kind = RequestKind.CancelOrder
            self._told.on_request_refused(kind, request.wire_id, GtwRejectCode.TooLate, reason)

    def _arrived_fill(self, fill: SimFill) -> None:
        self._told.on_fill_report(fill_report(fill, self._instruments[fill.symbol], self._now_ns()))

    def _number(self, symbol: str) -> int:
        number: int = self._instruments[symbol].get_instrument_id()
        return number

    def _now_ns(self) -> int:
        return self._replay.clock.now_ns()

    @property
    def _told(self) -> GatewayListener:
        listener: GatewayListener | None = self.listener
        if listener is None:
            raise UsageError("BacktestGateway: expected attach(listener) before it is used")
        return listener
