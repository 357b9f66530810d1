"""Times as callbacks are told them: many are the one told before, and need not be made anew."""

cimport cython


@cython.final
cdef class Milliseconds:
    """The time last told; for compiled code only."""

    def __cinit__(self):
        self.told = 0
