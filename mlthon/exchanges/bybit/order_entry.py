"""Requests about single orders, each of which gets exactly one answer.

The venue's own answer means only that it took the request; the private stream shows what became of it. So a request
lives here until its effect has been seen:

    sent --refused--> told refused
      \\---taken---> new, cancel: told accepted;  modify: not told yet
              \\---seen---> done (modify: told accepted)

A request that is not answered, or whose effect is not seen, is never guessed at: the venue is asked what it knows of
the order, again and again, until the answer decides it. An order is taken for absent only once the venue, asked after
the request could no longer be carried out (its timestamp has expired), still does not know it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from mlthon.basics.defs import CancelCode, GtwRejectCode
from mlthon.engine.ports import (
    CancelOrderRequest,
    ModifyOrderRequest,
    NewOrderRequest,
    OrderReport,
    RequestKind,
)
from mlthon.errors import DecodeError, VenueError
from mlthon.exchanges.background import Background
from mlthon.exchanges.backoff import Backoff
from mlthon.exchanges.bybit.clock import VenueClock
from mlthon.exchanges.bybit.codec.trade import TradeAnswer, encode_amend, encode_cancel, encode_create
from mlthon.exchanges.bybit.config import BybitConfig
from mlthon.exchanges.bybit.known_orders import KnownOrders, has_ended
from mlthon.exchanges.bybit.queries import Queries
from mlthon.exchanges.bybit.reject_codes import NOT_MODIFIED, UNKNOWN_OUTCOME, reject_code
from mlthon.exchanges.bybit.reports import Reports
from mlthon.exchanges.bybit.tally import Tally

__all__ = ["OrderEntry"]

log = logging.getLogger("mlthon.exchanges.bybit")

_NS_PER_MS = 1_000_000

_Request: TypeAlias = NewOrderRequest | ModifyOrderRequest | CancelOrderRequest


@dataclass(slots=True, eq=False)
class _Pending:
    """A request whose effect has not been seen."""

    kind: RequestKind
    request: _Request
    req_id: str
    sent_at: float  # loop time
    taken: bool = False  # the venue said that it took it
    told: bool = False  # the listener had its one answer
    done: bool = False
    timer: asyncio.TimerHandle | None = None
    inquiry: asyncio.Task[None] | None = None

    @property
    def wire_id(self) -> str:
        return self.request.wire_id

    @property
    def order_key(self) -> str:
        if isinstance(self.request, NewOrderRequest):
            return self.request.wire_id
        return self.request.wire_id or self.request.exchange_id

    @property
    def exchange_id(self) -> str:
        return "" if isinstance(self.request, NewOrderRequest) else self.request.exchange_id

    def is_shown_by(self, report: OrderReport) -> bool:
        """Whether a report shows that a modify was carried out."""
        asked = self.request
        assert isinstance(asked, ModifyOrderRequest)
        return asked.new_price in (None, report.price) and asked.new_qty in (None, report.qty)


class OrderEntry:
    """Sends requests, and follows each until its effect is known.

    ``send`` puts bytes on the trade stream and says whether they went. The listener is told through ``reports``.
    """

    def __init__(
        self,
        config: BybitConfig,
        clock: VenueClock,
        queries: Queries,
        known: KnownOrders,
        reports: Reports,
        send: Callable[[bytes], bool],
    ) -> None:
        self._config = config
        self._clock = clock
        self._queries = queries
        self._known = known
        self._reports = reports
        self._send_bytes = send
        self._by_req_id: dict[str, _Pending] = {}
        self._by_order: dict[str, list[_Pending]] = {}
        self._inquiries = Background()
        self._last_req = 0
        self._req_prefix = f"{clock.local_ns():x}"  # the venue wants ids it has not seen before
        self.tally = Tally("order entry")

    # -- requests --------------------------------------------------------------------------------------------

    def send_new(self, request: NewOrderRequest) -> None:
        """Send a new order."""
        self._known.sent(request)
        self._send(RequestKind.NewOrder, request, encode_create)

    def send_modify(self, request: ModifyOrderRequest) -> None:
        """Send a change of an order."""
        self._send(RequestKind.ModifyOrder, request, encode_amend)

    def send_cancel(self, request: CancelOrderRequest) -> None:
        """Send a cancel."""
        self._send(RequestKind.CancelOrder, request, encode_cancel)

    def is_pending(self, order_key: str) -> bool:
        """Whether a request about an order is still being followed."""
        return order_key in self._by_order

    def _send(self, kind: RequestKind, request: _Request, encode: Callable[..., bytes]) -> None:
        self._last_req += 1
        loop = asyncio.get_running_loop()
        pending = _Pending(kind, request, f"{self._req_prefix}-{self._last_req}", loop.time())
        refusal: tuple[GtwRejectCode, str] | None = None
        try:
            data = encode(pending.req_id, self._clock.now_ms(), self._config.recv_window_ms, request)
        except ValueError as error:
            refusal = GtwRejectCode.InvalidRequest, str(error)
        else:
            if not self._send_bytes(data):
                refusal = GtwRejectCode.GtwNotReady, "the order connection is down; nothing was sent"
        self._by_req_id[pending.req_id] = pending
        self._by_order.setdefault(pending.order_key, []).append(pending)
        if refusal is not None:
            loop.call_soon(self._refuse, pending, *refusal)
        else:
            self._restart_timer(pending)

    # -- the venue's answers ---------------------------------------------------------------------------------

    def on_answer(self, answer: TradeAnswer) -> None:
        """Take in the venue's answer to a request."""
        pending = self._by_req_id.get(answer.req_id)
        if pending is None and self._is_overtaken(answer):
            self.tally.counts["answer after its effect was seen"] += 1
        elif pending is None or pending.taken:
            self.tally.count("answer to no request", f"{answer.op[:40]} {answer.code}: {answer.text[:80]}")
        elif answer.code == 0 or answer.code in NOT_MODIFIED:
            self._taken(pending, answer.exchange_id)
        elif answer.code in UNKNOWN_OUTCOME:
            log.warning("%s %s: %d %s; asking", pending.kind.name, pending.wire_id, answer.code, answer.text)
            self._inquire(pending)
        else:
            self._refuse(pending, reject_code(answer.code), f"{answer.text} ({answer.code})")

    def _is_overtaken(self, answer: TradeAnswer) -> bool:
        """Whether an answer only comes too late: the private stream is often faster.

        A new order that was seen alive and is then refused is another matter.
        """
        is_ours = answer.req_id.startswith(f"{self._req_prefix}-")
        return is_ours and (answer.code == 0 or answer.op != "order.create")

    def on_connection_lost(self) -> None:
        """What was not answered before the order connection was lost will not be: ask."""
        for pending in list(self._by_req_id.values()):
            if not pending.taken:
                self._inquire(pending)

    def _taken(self, pending: _Pending, exchange_id: str) -> None:
        pending.taken = True
        self._restart_timer(pending)
        if pending.kind is not RequestKind.ModifyOrder:
            self._accept(pending, exchange_id)
        # The streams may have been faster than the answer.
        order = self._known.find(pending.order_key)
        if order is None:
            if pending.kind is RequestKind.ModifyOrder:
                self._refuse(pending, GtwRejectCode.TooLate, "the order has ended")
            self._finish(pending)
        elif order.reported:
            self._compare(pending, order.last)

    def on_report(self, report: OrderReport) -> None:
        """See whether an order's new state is what some request was to bring about."""
        for pending in list(self._by_order.get(report.wire_id or report.exchange_id, ())):
            self._compare(pending, report)

    def _compare(self, pending: _Pending, report: OrderReport) -> None:
        if pending.kind is RequestKind.NewOrder:
            self._accept(pending, report.exchange_id)
            self._finish(pending)
        elif pending.kind is RequestKind.ModifyOrder:
            if pending.is_shown_by(report):
                self._accept(pending, report.exchange_id)
                self._finish(pending)
            elif has_ended(report):
                self._refuse(pending, GtwRejectCode.TooLate, "the order ended first")
        elif pending.taken and has_ended(report):
            self._finish(pending)  # a cancel that was not taken yet still awaits its own answer

    # -- the one answer --------------------------------------------------------------------------------------

    def _accept(self, pending: _Pending, exchange_id: str) -> None:
        if not pending.told:
            pending.told = True
            self._reports.tell.on_request_accepted(pending.kind, pending.wire_id, exchange_id)

    def _refuse(self, pending: _Pending, code: GtwRejectCode, reason: str) -> None:
        if pending.done:
            return
        self._finish(pending)
        if not pending.told:
            pending.told = True
            if pending.kind is RequestKind.NewOrder:
                self._known.not_taken(pending.wire_id)
            self._reports.tell.on_request_refused(pending.kind, pending.wire_id, code, reason)

    def _finish(self, pending: _Pending) -> None:
        if pending.done:
            return
        pending.done = True
        if pending.timer is not None:
            pending.timer.cancel()
        if pending.inquiry is not None and pending.inquiry is not asyncio.current_task():
            pending.inquiry.cancel()
        del self._by_req_id[pending.req_id]
        of_order = self._by_order[pending.order_key]
        of_order.remove(pending)
        if not of_order:
            del self._by_order[pending.order_key]

    def _restart_timer(self, pending: _Pending) -> None:
        if pending.timer is not None:
            pending.timer.cancel()
        timeout_s = self._config.request_timeout_ms / 1_000
        pending.timer = asyncio.get_running_loop().call_later(timeout_s, self._inquire, pending)

    # -- asking ----------------------------------------------------------------------------------------------

    def _inquire(self, pending: _Pending) -> None:
        if pending.done or pending.inquiry is not None:
            return
        name = f"inquiry about {pending.kind.name} {pending.wire_id}"
        pending.inquiry = self._inquiries.spawn(self._ask_until_known(pending), name)

    async def _ask_until_known(self, pending: _Pending) -> None:
        loop = asyncio.get_running_loop()
        window_s = (self._config.recv_window_ms + self._config.request_timeout_ms) / 1_000
        pauses = Backoff(self._config.retry_first_ms, self._config.retry_longest_ms)
        while not pending.done:
            is_late = loop.time() >= pending.sent_at + window_s
            try:
                report = await self._queries.find_order(
                    pending.request.instrument, pending.wire_id, pending.exchange_id
                )
            except (VenueError, DecodeError) as error:
                log.warning("%s %s: its fate is unknown: %s", pending.kind.name, pending.wire_id, error)
            else:
                if report is not None:
                    self._reports.order(report)  # which decides most requests, through on_report
                if not pending.done:
                    self._conclude(pending, report, is_late)
                if pending.done:
                    return
            await asyncio.sleep(pauses.next_s())

    def _conclude(self, pending: _Pending, report: OrderReport | None, is_late: bool) -> None:
        """Decide a request by what the venue knows of the order; an early answer may not decide it."""
        if report is not None and has_ended(report):
            if pending.kind is RequestKind.CancelOrder and report.cancel_code is CancelCode.CanceledByUser:
                self._accept(pending, report.exchange_id)
                self._finish(pending)
            elif pending.kind is not RequestKind.NewOrder:
                self._refuse(pending, GtwRejectCode.TooLate, "the order has ended")
            else:
                self._compare(pending, report)
        elif report is not None and pending.kind is RequestKind.NewOrder:
            self._compare(pending, report)
        elif is_late:
            self._give_up(pending, report)

    def _give_up(self, pending: _Pending, report: OrderReport | None) -> None:
        """Conclude that a request was not carried out, and never will be."""
        waited_s = asyncio.get_running_loop().time() - pending.sent_at
        log.error("%s %s was not carried out after %.1f s", pending.kind.name, pending.wire_id, waited_s)
        if report is not None:
            state = f"the order is still open, unchanged, {waited_s:.1f} s after the request"
            self._refuse(pending, GtwRejectCode.VenueFault, state)
            return
        absent = f"the venue does not know the order, {waited_s:.1f} s after the request"
        order = self._known.find(pending.order_key)
        if pending.told and order is not None:
            self._finish(pending)
            self._reports.order(order.gone(absent, self._clock.local_ns() // _NS_PER_MS))
        elif pending.kind is RequestKind.NewOrder:
            self._refuse(pending, GtwRejectCode.VenueFault, absent)
        else:
            self._refuse(pending, GtwRejectCode.UnknownOrder, absent)

    async def close(self) -> None:
        """Stop following requests; what is unanswered is refused, saying that its fate is unknown."""
        await self._inquiries.close()
        for pending in list(self._by_req_id.values()):
            self._refuse(pending, GtwRejectCode.VenueFault, "the gateway was closed; the fate is unknown")
