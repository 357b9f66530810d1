# A two-sided book of price levels, for other compiled modules.
#
# Invariants: a side is sorted, its best level last; every level's qty is positive. What `BookSide.set` builds
# holds a price once; a side built by `insert_at` (level_book.pyx) may hold it several times, first come last.

from mlthon._core.int128 cimport int128

cdef struct Level:
    int128 price
    int128 qty

cdef enum Change:                     # what setting a level did
    FAILED = -1                       # an exception is set
    ABSENT = 0                        # deleting a price that was not there: a no-op
    ADDED = 1
    MODIFIED = 2
    DELETED = 3
    UNCHANGED = 4                     # the quantity it already had

cdef class BookSide:
    cdef Level *levels
    cdef Py_ssize_t size
    cdef Py_ssize_t capacity
    cdef bint is_bid
    cdef unsigned long long top_version     # grows whenever the best level (price or qty) changes

    cdef Change set(self, int128 price, int128 qty) except FAILED   # qty 0 or less deletes; MemoryError only
    cdef Level *best(self) noexcept                            # NULL when empty
    cdef Level *at(self, Py_ssize_t depth) noexcept            # depth 0 is the best; NULL beyond the end
    cdef Level *find(self, int128 price) noexcept              # NULL when absent
    cdef void clear(self) noexcept                             # keeps the memory for the next levels

    # The steps `set` is made of, by index: 0 is the worst level.
    cdef Py_ssize_t slot(self, int128 price) noexcept          # of the first level not worse, or size
    cdef int reserve(self) except -1                           # room for one more level
    cdef void insert_at(self, Py_ssize_t index, int128 price, int128 qty) noexcept     # after reserve()
    cdef void set_qty_at(self, Py_ssize_t index, int128 qty) noexcept
    cdef void remove_at(self, Py_ssize_t index) noexcept

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
    cdef object level_at(self, BookSide side, Py_ssize_t index)     # a snapshot, as Python code gets it

cdef class PriceLevelBook(Book):
    pass
