# The order ids that venues see, for compiled callers.

cimport cython


@cython.final
cdef class WireIds:
    cdef readonly str epoch
    cdef bytes head
    cdef unsigned long long count

    cdef str next_id(self)
