"""An account's orders, found by their ids: the open ones, and as many closed ones as it may remember.

Invariants: an order is in one of `open` and `closed`, or forgotten; `closing` names the closed ones, the first to
have closed first.
"""

from collections import deque

cimport cython
from mlthon._core.sim_order cimport SimOrder


@cython.final
cdef class OrderArchive:
    """One account's orders, fills and payments. Its link ids are remembered for good: they must never repeat."""

    def __init__(self, Py_ssize_t history):
        self.history = history
        self.open = {}
        self.closed = {}
        self.closing = deque()
        self.id_of_link = {}
        self.fills = deque(maxlen=history)
        self.payments = deque(maxlen=history)

    def add_fill(self, fill):
        """Keep a fill."""
        self.fills.append(fill)
        self.fill_count += 1

    def open_order(self, order_id):
        """An open order; raises KeyError when it is not."""
        return self.open[order_id]

    def find(self, order_id=None, link_id=None):
        """An order by the exchange's id or else by the client's; None when it is unknown or forgotten."""
        if order_id is None:
            order_id = self.id_of_link.get(link_id or "")
        return None if order_id is None else self.known(order_id)

    def is_link_used(self, str link_id not None) -> bool:
        """Whether an order has had that link id."""
        return link_id in self.id_of_link

    def open_orders(self):
        """The open orders, the oldest first."""
        return iter([self.open[order_id] for order_id in sorted(self.open)])

    def closed_orders(self):
        """The closed orders that are remembered, in the order in which they closed."""
        return iter(self.closed.values())

    cdef SimOrder keep(self, SimOrder order):
        """Keep the latest state of an order; returns the one before, or None."""
        cdef SimOrder before
        if order.is_open:
            before = self.open.get(order.order_id)
            self.open[order.order_id] = order
        else:
            before = self.open.pop(order.order_id, None)
            self.closed[order.order_id] = order
            self.closing.append(order.order_id)
            if len(self.closing) > self.history:
                del self.closed[self.closing.popleft()]
        if before is None and order.link_id:
            self.id_of_link[order.link_id] = order.order_id
        return before

    cdef SimOrder known(self, object order_id):
        order = self.open.get(order_id)
        return <SimOrder>(self.closed.get(order_id) if order is None else order)
