# Market data on its way to strategies, for the loop of a backtest.

from libc.stdint cimport int64_t

cdef class NewsQueue:
    cdef int64_t next_ns              # when the first is due; INT64_MAX when there is none
    cdef Py_ssize_t size
    cdef Py_ssize_t first             # where the first is
    cdef Py_ssize_t room              # a power of two, or 0
    cdef int64_t *due_ns
    cdef list recipients              # rings of as many as there is room for; None where nothing waits
    cdef list contents

    cdef int put(self, int64_t due_ns, object recipient, object content) except -1
    cdef object recipient(self)       # the first one's; there must be one
    cdef object take(self)            # its content, and the next one is the first

    cdef Py_ssize_t open_place(self, Py_ssize_t at, int64_t due_ns) except -1
    cdef int make_room(self) except -1
