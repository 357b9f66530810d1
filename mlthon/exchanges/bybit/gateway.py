"""The gateway: order entry, reports and questions of one account, as the engine sees them.

Ready to trade means: the private stream is logged in, and since it came up, everything that may have been missed has
been asked for and reported. At any other time new orders and changes are refused here, at once. Cancels are sent
whenever there is a way, once the gateway has been ready.

The trade stream is waited for when connecting. While it is down later, orders go by REST.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import aiohttp

from mlthon.basics.defs import GtwRejectCode, GtwStatus
from mlthon.basics.qty import Qty
from mlthon.engine.ports import (
    CancelOrderRequest,
    GatewayListener,
    ModifyOrderRequest,
    NewOrderRequest,
    RequestKind,
)
from mlthon.errors import (
    ConfigError,
    DecodeError,
    UnsupportedAccount,
    UsageError,
    VenueError,
    VenueRefusal,
    VenueUnreachable,
)
from mlthon.exchanges.background import Background
from mlthon.exchanges.backoff import Backoff
from mlthon.exchanges.bybit.categories import SPOT, category_of
from mlthon.exchanges.bybit.clock import VenueClock
from mlthon.exchanges.bybit.codec.private import Fills, Orders, Positions, Wallets
from mlthon.exchanges.bybit.codec.trade import TradeAnswer
from mlthon.exchanges.bybit.config import BybitConfig
from mlthon.exchanges.bybit.instruments import Instruments
from mlthon.exchanges.bybit.known_orders import KnownOrders
from mlthon.exchanges.bybit.loose_ends import LooseEnds
from mlthon.exchanges.bybit.maintenance import MaintenanceWatch
from mlthon.exchanges.bybit.order_entry import OrderEntry
from mlthon.exchanges.bybit.order_routes import OrderRoutes
from mlthon.exchanges.bybit.queries import Queries
from mlthon.exchanges.bybit.reconcile import Reconciliation
from mlthon.exchanges.bybit.reject_codes import (
    CLOCK_SKEW,
    SERVICE_RESTARTING,
    UNKNOWN_OUTCOME,
    is_about_the_question,
    reject_code,
)
from mlthon.exchanges.bybit.reports import Reports
from mlthon.exchanges.bybit.rest import NotSent, RestClient
from mlthon.exchanges.bybit.stream_check import StreamCheck
from mlthon.exchanges.bybit.streams import PrivateStream, TradeStream
from mlthon.instruments.instrument import Instrument

__all__ = ["BybitGateway"]

log = logging.getLogger("mlthon.exchanges.bybit")

_ZERO = Qty("0")
_TRIES_FOR_ALL = 2  # to find out everything, before trading goes on without what became of single orders


class BybitGateway:
    """Order entry and questions of one account, on all its categories. Implements `mlthon.engine.ports.Gateway`."""

    def __init__(
        self,
        config: BybitConfig,
        http: Callable[[], aiohttp.ClientSession],
        clock: VenueClock,
        rest: RestClient,
        queries: Queries,
        instruments: Instruments,
    ) -> None:
        self._config = config
        self._clock = clock
        self._rest = rest
        self._queries = queries
        known = KnownOrders()
        queries.is_ours = known.is_ours
        self._known = known
        self._reports = Reports(instruments, known)
        queries.on_odd_position = self._reports.odd_position
        self._private = PrivateStream(config, http, clock, rest.signer, instruments.by_symbol, _Private(self))
        self._trade = TradeStream(config, http, clock, rest.signer, _Trade(self))
        self._routes = OrderRoutes(config, clock, rest, self._send_bytes)
        self._entry = OrderEntry(config, clock, queries, known, self._reports, self._routes, rest.limits)
        self._routes.on_answer = self.trade_answer
        self._routes.on_unanswered = self._entry.on_unanswered
        self._routes.on_not_sent = self._entry.on_not_sent
        self._reports.on_sight = self._entry.on_sight
        self._reports.before_order = self._entry.on_report
        self._reconciliation = Reconciliation(config, queries, known, self._entry, self._reports, clock)
        self._loose_ends = LooseEnds(config, queries, known, self._reports, self._reconciliation)
        self._entry.on_doubt = self._loose_ends.on_doubt
        self._reports.on_missing_fills = self._loose_ends.on_missing_fills
        rest.on_rate_limit = self._tell_rate_limit
        self._check = StreamCheck(
            config, queries, known, self._reports, self._entry.is_pending, self.private_silent
        )
        self._announcements = MaintenanceWatch(config, http, clock, queries, self.maintained)
        self._announced = ""  # the maintenance that the venue has announced, and not ended
        self._tasks = Background()
        self.status = GtwStatus.Connecting
        self._reconciling: asyncio.Task[None] | None = None
        self._reconciled = False
        self._was_ready = False  # since connect
        self._maintenance = ""  # why, in the venue's words
        self._not_ready = "not connected yet"  # why
        self._ready: asyncio.Future[None] | None = None

    # -- life ------------------------------------------------------------------------------------------------

    @property
    def _uses_trade_stream(self) -> bool:
        return self._config.order_entry == "websocket"

    def attach(self, listener: GatewayListener) -> None:
        self._reports.listener = listener

    async def connect(self) -> None:
        if self._reports.listener is None:
            raise UsageError("BybitGateway.connect: expected attach(listener) before it")
        if not self._config.api_key:
            raise ConfigError("bybit: expected an api_key and an api_secret to trade with, got none")
        await self._rest.measure_clock()
        self._reports.last_fill_ms = self._clock.now_ms()
        self._ready = asyncio.get_running_loop().create_future()
        self._announcements.start()
        self._private.socket.start()
        if self._uses_trade_stream:
            self._trade.socket.start()
        timeout_s = self._config.ready_timeout_ms / 1_000
        try:
            async with asyncio.timeout(timeout_s):
                await self._ready
        except TimeoutError:
            reason = self._not_ready
            await self.close()
            raise VenueUnreachable(f"bybit: not ready within {timeout_s:g} s: {reason}") from None
        except BaseException:
            await self.close()
            raise
        self._tasks.spawn(self._keep_clock(), "clock")
        self._check.start()

    async def close(self) -> None:
        self._ready = None
        self._was_ready = False
        await self._tasks.close()
        await self._loose_ends.close()
        await self._check.close()
        await self._announcements.close()
        self._announced = ""
        await self._trade.close()
        await self._private.close()
        await self._entry.close()
        self._reconciled = False
        self._update("closed")

    # -- requests --------------------------------------------------------------------------------------------

    def send_new(self, request: NewOrderRequest) -> None:
        if self.status is not GtwStatus.ReadyToTrade:
            self._refuse_soon(RequestKind.NewOrder, request.wire_id, self._not_ready)
        elif self._reports.unclear and not request.close_position and (why := self._unclear(request)):
            self._refuse_soon(RequestKind.NewOrder, request.wire_id, why)
        else:
            self._entry.send_new(request)

    def send_modify(self, request: ModifyOrderRequest) -> None:
        if self.status is GtwStatus.ReadyToTrade:
            self._entry.send_modify(request)
        else:
            self._refuse_soon(RequestKind.ModifyOrder, request.wire_id, self._not_ready)

    def send_cancel(self, request: CancelOrderRequest) -> None:
        self.send_cancels([request])

    def send_cancels(self, requests: Sequence[CancelOrderRequest]) -> None:
        if self._was_ready:
            self._entry.send_cancels(requests)
        else:
            for request in requests:
                self._refuse_soon(RequestKind.CancelOrder, request.wire_id, self._not_ready)

    def send_cancel_all(self, instrument: Instrument) -> None:
        if self._was_ready:
            self._tasks.spawn(
                self._cancel_all(instrument),
                "cancel-all",
                on_cancelled=lambda: self._reports.tell.on_cancel_all_refused(
                    instrument, GtwRejectCode.VenueFault, "the gateway was closed; the fate is unknown"
                ),
            )
        else:
            asyncio.get_running_loop().call_soon(
                self._reports.tell.on_cancel_all_refused,
                instrument,
                GtwRejectCode.GtwNotReady,
                self._not_ready,
            )

    def _unclear(self, request: NewOrderRequest) -> str | None:
        """Why the position in an order's instrument is not known; None where it is."""
        return self._reports.unclear.get(request.instrument.get_instrument_id())

    def _refuse_soon(self, kind: RequestKind, wire_id: str, why: str) -> None:
        asyncio.get_running_loop().call_soon(
            self._reports.tell.on_request_refused, kind, wire_id, GtwRejectCode.GtwNotReady, why
        )

    def _send_bytes(self, data: bytes) -> bool:
        return self._trade.is_live and self._trade.socket.send(data)

    async def _cancel_all(self, instrument: Instrument) -> None:
        tell = self._reports.tell
        refusal = await self._try_cancel_all(instrument)
        if refusal is None:
            tell.on_cancel_all_accepted(instrument)
        else:
            tell.on_cancel_all_refused(instrument, *refusal)

    async def _try_cancel_all(self, instrument: Instrument) -> tuple[GtwRejectCode, str] | None:
        """Cancel all orders of an instrument; returns why that was refused, None where it was not."""
        try:
            await self._queries.cancel_all(instrument)
        except VenueRefusal as refusal:
            if refusal.code not in UNKNOWN_OUTCOME:
                return reject_code(refusal.code), str(refusal)
            log.warning("%s; asking", refusal)
        except NotSent as error:
            return GtwRejectCode.GtwNotReady, str(error)
        except (VenueUnreachable, DecodeError) as error:
            log.warning("%s; asking", error)
        else:
            return None
        left = await self._orders_left(instrument)
        if left:
            return GtwRejectCode.VenueFault, f"the venue did not answer, and {left} orders are still open"
        return None

    async def _orders_left(self, instrument: Instrument) -> int:
        """Count an instrument's open orders, until there are none or a late cancel-all can have no effect."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (self._config.recv_window_ms + self._config.request_timeout_ms) / 1_000
        pauses = Backoff(self._config.retry_first_ms, self._config.retry_longest_ms)
        while True:
            is_late = loop.time() >= deadline
            try:
                left = await self._queries.open_orders(instrument)
            except (VenueError, DecodeError) as error:
                log.warning("the fate of a cancel-all is unknown: %s", error)
            else:
                if is_late or not left:
                    return len(left)
            await asyncio.sleep(pauses.next_s())

    # -- questions -------------------------------------------------------------------------------------------

    def fetch_order_status(self, instrument: Instrument, wire_id: str, exchange_id: str) -> None:
        async def ask() -> None:
            report = await self._queries.find_order(instrument, wire_id, exchange_id)
            if report is None:
                detail = f"the venue does not know order {wire_id or exchange_id}"
                self._reports.tell.on_query_refused(
                    RequestKind.OrderStatus, GtwRejectCode.UnknownOrder, detail
                )
            else:
                self._reports.tell.on_order_status(report)

        self._ask(RequestKind.OrderStatus, ask)

    def fetch_orders(self, instrument: Instrument | None) -> None:
        async def ask() -> None:
            self._reports.tell.on_orders(await self._queries.open_orders(instrument))

        self._ask(RequestKind.OrdersInfo, ask)

    def fetch_position(self, instrument: Instrument) -> None:
        async def ask() -> None:
            self._reports.positions(instrument, await self._queries.positions(instrument))

        self._ask_of_contract(instrument, RequestKind.PositionInfo, ask)

    def fetch_wallet(self, coin: str) -> None:
        async def ask() -> None:
            found = [balance for balance in await self._queries.balances(coin) if balance.coin == coin]
            if found:
                self._reports.balance(found[0])
            else:
                self._reports.tell.on_wallet(coin, _ZERO, _ZERO)

        self._ask(RequestKind.WalletInfo, ask)

    def fetch_account(self) -> None:
        async def ask() -> None:
            self._reports.tell.on_account(await self._queries.user_id())

        self._ask(RequestKind.AccountInfo, ask)

    def fetch_funding(self, instrument: Instrument) -> None:
        async def ask() -> None:
            self._reports.tell.on_funding(instrument, *await self._queries.funding(instrument))

        self._ask_of_contract(instrument, RequestKind.FundingInfo, ask)

    def recover_fills(self, instrument: Instrument, wire_id: str, exchange_id: str) -> None:
        self._loose_ends.recover_fills(instrument, wire_id, exchange_id)

    def _ask(self, kind: RequestKind, ask: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if self.status is GtwStatus.ReadyToTrade:
            self._tasks.spawn(
                self._answer(kind, ask),
                kind.name,
                on_cancelled=lambda: self._reports.tell.on_query_refused(
                    kind, GtwRejectCode.GtwNotReady, "the gateway was closed"
                ),
            )
        else:
            asyncio.get_running_loop().call_soon(
                self._reports.tell.on_query_refused, kind, GtwRejectCode.GtwNotReady, self._not_ready
            )

    def _ask_of_contract(
        self, instrument: Instrument, kind: RequestKind, ask: Callable[[], Coroutine[Any, Any, None]]
    ) -> None:
        """Ask about what spot pairs do not have: for one of those, say that there is no such request."""
        if category_of(instrument) == SPOT:
            asyncio.get_running_loop().call_soon(self._reports.tell.on_unsupported, kind)
        else:
            self._ask(kind, ask)

    async def _answer(self, kind: RequestKind, ask: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await ask()
        except VenueRefusal as refusal:
            self._reports.tell.on_query_refused(kind, reject_code(refusal.code), str(refusal))
        except (VenueUnreachable, DecodeError) as error:
            self._reports.tell.on_query_refused(kind, GtwRejectCode.VenueFault, str(error))

    # -- the two streams -------------------------------------------------------------------------------------

    def private_live(self) -> None:
        """The account is being told; find out what it was not told before."""
        if self._reconciling is not None:
            self._reconciling.cancel()
        self._reconciled = False
        self._reconciling = self._tasks.spawn(self._reconcile(), "reconciliation")

    def private_lost(self, reason: str) -> None:
        """Nothing is told any more."""
        if self._reconciling is not None:
            self._reconciling.cancel()
            self._reconciling = None
        self._reconciled = False
        self._update(reason)

    def private_silent(self, reason: str) -> None:
        """The account's stream is connected, and does not tell what it should: it is made anew."""
        if self._reconciled:
            self._private.socket.drop(reason)

    def maintained(self, title: str | None) -> None:
        """The venue has announced a maintenance of all trading; None: its end, after changing who knows what."""
        if title is not None:
            self._announced = f"the venue is being maintained: {title}"
            self._update(self._announced)
            return
        self._announced = ""
        self._reconciled = False
        self._update("the venue's maintenance is over")
        if self._private.is_live:
            self.private_live()

    def trade_live(self) -> None:
        """Requests go by the trade stream."""
        self._update()

    def trade_lost(self, reason: str) -> None:
        """Requests go by REST, and those under way on the stream will not be answered."""
        if self._was_ready:
            log.warning("orders go by REST while the trade stream is down: %s", reason)
        self._update(reason)
        self._entry.on_connection_lost()

    def stream_refused(self, what: str, code: int, text: str) -> None:
        """The venue refuses our login or what we subscribe: fatal while connecting, else tried again."""
        log.error("%s refused: %d: %s", what, code, text or "no reason given")
        self._tasks.spawn(self._measure_clock(), "clock")  # a login bears a time, too
        self._fail_connecting(VenueRefusal(code, text, f"bybit: {what}"))

    def _fail_connecting(self, error: VenueError) -> None:
        """Let whoever waits for the gateway know that it is in vain."""
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(error)

    def private_frame(self, frame: Orders | Fills | Positions | Wallets) -> None:
        """Something happened to the account. What makes no sense and may be about our orders has to be asked for."""
        self._reports.frame(frame)
        if isinstance(frame, Orders | Fills):
            for odd in frame.odd:
                if self._known.is_others(odd.wire_id, odd.exchange_id):
                    self._reports.tally.count("row about another's order passed over", odd.error)
                else:
                    self._private.socket.drop(odd.error)

    def trade_answer(self, answer: TradeAnswer) -> None:
        """The venue answered a request, whichever way it went."""
        self._entry.on_answer(answer)
        if answer.code in CLOCK_SKEW:
            self._tasks.spawn(self._measure_clock(), "clock")
        elif answer.code == SERVICE_RESTARTING:
            self.maintenance_began(f"the venue's order service is restarting: {answer.text}")

    def maintenance_began(self, why: str) -> None:
        """The venue says that it takes no requests; goes on until its private REST answers again."""
        self._maintenance = why
        self._trade.socket.drop(why)
        self._update(why)
        if self._private.is_live:
            self.private_live()

    async def _reconcile(self) -> None:
        pauses = Backoff(self._config.retry_first_ms, self._config.retry_longest_ms)
        senseless = 0  # answers to what was asked so far
        while True:
            try:
                await self._rest.measure_clock()
                is_patient = senseless < _TRIES_FOR_ALL
                await self._reconciliation.run(None if is_patient else self._loose_ends.leave_out)
            except Exception as error:
                if isinstance(error, UnsupportedAccount):
                    self._fail_connecting(error)
                elif isinstance(error, DecodeError | VenueRefusal):
                    senseless += is_about_the_question(error)
                elif not isinstance(
                    error, VenueError
                ):  # an error of ours: there is no other way back to trading
                    context = {"message": "reconciliation failed", "exception": error}
                    asyncio.get_running_loop().call_exception_handler(context)
                pause_s = pauses.next_s()
                self._not_ready = f"reconciliation failed: {error}"
                log.error("%s; next try in %.2f s", self._not_ready, pause_s)
                await asyncio.sleep(pause_s)
            else:
                self._reconciled = True
                self._maintenance = ""
                self._update()
                return

    async def _keep_clock(self) -> None:
        """Two clocks drift apart: measure again and again."""
        while True:
            await asyncio.sleep(self._config.clock_every_ms / 1_000)
            await self._measure_clock()

    async def _measure_clock(self) -> None:
        try:
            await self._rest.measure_clock()
        except (VenueError, DecodeError) as error:
            log.warning("the venue's clock could not be measured: %s", error)

    def _update(self, reason: str = "") -> None:
        """Work out the status anew, and tell it where it changed."""
        has_way = self._was_ready or self._trade.is_live or not self._uses_trade_stream
        is_closed = bool(self._maintenance or self._announced)
        is_ready = self._private.is_live and self._reconciled and has_way and not is_closed
        not_ready = GtwStatus.Maintenance if is_closed else GtwStatus.Connecting
        status = GtwStatus.ReadyToTrade if is_ready else not_ready
        if not is_ready:
            self._not_ready = reason or self._not_ready
        else:
            self._was_ready = True
            if self._ready is not None and not self._ready.done():
                self._ready.set_result(None)
        if status is not self.status:
            self.status = status
            log.info("gateway: %s%s", status.name, f": {reason}" if reason else "")
            self._reports.tell.on_status(status, reason)

    def _tell_rate_limit(self, limit: int, remaining: int, reset_ms: int) -> None:
        if self._reports.listener is not None:
            self._reports.listener.on_rate_limit(limit, remaining, reset_ms)


class _Private:
    """The gateway as the private stream's owner."""

    def __init__(self, gateway: BybitGateway) -> None:
        self.on_stream_live = gateway.private_live
        self.on_stream_lost = gateway.private_lost
        self.on_refused = gateway.stream_refused
        self.on_private = gateway.private_frame


class _Trade:
    """The gateway as the trade stream's owner."""

    def __init__(self, gateway: BybitGateway) -> None:
        self.on_stream_live = gateway.trade_live
        self.on_stream_lost = gateway.trade_lost
        self.on_refused = gateway.stream_refused
        self.on_answer = gateway.trade_answer
