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

    cdef inline int64_t now(self) except? -1:
        return self.now_ns() if self.clock is None else self.clock.ns
