# A book that knows every order (or every level with an id), for the two kinds of such books.
#
# Invariants: every order of `orders` stands in the queue of its price, every queue in its side's level of that price,
# and nothing else does; a level's qty is the sum of its queue's.

from mlthon._core.book_side cimport BookSide, Place
from mlthon._core.int128 cimport int128
from mlthon._core.order_queue cimport Queue, QueuedOrder, QueuePool
from mlthon._core.price_book cimport Book

cdef class QueuedBook(Book):
    cdef dict orders                  # id -> QueuedOrder
    cdef QueuePool pool
    cdef unsigned long long orders_version     # grows whenever an order comes, goes or moves

    # What updates are made of. Each raises OverflowError, and changes nothing, where quantities add up too far.
    cdef QueuedOrder find(self, object order_id)               # None when it is not there; TypeError if unhashable
    cdef int put(self, object order_id, int side_index, int128 price, int128 qty) except -1     # qty > 0, new id
    cdef int drop(self, QueuedOrder order) except -1
    cdef int change_qty(self, QueuedOrder order, int128 qty, bint to_back) except -1            # qty > 0
    cdef int move(self, QueuedOrder order, int side_index, int128 price, int128 qty) except -1  # qty > 0

    cdef int link(self, QueuedOrder order, int side_index, int128 price) except -1
    cdef void unlink(self, QueuedOrder order) noexcept
    cdef object snapshot_of(self, QueuedOrder order)           # as Python code gets an order

# Walks orders as they would trade: a whole side, or one price's queue.
cdef class OrderIterator:
    cdef QueuedBook book
    cdef BookSide side                # None for one queue
    cdef Place place
    cdef Queue *queue
    cdef Py_ssize_t slot
    cdef unsigned long long orders_version     # when the walk began

cdef OrderIterator walk_side(QueuedBook book, BookSide side)
cdef OrderIterator walk_queue(QueuedBook book, Queue *queue)   # NULL: no order at all
