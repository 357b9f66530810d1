# What is on its way between strategies and exchanges, for the loop of a backtest.

cimport cython
from libc.stdint cimport int64_t, uint64_t
from mlthon._core.due_heap cimport Due
from mlthon._core.recipient cimport Recipient


@cython.final
cdef class ArrivalQueue:
    cdef int64_t next_ns              # when the first is due; INT64_MAX when there is none
    cdef Due *heap                    # each with the slot where its objects are
    cdef Py_ssize_t size, room
    cdef uint64_t last_number
    cdef int *free_slots              # the first `room - size` of them
    cdef list recipients, firsts, seconds     # by slot; None where nothing waits

    cdef int put(self, int64_t due_ns, Recipient recipient, int what, object first, object second) except -1
    cdef int deliver_first(self) except -1     # there must be one

    cdef int make_room(self) except -1
