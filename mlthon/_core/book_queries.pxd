# What a market maker asks of a book, computed from its sides: for other compiled modules.
#
# Sums and products are exact; a result that is not a whole mantissa is rounded once, half-even. What does not fit
# raises OverflowError. A query that has no answer returns False, and stores nothing.

from mlthon._core.book_side cimport BookSide
from mlthon._core.int128 cimport int128

cdef int volume_to(BookSide side, int128 price, int128 *volume) except -1         # at the price or better
cdef bint average_price(BookSide side, int128 qty, int128 *price) except -1       # qty > 0
cdef bint mid_price(BookSide bids, BookSide asks, int128 *price) noexcept
cdef bint micro_price(BookSide bids, BookSide asks, int128 *price) except -1
cdef bint imbalance(BookSide bids, BookSide asks, Py_ssize_t level_count, int128 *ratio) except -1
