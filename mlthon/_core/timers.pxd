# The timer queue for other compiled modules.

cimport cython
from libc.stdint cimport int64_t, uint64_t

cdef struct Due:
    int64_t due_ns
    uint64_t number                   # the timer's id, and the order of arrival


@cython.final
cdef class TimerQueue:
    cdef Due *heap
    cdef Py_ssize_t size
    cdef Py_ssize_t capacity
    cdef uint64_t last_number
    cdef dict payloads                # number -> payload of the timers not cancelled

    cdef int push(self, int64_t due_ns, uint64_t number) except -1
    cdef int make_room(self) except -1
    cdef void drop_first(self) noexcept
    cdef void drop_cancelled(self) noexcept
