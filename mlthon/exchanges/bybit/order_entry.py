"""Requests about single orders, each of which gets exactly one answer.

The venue's own answer means only that it took the request; the private stream shows what became of it. So a request
lives here until its effect has been seen:

    sent --refused--> told refused
      \\---taken---> new, cancel: told accepted;  modify: not told yet
              \\---seen---> done (modify: told accepted)

A request that is not answered, or whose effect is not seen, is never guessed at: the venue is asked what it knows of
the order, again and again, until the answer decides it. An order is taken for absent only once the venue, asked after
the request could no longer be carried out (its timestamp has expired), still does not know it. Should such an order
turn up after all, it is cancelled.

New orders and changes beyond the venue's rate limits are refused here. Cancels are not: several at once go as
batches, and what the venue has no room for waits until it has.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence

from mlthon._core.order_lane import StreamedOrders
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
from mlthon.exchanges.bybit.cancel_queue import CancelQueue
from mlthon.exchanges.bybit.categories import SPOT
from mlthon.exchanges.bybit.clock import VenueClock
from mlthon.exchanges.bybit.codec.fields import Json
from mlthon.exchanges.bybit.codec.trade import (
    AMEND,
    CREATE,
    ORDER_OPS,
    Fate,
    TradeAnswer,
    amend_fields,
    cancel_fields,
    create_fields,
)
from mlthon.exchanges.bybit.config import BybitConfig
from mlthon.exchanges.bybit.known_orders import KnownOrder, KnownOrders, has_ended
from mlthon.exchanges.bybit.order_lanes import OrderLane, OrderLanes
from mlthon.exchanges.bybit.order_routes import OrderRoutes, Route
from mlthon.exchanges.bybit.pending import Message, Pending
from mlthon.exchanges.bybit.queries import Queries
from mlthon.exchanges.bybit.rate_limits import RateLimits, bucket_of
from mlthon.exchanges.bybit.reject_codes import NOT_MODIFIED, RATE_LIMITED, UNKNOWN_OUTCOME, reject_code
from mlthon.exchanges.bybit.reports import Reports
from mlthon.exchanges.bybit.tally import Tally
from mlthon.exchanges.deadlines import Deadlines

__all__ = ["OrderEntry"]

log = logging.getLogger("mlthon.exchanges.bybit")

_NS_PER_MS = 1_000_000
_KEPT_GIVEN_UP = 1_000
_SAY_IT_ENDED = (GtwRejectCode.UnknownOrder, GtwRejectCode.TooLate)
_WRONG_LEG = "position idx"  # in the venue's words for an order in a contract that is in hedge mode
_IN_HEDGE_MODE = ": the contract is in hedge mode, expected one-way mode, with one position in a contract"
_OVERTAKEN = "answer after its effect was seen"


class OrderEntry(StreamedOrders):
    """Sends requests, and follows each until its effect is known. The listener is told through ``reports``.

    New orders are asked of the base, which sends those that are like one before.

    ``on_doubt`` is called with an order that we believe open, when a refusal says that it is not.
    """

    def __init__(
        self,
        config: BybitConfig,
        clock: VenueClock,
        queries: Queries,
        known: KnownOrders,
        reports: Reports,
        routes: OrderRoutes,
        limits: RateLimits,
    ) -> None:
        super().__init__(
            OrderLanes(config.recv_window_ms),
            limits,
            clock.stamp_ms,
            routes.write,
            f"{clock.local_ns():x}",  # the venue wants ids it has not seen before
        )
        self._config = config
        self._clock = clock
        self._queries = queries
        self._known = known
        self._reports = reports
        self._routes = routes
        self._limits = limits
        self._by_req_id: dict[str, Message] = {}
        self._by_order: dict[str, list[Pending]] = {}
        self._cancels = CancelQueue(limits, self._send_message)
        self._deadlines = Deadlines(config.request_timeout_ms / 1_000, self._inquire)
        self._given_up: OrderedDict[str, None] = OrderedDict()  # orders that were told dead, unseen
        self._inquiries = Background()
        self.on_doubt: Callable[[KnownOrder], None] = lambda _: None
        self.tally = Tally("order entry")

    # -- requests --------------------------------------------------------------------------------------------

    def send_in_full(self, request: NewOrderRequest) -> None:
        """Send any new order; `send_new` does it the short way where it can."""
        if not self._send_in_lane(request):
            self._send(Pending(RequestKind.NewOrder, request), CREATE, lambda: create_fields(request))
            self._known.sent(request)  # nothing comes back before this returns

    def note_sent(self, req_id: str, lane: OrderLane, request: NewOrderRequest) -> None:
        """Take note of a new order that was put on the trade stream; nothing has come back yet."""
        self._limits.take(lane.bucket)
        pending = Pending(RequestKind.NewOrder, request)
        self._sent(Message(req_id, Route.Stream, [pending]))
        self._follow(pending)
        self._known.sent(request)

    def send_modify(self, request: ModifyOrderRequest) -> None:
        """Send a change of an order."""
        self._send(Pending(RequestKind.ModifyOrder, request), AMEND, lambda: amend_fields(request))

    def send_cancels(self, requests: Sequence[CancelOrderRequest]) -> None:
        """Send cancels; several go in as few messages as the venue allows."""
        for request in requests:
            self._add_cancel(Pending(RequestKind.CancelOrder, request, cancel_fields(request)))
        self._cancels.flush()

    def is_pending(self, order_key: str) -> bool:
        """Whether a request about an order is still being followed."""
        return order_key in self._by_order

    def _send_in_lane(self, request: NewOrderRequest) -> bool:
        """Send a new order by the trade stream if nothing is in its way; False: nothing has happened to it."""
        try:
            lane = self.lanes.of(request.instrument)
            if not self._limits.has_room(lane.bucket):
                return False
            req_id = self.next_req_id(is_spot=lane.is_spot)
            data = lane.encode(request, req_id, self._clock.stamp_ms())
        except ValueError:  # which the general way words
            return False
        if not self._routes.write(data):
            return False
        self.note_sent(req_id, lane, request)
        return True

    def _send(self, pending: Pending, op: str, fields: Callable[[], Json]) -> None:
        """Send a request, and only then take note of it: the wire is what is waited for."""
        try:
            pending.fields = fields()
        except ValueError as error:
            self._refuse_soon(pending, GtwRejectCode.InvalidRequest, str(error))
        else:
            bucket = bucket_of(op, pending.fields["category"])
            if self._limits.take(bucket):
                self._send_message(op, [pending], pending.fields)
            else:
                self._refuse_soon(pending, GtwRejectCode.RateLimited, self._why_limited(bucket))
        self._follow(pending)

    def _why_limited(self, bucket: str) -> str:
        wait_ms = self._limits.wait_s(bucket) * 1_000
        return (
            f"not sent: all {self._limits.limit(bucket)} requests a second for {bucket} are used up; "
            f"next in {wait_ms:.0f} ms"
        )

    def _send_message(self, op: str, members: list[Pending], fields: Json) -> None:
        req_id = self.next_req_id(is_spot=fields["category"] == SPOT)
        route = self._routes.send(op, req_id, fields)
        if route is None:
            for pending in members:
                self._refuse_soon(
                    pending, GtwRejectCode.RateLimited, "not sent: too many requests by HTTP in five seconds"
                )
            return
        self._sent(Message(req_id, route, members))

    def _sent(self, message: Message) -> None:
        """Wait for the answer to a message that has gone."""
        self._by_req_id[message.req_id] = message
        now = asyncio.get_running_loop().time()
        for pending in message.members:
            pending.message = message
            pending.sent_at = now
            self._deadlines.start(pending, now)

    def _follow(self, pending: Pending) -> None:
        self._by_order.setdefault(pending.order_key, []).append(pending)

    def _add_cancel(self, pending: Pending) -> None:
        """Queue a cancel; one of an order that is on its way by REST waits, for it might overtake it."""
        for other in self._by_order.get(pending.order_key, ()):
            if other.kind is RequestKind.NewOrder and not other.taken and _is_by_rest(other):
                other.then.append(pending)
                break
        else:
            self._cancels.add(pending)
        self._follow(pending)

    def _refuse_soon(self, pending: Pending, code: GtwRejectCode, reason: str) -> None:
        asyncio.get_running_loop().call_soon(self._refuse, pending, code, reason)

    # -- the venue's answers ---------------------------------------------------------------------------------

    def on_answer(self, answer: TradeAnswer) -> None:
        """Take in the venue's answer to a request."""
        self._learn_limits(answer)
        message = self._by_req_id.get(answer.req_id)
        if message is None:
            self._on_late_answer(answer)
            return
        fates = answer.fates or (answer.fate,) * len(message.members)
        if len(fates) != len(message.members):
            reason = f"expected {len(message.members)} answers to {answer.op}, got {len(fates)}"
            self.on_unanswered(answer.req_id, reason)
            return
        for pending, fate in zip(message.members, fates, strict=True):
            self._on_fate(pending, fate, answer.op)

    def _learn_limits(self, answer: TradeAnswer) -> None:
        if answer.op not in ORDER_OPS:  # a peer can invent names
            return
        bucket = bucket_of(answer.op, SPOT if self.is_spot_id(answer.req_id) else "")
        if answer.limits is not None:
            self._limits.observe(answer.limits._replace(bucket=bucket))
        if any(fate.code in RATE_LIMITED for fate in (answer.fate, *answer.fates)):
            self._limits.refused(bucket)

    def _on_fate(self, pending: Pending, fate: Fate, op: str) -> None:
        if pending.done:
            self.tally.counts[_OVERTAKEN] += 1
        elif pending.taken:
            self.tally.count("answer to no request", f"{op[:40]} {fate.code}: {fate.text[:80]}")
        elif fate.code == 0 or fate.code in NOT_MODIFIED:
            self._taken(pending, fate.exchange_id)
        elif fate.code in UNKNOWN_OUTCOME:
            log.warning("%s %s: %d %s; asking", pending.kind.name, pending.wire_id, fate.code, fate.text)
            self._inquire(pending)
        else:
            code = reject_code(fate.code)
            hint = _IN_HEDGE_MODE if _WRONG_LEG in fate.text.lower() else ""
            self._refuse(pending, code, f"{fate.text} ({fate.code}){hint}")
            order = self._known.find(pending.order_key)
            if order is not None and code in _SAY_IT_ENDED:
                self.on_doubt(order)

    def _on_late_answer(self, answer: TradeAnswer) -> None:
        """An answer may come after its effect: the private stream is often faster.

        A new order that was seen alive and is then refused is another matter.
        """
        is_ours = self.is_own_id(answer.req_id)
        if is_ours and (answer.code == 0 or answer.op != CREATE):
            self.tally.counts[_OVERTAKEN] += 1
        else:
            self.tally.count("answer to no request", f"{answer.op[:40]} {answer.code}: {answer.text[:80]}")

    def on_connection_lost(self) -> None:
        """What was not answered before the trade stream was lost will not be: ask."""
        for message in list(self._by_req_id.values()):
            if message.route is Route.Stream:
                self.on_unanswered(message.req_id, "the connection was lost")

    def on_unanswered(self, req_id: str, reason: str) -> None:
        """A request will not be answered any more: ask what became of it."""
        message = self._by_req_id.get(req_id)
        for pending in message.members if message is not None else ():
            if not pending.taken and not pending.done:
                log.warning("%s %s: %s; asking", pending.kind.name, pending.wire_id, reason)
                self._inquire(pending)

    def on_not_sent(self, req_id: str, reason: str) -> None:
        """A request did not leave."""
        message = self._by_req_id.get(req_id)
        for pending in list(message.members) if message is not None else ():
            self._refuse(pending, GtwRejectCode.GtwNotReady, f"nothing was sent: {reason}")

    def _release(self, pending: Pending) -> None:
        """Send the cancels that waited for an order to arrive."""
        if pending.then:
            for cancel in pending.then:
                self._cancels.add(cancel)
            pending.then.clear()
            self._cancels.flush()

    def _taken(self, pending: Pending, exchange_id: str) -> None:
        pending.taken = True
        self._release(pending)
        self._deadlines.start(pending, asyncio.get_running_loop().time())
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

    def on_sight(self, report: OrderReport) -> None:
        """Cancel an order that was told dead because the venue did not know it, and that is alive after all."""
        if report.wire_id not in self._given_up or has_ended(report):
            return
        del self._given_up[report.wire_id]
        log.error("order %s turned up after it was told dead; cancelling it", report.wire_id)
        instrument = self._reports.instrument(report)
        request = CancelOrderRequest(report.wire_id, report.exchange_id, instrument)
        self._add_cancel(Pending(RequestKind.CancelOrder, request, cancel_fields(request), told=True))
        self._cancels.flush()

    def presume_gone(self, wire_id: str) -> None:
        """Note an order that is told dead because the venue does not know it."""
        if wire_id:
            self._given_up[wire_id] = None
            if len(self._given_up) > _KEPT_GIVEN_UP:
                self._given_up.popitem(last=False)

    def on_report(self, report: OrderReport) -> None:
        """See whether an order's new state is what some request was to bring about."""
        for pending in list(self._by_order.get(report.wire_id or report.exchange_id, ())):
            self._compare(pending, report)

    def _compare(self, pending: Pending, report: OrderReport) -> None:
        if pending.kind is RequestKind.NewOrder:
            self._accept(pending, report.exchange_id)
            self._finish(pending)
        elif pending.kind is RequestKind.ModifyOrder:
            if pending.is_shown_by(report):
                self._accept(pending, report.exchange_id)
                self._finish(pending)
            elif has_ended(report):
                self._refuse(pending, GtwRejectCode.TooLate, "the order ended first")
        elif pending.message is None and has_ended(report):
            self._refuse(pending, GtwRejectCode.TooLate, "the order ended before the cancel was sent")
        elif pending.taken and has_ended(report):
            self._finish(pending)  # a cancel that was not taken yet still awaits its own answer

    # -- the one answer --------------------------------------------------------------------------------------

    def _accept(self, pending: Pending, exchange_id: str) -> None:
        if not pending.told:
            pending.told = True
            self._reports.tell.on_request_accepted(pending.kind, pending.wire_id, exchange_id)

    def _refuse(self, pending: Pending, code: GtwRejectCode, reason: str) -> None:
        if pending.done:
            return
        self._finish(pending)
        if not pending.told:
            pending.told = True
            if pending.kind is RequestKind.NewOrder:
                self._known.not_taken(pending.wire_id)
                if pending.message is not None:
                    self.presume_gone(pending.wire_id)
            self._reports.tell.on_request_refused(pending.kind, pending.wire_id, code, reason)

    def _finish(self, pending: Pending) -> None:
        if pending.done:
            return
        pending.done = True
        if pending.inquiry is not None and pending.inquiry is not asyncio.current_task():
            pending.inquiry.cancel()
        message = pending.message
        if message is not None and all(member.done for member in message.members):
            self._by_req_id.pop(message.req_id, None)
        of_order = self._by_order[pending.order_key]
        of_order.remove(pending)
        if not of_order:
            del self._by_order[pending.order_key]
        self._release(pending)

    # -- asking ----------------------------------------------------------------------------------------------

    def _inquire(self, pending: Pending) -> None:
        if pending.done or pending.inquiry is not None:
            return
        name = f"inquiry about {pending.kind.name} {pending.wire_id}"
        pending.inquiry = self._inquiries.spawn(self._ask_until_known(pending), name)

    async def _ask_until_known(self, pending: Pending) -> None:
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
                    # It was asked for after the request: a change that it shows is news, whatever its stamp says.
                    is_news = not pending.done and pending.is_shown_by(report)
                    self._reports.order(
                        report, is_news=is_news
                    )  # which decides most requests, through on_report
                if not pending.done:
                    self._conclude(pending, report, is_late)
                if pending.done:
                    return
            await asyncio.sleep(pauses.next_s())

    def _conclude(self, pending: Pending, report: OrderReport | None, is_late: bool) -> None:
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

    def _give_up(self, pending: Pending, report: OrderReport | None) -> None:
        """Conclude that a request was not carried out, and never will be."""
        waited_s = asyncio.get_running_loop().time() - pending.sent_at
        log.error("%s %s was not carried out after %.1f s", pending.kind.name, pending.wire_id, waited_s)
        if report is not None:
            state = f"the order is still open, unchanged, {waited_s:.1f} s after the request"
            self._refuse(pending, GtwRejectCode.VenueFault, state)
            return
        absent = f"the venue does not know the order, {waited_s:.1f} s after the request"
        order = self._known.find(pending.order_key)
        if pending.kind is RequestKind.NewOrder and not pending.told:
            self._refuse(pending, GtwRejectCode.VenueFault, absent)
            return
        self._refuse(pending, GtwRejectCode.UnknownOrder, absent)
        if order is not None and not self.is_pending(pending.order_key):
            self.presume_gone(pending.wire_id)
            self._reports.order(order.gone(absent, self._clock.local_ns() // _NS_PER_MS))

    async def close(self) -> None:
        """Stop following requests; what is unanswered is refused, saying that its fate is unknown."""
        self._cancels.close()
        self._deadlines.close()
        await self._routes.close()
        await self._inquiries.close()
        unanswered = [each for of_order in self._by_order.values() for each in of_order]
        for pending in unanswered:
            pending.then.clear()
        for pending in unanswered:
            if pending.message is None:
                self._refuse(pending, GtwRejectCode.GtwNotReady, "the gateway was closed; nothing was sent")
            else:
                self._refuse(pending, GtwRejectCode.VenueFault, "the gateway was closed; the fate is unknown")


def _is_by_rest(pending: Pending) -> bool:
    return pending.message is not None and pending.message.route is Route.Rest
