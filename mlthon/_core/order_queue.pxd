# The orders of one price in the order they came, for other compiled modules.
#
# Invariants: `orders[first]` is the first order of a queue that has any; from `end` on no slot is in use; `sums` is a
# Fenwick tree of the orders' quantities by slot, 0 where an order has left.

from mlthon._core.int128 cimport int128

cdef enum:
    SIZE_CLASSES = 48

cdef struct Block:                    # slots, then sums
    Block *next_owned
    Block *next_spare

cdef struct Queue:
    int128 price
    int side_index                    # 0: bids, 1: asks
    int size_class                    # it has 8 << size_class slots
    Py_ssize_t size                   # orders in it
    Py_ssize_t first
    Py_ssize_t end
    void **orders                     # QueuedOrder, borrowed; NULL where one has left
    int128 *sums                      # [slots + 1]
    Block *block                      # of both
    Queue *next_owned
    Queue *next_spare

cdef class QueuedOrder:
    cdef object order_id
    cdef Queue *queue
    cdef Py_ssize_t slot
    cdef int128 qty

cdef class QueuePool:
    cdef Queue *owned_queues
    cdef Block *owned_blocks
    cdef Queue *spare_queues
    cdef Block *spare_blocks[SIZE_CLASSES]

    cdef Queue *new_queue(self, int side_index, int128 price) except NULL     # empty, with room for an order
    cdef void free_queue(self, Queue *queue) noexcept
    cdef int reserve(self, Queue *queue) except -1             # room for one more order; MemoryError only
    cdef int grow(self, Queue *queue) except -1
    cdef Block *new_block(self, int size_class) except NULL
    cdef void free_block(self, Block *block, int size_class) noexcept

cdef void append(Queue *queue, QueuedOrder order) noexcept     # after reserve()
cdef void remove(Queue *queue, QueuedOrder order) noexcept     # the order keeps its qty
cdef void set_qty(QueuedOrder order, int128 qty) noexcept      # keeps its place
cdef int128 qty_ahead(QueuedOrder order) noexcept

cdef inline QueuedOrder first_order(const Queue *queue):
    return <QueuedOrder>queue.orders[queue.first]
