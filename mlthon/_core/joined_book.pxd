# A market's anonymous levels and clients' resting orders in one book, for the matching engine.
#
# Invariants between calls: what is displayed at a price is what the market shows there plus what clients rest there;
# a position is what its account's fills sum to.

from libc.stdint cimport int64_t
from mlthon._core.id_table cimport IdTable
from mlthon._core.int128 cimport int128
from mlthon._core.market_event cimport DepthUpdate
from mlthon._core.market_side cimport MarketSide
from mlthon._core.price_book cimport Level, PriceLevelBook
from mlthon._core.resting_orders cimport Order, Queue, RestingSide

# Bounds that let sums inside go unchecked. A quantity may be more than 10**15 units; a position and all that can
# still be added to it fit a mantissa.
cdef extern from *:
    """
    #define MLTHON_MAX_QTY ((mlthon_int128)1 << 110)
    #define MLTHON_MAX_POSITION ((mlthon_int128)1 << 125)
    """
    const int128 MAX_QTY "MLTHON_MAX_QTY"
    const int128 MAX_POSITION "MLTHON_MAX_POSITION"

cdef enum EndCode:                    # why an order ended with quantity left; 0 while it may go on
    OPEN = 0
    POST_ONLY = 1
    NO_LIQUIDITY = 2
    NOT_WHOLE = 3
    REDUCE_ONLY = 4
    SELF_TRADE = 5
    VALUE_SPENT = 6

cdef struct LevelArray:
    Level *items
    Py_ssize_t size
    Py_ssize_t capacity

cdef class JoinedBook:
    cdef readonly Py_ssize_t account_count
    cdef readonly int64_t market_ns            # venue time of the last market event
    cdef int64_t arrivals                      # orders of the market that have come, where they are told singly
    cdef readonly int64_t market_seq           # sequence number of the last depth message
    cdef MarketSide market_bids
    cdef MarketSide market_asks
    cdef RestingSide client_bids
    cdef RestingSide client_asks
    cdef IdTable resting                       # Orders, by their ids
    cdef Py_ssize_t reduce_only_count          # resting orders that are reduce-only
    cdef int128 *positions                     # by account
    cdef int128 *trial_positions               # as many, for a look-ahead
    cdef list fills
    cdef list ended
    cdef bint valued_at_mark                   # positions are, so that a new mark concerns who has one
    cdef int128 last_price_mantissa            # of the last trade, the market's or a client's; 0 before the first
    cdef int128 told_mark                      # what the market's venue marks at; 0: nobody has told
    cdef int128 seen_mark                      # the mark when `is_eventful` last had to know it
    cdef LevelArray touched[2]                 # prices where clients changed what is displayed, without a qty
    cdef LevelArray told                       # scratch
    cdef DepthUpdate changes                   # what the last call changed of what is displayed; None: see `touched`
    cdef bint is_watched                       # somebody wants to know what is displayed
    cdef PriceLevelBook kept                   # the displayed book, or None until it is asked for

    cdef MarketSide market(self, int side)
    cdef RestingSide clients(self, int side)
    cdef Order *find(self, int64_t order_id) except NULL       # KeyError when it does not rest

    # Every fill goes through one of these, and every order leaves the book through one of the others.
    cdef int128 allowed(self, Order *order, const int128 *positions) noexcept
    cdef int128 affordable(self, Order *taker, int128 price) noexcept
    cdef int fill_taker(self, Order *taker, int128 price, int128 qty, int64_t maker_id) except -1
    cdef bint fill_maker(self, Order *maker, int128 qty, int64_t taker_id) except -1
    cdef int128 fill_from_market(self, Order *maker, int128 qty) except -1
    cdef void end_if_done(self, Order *taker, int128 price) noexcept
    cdef int end_maker(self, Order *maker, int reason, int64_t met=*) except -1
    cdef int link(self, Order *order) except -1
    cdef int unlink(self, Order *order) except -1

    cdef int128 shown(self, int side, int128 price) noexcept       # what is displayed at a price
    cdef bint best(self, int side, int128 *price) noexcept         # False: nothing is displayed
    cdef int128 mark(self) noexcept
    cdef bint is_eventful(self) noexcept                           # see `concerns_clients`
    cdef int copy_displayed(self, int side) except -1

    # A call that changes anything begins and finishes.
    cdef void begin(self) noexcept
    cdef int touch(self, int side, int128 price) except -1
    cdef int finish(self, DepthUpdate told=*) except -1
    cdef bint has_changes(self) noexcept
    cdef DepthUpdate displayed_changes(self)                       # see `last_changes`; asked before the next call
    cdef int end_irreducible(self, RestingSide clients) except -1
    cdef bint differs(self, DepthUpdate told) noexcept
    cdef bint side_differs(self, int side, const Level *levels, Py_ssize_t count) noexcept
    cdef DepthUpdate changes_with(self, DepthUpdate told)
    cdef int tell_message(self, int side, const Level *levels, Py_ssize_t count) except -1
    cdef int tell_touched(self, int side) except -1

cdef inline int128 smaller(int128 a, int128 b) noexcept:
    return a if a < b else b

# What filling the order by `qty` adds to its account's position.
cdef inline int128 signed(const Order *order, int128 qty) noexcept:
    return qty if order.side == 0 else -qty

# Whether an order may trade at a price of the other side.
cdef inline bint reaches(const Order *order, int128 price) noexcept:
    return order.is_market or (price <= order.price if order.side == 0 else price >= order.price)

# Store the better of a level's and a queue's price; False when there is neither.
cdef inline bint better_price(RestingSide makers, const Level *level, const Queue *queue, int128 *price) noexcept:
    if level is NULL and queue is NULL:
        return False
    if queue is NULL or (level is not NULL and makers.is_better(level.price, queue.price)):
        price[0] = level.price
    else:
        price[0] = queue.price
    return True
