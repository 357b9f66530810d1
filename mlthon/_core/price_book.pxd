# A two-sided book of price levels, for other compiled modules.
#
# Invariants: a side is sorted, its best level last; every level's qty is positive; a price stands once on a side.

from mlthon._core.int128 cimport int128

cdef struct Level:
    int128 price
    int128 qty

cdef enum Change:                     # what setting a level did
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

    cdef Change set(self, int128 price, int128 qty) except *   # qty 0 deletes; MemoryError only
    cdef Level *best(self) noexcept                            # NULL when empty
    cdef Level *at(self, Py_ssize_t depth) noexcept            # depth 0 is the best; NULL beyond the end
    cdef Level *find(self, int128 price) noexcept              # NULL when absent
    cdef void clear(self) noexcept

cdef class PriceLevelBook:
    cdef readonly BookSide bid_side
    cdef readonly BookSide ask_side

    cdef BookSide side(self, int side_index)                   # 0: bids, 1: asks
    cdef bint is_crossed(self) noexcept
