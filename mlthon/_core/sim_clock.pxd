# Time in a simulation, for other compiled modules.

cimport cython
from libc.stdint cimport int64_t


@cython.final
cdef class SimClock:
    cdef int64_t ns


@cython.final
cdef class TimeSource:
    cdef SimClock clock               # None: `now_ns` is another function
    cdef object now_ns

    cdef int64_t now(self) except? -1
