# The order ids that venues see, for compiled callers.

cimport cython

cdef enum:
    ROOM = 13                         # digits of any 64-bit number


@cython.final
cdef class WireIds:
    cdef readonly str epoch
    cdef bytes head
    cdef char[ROOM] digits            # of the last id, from `start`; zeros before
    cdef Py_ssize_t start

    cdef str next_id(self)
