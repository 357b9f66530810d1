"""The steps of every order of a run, as rows: written while it goes, read when it is over.

Invariants: the columns of steps are of one length, and so are those of orders; an order's number is its row in the
latter. Memory grows by 69 bytes a step.
"""

from collections import deque

from mlthon._core.enums import Side

cimport cython
from cpython.array cimport array, resize_smart
from mlthon._core.fixed cimport Price, Qty
from mlthon._core.fixed_column cimport FixedColumn
from mlthon._core.int128 cimport int128
from mlthon._core.order_story cimport (
    NO_ROW, STEP_CANCELLED, STEP_FILLED, STEP_MODIFY_SENT, STEP_REJECTED, DeskOrder, OrderRecorder, Step,
)
from mlthon._core.sim_clock cimport TimeSource
from mlthon._core.text_column cimport TextColumn

cdef object BUY = Side.Buy


@cython.final
cdef class OrderSteps(OrderRecorder):
    """A row a step; what never changes of an order stands in ``client_ids``, ``instruments`` and ``is_buy``.

    ``numbers`` are those of the instruments that may be traded, by their ids; ``now_ns`` is the run's clock.
    The last ``kept_ended`` orders that have ended can be found by their wire ids.
    """

    cdef readonly array ns, event, order, code     # code: values of GtwRejectCode; 0: none
    cdef readonly FixedColumn price, qty, leaves_qty
    cdef readonly TextColumn client_ids
    cdef readonly array instruments, is_buy
    cdef dict numbers
    cdef TimeSource clock
    cdef Py_ssize_t kept_ended
    cdef dict order_of                # by wire id
    cdef object last_instrument       # the one of the last order, and its number
    cdef long long last_number
    cdef object ended                 # deque of wire ids, the oldest first

    def __init__(self, dict numbers not None, now_ns, Py_ssize_t kept_ended):
        self.numbers = numbers
        self.clock = TimeSource(now_ns)
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
        """Write down a step of an order, now: of a `DeskOrder`, or of what has its attributes."""
        cdef int reason = 0 if code is None else code.value
        if type(order) is DeskOrder:
            self.record(event.value, order, reason)
            return
        number = self.order_of.get(order.wire_id)
        if number is None:
            number = self.add_order(order.wire_id, order.client_id, order.instrument, order.side)
        self.write(event.value, number, order.wire_id, order.price, order.qty,
                   (<Qty?>order.leaves_qty).mantissa, order.modify_pending, reason)

    cdef int record(self, Step step, DeskOrder order, int code) except -1:
        if order.record_row == NO_ROW:
            order.record_row = self.add_order(order.wire_id, order.client_id, order.instrument, order.side)
        return self.write(step, order.record_row, order.wire_id, order.price, order.qty, order.leaves(),
                          order.modify_pending, code)

    cdef int write(self, Step step, Py_ssize_t number, str wire_id, Price price, Qty qty, int128 leaves_qty,
                   object modify_pending, int code) except -1:
        if step == STEP_MODIFY_SENT and modify_pending is not None:
            price = modify_pending.new_price or price
            qty = modify_pending.new_qty or qty
        push_long(self.ns, self.clock.now())
        push_char(self.event, <signed char>step)
        push_long(self.order, number)
        self.price.add(price.mantissa)
        self.qty.add(qty.mantissa)
        self.leaves_qty.add(leaves_qty)
        push_int(self.code, code)
        if step == STEP_REJECTED or step == STEP_CANCELLED or step == STEP_FILLED:
            self.forget_oldest(wire_id)
        return 0

    cdef Py_ssize_t add_order(self, str wire_id, str client_id, object instrument, object side) except -1:
        """Give an order the next number."""
        cdef Py_ssize_t number = self.client_ids.count
        if instrument is not self.last_instrument:
            self.last_instrument = instrument
            self.last_number = self.numbers[instrument.get_instrument_id()]
        self.order_of[wire_id] = number
        self.client_ids.add(client_id)
        push_long(self.instruments, self.last_number)
        push_char(self.is_buy, side is BUY)
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
