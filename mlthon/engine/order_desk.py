"""The engine's truth about the orders of one strategy on one exchange.

The desk sits between the environment and a gateway. Downwards it hands requests over; upwards it turns a venue's
reports, which may repeat, come late or in any order, into one consistent story per order:

    ack or reject first; then executions, each once; then at most one cancelled; every request one final answer.

* Whatever proves that an order lives (a report, a fill) acknowledges it, if nothing did before.
* A report that an order has ended is held until the fills it counts have arrived.
* A modify or cancel that its order's end overtakes is answered at that end.
* A fill is never dropped, not even one that comes after the end; a repeated one is known by its execution id.
"""

from __future__ import annotations

import logging
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mlthon._core.dispatch import Dispatcher
from mlthon._core.order import seen_order
from mlthon.basics.defs import (
    TIF,
    CancelCode,
    Exchange,
    ExecInstructions,
    GtwRejectCode,
    GtwStatus,
    OrderStatus,
    OrderType,
    Side,
)
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.engine.account_info import AccountInfo
from mlthon.engine.ports import (
    CancelOrderRequest,
    FillReport,
    Gateway,
    ModifyOrderRequest,
    NewOrderRequest,
    OrderEvent,
    OrderReport,
    RequestKind,
)
from mlthon.engine.scheduler import Scheduler
from mlthon.instruments.instrument import Instrument
from mlthon.order.order import Order

__all__ = ["DeskOrder", "OrderDesk", "OrderRecord"]

log = logging.getLogger("mlthon.engine")

_ZERO = Qty("0")
_NO_PRICE = Price("0")
_ENDED = frozenset({OrderStatus.Filled, OrderStatus.Cancelled, OrderStatus.Rejected})
_KEPT_ENDED_ORDERS = 10_000  # for late reports and duplicate ids; the oldest are forgotten
_MISSING_FILLS_MS = 1_000  # how long an end waits for its fills before they are asked for


@dataclass(slots=True, eq=False)
class DeskOrder:
    """One order as the desk knows it."""

    client_id: str
    wire_id: str
    instrument: Instrument
    side: Side
    price: Price  # zero: a market order
    qty: Qty
    order_type: OrderType
    tif: TIF
    exec_instr: ExecInstructions
    exchange_id: str = ""
    cum_qty: Qty = _ZERO
    acked: bool = False  # the strategy was told that the order lives
    ended: bool = False  # the strategy was told, or could conclude, that it no longer does
    cancel_pending: bool = False
    cancel_asked: bool = False  # by the strategy, ever: its end is then not unsolicited
    withdrawal_pending: bool = False  # a cancel of the engine's own, which the strategy is not told of
    modify_pending: ModifyOrderRequest | None = None
    held_end: OrderReport | None = None
    exec_ids: set[str] = field(default_factory=set)

    @property
    def leaves_qty(self) -> Qty:
        """Quantity still open; never negative."""
        return max(self.qty - self.cum_qty, _ZERO)


class OrderRecord(Protocol):
    """Where the story of every order is written down, for whoever counts it afterwards.

    The engine's own withdrawals of what a stopped strategy left open are not part of it.
    """

    def record_order(self, event: OrderEvent, order: DeskOrder, code: GtwRejectCode | None) -> None:
        """A step of an order that was sent, before the strategy hears of it; ``code`` is why it was refused."""

    def record_refusal(self, kind: RequestKind, code: GtwRejectCode) -> None:
        """A request that the engine refused by itself, and did not send."""


