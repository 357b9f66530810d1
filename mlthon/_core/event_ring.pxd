# Events to fill over and over, for compiled readers of them.

cdef class EventRing:
    cdef type kind
    cdef list events
    cdef Py_ssize_t latest

    # An event that nobody else holds, with whatever it last said.
    cdef object free(self)
