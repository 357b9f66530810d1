# The timer queue for other compiled modules.

cimport cython
from libc.stdint cimport int64_t, uint64_t
from mlthon._core.due_heap cimport Due


@cython.final
cdef class TimerQueue:
    cdef Due *heap                    # their numbers are the ids of the timers
    cdef Py_ssize_t size
    cdef Py_ssize_t capacity
    cdef uint64_t last_number
    cdef dict payloads                # number -> payload of the timers not cancelled

    cdef int push(self, int64_t due_ns, uint64_t number) except -1
    cdef void drop_first(self) noexcept
    cdef void drop_cancelled(self) noexcept
