# What orders must keep, for other compiled modules, and whom requests ask.

cimport cython
from mlthon._core.int128 cimport int128


@cython.final
cdef class OrderRules:
    cdef object instrument
    cdef int128 tick, lot, min_qty, max_qty, min_notional
    cdef bint worth_qty

    cdef bint keeps(self, int128 price, int128 qty, bint closes) noexcept


cdef class SendPermit:
    cdef public bint may_send


cdef class Versioned:
    cdef public long long version     # another one after every change
