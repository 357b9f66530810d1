"""Events to fill over and over: each again once nobody else holds it.

What is read from a tape is mostly looked at and let go of. What is on its way to a strategy is held for the time that
takes: there are as many events as are held at once, and one more. What somebody keeps for good is met on every round,
and each time costs an event; once there are many, it is left to who keeps it, and another takes its place.
"""

cimport cython
from cpython.object cimport PyObject
from mlthon._core.python_call cimport Py_REFCNT

cdef enum:
    MANY = 1024                       # events; where more are held at once, those beyond are made anew each time


@cython.final
cdef class EventRing:
    """Events of one kind; for compiled code only."""

    def __cinit__(self, type kind not None):
        self.kind = kind
        self.events = [kind.__new__(kind)]

    cdef object free(self):
        # They are let go of in the order in which they were handed out, or nearly so: the oldest is looked at alone.
        cdef object event
        self.latest = self.latest + 1 if self.latest + 1 < len(self.events) else 0
        event = self.events[self.latest]
        if Py_REFCNT(<PyObject *>event) > 2:          # the list's and the one here
            event = self.kind.__new__(self.kind)
            if len(self.events) < MANY:
                self.events.insert(self.latest, event)
            else:
                self.events[self.latest] = event
        return event
