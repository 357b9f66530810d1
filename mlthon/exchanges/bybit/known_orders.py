"""What the gateway knows of the account's orders: enough to spot old news, and to ask after the silent ones."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from mlthon.basics.defs import CancelCode, GtwRejectCode, OrderStatus
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.engine.ports import FillReport, NewOrderRequest, OrderReport
from mlthon.instruments.instrument import Instrument

__all__ = ["KnownOrder", "KnownOrders", "has_ended"]

_ENDED = frozenset({OrderStatus.Filled, OrderStatus.Cancelled, OrderStatus.Rejected})
_NO_PRICE, _ZERO = Price("0"), Qty("0")
_KEPT_ENDED = 10_000  # to recognise late messages about them


def has_ended(report: OrderReport) -> bool:
    """Tell whether an order can no longer trade."""
    return report.status in _ENDED


@dataclass(slots=True, eq=False)
class KnownOrder:
    """An order that was sent or reported, and the last that was heard of it."""

    instrument: Instrument
    last: OrderReport
    reported: bool = False  # `last` came from the venue; else it is what was asked for
    is_ours: bool = False  # sent from here, so that every fill of it should have come by
    filled: Qty = _ZERO
    exec_ids: set[str] = field(default_factory=set)

    @property
    def wire_id(self) -> str:
        return self.last.wire_id

    @property
    def exchange_id(self) -> str:
        return self.last.exchange_id

    def gone(self, reason: str, recv_ms: int) -> OrderReport:
        """The report that ends an order which the venue, asked for it, no longer knows."""
        status = OrderStatus.Cancelled if self.reported else OrderStatus.Rejected
        return self.last.replace(
            status=status,
            cancel_code=CancelCode.Unset,
            reject_code=GtwRejectCode.VenueFault,
            reason=reason,
            recv_ms=recv_ms,
        )


class KnownOrders:
    """Orders by our id, or by the venue's where there is none of ours. Open ones are kept, ended ones for a while."""

    def __init__(self) -> None:
        self._open: dict[str, KnownOrder] = {}
        self._ended: OrderedDict[str, OrderReport] = OrderedDict()

    def sent(self, request: NewOrderRequest) -> None:
        """Note an order that is on its way."""
        asked = OrderReport(
            request.wire_id,
            "",
            request.instrument.get_instrument_id(),
            request.side,
            _NO_PRICE if request.price is None else request.price,
            request.qty,
            _ZERO,
            OrderStatus.New,
            request.order_type,
            request.tif,
            request.exec_instr,
        )
        self._open[request.wire_id] = KnownOrder(request.instrument, asked, is_ours=True)

    def not_taken(self, wire_id: str) -> None:
        """Forget an order that the venue refused."""
        self._open.pop(wire_id, None)

    def find(self, wire_id: str, exchange_id: str = "") -> KnownOrder | None:
        """An order that is open as far as we know."""
        return self._open.get(wire_id or exchange_id)

    def is_ours(self, wire_id: object, exchange_id: object) -> bool:
        """Whether an order, by either of its ids, was sent from here, or may have been and has ended."""
        if isinstance(wire_id, str):
            order = self._open.get(wire_id)
            if wire_id in self._ended or (order is not None and order.is_ours):
                return True
        return any(each.is_ours and each.exchange_id == exchange_id for each in self._open.values())

    def is_others(self, wire_id: object, exchange_id: object) -> bool:
        """Whether an order, by its ids, is certainly not ours: both are legible, and neither is known as ours."""
        legible = isinstance(wire_id, str) and isinstance(exchange_id, str) and bool(wire_id or exchange_id)
        return legible and not self.is_ours(wire_id, exchange_id)

    def open(self) -> list[KnownOrder]:
        """All orders that are open as far as we know, sent ones included."""
        return list(self._open.values())

    def admit(self, report: OrderReport, instrument: Instrument, *, is_news: bool = False) -> bool:
        """Take in a report; returns False for one that is older than what was told before."""
        key = report.wire_id or report.exchange_id
        known = self._open.get(key)
        before = self._ended.get(key) or (known.last if known is not None and known.reported else None)
        if before is not None and not is_news and _is_older(report, before):
            return False
        if has_ended(report):
            self._open.pop(key, None)
            self._ended[key] = report
            self._ended.move_to_end(key)
            if len(self._ended) > _KEPT_ENDED:
                self._ended.popitem(last=False)
        else:
            order = self._open.setdefault(key, KnownOrder(instrument, report))
            order.last, order.reported = report, True
        return True

    def apply_fill(self, fill: FillReport) -> None:
        """Count a fill, once."""
        order = self.find(fill.wire_id, fill.exchange_id)
        if order is not None and fill.exec_id not in order.exec_ids:
            order.exec_ids.add(fill.exec_id)
            order.filled += fill.qty

    def lacks_fills(self, order_key: str) -> bool:
        """Whether an open order of ours has traded more than the fills that came by."""
        order = self._open.get(order_key)
        return order is not None and order.is_ours and order.filled < order.last.cum_qty


def _is_older(report: OrderReport, before: OrderReport) -> bool:
    """An end is final, an order never un-trades, and the venue stamps every change.

    Only an end can outdate an end: dropping one wrongly would leave an order open for ever.
    """
    if has_ended(before):
        return not has_ended(report) or report.cum_qty < before.cum_qty
    if has_ended(report):
        return False
    if report.cum_qty != before.cum_qty:
        return report.cum_qty < before.cum_qty  # whatever the stamps say: a clock may be set back
    return 0 < report.venue_ms < before.venue_ms
