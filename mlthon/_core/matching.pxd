# The matching engine, for other compiled modules: one instrument, integers only, no clock, no callbacks.

from libc.stdint cimport int64_t
from mlthon._core.int128 cimport int128
from mlthon._core.joined_book cimport JoinedBook
from mlthon._core.price_book cimport Level
from mlthon._core.resting_orders cimport Order, Queue

cdef enum SelfTradeCode:              # what an incoming order does on meeting an order of its own account
    ALLOW = 0
    CANCEL_MAKER = 1
    CANCEL_TAKER = 2
    CANCEL_BOTH = 3

cdef class MatchingEngine(JoinedBook):
    cdef readonly Py_ssize_t crossed_updates   # depth messages that left the market's own book crossed
    cdef int64_t depth_ns                      # venue time of the last depth message

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

    cdef int apply_side(self, int side, bint is_snapshot, const Level *levels, Py_ssize_t count) except -1
    cdef int drop_absent(self, int side, const Level *levels, Py_ssize_t count) except -1
    cdef int fill_crossed(self, int side) except -1
    cdef int128 trade_through(self, int side, int128 price, int128 qty) except -1
    cdef int128 trade_at(self, int side, int128 price, int128 qty) except -1
    cdef int mark_traded(self, int side, int128 price, int128 qty) except -1
