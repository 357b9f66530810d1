"""What became of a strategy's requests: how many, how fast, filled or refused."""

from __future__ import annotations

from array import array
from collections import Counter

from mlthon.backtest.statistics import Distribution
from mlthon.backtest.trace import MAKER, NOBODYS, TAKER, Trace
from mlthon.basics.defs import GtwRejectCode
from mlthon.engine.ports import OrderEvent, RequestKind

__all__ = ["OrderFlow", "order_flows"]

_REQUESTS = {
    OrderEvent.Sent: RequestKind.NewOrder,
    OrderEvent.ModifySent: RequestKind.ModifyOrder,
    OrderEvent.CancelSent: RequestKind.CancelOrder,
}
_ANSWERS = {
    OrderEvent.Acked: RequestKind.NewOrder,
    OrderEvent.Rejected: RequestKind.NewOrder,
    OrderEvent.Modified: RequestKind.ModifyOrder,
    OrderEvent.ModifyRejected: RequestKind.ModifyOrder,
    OrderEvent.Cancelled: RequestKind.CancelOrder,
    OrderEvent.CancelRejected: RequestKind.CancelOrder,
}
_COUNTED = {
    OrderEvent.Sent: "sent",
    OrderEvent.Acked: "acked",
    OrderEvent.Rejected: "rejected",
    OrderEvent.Cancelled: "cancelled",
    OrderEvent.Filled: "filled",
}


class OrderFlow:
    """The orders of one instrument, or of all."""

    def __init__(self) -> None:
        self.orders: Counter[str] = Counter()  #: sent, acked, rejected, cancelled, filled
        self.requests: Counter[RequestKind] = Counter()  #: new, modify and cancel requests that were sent
        self.rejects: Counter[tuple[RequestKind, GtwRejectCode]] = Counter()
        self.fills = self.maker_fills = self.taker_fills = 0
        self.orders_with_fills = 0
        self.latencies_ns: dict[RequestKind, array[int]] = {}
        self.times_to_fill_ns = array("q")

    @property
    def maker_share(self) -> float | None:
        """Maker fills of all own fills; liquidations aside."""
        own = self.maker_fills + self.taker_fills
        return self.maker_fills / own if own else None

    @property
    def fill_ratio(self) -> float | None:
        """Orders that had at least one fill, of all that the venue accepted."""
        accepted = self.orders["acked"]
        return self.orders_with_fills / accepted if accepted else None

    @property
    def order_to_trade(self) -> float | None:
        """New, modify and cancel requests sent, for each own fill. Venues count in ways of their own."""
        own = self.maker_fills + self.taker_fills
        return self.requests.total() / own if own else None

    def latency(self) -> dict[RequestKind, Distribution]:
        """From a request to the news of what came of it, on the strategy's clock.

        Of a cancel that is the news that the order has ended, or that it was too late for it. Requests that never
        left, for want of room in a rate limit, have no latency.
        """
        found = {kind: Distribution.of(times) for kind, times in self.latencies_ns.items()}
        return {kind: times for kind, times in found.items() if times is not None}

    def time_to_fill(self) -> Distribution | None:
        """From sending an order to its first fill, of the orders that had one."""
        return Distribution.of(self.times_to_fill_ns)


def order_flows(trace: Trace) -> tuple[OrderFlow, list[OrderFlow]]:
    """The flow of all orders together, and of each instrument's, in the order of the trace."""
    whole, flows = OrderFlow(), [OrderFlow() for _ in trace.instruments]
    sent_ns = _read_steps(trace, whole, flows)
    _read_fills(trace, whole, flows, sent_ns)
    return whole, flows


def _read_steps(trace: Trace, whole: OrderFlow, flows: list[OrderFlow]) -> array[int]:
    """Count requests and answers; return when each order was sent."""
    rows = trace.orders
    waiting: dict[tuple[int, RequestKind], int] = {}
    sent_ns = array("q", bytes(8 * len(rows.client_ids)))
    events = {event.value: event for event in OrderEvent}
    codes = {code.value: code for code in GtwRejectCode}
    for ns, value, order, code in zip(rows.ns, rows.event, rows.order, rows.code, strict=True):
        event = events[value]
        for flow in (whole, flows[rows.instruments[order]]):
            if event in _COUNTED:
                flow.orders[_COUNTED[event]] += 1
            if event in _REQUESTS:
                flow.requests[_REQUESTS[event]] += 1
            if code:
                flow.rejects[_ANSWERS[event], codes[code]] += 1
        if event is OrderEvent.Sent:
            sent_ns[order] = ns
        if event in _REQUESTS:
            waiting[order, _REQUESTS[event]] = ns
        elif event in _ANSWERS:
            asked_ns = waiting.pop((order, _ANSWERS[event]), None)
            if asked_ns is None or code == GtwRejectCode.RateLimited.value:
                continue
            for flow in (whole, flows[rows.instruments[order]]):
                flow.latencies_ns.setdefault(_ANSWERS[event], array("q")).append(ns - asked_ns)
    return sent_ns


def _read_fills(trace: Trace, whole: OrderFlow, flows: list[OrderFlow], sent_ns: array[int]) -> None:
    """Count fills, and what they say of their orders."""
    rows = trace.fills
    seen = bytearray(len(sent_ns))
    for ns, order, number, liquidity in zip(
        rows.ns, rows.order, rows.instrument, rows.liquidity, strict=True
    ):
        for flow in (whole, flows[number]):
            flow.fills += 1
            flow.maker_fills += liquidity == MAKER
            flow.taker_fills += liquidity == TAKER
            if order != NOBODYS and not seen[order]:
                flow.orders_with_fills += 1
                flow.times_to_fill_ns.append(ns - sent_ns[order])
        if order != NOBODYS:
            seen[order] = True