class OrderDesk(AccountInfo):
    """Orders, fills and account answers of one exchange. Implements `GatewayListener`.

    ``on_fill(fill)`` is called for every new fill of an own order, before the strategy hears of it.
    """

    def __init__(
        self,
        exchange: Exchange,
        gateway: Gateway,
        dispatcher: Dispatcher,
        scheduler: Scheduler,
        on_fill: Callable[[FillReport], None],
        record: OrderRecord | None = None,
    ) -> None:
        super().__init__(exchange, dispatcher)
        self._record = record
        self._gateway = gateway
        self._scheduler = scheduler
        self._on_fill = on_fill
        self._by_client_id: dict[str, DeskOrder] = {}
        self._by_wire_id: dict[str, DeskOrder] = {}
        self._by_exchange_id: dict[str, DeskOrder] = {}
        self._ended: OrderedDict[str, DeskOrder] = OrderedDict()
        self._cancel_alls: Counter[int] = Counter()
        self.counts: Counter[str] = Counter()  # sent, acked, rejected, cancelled, filled; fills; foreign
        self.told_status: GtwStatus | None = None
        gateway.attach(self)

    # -- questions ---------------------------------------------------------------------------------------------

    @property
    def gateway(self) -> Gateway:
        return self._gateway

    def order(self, client_id: str) -> DeskOrder | None:
        """The order of a client id, ended ones included as long as they are remembered."""
        return self._by_client_id.get(client_id)

    def open_orders(self) -> list[DeskOrder]:
        """Orders that are not known to have ended, oldest first."""
        return [order for order in self._by_wire_id.values() if not order.ended]

    # -- requests, from the environment ------------------------------------------------------------------------

    def send_new(self, client_id: str, request: NewOrderRequest) -> None:
        """Send a new order; the client id must be new."""
        order = DeskOrder(
            client_id,
            request.wire_id,
            request.instrument,
            request.side,
            request.price if request.price is not None else _NO_PRICE,
            request.qty,
            request.order_type,
            request.tif,
            request.exec_instr,
        )
        self._gateway.send_new(
            request
        )  # answers come later: nothing is known of an order that this refuses to take
        self._by_client_id[client_id] = order
        self._by_wire_id[request.wire_id] = order
        self.counts["sent"] += 1
        self._note(OrderEvent.Sent, order)

    def send_modify(self, order: DeskOrder, new_price: Price | None, new_qty: Qty | None) -> None:
        """Ask for another price or total quantity of an open order without pending requests."""
        order.modify_pending = ModifyOrderRequest(
            order.wire_id, order.exchange_id, order.instrument, new_price, new_qty
        )
        self._gateway.send_modify(order.modify_pending)
        self._note(OrderEvent.ModifySent, order)

    def send_cancel(self, order: DeskOrder) -> None:
        """Ask to cancel an open order without a pending cancel."""
        order.cancel_pending = order.cancel_asked = True
        self._gateway.send_cancel(CancelOrderRequest(order.wire_id, order.exchange_id, order.instrument))
        self._note(OrderEvent.CancelSent, order)

    def withdraw(self, order: DeskOrder) -> None:
        """Ask to cancel an order of a strategy that is no longer there to do it."""
        order.withdrawal_pending = True
        self._gateway.send_cancel(CancelOrderRequest(order.wire_id, order.exchange_id, order.instrument))

    def send_cancel_all(self, instrument: Instrument) -> None:
        """Ask to cancel everybody's orders of the account on an instrument."""
        self._cancel_alls[instrument.get_instrument_id()] += 1
        for order in self.open_orders():
            if order.instrument.get_instrument_id() == instrument.get_instrument_id():
                order.cancel_asked = True
        self._gateway.send_cancel_all(instrument)

    # -- GatewayListener: status and the fate of requests --------------------------------------------------------

    def announce(self) -> None:
        """Begin to tell the strategy of this exchange: the gateway's status first, then what the account holds."""
        self.told_status = self._gateway.status
        self._dispatcher.call("on_gateway_status", self._exchange, self.told_status, "")
        self.announce_account()

    def on_status(self, status: GtwStatus, detail: str) -> None:
        if self.told_status is None or status is self.told_status:
            return
        self.told_status = status
        self._tell("on_gateway_status", self._exchange, status, detail)

    def on_request_accepted(self, kind: RequestKind, wire_id: str, exchange_id: str) -> None:
        order = self._by_wire_id.get(wire_id)
        if order is None:
            return
        self._learn_exchange_id(order, exchange_id)
        if kind is RequestKind.CancelOrder and not order.withdrawal_pending:
            self._answer_cancel(order)
        # A new or modified order is acknowledged by the report that shows it: acceptance is not yet a fact.

    def on_request_refused(self, kind: RequestKind, wire_id: str, code: GtwRejectCode, reason: str) -> None:
        order = self._by_wire_id.get(wire_id)
        if order is None:
            return
        if kind is RequestKind.NewOrder:
            if order.acked or order.ended:
                log.error("%s: %s refused after it was seen alive: %s", self._exchange.name, wire_id, reason)
                return
            self._reject_new(order, code, reason)
        elif kind is RequestKind.ModifyOrder:
            self._refuse_modify(order, code, reason)
        elif order.withdrawal_pending:
            order.withdrawal_pending = False
            self.counts["withdrawals refused"] += 1
        else:
            self._refuse_cancel(order, code, reason)

    def on_cancel_all_accepted(self, instrument: Instrument) -> None:
        if self._take_cancel_all(instrument):
            self._tell("on_cancel_all_ack", self._exchange, instrument.get_instrument_id())

    def on_cancel_all_refused(self, instrument: Instrument, code: GtwRejectCode, reason: str) -> None:
        if self._take_cancel_all(instrument):
            self._tell("on_cancel_all_reject", self._exchange, instrument.get_instrument_id(), code, reason)

    # -- GatewayListener: what became of orders ------------------------------------------------------------------

    def on_order_report(self, report: OrderReport) -> None:
        self.events += 1
        order = self._find(report.wire_id, report.exchange_id)
        if order is None:
            self.counts["foreign"] += 1
            return
        self._learn_exchange_id(order, report.exchange_id)
        if order.ended:
            return
        if report.status is OrderStatus.Rejected and not order.acked and report.cum_qty.is_zero():
            self._reject_new(order, report.reject_code, report.reason)
            return
        self._ack(order)
        self._settle_modify(order, report)
        if report.status in _ENDED:
            order.held_end = report
            self._end_if_fills_complete(order)
            if not order.ended:
                self._scheduler.once(
                    _MISSING_FILLS_MS, "missing fills", lambda: self._ask_for_missing_fills(order)
                )

    def on_fill_report(self, fill: FillReport) -> None:
        self.events += 1
        order = self._find(fill.wire_id, fill.exchange_id)
        if order is None:
            self.counts["foreign"] += 1
            return
        if fill.exec_id in order.exec_ids:
            return
        order.exec_ids.add(fill.exec_id)
        self._learn_exchange_id(order, fill.exchange_id)
        self._ack(order)
        order.cum_qty += fill.qty
        self.counts["fills"] += 1
        self._on_fill(fill)
        self._tell(
            "on_order_execution",
            self._exchange,
            order.client_id,
            fill.side,
            fill.price,
            fill.qty,
            _ZERO if order.ended else order.leaves_qty,
            fill.exec_ms,
            fill.recv_ms,
        )
        if order.ended:
            log.warning("%s: %s was filled after its end was reported", self._exchange.name, order.wire_id)
        elif order.held_end is not None:
            self._end_if_fills_complete(order)
        elif order.leaves_qty.is_zero() and order.modify_pending is None:
            self._end(order, "filled", "the order was filled first")

    def on_order_status(self, report: OrderReport) -> None:
        order = self._find(report.wire_id, report.exchange_id)
        self._tell(
            "on_order_status",
            self._exchange,
            report.instrument_id,
            order.client_id if order is not None else report.wire_id,
            report.exchange_id,
            report.side,
            report.price,
            report.leaves_qty,
            report.status,
            report.order_type,
            report.tif,
            report.exec_instr,
        )

    def on_orders(self, reports: Sequence[OrderReport]) -> None:
        self._tell("on_orders_info", self._exchange, [self._published_order(report) for report in reports])

    # -- the story of one order ----------------------------------------------------------------------------------

    def _ack(self, order: DeskOrder) -> None:
        if order.acked:
            return
        order.acked = True
        self.counts["acked"] += 1
        self._note(OrderEvent.Acked, order)
        self._tell(
            "on_new_order_ack",
            self._exchange,
            order.client_id,
            order.exchange_id,
            order.instrument.get_instrument_id(),
            order.side,
            order.price,
            order.qty,
            order.leaves_qty,
            order.order_type,
            order.tif,
            order.exec_instr,
        )

    def _reject_new(self, order: DeskOrder, code: GtwRejectCode, reason: str) -> None:
        self._note(OrderEvent.Rejected, order, code)
        self._tell("on_new_order_reject", self._exchange, order.client_id, code, reason)
        self._end(order, "rejected", "the order was rejected")

    def _settle_modify(self, order: DeskOrder, report: OrderReport) -> None:
        """Take over the price and quantity the venue shows; a modify that asked for them is thereby done."""
        if report.status is OrderStatus.Rejected:
            return
        order.price, order.qty = report.price, report.qty
        asked = order.modify_pending
        if (
            asked is None
            or asked.new_price not in (None, report.price)
            or asked.new_qty not in (None, report.qty)
        ):
            return
        order.modify_pending = None
        self._note(OrderEvent.Modified, order)
        self._tell(
            "on_modify_order_ack",
            self._exchange,
            order.client_id,
            asked.new_price,
            asked.new_qty,
            order.leaves_qty,
        )

    def _refuse_modify(self, order: DeskOrder, code: GtwRejectCode, reason: str) -> None:
        if order.modify_pending is None:
            return
        order.modify_pending = None
        self._note(OrderEvent.ModifyRejected, order, code)
        self._tell("on_modify_order_reject", self._exchange, order.client_id, code, reason)
        if order.leaves_qty.is_zero() and order.held_end is None and not order.ended:
            self._end(order, "filled", "the order was filled first")

    def _answer_cancel(self, order: DeskOrder) -> None:
        if order.cancel_pending:
            order.cancel_pending = False
            self._tell("on_cancel_order_ack", self._exchange, order.client_id)

    def _refuse_cancel(self, order: DeskOrder, code: GtwRejectCode, reason: str) -> None:
        if order.cancel_pending:
            order.cancel_pending = False
            self._note(OrderEvent.CancelRejected, order, code)
            self._tell("on_cancel_order_reject", self._exchange, order.client_id, code, reason)

    def _end_if_fills_complete(self, order: DeskOrder) -> None:
        report = order.held_end
        if report is None or order.cum_qty < report.cum_qty:
            return
        order.held_end = None
        if report.status is OrderStatus.Filled:
            self._end(order, "filled", "the order was filled first")
            return
        solicited = order.cancel_asked and report.cancel_code is CancelCode.CanceledByUser
        if solicited:
            self._answer_cancel(order)
        self._note(OrderEvent.Cancelled, order)
        self._tell(
            "on_order_cancelled",
            self._exchange,
            order.client_id,
            not solicited,
            report.venue_ms,
            report.recv_ms,
            report.cancel_code,
            report.reason,
        )
        self._end(order, "cancelled", "the order was cancelled first")

    def _ask_for_missing_fills(self, order: DeskOrder) -> None:
        """Ask the venue for the fills that an order's end counts and nobody has told us of."""
        if order.held_end is None or order.ended:
            return
        log.warning(
            "%s: %s ended with %s filled, but fills of only %s came; asking for the rest",
            self._exchange.name,
            order.wire_id,
            order.held_end.cum_qty,
            order.cum_qty,
        )
        self._gateway.recover_fills(order.instrument, order.wire_id, order.exchange_id)
        self._scheduler.once(_MISSING_FILLS_MS, "missing fills", lambda: self._ask_for_missing_fills(order))

    def _end(self, order: DeskOrder, how: str, why_too_late: str) -> None:
        """Close the books on an order, answering what is still pending for it."""
        order.ended = True
        self.counts[how] += 1
        if how == "filled":
            self._note(OrderEvent.Filled, order)
        if order.modify_pending is not None:
            self._refuse_modify(order, GtwRejectCode.TooLate, why_too_late)
        self._refuse_cancel(order, GtwRejectCode.TooLate, why_too_late)
        self._ended[order.wire_id] = order
        if len(self._ended) > _KEPT_ENDED_ORDERS:
            _, oldest = self._ended.popitem(last=False)
            del self._by_wire_id[oldest.wire_id]
            del self._by_client_id[oldest.client_id]
            self._by_exchange_id.pop(oldest.exchange_id, None)

    # -- details -------------------------------------------------------------------------------------------------

    def _note(self, event: OrderEvent, order: DeskOrder, code: GtwRejectCode | None = None) -> None:
        if self._record is not None:
            self._record.record_order(event, order, code)

    def _find(self, wire_id: str, exchange_id: str) -> DeskOrder | None:
        return self._by_wire_id.get(wire_id) or self._by_exchange_id.get(exchange_id)

    def _learn_exchange_id(self, order: DeskOrder, exchange_id: str) -> None:
        if exchange_id and not order.exchange_id:
            order.exchange_id = exchange_id
            self._by_exchange_id[exchange_id] = order

    def _take_cancel_all(self, instrument: Instrument) -> bool:
        number = instrument.get_instrument_id()
        if self._cancel_alls[number] == 0:
            return False
        self._cancel_alls[number] -= 1
        return True

    def _published_order(self, report: OrderReport) -> Order:
        """An order as strategies know it: an own one under its client id, another under its wire id."""
        order = self._find(report.wire_id, report.exchange_id)
        return seen_order(
            order.client_id if order is not None else report.wire_id,
            report.exchange_id,
            report.instrument_id,
            report.side,
            report.price,
            report.qty,
            report.cum_qty,
            report.order_type,
            report.tif,
            report.exec_instr,
            is_cancel_pending=order is not None and order.cancel_pending,
        )
