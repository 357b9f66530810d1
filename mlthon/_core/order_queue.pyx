"""Queues of orders at one price, which know how much is ahead of an order without walking to it.

An order takes the next slot of its queue and keeps it; a Fenwick tree over the slots sums the quantities before any
of them in O(log n). When the slots run out, a queue that is at least half empty closes its gaps, any other doubles.

Queues and their blocks come from free lists, one per size, and go back to them: in steady state nothing is allocated.
"""

from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.string cimport memset

cimport cython
from mlthon._core.int128 cimport int128

cdef enum:
    FIRST_SLOTS = 8


@cython.final
@cython.no_gc                         # ids are values: no cycle leads back from one
@cython.freelist(1024)
cdef class QueuedOrder:
    """An order where it stands; for compiled code only."""


@cython.final
cdef class QueuePool:
    """The memory of a book's queues, for compiled code only. What it handed out ends with it."""

    def __dealloc__(self):
        cdef Queue *queue
        cdef Block *block
        while self.owned_queues is not NULL:
            queue = self.owned_queues
            self.owned_queues = queue.next_owned
            PyMem_Free(queue)
        while self.owned_blocks is not NULL:
            block = self.owned_blocks
            self.owned_blocks = block.next_owned
            PyMem_Free(block)

    cdef Queue *new_queue(self, int side_index, int128 price) except NULL:
        cdef Queue *queue = self.spare_queues
        cdef Block *block = self.new_block(0)
        if queue is not NULL:
            self.spare_queues = queue.next_spare
        else:
            queue = <Queue *>PyMem_Malloc(sizeof(Queue))
            if queue is NULL:
                self.free_block(block, 0)
                raise MemoryError("no memory for an order queue")
            queue.next_owned = self.owned_queues
            self.owned_queues = queue
        queue.side_index = side_index
        queue.price = price
        queue.size = 0
        queue.first = 0
        queue.end = 0
        use_block(queue, block, 0)
        memset(queue.sums, 0, (FIRST_SLOTS + 1) * sizeof(int128))
        return queue

    cdef void free_queue(self, Queue *queue) noexcept:
        self.free_block(queue.block, queue.size_class)
        queue.next_spare = self.spare_queues
        self.spare_queues = queue

    cdef int reserve(self, Queue *queue) except -1:
        if queue.end < slots(queue):
            return 0
        if queue.size * 2 > slots(queue):
            return self.grow(queue)
        close_gaps(queue, queue.orders)
        return 0

    cdef int grow(self, Queue *queue) except -1:
        cdef Block *old = queue.block
        cdef void **orders = queue.orders
        use_block(queue, self.new_block(queue.size_class + 1), queue.size_class + 1)
        close_gaps(queue, orders)
        self.free_block(old, queue.size_class - 1)
        return 0

    cdef Block *new_block(self, int size_class) except NULL:
        cdef Py_ssize_t count = FIRST_SLOTS << size_class
        cdef Block *block = self.spare_blocks[size_class]
        if block is not NULL:
            self.spare_blocks[size_class] = block.next_spare
            return block
        block = <Block *>PyMem_Malloc(sizeof(Block) + count * sizeof(void *) + (count + 1) * sizeof(int128))
        if block is NULL:
            raise MemoryError(f"no memory for a queue of {count} orders")
        block.next_owned = self.owned_blocks
        self.owned_blocks = block
        return block

    cdef void free_block(self, Block *block, int size_class) noexcept:
        block.next_spare = self.spare_blocks[size_class]
        self.spare_blocks[size_class] = block


cdef void append(Queue *queue, QueuedOrder order) noexcept:
    order.queue = queue
    order.slot = queue.end
    queue.orders[queue.end] = <void *>order
    queue.end += 1
    queue.size += 1
    change_sums(queue, order.slot, order.qty)


cdef void remove(Queue *queue, QueuedOrder order) noexcept:
    change_sums(queue, order.slot, -order.qty)
    queue.orders[order.slot] = NULL
    queue.size -= 1
    while queue.first < queue.end and queue.orders[queue.first] is NULL:
        queue.first += 1


cdef void set_qty(QueuedOrder order, int128 qty) noexcept:
    change_sums(order.queue, order.slot, qty - order.qty)
    order.qty = qty


cdef int128 qty_ahead(QueuedOrder order) noexcept:
    cdef int128 ahead = 0
    cdef Py_ssize_t node = order.slot
    while node > 0:
        ahead += order.queue.sums[node]
        node &= node - 1
    return ahead


cdef inline Py_ssize_t slots(const Queue *queue) noexcept:
    return FIRST_SLOTS << queue.size_class


cdef void use_block(Queue *queue, Block *block, int size_class) noexcept:
    queue.block = block
    queue.size_class = size_class
    queue.orders = <void **>(block + 1)
    queue.sums = <int128 *>(queue.orders + slots(queue))


cdef inline void change_sums(Queue *queue, Py_ssize_t slot, int128 by) noexcept:
    cdef Py_ssize_t node = slot + 1
    cdef Py_ssize_t count = slots(queue)
    while node <= count:
        queue.sums[node] += by
        node += node & -node


cdef void close_gaps(Queue *queue, void **orders) noexcept:
    """Give the orders found in `orders` the first slots of the queue, and sum them anew."""
    cdef Py_ssize_t count = slots(queue)
    cdef Py_ssize_t used = 0
    cdef Py_ssize_t slot, node
    cdef QueuedOrder order
    memset(queue.sums, 0, (count + 1) * sizeof(int128))
    for slot in range(queue.first, queue.end):
        if orders[slot] is not NULL:
            order = <QueuedOrder>orders[slot]
            queue.orders[used] = orders[slot]
            order.slot = used
            used += 1
            queue.sums[used] = order.qty
    queue.first = 0
    queue.end = used
    for slot in range(1, count + 1):
        node = slot + (slot & -slot)
        if node <= count:
            queue.sums[node] += queue.sums[slot]
