# What is on its way between strategies and exchanges, for the loop of a backtest.

cimport cython
from libc.stdint cimport int64_t
from mlthon._core.recipient cimport Recipient

cdef struct Arrival:
    int64_t due_ns
    int what                          # for the recipient


@cython.final
cdef class ArrivalQueue:
    cdef int64_t next_ns              # when the first is due; INT64_MAX when there is none
    cdef Py_ssize_t first             # where the first is
    cdef Py_ssize_t size
    cdef Py_ssize_t room              # a power of two, or 0
    cdef Arrival *arrivals
    cdef list objects                 # three to a place: the recipient, and what it receives

    cdef int put(self, int64_t due_ns, Recipient recipient, int what, object first, object second) except -1
    cdef int deliver_first(self) except -1     # there must be one

    cdef Py_ssize_t open_place(self, Py_ssize_t at, int64_t due_ns) except -1
    cdef int make_room(self) except -1
