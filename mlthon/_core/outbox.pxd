# What the simulated exchange has to tell, for other compiled modules.

cimport cython


@cython.final
cdef class Outbox:
    cdef list listeners               # of each, its methods in the order of the kinds of messages
    cdef object messages              # deque of (kind, argument, argument or None)
    cdef bint delivering

    cdef int post_order(self, tuple order) except -1
    cdef int post_depth(self, str symbol, object update) except -1
    cdef int post(self, int kind, object first, object second) except -1
    cdef int pass_on(self) except -1
