# Times as callbacks are told them, for other compiled modules.

cimport cython
from libc.stdint cimport int64_t


@cython.final
cdef class Milliseconds:
    cdef int64_t last
    cdef object told                  # the same as an int

    cdef inline object as_int(self, int64_t ms):
        if ms != self.last:
            self.told = ms
            self.last = ms
        return self.told
