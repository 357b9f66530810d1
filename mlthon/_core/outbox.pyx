"""What the simulated exchange has to tell, in order, and its delivery to the listeners.

Invariants: nothing is kept while nobody listens; of two messages, the first is delivered to everybody before the
second is to anybody.
"""

from collections import deque

cimport cython

cdef enum Kind:
    ORDER, FILL, FUNDING, POSITION, WALLET, DEPTH, TRADE

cdef tuple NAMES = ("on_order", "on_fill", "on_funding", "on_position", "on_wallet", "on_depth", "on_trade")


@cython.final
cdef class Outbox:
    """A listener that passes on what it is told to all listeners, when `deliver` is called.

    Delivery never nests: what a listener causes waits behind what is under way.
    """

    def __cinit__(self):
        self.listeners = []
        self.messages = deque()

    def attach(self, listener):
        """Tell a listener of everything from now on, after those that are there already."""
        self.listeners.append(tuple([getattr(listener, name) for name in NAMES]))

    def deliver(self):
        """Deliver all that is queued, unless a delivery is under way, which then does.

        A listener's exception passes to the caller; what is behind it is delivered next time.
        """
        self.pass_on()

    def on_order(self, order):
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
        self.post(DEPTH, symbol, update)

    def on_trade(self, symbol, trade):
        self.post(TRADE, symbol, trade)

    cdef int post_order(self, tuple order) except -1:
        return self.post(ORDER, order, None)

    cdef int post_depth(self, str symbol, object update) except -1:
        return self.post(DEPTH, symbol, update)

    cdef int post(self, int kind, object first, object second) except -1:
        if self.listeners:
            self.messages.append((kind, first, second))
        return 0

    cdef int pass_on(self) except -1:
        cdef int kind
        if self.delivering or not self.messages:
            return 0
        self.delivering = True
        try:
            while self.messages:
                kind, first, second = self.messages.popleft()
                for told in tuple(self.listeners):
                    tell = (<tuple>told)[kind]
                    if kind <= FUNDING:
                        tell(first)
                    else:
                        tell(first, second)
        finally:
            self.delivering = False
        return 0
