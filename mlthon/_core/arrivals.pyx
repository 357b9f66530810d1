"""Messages on their way, each with the time at which it arrives; of those of one time, the first sent arrives first.

What comes on one line comes in order of time; on several, each with its own delay, it nearly does. So a message is
put behind those that arrive before it or with it, which are mostly all.

A ring of times and one of objects, which grow when they are full: neither sending nor delivering makes an object.

Invariants: times never fall; of the rings, `size` places from `first` on are in use, the others hold None.
"""

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport INT64_MAX, int64_t

cdef extern from "Python.h":
    PyObject **items_of "PySequence_Fast_ITEMS" (list objects) noexcept

cdef enum:
    FIRST_ROOM = 64
    OBJECTS = 3                       # of a message: recipient, first, second


@cython.final
cdef class ArrivalQueue:
    """For compiled code only."""

    def __cinit__(self):
        self.next_ns = INT64_MAX
        self.objects = []

    def __dealloc__(self):
        PyMem_Free(self.arrivals)

    cdef int put(self, int64_t due_ns, Recipient recipient, int what, object first, object second) except -1:
        cdef Py_ssize_t at
        if self.size == self.room:
            self.make_room()
        at = (self.first + self.size) & (self.room - 1)
        if due_ns < self.next_ns:
            self.next_ns = due_ns
        if self.size and self.arrivals[(at - 1) & (self.room - 1)].due_ns > due_ns:
            at = self.open_place(at, due_ns)
        self.arrivals[at] = Arrival(due_ns, what)
        cdef PyObject **place = items_of(self.objects) + OBJECTS * at
        fill(place, recipient)
        fill(place + 1, first)
        fill(place + 2, second)
        self.size += 1
        return 0

    cdef int deliver_first(self) except -1:
        cdef Py_ssize_t at = self.first
        cdef int what = self.arrivals[at].what
        cdef PyObject **place = items_of(self.objects) + OBJECTS * at
        cdef Recipient recipient = <Recipient>take(place)
        cdef object first = take(place + 1)
        cdef object second = take(place + 2)
        self.first = (at + 1) & (self.room - 1)
        self.size -= 1
        self.next_ns = self.arrivals[self.first].due_ns if self.size else INT64_MAX
        return recipient.receive(what, first, second)

    cdef Py_ssize_t open_place(self, Py_ssize_t at, int64_t due_ns) except -1:
        """Move what arrives later one place on; returns the place that is free then."""
        cdef PyObject **places = items_of(self.objects)
        cdef Py_ssize_t before, each
        while at != self.first:
            before = (at - 1) & (self.room - 1)
            if self.arrivals[before].due_ns <= due_ns:
                break
            self.arrivals[at] = self.arrivals[before]
            for each in range(OBJECTS):
                fill(places + OBJECTS * at + each, take(places + OBJECTS * before + each))
            at = before
        return at

    cdef int make_room(self) except -1:
        """Double the rings, with what is on its way at their beginning."""
        cdef Py_ssize_t room = self.room * 2 if self.room else FIRST_ROOM
        cdef Py_ssize_t split = OBJECTS * self.first
        cdef Py_ssize_t index
        cdef Arrival *arrivals = <Arrival *>PyMem_Malloc(room * sizeof(Arrival))
        if arrivals is NULL:
            raise MemoryError(f"no memory for {room} messages on their way")
        for index in range(self.size):
            arrivals[index] = self.arrivals[(self.first + index) & (self.room - 1)]
        PyMem_Free(self.arrivals)
        self.arrivals = arrivals
        self.objects = self.objects[split:] + self.objects[:split] + [None] * (OBJECTS * (room - self.size))
        self.first = 0
        self.room = room
        return 0


cdef inline void fill(PyObject **place, object value) noexcept:
    """Put something where None is."""
    Py_INCREF(value)
    place[0] = <PyObject *>value
    Py_DECREF(None)


cdef inline object take(PyObject **place):
    """Take something away, and leave None."""
    cdef object value = <object>place[0]
    Py_INCREF(None)
    place[0] = <PyObject *>None
    Py_DECREF(value)
    return value
