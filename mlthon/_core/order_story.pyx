"""OrderStory: what a venue's answers and reports mean for the orders of one strategy, told as one story per order.

Reports may repeat, come late or in any order. What the strategy is told is

    ack or reject first; then executions, each once; then at most one cancelled; every request one final answer.

* Whatever proves that an order lives (a report, a fill) acknowledges it, if nothing did before.
* A report that an order has ended is held until the fills it counts have arrived.
* A modify or cancel that its order's end overtakes is answered at that end: before a cancelled, for that is an
  order's last word, and after the execution that fills it.
* A fill is never dropped, not even one that comes after the end; a repeated one is known by its execution id.

Compiled, because every order passes here several times. Requests and reports are those of `mlthon.engine.ports`.
"""

import logging

from mlthon._core import callbacks
from mlthon._core.enums import CancelCode, GtwRejectCode, OrderEvent, OrderStatus, RequestKind

cimport cython
from cpython.object cimport PyObject
from mlthon._core.chain cimport items_of, join, leave
from mlthon._core.dispatch cimport Dispatcher
from mlthon._core.fixed cimport Price, Qty, price_from, qty_from
from mlthon._core.id_register cimport IdRegister
from mlthon._core.int128 cimport add_overflows, int128
from mlthon._core.milliseconds cimport Milliseconds
from mlthon._core.order_messages cimport CancelOrderRequest, NewOrderRequest, OrderReport, fields_of
from mlthon._core.recipient cimport CompiledGateway

log = logging.getLogger("mlthon.engine")

cdef enum:
    KEPT_ENDED_ORDERS = 10_000        # for late reports and duplicate ids; the oldest are forgotten
    ALL_TELL = 2                      # arguments of every callback about an order: exchange and client id
    MOST_MORE = 6                     # those that `tell` can add

# By what is counted (order_story.pxd).
cdef tuple COUNT_NAMES = (
    "sent", "acked", "rejected", "cancelled", "filled", "fills", "foreign", "withdrawals refused")

# By `Step`.
cdef tuple EVENTS = (None, *OrderEvent)
assert [event.value for event in OrderEvent] == list(range(STEP_SENT, STEP_FILLED + 1))

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

cdef Py_ssize_t ON_NEW_ORDER_ACK = callbacks.CALLBACKS.index("on_new_order_ack")
cdef Py_ssize_t ON_NEW_ORDER_REJECT = callbacks.CALLBACKS.index("on_new_order_reject")
cdef Py_ssize_t ON_MODIFY_ORDER_ACK = callbacks.CALLBACKS.index("on_modify_order_ack")
cdef Py_ssize_t ON_MODIFY_ORDER_REJECT = callbacks.CALLBACKS.index("on_modify_order_reject")
cdef Py_ssize_t ON_CANCEL_ORDER_ACK = callbacks.CALLBACKS.index("on_cancel_order_ack")
cdef Py_ssize_t ON_CANCEL_ORDER_REJECT = callbacks.CALLBACKS.index("on_cancel_order_reject")
cdef Py_ssize_t ON_ORDER_EXECUTION = callbacks.CALLBACKS.index("on_order_execution")
cdef Py_ssize_t ON_ORDER_CANCELLED = callbacks.CALLBACKS.index("on_order_cancelled")

cdef str FILLED_FIRST = "the order was filled first"
cdef str CANCELLED_FIRST = "the order was cancelled first"


@cython.final
@cython.no_gc                         # what it is of is values: no cycle leads back from one
@cython.freelist(64)
cdef class DeskOrder:
    """One order as the desk knows it."""

    def __init__(self, str client_id not None, NewOrderRequest request not None):
        self.begin(client_id, request)

    cdef int begin(self, str client_id, NewOrderRequest request) except -1:
        self.client_id, self.wire_id, self.exchange_id = client_id, request.wire_id, ""
        self.instrument, self.side, self.qty = request.instrument, request.side, request.qty
        self.price = NO_PRICE if request.price is None else request.price
        self.order_type, self.tif, self.exec_instr = request.order_type, request.tif, request.exec_instr
        self.record_row = NO_ROW
        return 0

    @property
    def cum_qty(self) -> Qty:
        """Filled quantity."""
        return qty_from(self.filled)

    @property
    def leaves_qty(self) -> Qty:
        """Quantity still open; never negative."""
        return self.open_qty()

    cdef Qty open_qty(self):
        return self.qty if self.filled == 0 else qty_from(self.leaves())

    cdef int128 leaves(self) noexcept:
        return self.qty.mantissa - self.filled if self.qty.mantissa > self.filled else 0


cdef class OrderRecorder:
    """Writes the steps of orders down, without a Python call for each."""

    cdef int record(self, Step step, DeskOrder order, int code) except -1:
        raise NotImplementedError(f"{type(self).__name__} records no steps")


