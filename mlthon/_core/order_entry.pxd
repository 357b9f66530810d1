# An instrument's rules for orders, for other compiled modules.

cimport cython
from mlthon._core.int128 cimport int128


@cython.final
cdef class OrderRules:
    cdef object instrument
    cdef int128 tick, lot, min_qty, max_qty, min_notional
    cdef bint worth_qty

    cdef bint keeps(self, int128 price, int128 qty, bint closes) noexcept
