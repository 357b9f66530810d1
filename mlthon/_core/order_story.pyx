"""OrderStory: what a venue's answers and reports mean for the orders of one strategy, told as one story per order.

Reports may repeat, come late or in any order. What the strategy is told is

    ack or reject first; then executions, each once; then at most one cancelled; every request one final answer.

* Whatever proves that an order lives (a report, a fill) acknowledges it, if nothing did before.
* A report that an order has ended is held until the fills it counts have arrived.
* A modify or cancel that its order's end overtakes is answered at that end: before a cancelled, for that is an
  order's last word, and after the execution that fills it.
* A fill is never dropped, not even one that comes after the end; a repeated one is known by its execution id.

Compiled, because every order passes here several times. Requests and reports are the named tuples of
`mlthon.engine.ports`, and are taken apart here by position.
"""

import logging
from collections import deque

from mlthon._core import dispatch
from mlthon._core.enums import CancelCode, GtwRejectCode, OrderEvent, OrderStatus, RequestKind
from mlthon._core.order_messages import CancelOrderRequest

cimport cython
from mlthon._core.dispatch cimport Dispatcher
from mlthon._core.fixed cimport Price, Qty, price_from, qty_from
from mlthon._core.int128 cimport add_overflows, int128
from mlthon._core.order_messages cimport fields_of, named

log = logging.getLogger("mlthon.engine")

cdef enum:
    KEPT_ENDED_ORDERS = 10_000        # for late reports and duplicate ids; the oldest are forgotten

cdef tuple COUNTED = ("sent", "acked", "rejected", "cancelled", "filled", "fills", "foreign", "withdrawals refused")

cdef Price NO_PRICE = price_from(0)
cdef Qty NO_QTY = qty_from(0)

cdef object NEW_ORDER = RequestKind.NewOrder
cdef object MODIFY_ORDER = RequestKind.ModifyOrder
cdef object CANCEL_ORDER = RequestKind.CancelOrder
cdef object FILLED = OrderStatus.Filled
cdef object CANCELLED = OrderStatus.Cancelled
cdef object REJECTED = OrderStatus.Rejected
cdef object CANCELLED_BY_USER = CancelCode.CanceledByUser
cdef object TOO_LATE = GtwRejectCode.TooLate

cdef object SENT = OrderEvent.Sent
cdef object CANCEL_SENT = OrderEvent.CancelSent
cdef object ACKED = OrderEvent.Acked
cdef object NOT_TAKEN = OrderEvent.Rejected
cdef object MODIFIED = OrderEvent.Modified
cdef object MODIFY_REJECTED = OrderEvent.ModifyRejected
cdef object CANCEL_REJECTED = OrderEvent.CancelRejected
cdef object WAS_CANCELLED = OrderEvent.Cancelled
cdef object WAS_FILLED = OrderEvent.Filled

cdef Py_ssize_t ON_NEW_ORDER_ACK = dispatch.CALLBACKS.index("on_new_order_ack")
cdef Py_ssize_t ON_NEW_ORDER_REJECT = dispatch.CALLBACKS.index("on_new_order_reject")
cdef Py_ssize_t ON_MODIFY_ORDER_ACK = dispatch.CALLBACKS.index("on_modify_order_ack")
cdef Py_ssize_t ON_MODIFY_ORDER_REJECT = dispatch.CALLBACKS.index("on_modify_order_reject")
cdef Py_ssize_t ON_CANCEL_ORDER_ACK = dispatch.CALLBACKS.index("on_cancel_order_ack")
cdef Py_ssize_t ON_CANCEL_ORDER_REJECT = dispatch.CALLBACKS.index("on_cancel_order_reject")
cdef Py_ssize_t ON_ORDER_EXECUTION = dispatch.CALLBACKS.index("on_order_execution")
cdef Py_ssize_t ON_ORDER_CANCELLED = dispatch.CALLBACKS.index("on_order_cancelled")

cdef str FILLED_FIRST = "the order was filled first"
cdef str CANCELLED_FIRST = "the order was cancelled first"