@cython.final
cdef class CalledRecorder(OrderRecorder):
    """A recorder that is not compiled, by its ``record_order(event, order, code)``."""

    cdef object record_order
    cdef dict codes

    def __init__(self, record_order):
        self.record_order = record_order
        self.codes = {code.value: code for code in GtwRejectCode}

    cdef int record(self, Step step, DeskOrder order, int code) except -1:
        self.record_order(EVENTS[step], order, self.codes.get(code))
        return 0


@cython.final
cdef class CalledGateway(CompiledGateway):
    """A gateway that is not compiled, by its ``status``, ``send_new(request)`` and ``send_cancel(request)``."""

    cdef object gateway

    def __init__(self, gateway):
        self.gateway = gateway

    cdef int take_new(self, NewOrderRequest request) except -1:
        self.gateway.send_new(request)
        return 0

    cdef int take_cancel(self, CancelOrderRequest request) except -1:
        self.gateway.send_cancel(request)
        return 0

    cdef object status_now(self):
        return self.gateway.status


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
        self.requests = gateway if isinstance(gateway, CompiledGateway) else CalledGateway(gateway)
        self.recorder = None if record is None else recorder_of(record.record_order)
        self.ms = Milliseconds()
        self.by_client_id = IdRegister()
        self.by_wire_id = {}
        self.by_exchange_id = {}

    # -- questions -------------------------------------------------------------------------------------------

    @property
    def counts(self) -> dict:
        """How many orders were sent and what became of them, and what else was told."""
        return {name: self.tally[kind] for kind, name in enumerate(COUNT_NAMES)}

    def order(self, str client_id):
        """The order of a client id, ended ones included as long as they are remembered; else None."""
        return self.order_of(client_id)

    def find(self, str wire_id, str exchange_id):
        """The order of a wire id, or else of a venue's id; None when there is none."""
        return self.find_order(wire_id, exchange_id)

    def open_orders(self) -> list:
        """Orders that are not known to have ended, oldest first."""
        return items_of(&self.open)

    # -- requests --------------------------------------------------------------------------------------------

    def send_new(self, str client_id not None, NewOrderRequest request not None):
        """Send a new order; raises ValueError for a client id that is not new."""
        if self.by_client_id.find(client_id) is not None:
            raise ValueError(f"client id: expected a new one, got {client_id!r} again")
        self.send_new_order(client_id, request)

    def send_cancel(self, DeskOrder order not None):
        """Ask to cancel an open order without a pending cancel."""
        self.send_cancel_order(order)

    cdef int send_new_order(self, str client_id, NewOrderRequest request) except -1:
        self.requests.take_new(request)
        cdef DeskOrder order = DeskOrder.__new__(DeskOrder)
        order.begin(client_id, request)
        self.by_client_id.add(client_id, order)
        self.recent[place_of(client_id)] = self.recent[place_of(order.wire_id)] = <PyObject *>order
        join(&self.open, &order.place, order)
        join(&self.unfiled, &order.unfiled, order)
        self.tally[SENT] += 1
        return self.note(STEP_SENT, order, None)

    cdef int send_cancel_order(self, DeskOrder order) except -1:
        cdef CancelOrderRequest request = CancelOrderRequest.__new__(CancelOrderRequest)
        request.wire_id, request.exchange_id = order.wire_id, order.exchange_id
        request.instrument = order.instrument
        order.cancel_pending = order.cancel_asked = True
        self.requests.take_cancel(request)
        return self.note(STEP_CANCEL_SENT, order, None)

    # -- the fate of requests --------------------------------------------------------------------------------

    def on_request_accepted(self, kind, str wire_id, str exchange_id):
        self.accept(wire_id, exchange_id, kind is CANCEL_ORDER)

    cdef int accept(self, str wire_id, str exchange_id, bint is_cancel) except -1:
        cdef DeskOrder order = self.find_order(wire_id, "")
        if order is None:
            return 0
        self.learn_exchange_id(order, exchange_id)
        # A new or modified order is acknowledged by the report that shows it: acceptance is not yet a fact.
        return self.answer_cancel(order) if is_cancel and not order.withdrawal_pending else 0

    def on_request_refused(self, kind, str wire_id, code, str reason):
        cdef DeskOrder order = self.find_order(wire_id, "")
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
            self.tally[WITHDRAWALS_REFUSED] += 1
        else:
            self.refuse_cancel(order, code, reason)

    # -- what became of orders -------------------------------------------------------------------------------

    def on_order_report(self, OrderReport report not None):
        self.apply_report(report)

    cdef int apply_report(self, OrderReport report) except -1:
        self.events += 1
        cdef DeskOrder order = self.find_order(report.wire_id, report.exchange_id)
        cdef object status = report.status
        if order is None:
            self.tally[FOREIGN] += 1
            return 0
        self.learn_exchange_id(order, report.exchange_id)
        if order.ended:
            return 0
        if status is REJECTED and not order.acked and report.cum_qty.mantissa == 0:
            return self.reject_new(order, report.reject_code, report.reason)
        self.ack(order)
        if status is not REJECTED:
            self.settle_modify(order, report.price, report.qty)
        if status is FILLED or status is CANCELLED or status is REJECTED:
            order.held_end = report
            self.end_if_fills_complete(order)
            if not order.ended:
                self.on_incomplete(order)
        return 0

    def on_fill_report(self, fill):
        self.events += 1
        (exec_id, wire_id, exchange_id, _, side, price, qty, _, _, _, exec_ms, recv_ms, order_qty) = fields_of(fill)
        cdef DeskOrder order = self.find_order(wire_id, exchange_id)
        if order is None:
            self.tally[FOREIGN] += 1
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
        self.tally[FILLS] += 1
        self.on_fill(fill)
        leaves = NO_QTY if order.ended else qty_from(order.leaves())
        self.tell(ON_ORDER_EXECUTION, order, 6, side, price, qty, leaves, exec_ms, recv_ms)
        if order.ended:
            log.warning("%s: %s was filled after its end was reported", self.exchange.name, order.wire_id)
        elif order.held_end is not None:
            self.end_if_fills_complete(order)
        elif order.leaves() == 0 and order.modify_pending is None:
            self.end(order, ENDED_FILLED, FILLED_FIRST)

    # -- the story of one order ------------------------------------------------------------------------------

    cdef int ack(self, DeskOrder order) except -1:
        if order.acked:
            return 0
        order.acked = True
        self.tally[ACKED] += 1
        self.note(STEP_ACKED, order, None)
        if not self.announced:
            return 0
        cdef PyObject *args[12]
        instrument_id = self.id_of(order.instrument)
        leaves = order.open_qty()
        args[1], args[2] = <PyObject *>self.exchange, <PyObject *>order.client_id
        args[3], args[4] = <PyObject *>order.exchange_id, <PyObject *>instrument_id
        args[5], args[6] = <PyObject *>order.side, <PyObject *>order.price
        args[7], args[8], args[9] = <PyObject *>order.qty, <PyObject *>leaves, <PyObject *>order.order_type
        args[10], args[11] = <PyObject *>order.tif, <PyObject *>order.exec_instr
        return self.dispatcher.deliver(ON_NEW_ORDER_ACK, args, 11)

    cdef int reject_new(self, DeskOrder order, object code, str reason) except -1:
        self.note(STEP_REJECTED, order, code)
        self.tell(ON_NEW_ORDER_REJECT, order, 2, code, reason)
        return self.end(order, ENDED_REJECTED, "the order was rejected")

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
        self.note(STEP_MODIFIED, order, None)
        return self.tell(ON_MODIFY_ORDER_ACK, order, 3, new_price, new_qty, qty_from(order.leaves()))

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
        self.note(STEP_MODIFY_REJECTED, order, code)
        self.tell(ON_MODIFY_ORDER_REJECT, order, 2, code, reason)
        if order.leaves() == 0 and order.held_end is None and not order.ended:
            self.end(order, ENDED_FILLED, FILLED_FIRST)
        return 0

    cdef int answer_cancel(self, DeskOrder order) except -1:
        if order.cancel_pending:
            order.cancel_pending = False
            self.tell(ON_CANCEL_ORDER_ACK, order)
        return 0

    cdef int refuse_cancel(self, DeskOrder order, object code, str reason) except -1:
        if order.cancel_pending:
            order.cancel_pending = False
            self.note(STEP_CANCEL_REJECTED, order, code)
            self.tell(ON_CANCEL_ORDER_REJECT, order, 2, code, reason)
        return 0

    cdef int end_if_fills_complete(self, DeskOrder order) except -1:
        cdef OrderReport report = order.held_end
        if report is None or order.filled < report.cum_qty.mantissa:
            return 0
        if report.status is FILLED:
            order.held_end = None
            return self.end(order, ENDED_FILLED, FILLED_FIRST)
        cdef bint solicited = order.cancel_asked and report.cancel_code is CANCELLED_BY_USER
        if order.modify_pending is not None:      # while the end is held, for its answer is not the end
            self.refuse_modify(order, TOO_LATE, CANCELLED_FIRST)
        order.held_end = None
        if solicited:
            self.answer_cancel(order)
        else:
            self.refuse_cancel(order, TOO_LATE, CANCELLED_FIRST)
        self.note(STEP_CANCELLED, order, None)
        venue_ms = self.ms.as_int(report.venue_ms)
        recv_ms = self.ms.as_int(report.recv_ms)
        self.tell(ON_ORDER_CANCELLED, order, 5, not solicited, venue_ms, recv_ms, report.cancel_code, report.reason)
        return self.end(order, ENDED_CANCELLED, CANCELLED_FIRST)

    cdef int end(self, DeskOrder order, int how, str why_too_late) except -1:
        """Close the books on an order, answering what is still pending for it."""
        order.ended = True
        self.tally[how] += 1
        if how == ENDED_FILLED:
            self.note(STEP_FILLED, order, None)
        if order.modify_pending is not None:
            self.refuse_modify(order, TOO_LATE, why_too_late)
        self.refuse_cancel(order, TOO_LATE, why_too_late)
        leave(&self.open, &order.place)
        join(&self.ended, &order.place, order)
        return 0 if self.ended.count <= KEPT_ENDED_ORDERS else self.forget(<DeskOrder>self.ended.first.item)

    # -- details ---------------------------------------------------------------------------------------------

    cdef int forget(self, DeskOrder order) except -1:
        """Know nothing more of an order that has ended."""
        leave(&self.ended, &order.place)
        if order.is_filed:
            del self.by_wire_id[order.wire_id]
            self.by_exchange_id.pop(order.exchange_id, None)
        else:
            leave(&self.unfiled, &order.unfiled)
        for id_text in (order.client_id, order.wire_id):
            if self.recent[place_of(id_text)] is <PyObject *>order:
                self.recent[place_of(id_text)] = NULL
        self.by_client_id.remove(order.client_id)
        return 0

    cdef DeskOrder order_of(self, str client_id):
        cdef PyObject *recent = self.recent[place_of(client_id)]
        if recent is not NULL and (<DeskOrder>recent).client_id is client_id:
            return <DeskOrder>recent
        return self.by_client_id.find(client_id)

    cdef DeskOrder find_order(self, str wire_id, str exchange_id):
        cdef PyObject *recent = self.recent[place_of(wire_id)]
        if recent is not NULL and (<DeskOrder>recent).wire_id is wire_id:
            return <DeskOrder>recent
        self.file_orders()
        order = self.by_wire_id.get(wire_id)
        return self.by_exchange_id.get(exchange_id) if order is None else order

    cdef int file_orders(self) except -1:
        """Let orders be found by their ids on the wire: those that were sent since somebody asked."""
        cdef DeskOrder order
        while self.unfiled.first is not NULL:
            order = <DeskOrder>self.unfiled.first.item
            self.by_wire_id[order.wire_id] = order
            if order.exchange_id:
                self.by_exchange_id[order.exchange_id] = order
            leave(&self.unfiled, &order.unfiled)
            order.is_filed = True
        return 0

    cdef int learn_exchange_id(self, DeskOrder order, str exchange_id) except -1:
        if order.exchange_id is not exchange_id and exchange_id and not order.exchange_id:
            order.exchange_id = exchange_id
            if order.is_filed:
                self.by_exchange_id[exchange_id] = order
        return 0

    cdef object id_of(self, object instrument):
        """An instrument's id; most orders are of the one last asked for."""
        if self.last_instrument is not instrument:
            self.last_instrument, self.last_id = instrument, instrument.get_instrument_id()
        return self.last_id

    cdef inline int note(self, Step step, DeskOrder order, object code) except -1:
        return 0 if self.recorder is None else self.recorder.record(step, order, 0 if code is None else code.value)

    cdef int tell(self, Py_ssize_t position, DeskOrder order, size_t count=0, a=None, b=None, c=None, d=None,
                  e=None, f=None) except -1:
        """Call back: with the exchange and the client id, then the first ``count`` of the others."""
        cdef PyObject *args[1 + ALL_TELL + MOST_MORE]
        if not self.announced:
            return 0
        args[1], args[2] = <PyObject *>self.exchange, <PyObject *>order.client_id
        args[3], args[4], args[5] = <PyObject *>a, <PyObject *>b, <PyObject *>c
        args[6], args[7], args[8] = <PyObject *>d, <PyObject *>e, <PyObject *>f
        return self.dispatcher.deliver(position, args, ALL_TELL + count)


cdef inline size_t place_of(str id_text) noexcept:
    """Where an id stands among recent ones: mostly it comes back as the object that was sent."""
    return (<size_t><PyObject *>id_text >> 4) % RECENT


cdef OrderRecorder recorder_of(object record_order):
    """Who records, reached the shortest way."""
    owner = getattr(record_order, "__self__", None)
    return owner if isinstance(owner, OrderRecorder) else CalledRecorder(record_order)
