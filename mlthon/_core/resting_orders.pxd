# Clients' resting orders of one side: a queue per price, first come first, for the matching engine.
#
# Invariants: queues are sorted, the best price last; no queue is empty; a queue's qty is the sum of its orders'
# leaves; along a queue `ahead` never falls.

from libc.stdint cimport int64_t
from mlthon._core.int128 cimport int128

cdef int128 NOT_THERE                 # in front of an order that was not there: more than can ever be

cdef struct Order:
    int64_t order_id
    int account                       # the engine's index of it
    int side                          # 0: Buy, 1: Sell
    int self_trade                    # the engine's code for what to do on meeting an own order
    int end_reason                    # 0 while it may go on; else the engine's code
    int64_t met                       # the own order that ended it, for self-trades
    bint is_market                    # any price will do; `price` means nothing
    bint is_immediate                 # never rests
    bint is_whole                     # fills whole at once, or not at all
    bint is_post_only
    bint is_reduce_only
    bint has_value_limit              # then `value_left` is what it may still spend or earn, in whole lots
    int128 value_left
    int128 lot
    int128 price
    int128 leaves
    int128 ahead                      # anonymous quantity in front of it in its queue
    # the same before the last depth message, and before the one before that, less what went since;
    # NOT_THERE if the order came later
    int128[2] before
    int64_t arrived_after             # how many orders of the market had come, where they are told one by one
    Order *previous
    Order *next

cdef struct Queue:
    int128 price
    int128 qty
    int128 standing                   # anonymous quantity in it before the depth message that is being applied
    Order *first
    Order *last

cdef class RestingSide:
    cdef Queue *queues
    cdef Py_ssize_t size
    cdef Py_ssize_t capacity
    cdef bint is_bid

    cdef Queue *best(self) noexcept                            # NULL when empty
    cdef Queue *at(self, Py_ssize_t depth) noexcept            # depth 0 is the best; NULL beyond the end
    cdef Queue *find(self, int128 price) noexcept              # NULL when absent
    cdef int128 qty_at(self, int128 price) noexcept            # 0 when absent
    cdef bint is_better(self, int128 price, int128 than) noexcept
    cdef int append(self, Order *order) except -1              # MemoryError only
    cdef void remove(self, Order *order) noexcept              # the order stays the caller's; Queue pointers do not
    cdef void reduce(self, Order *order, int128 qty) noexcept  # by qty; does not remove at zero
    cdef void advance(self, Queue *queue, int128 qty) noexcept     # qty of the anonymous quantity in front went
    cdef void advance_before(self, Queue *queue, int128 qty, int messages) noexcept    # went before the last messages
    cdef void clear_before(self, Queue *queue, int messages) noexcept      # the same, of all that was in front
    cdef void note_ahead(self, Queue *queue) noexcept              # a depth message comes
    cdef void cap_ahead(self, Queue *queue, int128 qty) noexcept   # no more than qty is in front of anybody

    cdef void scale_ahead(self, Queue *queue, int128 now, int128 before) noexcept     # by now / before, now < before

    cdef Py_ssize_t slot(self, int128 price) noexcept
    cdef int insert(self, Py_ssize_t index, int128 price) except -1

# Whether a price is between a side's worst and best queue, those included.
cdef inline bint spans(RestingSide side, int128 price) noexcept:
    if side.size == 0:
        return False
    if side.is_bid:
        return side.queues[0].price <= price <= side.queues[side.size - 1].price
    return side.queues[side.size - 1].price <= price <= side.queues[0].price

# Whether an order rested already before the last depth message (1), or before the one before that (2); 0: now.
cdef inline bint was_there(const Order *order, int messages) noexcept:
    return messages == 0 or order.before[messages - 1] < NOT_THERE

cdef Order *new_order() except NULL
cdef void free_order(Order *order) noexcept