@cython.final
@cython.freelist(64)
cdef class DeskOrder:
    """One order as the desk knows it."""

    def __init__(self, str client_id, request):
        self.begin(client_id, fields_of(request))

    cdef int begin(self, str client_id, tuple request) except -1:
        (self.wire_id, self.instrument, self.side, price, self.qty, self.order_type, self.tif, self.exec_instr,
         _) = request
        self.client_id = client_id
        self.price = NO_PRICE if price is None else price
        self.exchange_id = ""
        return 0

    @property
    def cum_qty(self) -> Qty:
        """Filled quantity."""
        return qty_from(self.filled)

    @property
    def leaves_qty(self) -> Qty:
        """Quantity still open; never negative."""
        return qty_from(self.leaves())

    cdef int128 leaves(self) noexcept:
        return self.qty.mantissa - self.filled if self.qty.mantissa > self.filled else 0


cdef class OrderStory:
    """Keeps the orders of one strategy on one exchange, and tells the strategy what becomes of them.

    ``on_fill(fill)`` is called for every new fill of an own order, before the strategy hears of it,
    ``on_incomplete(order)`` when an order's end counts fills that nobody has told of. ``record``, where given, is an
    `OrderRecord`.
    """

    def __init__(self, exchange, gateway, Dispatcher dispatcher not None, on_fill, on_incomplete, record=None):
        self.exchange = exchange
        self.gateway = gateway
        self.dispatcher = dispatcher
        self.on_fill = on_fill
        self.on_incomplete = on_incomplete
        self.record_order = None if record is None else record.record_order
        self.counts = dict.fromkeys(COUNTED, 0)
        self.by_client_id = {}
        self.by_wire_id = {}
        self.by_exchange_id = {}
        self.open = {}
        self.ended = deque()

    # -- questions -------------------------------------------------------------------------------------------

    def order(self, str client_id):
        """The order of a client id, ended ones included as long as they are remembered; else None."""
        return self.by_client_id.get(client_id)

    def find(self, str wire_id, str exchange_id):
        """The order of a wire id, or else of a venue's id; None when there is none."""
        return self.find_order(wire_id, exchange_id)

    def open_orders(self) -> list:
        """Orders that are not known to have ended, oldest first."""
        return list(self.open.values())

    # -- requests --------------------------------------------------------------------------------------------

    def send_new(self, str client_id not None, request):
        """Send a new order; the client id must be new."""
        self.send_new_order(client_id, fields_of(request))

    def send_cancel(self, DeskOrder order not None):
        """Ask to cancel an open order without a pending cancel."""
        self.send_cancel_order(order)

    cdef int send_new_order(self, str client_id, tuple request) except -1:
        self.gateway.send_new(request)    # what this refuses to take was never sent; answers come later
        cdef DeskOrder order = DeskOrder.__new__(DeskOrder)
        order.begin(client_id, request)
        self.by_client_id[client_id] = self.by_wire_id[order.wire_id] = self.open[order.wire_id] = order
        self.count("sent")
        return self.note(SENT, order, None)

    cdef int send_cancel_order(self, DeskOrder order) except -1:
        order.cancel_pending = order.cancel_asked = True
        self.gateway.send_cancel(named(CancelOrderRequest, (order.wire_id, order.exchange_id, order.instrument)))
        return self.note(CANCEL_SENT, order, None)

    # -- the fate of requests --------------------------------------------------------------------------------

    def on_request_accepted(self, kind, str wire_id, str exchange_id):
        cdef DeskOrder order = self.by_wire_id.get(wire_id)
        if order is None:
            return
        self.learn_exchange_id(order, exchange_id)
        if kind is CANCEL_ORDER and not order.withdrawal_pending:
            self.answer_cancel(order)
        # A new or modified order is acknowledged by the report that shows it: acceptance is not yet a fact.

    def on_request_refused(self, kind, str wire_id, code, str reason):
        cdef DeskOrder order = self.by_wire_id.get(wire_id)
        if order is None:
            return
        if kind is NEW_ORDER:
            if order.acked or order.ended:
                log.error("%s: %s refused after it was seen alive: %s", self.exchange.name, wire_id, reason)
                return
            self.reject_new(order, code, reason)
        elif kind is MODIFY_ORDER:
            self.refuse_modify(order, code, reason)
        elif order.withdrawal_pending:
            order.withdrawal_pending = False
            self.count("withdrawals refused")
        else:
            self.refuse_cancel(order, code, reason)

    # -- what became of orders -------------------------------------------------------------------------------

    def on_order_report(self, report):
        self.events += 1
        (wire_id, exchange_id, _, _, price, qty, cum_qty, status, _, _, _, _, reject_code, reason, _,
         _) = fields_of(report)
        cdef DeskOrder order = self.find_order(wire_id, exchange_id)
        if order is None:
            self.count("foreign")
            return
        self.learn_exchange_id(order, exchange_id)
        if order.ended:
            return
        if status is REJECTED and not order.acked and (<Qty?>cum_qty).mantissa == 0:
            self.reject_new(order, reject_code, reason)
            return
        self.ack(order)
        if status is not REJECTED:
            self.settle_modify(order, price, qty)
        if status is FILLED or status is CANCELLED or status is REJECTED:
            order.held_end = report
            self.end_if_fills_complete(order)
            if not order.ended:
                self.on_incomplete(order)

    def on_fill_report(self, fill):
        self.events += 1
        (exec_id, wire_id, exchange_id, _, side, price, qty, _, _, _, exec_ms, recv_ms, order_qty) = fields_of(fill)
        cdef DeskOrder order = self.find_order(wire_id, exchange_id)
        if order is None:
            self.count("foreign")
            return
        if order.exec_ids is None:
            order.exec_ids = set()
        elif exec_id in order.exec_ids:
            return
        order.exec_ids.add(exec_id)
        self.learn_exchange_id(order, exchange_id)
        self.ack(order)
        if order_qty is not None and order.modify_pending is not None:
            self.settle_resize(order, order_qty)
        if add_overflows(order.filled, (<Qty?>qty).mantissa, &order.filled):
            raise OverflowError(f"{order.wire_id}: its fills sum to more than a quantity can be")
        self.count("fills")
        self.on_fill(fill)
        leaves = NO_QTY if order.ended else qty_from(order.leaves())
        self.tell(ON_ORDER_EXECUTION,
                  (self.exchange, order.client_id, side, price, qty, leaves, exec_ms, recv_ms))
        if order.ended:
            log.warning("%s: %s was filled after its end was reported", self.exchange.name, order.wire_id)
        elif order.held_end is not None:
            self.end_if_fills_complete(order)
        elif order.leaves() == 0 and order.modify_pending is None:
            self.end(order, "filled", FILLED_FIRST)

    # -- the story of one order ------------------------------------------------------------------------------

    cdef int ack(self, DeskOrder order) except -1:
        if order.acked:
            return 0
        order.acked = True
        self.count("acked")
        self.note(ACKED, order, None)
        return self.tell(ON_NEW_ORDER_ACK, (
            self.exchange, order.client_id, order.exchange_id, order.instrument.get_instrument_id(), order.side,
            order.price, order.qty, qty_from(order.leaves()), order.order_type, order.tif, order.exec_instr))

    cdef int reject_new(self, DeskOrder order, object code, str reason) except -1:
        self.note(NOT_TAKEN, order, code)
        self.tell(ON_NEW_ORDER_REJECT, (self.exchange, order.client_id, code, reason))
        return self.end(order, "rejected", "the order was rejected")

    cdef int settle_modify(self, DeskOrder order, Price price, Qty qty) except -1:
        """Take over the price and quantity the venue shows; a modify that asked for them is thereby done."""
        order.price = price
        order.qty = qty
        if order.modify_pending is None:
            return 0
        _, _, _, new_price, new_qty = fields_of(order.modify_pending)
        if (new_price is not None and new_price != price) or (new_qty is not None and new_qty != qty):
            return 0
        order.modify_pending = None
        self.note(MODIFIED, order, None)
        return self.tell(ON_MODIFY_ORDER_ACK, (self.exchange, order.client_id, new_price, new_qty,
                                               qty_from(order.leaves())))

    cdef int settle_resize(self, DeskOrder order, Qty order_qty) except -1:
        """See by a fill whether a pending modify has changed the quantity.

        Fills may come before the report that shows the change, and what they leave open has to be told of the new
        quantity: of the old one they may leave nothing, and the order would go on after it seemed to have ended.
        """
        _, _, _, new_price, new_qty = fields_of(order.modify_pending)
        if new_qty is None or new_qty != order_qty or order.qty == order_qty:
            return 0
        return self.settle_modify(order, order.price if new_price is None else new_price, order_qty)

    cdef int refuse_modify(self, DeskOrder order, object code, str reason) except -1:
        if order.modify_pending is None:
            return 0
        order.modify_pending = None
        self.note(MODIFY_REJECTED, order, code)
        self.tell(ON_MODIFY_ORDER_REJECT, (self.exchange, order.client_id, code, reason))
        if order.leaves() == 0 and order.held_end is None and not order.ended:
            self.end(order, "filled", FILLED_FIRST)
        return 0

    cdef int answer_cancel(self, DeskOrder order) except -1:
        if order.cancel_pending:
            order.cancel_pending = False
            self.tell(ON_CANCEL_ORDER_ACK, (self.exchange, order.client_id))
        return 0

    cdef int refuse_cancel(self, DeskOrder order, object code, str reason) except -1:
        if order.cancel_pending:
            order.cancel_pending = False
            self.note(CANCEL_REJECTED, order, code)
            self.tell(ON_CANCEL_ORDER_REJECT, (self.exchange, order.client_id, code, reason))
        return 0

    cdef int end_if_fills_complete(self, DeskOrder order) except -1:
        if order.held_end is None:
            return 0
        (_, _, _, _, _, _, cum_qty, status, _, _, _, cancel_code, _, reason, venue_ms,
         recv_ms) = fields_of(order.held_end)
        if order.filled < (<Qty?>cum_qty).mantissa:
            return 0
        if status is FILLED:
            order.held_end = None
            return self.end(order, "filled", FILLED_FIRST)
        cdef bint solicited = order.cancel_asked and cancel_code is CANCELLED_BY_USER
        if order.modify_pending is not None:      # while the end is held, for its answer is not the end
            self.refuse_modify(order, TOO_LATE, CANCELLED_FIRST)
        order.held_end = None
        if solicited:
            self.answer_cancel(order)
        else:
            self.refuse_cancel(order, TOO_LATE, CANCELLED_FIRST)
        self.note(WAS_CANCELLED, order, None)
        self.tell(ON_ORDER_CANCELLED,
                  (self.exchange, order.client_id, not solicited, venue_ms, recv_ms, cancel_code, reason))
        return self.end(order, "cancelled", CANCELLED_FIRST)

    cdef int end(self, DeskOrder order, str how, str why_too_late) except -1:
        """Close the books on an order, answering what is still pending for it."""
        cdef DeskOrder oldest
        order.ended = True
        self.count(how)
        if how == "filled":
            self.note(WAS_FILLED, order, None)
        if order.modify_pending is not None:
            self.refuse_modify(order, TOO_LATE, why_too_late)
        self.refuse_cancel(order, TOO_LATE, why_too_late)
        del self.open[order.wire_id]
        self.ended.append(order)
        if len(self.ended) > KEPT_ENDED_ORDERS:
            oldest = self.ended.popleft()
            del self.by_wire_id[oldest.wire_id]
            del self.by_client_id[oldest.client_id]
            self.by_exchange_id.pop(oldest.exchange_id, None)
        return 0

    # -- details ---------------------------------------------------------------------------------------------

    cdef DeskOrder find_order(self, str wire_id, str exchange_id):
        order = self.by_wire_id.get(wire_id)
        return self.by_exchange_id.get(exchange_id) if order is None else order

    cdef int learn_exchange_id(self, DeskOrder order, str exchange_id) except -1:
        if exchange_id and not order.exchange_id:
            order.exchange_id = exchange_id
            self.by_exchange_id[exchange_id] = order
        return 0

    cdef int count(self, str what) except -1:
        self.counts[what] += 1
        return 0

    cdef int note(self, object event, DeskOrder order, object code) except -1:
        if self.record_order is not None:
            self.record_order(event, order, code)
        return 0

    cdef int tell(self, Py_ssize_t position, tuple args) except -1:
        if self.announced:
            self.dispatcher.deliver(position, args)
        return 0
