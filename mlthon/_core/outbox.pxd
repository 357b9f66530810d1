# What the simulated exchange has to tell, for other compiled modules.

cimport cython
from mlthon._core.market_event cimport DepthUpdate
from mlthon._core.recipient cimport Recipient
from mlthon._core.sim_order cimport SimOrder


@cython.final
cdef class Outbox:
    cdef tuple listeners              # Recipients
    cdef int *kinds                   # of the messages
    cdef list firsts, seconds         # what they are about; None where none waits
    cdef Py_ssize_t first, end        # those that wait
    cdef Py_ssize_t event_first       # the first of the event under way
    cdef Py_ssize_t room
    cdef bint delivering
    cdef bint wants_depth             # of every symbol: somebody may publish it. Else see `JoinedBook.is_watched`

    # At once, where nothing waits and nothing is being delivered; else the same as posting. Deliver afterwards.
    cdef int tell_order(self, SimOrder order) except -1
    cdef int post_order(self, SimOrder order) except -1
    cdef int post_depth(self, str symbol, DepthUpdate update) except -1
    cdef int post(self, int kind, object first, object second) except -1
    cdef int pass_on(self) except -1
    cdef int make_room(self) except -1
