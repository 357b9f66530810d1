"""Clients' resting orders: one sorted array of price queues a side, a linked list of C structs in each queue.

No Python object stands for a resting order. A `RestingSide` links and unlinks orders and keeps the queues'
totals; what an order is allowed to do is the matching engine's business.
"""

from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Realloc
from libc.string cimport memmove, memset

cimport cython
from mlthon._core.int128 cimport int128, mul_div_overflows

cdef enum:
    FIRST_CAPACITY = 16               # queues; doubled whenever it does not suffice
    MOST_SPARE = 64                   # orders whose memory is kept for the next

cdef int128 NOT_THERE = <int128>1 << 120

cdef Order *spare = NULL              # linked by `next`
cdef int spare_count = 0


@cython.final
cdef class RestingSide:
    """One side's resting orders; for compiled code only."""

    def __cinit__(self, bint is_bid):
        self.is_bid = is_bid

    def __dealloc__(self):
        cdef Py_ssize_t index
        cdef Order *order
        cdef Order *following
        for index in range(self.size):
            order = self.queues[index].first
            while order is not NULL:
                following = order.next
                PyMem_Free(order)
                order = following
        PyMem_Free(self.queues)

    cdef Queue *best(self) noexcept:
        return &self.queues[self.size - 1] if self.size else NULL

    cdef Queue *at(self, Py_ssize_t depth) noexcept:
        return &self.queues[self.size - 1 - depth] if 0 <= depth < self.size else NULL

    cdef Queue *find(self, int128 price) noexcept:
        if self.size == 0:
            return NULL
        cdef Py_ssize_t index = self.slot(price)
        return &self.queues[index] if index < self.size and self.queues[index].price == price else NULL

    cdef int128 qty_at(self, int128 price) noexcept:
        cdef Queue *queue = self.find(price)
        return 0 if queue is NULL else queue.qty

    cdef bint is_better(self, int128 price, int128 than) noexcept:
        return price > than if self.is_bid else price < than

    cdef int append(self, Order *order) except -1:
        cdef Py_ssize_t index = self.slot(order.price)
        if index == self.size or self.queues[index].price != order.price:
            self.insert(index, order.price)
        cdef Queue *queue = &self.queues[index]
        order.before[0] = order.before[1] = NOT_THERE
        order.previous = queue.last
        order.next = NULL
        if queue.last is NULL:
            queue.first = order
        else:
            queue.last.next = order
        queue.last = order
        queue.qty += order.leaves
        return 0

    cdef void remove(self, Order *order) noexcept:
        cdef Py_ssize_t index = self.slot(order.price)
        cdef Queue *queue = &self.queues[index]
        if order.previous is NULL:
            queue.first = order.next
        else:
            order.previous.next = order.next
        if order.next is NULL:
            queue.last = order.previous
        else:
            order.next.previous = order.previous
        queue.qty -= order.leaves
        order.previous = NULL
        order.next = NULL
        if queue.first is NULL:
            self.size -= 1
            memmove(queue, queue + 1, (self.size - index) * sizeof(Queue))

    cdef void reduce(self, Order *order, int128 qty) noexcept:
        order.leaves -= qty
        self.queues[self.slot(order.price)].qty -= qty

    cdef void advance(self, Queue *queue, int128 qty) noexcept:
        cdef Order *order = queue.first
        while order is not NULL:
            order.ahead = less(order.ahead, qty)
            order.before[0] = less(order.before[0], qty)
            order.before[1] = less(order.before[1], qty)
            order = order.next

    cdef void advance_before(self, Queue *queue, int128 qty, int messages) noexcept:
        # A message has shown already that less is in front: nobody is advanced twice.
        cdef Order *order = queue.first
        while order is not NULL and was_there(order, messages):
            order.before[messages - 1] = less(order.before[messages - 1], qty)
            if messages == 2 and order.before[0] > order.before[1]:
                order.before[0] = order.before[1]
            if order.ahead > order.before[0]:
                order.ahead = order.before[0]
            order = order.next

    cdef void clear_before(self, Queue *queue, int messages) noexcept:
        self.advance_before(queue, NOT_THERE, messages)

    cdef void note_ahead(self, Queue *queue) noexcept:
        cdef Order *order = queue.first
        while order is not NULL:
            order.before[1] = order.before[0]
            order.before[0] = order.ahead
            order = order.next

    cdef void cap_ahead(self, Queue *queue, int128 qty) noexcept:
        cdef Order *order = queue.first
        while order is not NULL:
            if order.ahead > qty:
                order.ahead = qty
            order = order.next

    cdef void scale_ahead(self, Queue *queue, int128 now, int128 before) noexcept:
        cdef Order *order = queue.first
        cdef int128 ahead
        while order is not NULL:
            # now < before, so the quotient fits.
            if not mul_div_overflows(order.ahead, now, before, &ahead):
                order.ahead = ahead
            order = order.next

    cdef Py_ssize_t slot(self, int128 price) noexcept:
        """Index of the price's queue, or where it would have to be inserted."""
        cdef Py_ssize_t low = 0
        cdef Py_ssize_t high = self.size
        cdef Py_ssize_t middle
        while low < high:
            middle = (low + high) >> 1
            if self.is_better(price, self.queues[middle].price):
                low = middle + 1
            else:
                high = middle
        return low

    cdef int insert(self, Py_ssize_t index, int128 price) except -1:
        cdef Py_ssize_t capacity
        cdef Queue *queues
        if self.size == self.capacity:
            capacity = self.capacity * 2 if self.capacity else FIRST_CAPACITY
            queues = <Queue *>PyMem_Realloc(self.queues, capacity * sizeof(Queue))
            if queues is NULL:
                raise MemoryError(f"no memory for {capacity} order queues")
            self.queues = queues
            self.capacity = capacity
        cdef Queue *queue = &self.queues[index]
        memmove(queue + 1, queue, (self.size - index) * sizeof(Queue))
        queue.price = price
        queue.qty = 0
        queue.standing = 0
        queue.first = NULL
        queue.last = NULL
        self.size += 1
        return 0


cdef int128 less(int128 ahead, int128 qty) noexcept:
    """What is left in front when some of it went."""
    if ahead == NOT_THERE:
        return ahead
    return ahead - qty if ahead > qty else 0


cdef Order *new_order() except NULL:
    """An order with zeros throughout."""
    global spare, spare_count
    cdef Order *order = spare
    if order is NULL:
        order = <Order *>PyMem_Calloc(1, sizeof(Order))
        if order is NULL:
            raise MemoryError("no memory for an order")
        return order
    spare = order.next
    spare_count -= 1
    memset(order, 0, sizeof(Order))
    return order


cdef void free_order(Order *order) noexcept:
    global spare, spare_count
    if spare_count == MOST_SPARE:
        PyMem_Free(order)
        return
    order.next = spare
    spare = order
    spare_count += 1
