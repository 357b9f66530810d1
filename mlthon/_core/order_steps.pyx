"""The steps of every order of a run, as rows: written while it goes, read when it is over.

A step is written in one piece, for every order takes several; columns are made of the steps when somebody reads them.

Invariants: an order's number is its row in the columns of orders, which are of one length. Memory grows by 69 bytes a
step.
"""

from mlthon._core.enums import Side

cimport cython
from cpython.array cimport array, resize_smart
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from libc.stdint cimport int64_t
from mlthon._core.fixed cimport Price, Qty
from mlthon._core.fixed_column cimport FixedColumn
from mlthon._core.int128 cimport int128
from mlthon._core.order_story cimport NO_ROW, STEP_MODIFY_SENT, DeskOrder, OrderRecorder, Step
from mlthon._core.sim_clock cimport TimeSource
from mlthon._core.text_column cimport TextColumn

cdef enum:
    BLOCK_BITS = 10                   # so many steps are in a block, as a power of two
    BLOCK = 1 << BLOCK_BITS

cdef object BUY = Side.Buy

cdef packed struct StepRow:
    int128 price
    int128 qty
    int128 leaves_qty
    int64_t ns
    int64_t order
    int code                          # the value of a GtwRejectCode; 0: none
    signed char event                 # the value of an OrderEvent


@cython.final
cdef class OrderSteps(OrderRecorder):
    """A row a step; what never changes of an order stands in ``client_ids``, ``instruments`` and ``is_buy``.

    ``numbers`` are those of the instruments that may be traded, by their ids; ``now_ns`` is the run's clock. A column
    of steps is made anew each time it is asked for.
    """

    cdef readonly TextColumn client_ids
    cdef readonly array instruments, is_buy
    cdef StepRow **blocks             # where they are written stays where it is, so nothing is ever copied
    cdef Py_ssize_t count, block_count
    cdef dict numbers
    cdef TimeSource clock
    cdef object last_instrument       # the one of the last order, and its number
    cdef long long last_number

    def __init__(self, dict numbers not None, now_ns):
        self.numbers = numbers
        self.clock = TimeSource(now_ns)
        self.instruments, self.is_buy = array("q"), array("b")
        self.client_ids = TextColumn()

    def __dealloc__(self):
        cdef Py_ssize_t index
        for index in range(self.block_count):
            PyMem_Free(self.blocks[index])
        PyMem_Free(self.blocks)

    def __len__(self):
        return self.count

    @property
    def ns(self) -> array:
        """When each step was taken."""
        cdef array column = array("q", bytes(8 * self.count))
        cdef Py_ssize_t row
        for row in range(self.count):
            column.data.as_longlongs[row] = self.step(row).ns
        return column

    @property
    def event(self) -> array:
        """What each was, by the values of `OrderEvent`."""
        cdef array column = array("b", bytes(self.count))
        cdef Py_ssize_t row
        for row in range(self.count):
            column.data.as_schars[row] = self.step(row).event
        return column

    @property
    def order(self) -> array:
        """The numbers of the orders."""
        cdef array column = array("q", bytes(8 * self.count))
        cdef Py_ssize_t row
        for row in range(self.count):
            column.data.as_longlongs[row] = self.step(row).order
        return column

    @property
    def code(self) -> array:
        """Why each was refused, by the values of `GtwRejectCode`; 0: it was not."""
        cdef array column = array("i", bytes(sizeof(int) * self.count))
        cdef Py_ssize_t row
        for row in range(self.count):
            column.data.as_ints[row] = self.step(row).code
        return column

    @property
    def price(self) -> FixedColumn:
        """The price of the order, or that which it was to have; zero: a market order."""
        cdef FixedColumn column = FixedColumn()
        cdef Py_ssize_t row
        for row in range(self.count):
            column.add(self.step(row).price)
        return column

    @property
    def qty(self) -> FixedColumn:
        """Its quantity, or that which it was to have."""
        cdef FixedColumn column = FixedColumn()
        cdef Py_ssize_t row
        for row in range(self.count):
            column.add(self.step(row).qty)
        return column

    @property
    def leaves_qty(self) -> FixedColumn:
        """What of it was still open."""
        cdef FixedColumn column = FixedColumn()
        cdef Py_ssize_t row
        for row in range(self.count):
            column.add(self.step(row).leaves_qty)
        return column

    # -- writing -----------------------------------------------------------------------------------------------

    def record_order(self, event, order, code):
        """Write down a step of an order, now: of a `DeskOrder`, or of what has its attributes."""
        cdef int reason = 0 if code is None else code.value
        cdef Price price
        cdef Qty qty
        if type(order) is DeskOrder:
            self.record(event.value, order, reason)
            return
        if order.record_row == NO_ROW:
            order.record_row = self.add_order(order.client_id, order.instrument, order.side)
        price, qty = asked_for(order) if event.value == STEP_MODIFY_SENT else (order.price, order.qty)
        self.write(event.value, order.record_row, price.mantissa, qty.mantissa, (<Qty?>order.leaves_qty).mantissa,
                   reason)

    cdef int record(self, Step step, DeskOrder order, int code) except -1:
        cdef int128 price = order.price.mantissa
        cdef int128 qty = order.qty.mantissa
        if order.record_row == NO_ROW:
            order.record_row = self.add_order(order.client_id, order.instrument, order.side)
        if step == STEP_MODIFY_SENT:
            asked_price, asked_qty = asked_for(order)
            price, qty = (<Price?>asked_price).mantissa, (<Qty?>asked_qty).mantissa
        return self.write(step, order.record_row, price, qty, order.leaves(), code)

    cdef inline int write(self, Step step, Py_ssize_t number, int128 price, int128 qty, int128 leaves_qty,
                          int code) except -1:
        cdef StepRow *row
        if self.count == self.block_count << BLOCK_BITS:
            self.grow()
        row = self.step(self.count)
        row.price, row.qty, row.leaves_qty = price, qty, leaves_qty
        row.ns, row.order, row.code, row.event = self.clock.now(), number, code, <signed char>step
        self.count += 1
        return 0

    cdef inline StepRow *step(self, Py_ssize_t row) noexcept:
        return &self.blocks[row >> BLOCK_BITS][row & (BLOCK - 1)]

    cdef int grow(self) except -1:
        """Make room for another block of steps."""
        cdef StepRow **blocks = <StepRow **>PyMem_Realloc(self.blocks, (self.block_count + 1) * sizeof(StepRow *))
        if blocks is NULL:
            raise MemoryError
        self.blocks = blocks
        blocks[self.block_count] = <StepRow *>PyMem_Malloc(BLOCK * sizeof(StepRow))
        if blocks[self.block_count] is NULL:
            raise MemoryError(f"no memory for steps of orders, of which there are {self.count}")
        self.block_count += 1
        return 0

    cdef Py_ssize_t add_order(self, str client_id, object instrument, object side) except -1:
        """Give an order the next number."""
        cdef Py_ssize_t number = self.client_ids.count
        if instrument is not self.last_instrument:
            self.last_number = self.numbers[instrument.get_instrument_id()]
            self.last_instrument = instrument
        self.client_ids.add(client_id)
        resize_smart(self.instruments, number + 1)
        self.instruments.data.as_longlongs[number] = self.last_number
        resize_smart(self.is_buy, number + 1)
        self.is_buy.data.as_schars[number] = side is BUY
        return number


cdef tuple asked_for(object order):
    """The price and the quantity that an order's pending modify wants for it."""
    modify = order.modify_pending
    if modify is None:
        return order.price, order.qty
    return modify.new_price or order.price, modify.new_qty or order.qty
