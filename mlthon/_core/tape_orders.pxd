# A market that is told order by order, for compiled modules.
#
# Invariants: every order of the book has an arrival number; along a price's queue the numbers grow.

from libc.stdint cimport int64_t
from mlthon._core.book_side cimport BookSide
from mlthon._core.followed_market cimport FollowedMarket
from mlthon._core.int128 cimport int128
from mlthon._core.market_event cimport DepthUpdate, PublicTrade
from mlthon._core.order_book cimport OrderBook
from mlthon._core.order_change cimport OrderChange
from mlthon._core.order_queue cimport QueuedOrder

cdef enum Effect:                     # what a change did to a book of orders
    GHOST = 0                         # nothing: it was about an order that is not there
    CAME = 1
    RESIZED = 2
    MOVED = 3                         # to another price, side, or to the back
    LEFT = 4

# Apply a change to a book of orders.
cdef Effect change_book(OrderBook book, OrderChange change) except? GHOST

# The orders of a side, `(id, side index, price, qty)`: the best price's first, and of it the first in its queue.
cdef list list_orders(BookSide side, int index)

cdef class TapeOrders:
    cdef readonly OrderBook book
    cdef readonly int64_t ghosts      # changes of orders that are not there
    cdef readonly int64_t crosses     # messages that left the orders crossed
    cdef FollowedMarket engine
    cdef dict arrivals                # order id -> its number
    cdef dict lost                    # (side, price) -> (mantissa gone in front of clients less traded, when)
    cdef list touched                 # (side, price) of the message that is being told
    cdef bint is_snapshot             # it is a whole book

    cdef DepthUpdate apply(self, OrderChange change)          # the levels it leaves; None within a message
    cdef PublicTrade unexplained(self, PublicTrade trade)     # what of a trade no change has told yet; None: nothing

    cdef int128 recently_lost(self, int side, int128 price, int64_t now_ns) except? -1
    cdef int note(self, int side, int128 price) except -1
    cdef int note_loss(self, QueuedOrder order, int128 qty, int64_t now_ns) except -1
    cdef DepthUpdate levels(self, OrderChange change)
    cdef int cap_queues(self) except -1
    cdef int cap_queue(self, int side, int128 price) except -1
