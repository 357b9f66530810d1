# The matching engine, for other compiled modules: one instrument, integers only, no clock, no callbacks.

from libc.stdint cimport int64_t
from mlthon._core.followed_market cimport FollowedMarket
from mlthon._core.int128 cimport int128
from mlthon._core.resting_orders cimport Order, Queue

cdef enum SelfTradeCode:              # what an incoming order does on meeting an order of its own account
    ALLOW = 0
    CANCEL_MAKER = 1
    CANCEL_TAKER = 2
    CANCEL_BOTH = 3

cdef class MatchingEngine(FollowedMarket):
    # A limit order that may rest, of values that are known to be in range: the same as `place`.
    cdef int place_limit(self, int64_t order_id, Py_ssize_t account, int side, int128 price, int128 qty,
                         bint post_only) except -1
    cdef int cancel_order(self, int64_t order_id) except -1    # KeyError for one that does not rest
    cdef Order *new_entry(self, int64_t order_id, Py_ssize_t account, int side, int128 qty) except NULL
    cdef int check_room(self, Py_ssize_t account) except -1

    cdef int enter(self, Order *order) except -1
    cdef int rest(self, Order *order) except -1
    cdef int sweep(self, Order *taker) except -1
    cdef int sweep_price(self, Order *taker, int128 price) except -1
    cdef int128 take_market(self, Order *taker, int128 price, int128 qty) except -1
    cdef bint meet(self, Order *taker, Order *maker) except -1
    cdef bint would_take(self, Order *taker) noexcept

    cdef bint fills_whole(self, Order *taker) noexcept
    cdef bint try_price(self, Order *taker, int128 price, Queue *queue, int128 *wanted) noexcept
    cdef int128 try_market(self, Order *taker, int128 qty, int128 *wanted) noexcept
    cdef bint try_meet(self, Order *taker, Order *maker, int128 *wanted) noexcept
