"""Market data on its way to strategies, each with the time when it arrives: of equal times, first in, first out.

What comes from one exchange comes in order of time; from several, each with its own delay, it nearly does. So a
message is put behind those that arrive before it, which are mostly all.

Two rings of objects and one of times, which grow when they are full. The loop of a backtest puts every message in and
takes it out again, so neither makes an object.

Invariants: times never fall; of the rings, `size` places from `first` on are in use, the others hold None.
"""

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport INT64_MAX, int64_t

cdef enum:
    FIRST_ROOM = 64


@cython.final
cdef class NewsQueue:
    """For compiled code only."""

    def __cinit__(self):
        self.next_ns = INT64_MAX
        self.recipients = []
        self.contents = []

    def __dealloc__(self):
        PyMem_Free(self.due_ns)

    cdef int put(self, int64_t due_ns, object recipient, object content) except -1:
        cdef Py_ssize_t at
        if self.size == self.room:
            self.make_room()
        at = (self.first + self.size) & (self.room - 1)
        if self.size and self.due_ns[(at - 1) & (self.room - 1)] > due_ns:
            at = self.open_place(at, due_ns)
        self.due_ns[at] = due_ns
        self.recipients[at] = recipient
        self.contents[at] = content
        if due_ns < self.next_ns:
            self.next_ns = due_ns
        self.size += 1
        return 0

    cdef Py_ssize_t open_place(self, Py_ssize_t at, int64_t due_ns) except -1:
        """Move what arrives later one place on; returns the place that is free then."""
        cdef Py_ssize_t before
        while at != self.first:
            before = (at - 1) & (self.room - 1)
            if self.due_ns[before] <= due_ns:
                break
            self.due_ns[at] = self.due_ns[before]
            self.recipients[at] = self.recipients[before]
            self.contents[at] = self.contents[before]
            at = before
        return at

    cdef object recipient(self):
        return self.recipients[self.first]

    cdef object take(self):
        cdef Py_ssize_t at = self.first
        cdef object content = self.contents[at]
        self.recipients[at] = self.contents[at] = None
        self.first = (at + 1) & (self.room - 1)
        self.size -= 1
        self.next_ns = self.due_ns[self.first] if self.size else INT64_MAX
        return content

    cdef int make_room(self) except -1:
        """Double the rings, with what waits at their beginning."""
        cdef Py_ssize_t room = self.room * 2 if self.room else FIRST_ROOM
        cdef Py_ssize_t index
        cdef int64_t *due_ns = <int64_t *>PyMem_Malloc(room * sizeof(int64_t))
        if due_ns is NULL:
            raise MemoryError(f"no memory for {room} messages on their way")
        for index in range(self.size):
            due_ns[index] = self.due_ns[(self.first + index) & (self.room - 1)]
        PyMem_Free(self.due_ns)
        self.due_ns = due_ns
        free = [None] * (room - self.size)
        self.recipients = self.recipients[self.first:] + self.recipients[:self.first] + free
        self.contents = self.contents[self.first:] + self.contents[:self.first] + free
        self.first = 0
        self.room = room
        return 0
