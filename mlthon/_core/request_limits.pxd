# How many requests an account may make, for compiled gateways.

cimport cython
from libc.stdint cimport int64_t


@cython.final
cdef class Allowance:
    cdef readonly Py_ssize_t limit
    cdef int64_t window_ns
    cdef int64_t *taken_ns            # a ring
    cdef Py_ssize_t room, first, count            # room: a power of two, or 0

    cdef Py_ssize_t count_used(self, int64_t now_ns) noexcept
    cdef bint take_some(self, int64_t now_ns, Py_ssize_t count) except -1
    cdef int64_t wait(self, int64_t now_ns) noexcept
    cdef int grow(self) except -1


@cython.final
cdef class KindLimits:
    cdef object kind
    cdef bint is_spot, in_batch
    cdef Allowance own, venues
    cdef int level                    # how many thresholds the venue's count has passed

    cdef str take_own(self, int64_t now_ns)                             # None, or why it is not to be sent
    cdef tuple count_arrived(self, int64_t now_ns, Py_ssize_t count)    # see `RequestLimits.arrived`


@cython.final
cdef class RequestLimits:
    cdef object rates
    cdef list kinds

    cdef str take_one(self, object kind, int64_t now_ns, bint is_spot)
    cdef tuple count_arrived(self, object kind, int64_t now_ns, bint is_spot, Py_ssize_t batch)
    cdef KindLimits limits_of(self, object kind, bint is_spot, bint in_batch)
