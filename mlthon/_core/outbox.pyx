"""What the simulated exchange has to tell, in order, and its delivery to the listeners.

What is posted between two deliveries is one event: it changes what a symbol displays once, however many steps it
takes. Venues publish their books so, and a listener may look at the displayed book itself when it is told.

Invariants: nothing is kept while nobody listens; of two messages, the first is delivered to everybody before the
second is to anybody. The lists of messages keep their length from delivery to delivery, so that none is made anew.
"""

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from mlthon._core.market_event cimport DepthUpdate, merged
from mlthon._core.recipient cimport DEPTH, FILL, FUNDING, ORDER, POSITION, TRADE, WALLET, Recipient
from mlthon._core.sim_order cimport SimOrder

cdef enum:
    FIRST_ROOM = 16

cdef tuple NAMES = ("on_order", "on_fill", "on_funding", "on_position", "on_wallet", "on_depth", "on_trade")


@cython.final
cdef class CalledListener(Recipient):
    """A listener that is not compiled, by its methods in the order of the kinds of messages."""

    cdef tuple methods

    def __init__(self, listener):
        self.methods = tuple([getattr(listener, name) for name in NAMES])

    cdef int receive(self, int what, object first, object second) except -1:
        tell = self.methods[what]
        if what <= FUNDING:
            tell(first)
        else:
            tell(first, second)
        return 0


@cython.final
cdef class Outbox:
    """A listener that passes on what it is told to all listeners, when `deliver` is called.

    Delivery never nests: what a listener causes waits behind what is under way.
    """

    def __cinit__(self):
        self.listeners = ()
        self.firsts, self.seconds = [], []

    def __dealloc__(self):
        PyMem_Free(self.kinds)

    def attach(self, listener):
        """Tell a listener of everything from now on, after those that are there already."""
        if not isinstance(listener, Recipient):
            listener = CalledListener(listener)
            self.wants_depth = True
        self.listeners += (listener,)

    def deliver(self):
        """Deliver all that is queued, unless a delivery is under way, which then does.

        A listener's exception passes to the caller; what is behind it is delivered next time.
        """
        self.pass_on()

    def on_order(self, SimOrder order not None):
        self.post(ORDER, order, None)

    def on_fill(self, fill):
        self.post(FILL, fill, None)

    def on_funding(self, payment):
        self.post(FUNDING, payment, None)

    def on_position(self, account, symbol):
        self.post(POSITION, account, symbol)

    def on_wallet(self, account, coins):
        self.post(WALLET, account, coins)

    def on_depth(self, symbol, update):
        self.post_depth(symbol, update)

    def on_trade(self, symbol, trade):
        self.post(TRADE, symbol, trade)

    cdef int tell_order(self, SimOrder order) except -1:
        if self.delivering or self.first != self.end:
            return self.post(ORDER, order, None)
        self.delivering = True
        try:
            for listener in self.listeners:
                (<Recipient>listener).receive(ORDER, order, None)
        finally:
            self.delivering = False
        return 0

    cdef int post_order(self, SimOrder order) except -1:
        return self.post(ORDER, order, None)

    cdef int post_depth(self, str symbol, DepthUpdate update) except -1:
        """Post a change of what is displayed, or join it with the one that the event has made already."""
        cdef Py_ssize_t index
        for index in range(self.event_first, self.end):
            if self.kinds[index] == DEPTH and self.firsts[index] == symbol:
                self.seconds[index] = merged(self.seconds[index], update)
                return 0
        return self.post(DEPTH, symbol, update)

    cdef int post(self, int kind, object first, object second) except -1:
        if not self.listeners:
            return 0
        if self.end == self.room:
            self.make_room()
        self.kinds[self.end] = kind
        self.firsts[self.end] = first
        self.seconds[self.end] = second
        self.end += 1
        return 0

    cdef int make_room(self) except -1:
        cdef Py_ssize_t room = self.room * 2 if self.room else FIRST_ROOM
        cdef int *kinds = <int *>PyMem_Realloc(self.kinds, room * sizeof(int))
        if kinds is NULL:
            raise MemoryError(f"no memory for {room} messages of an exchange")
        self.kinds = kinds
        self.firsts.extend([None] * (room - self.room))
        self.seconds.extend([None] * (room - self.room))
        self.room = room
        return 0

    cdef int pass_on(self) except -1:
        cdef int kind
        self.event_first = self.end
        if self.delivering or self.first == self.end:
            return 0
        self.delivering = True
        try:
            while self.first < self.end:
                kind = self.kinds[self.first]
                first, second = self.firsts[self.first], self.seconds[self.first]
                self.firsts[self.first] = self.seconds[self.first] = None
                self.first += 1
                if self.first == self.end:
                    self.first = self.end = self.event_first = 0
                for listener in self.listeners:
                    (<Recipient>listener).receive(kind, first, second)
        finally:
            self.delivering = False
        return 0
