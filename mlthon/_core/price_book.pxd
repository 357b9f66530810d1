# A two-sided book of price levels, for other compiled modules.

from mlthon._core.int128 cimport int128

# Of one side and its levels: cimport these from here or from book_side.
from mlthon._core.book_side cimport (
    ABSENT, ADDED, DELETED, FAILED, MODIFIED, UNCHANGED, BookSide, Change, Level, Place, Spot,
)

cdef class PriceLevel:
    cdef int side_index               # 0: Buy, 1: Sell
    cdef int128 price_mantissa
    cdef int128 qty_mantissa

cdef class Book:
    cdef readonly BookSide bid_side
    cdef readonly BookSide ask_side
    cdef unsigned long long bid_version_told     # top_version when the best level was last asked for
    cdef unsigned long long ask_version_told
    cdef unsigned long long ignored

    cdef BookSide side(self, int index)                        # 0: bids, 1: asks
    cpdef bint is_crossed(self) noexcept                       # best bid at or above best ask
    cdef object best_level(self, BookSide side)                # a snapshot, as Python code gets it; None if empty
    cdef object level_at(self, BookSide side, const Place *place)

cdef class PriceLevelBook(Book):
    pass

# Fill a new snapshot, of whatever kind.
cdef inline int fill_level(PriceLevel snapshot, BookSide side, int128 price, int128 qty) except -1:
    snapshot.side_index = 0 if side.is_bid else 1
    snapshot.price_mantissa = price
    snapshot.qty_mantissa = qty
    return 0
