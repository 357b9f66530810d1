"""The steps of every order of a run, as rows: written while it goes, read when it is over.

Invariants: the columns of steps are of one length, and so are those of orders; an order's number is its row in the
latter. Memory grows by 69 bytes a step.
"""

from collections import deque

from mlthon._core.enums import OrderEvent, Side

cimport cython
from cpython.array cimport array, resize_smart
from mlthon._core.fixed cimport Price, Qty, qty_from
from mlthon._core.fixed_column cimport FixedColumn
from mlthon._core.order_story cimport DeskOrder
from mlthon._core.text_column cimport TextColumn

cdef object BUY = Side.Buy
cdef object MODIFY_SENT = OrderEvent.ModifySent
cdef object REJECTED = OrderEvent.Rejected
cdef object CANCELLED = OrderEvent.Cancelled
cdef object FILLED = OrderEvent.Filled


@cython.final
cdef class OrderSteps:
    """A row a step; what never changes of an order stands in ``client_ids``, ``instruments`` and ``is_buy``.

    ``numbers`` are those of the instruments that may be traded, by their ids; ``now_ns`` is the run's clock.
    The last ``kept_ended`` orders that have ended can be found by their wire ids.
    """

    cdef readonly array ns, event, order, code     # code: values of GtwRejectCode; 0: none
    cdef readonly FixedColumn price, qty, leaves_qty
    cdef readonly TextColumn client_ids
    cdef readonly array instruments, is_buy
    cdef dict numbers
    cdef object now_ns
    cdef Py_ssize_t kept_ended
    cdef dict order_of                # by wire id
    cdef object ended                 # deque of wire ids, the oldest first

    def __init__(self, dict numbers not None, now_ns, Py_ssize_t kept_ended):
        self.numbers = numbers
        self.now_ns = now_ns
        self.kept_ended = kept_ended
        self.ns, self.order, self.instruments = array("q"), array("q"), array("q")
        self.event, self.is_buy = array("b"), array("b")
        self.code = array("i")
        self.price, self.qty, self.leaves_qty = FixedColumn(), FixedColumn(), FixedColumn()
        self.client_ids = TextColumn()
        self.order_of = {}
        self.ended = deque()

    def __len__(self):
        return len(self.ns)

    @property
    def known_orders(self) -> int:
        """How many orders can be found by their wire ids."""
        return len(self.order_of)

    def number_of(self, str wire_id not None):
        """The number of an order that is open, or has not ended long ago; else None."""
        return self.order_of.get(wire_id)

    def record_order(self, event, order, code):
        """Write down a step of an order, a `DeskOrder`, now."""
        cdef Price price
        cdef Qty qty, leaves_qty
        cdef str wire_id
        if type(order) is DeskOrder:
            price, qty, wire_id = (<DeskOrder>order).price, (<DeskOrder>order).qty, (<DeskOrder>order).wire_id
            leaves_qty = qty_from((<DeskOrder>order).leaves())
        else:
            price, qty, wire_id, leaves_qty = order.price, order.qty, order.wire_id, order.leaves_qty
        if event is MODIFY_SENT and order.modify_pending is not None:
            price = order.modify_pending.new_price or price
            qty = order.modify_pending.new_qty or qty
        push_long(self.ns, self.now_ns())
        push_char(self.event, event._value_)
        push_long(self.order, self.number_for(wire_id, order))
        self.price.add(price.mantissa)
        self.qty.add(qty.mantissa)
        self.leaves_qty.add(leaves_qty.mantissa)
        push_int(self.code, 0 if code is None else code._value_)
        if event is REJECTED or event is CANCELLED or event is FILLED:
            self.forget_oldest(wire_id)

    cdef long long number_for(self, str wire_id, object order) except -1:
        """The number of an order, a new one where it is not known."""
        cdef long long number
        known = self.order_of.get(wire_id)
        if known is not None:
            return known
        number = self.client_ids.count
        self.order_of[wire_id] = number
        self.client_ids.add(order.client_id)
        push_long(self.instruments, self.numbers[order.instrument.get_instrument_id()])
        push_char(self.is_buy, order.side is BUY)
        return number

    cdef int forget_oldest(self, str ended_wire_id) except -1:
        """Keep the way from wire ids to rows as short as the desk's memory."""
        self.ended.append(ended_wire_id)
        if len(self.ended) > self.kept_ended:
            self.order_of.pop(self.ended.popleft(), None)
        return 0


cdef inline int push_long(array column, long long value) except -1:
    cdef Py_ssize_t row = len(column)
    resize_smart(column, row + 1)
    column.data.as_longlongs[row] = value
    return 0


cdef inline int push_int(array column, int value) except -1:
    cdef Py_ssize_t row = len(column)
    resize_smart(column, row + 1)
    column.data.as_ints[row] = value
    return 0


cdef inline int push_char(array column, signed char value) except -1:
    cdef Py_ssize_t row = len(column)
    resize_smart(column, row + 1)
    column.data.as_schars[row] = value
    return 0
