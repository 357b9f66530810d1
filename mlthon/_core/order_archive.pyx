"""An account's orders, found by their ids: the open ones, and as many closed ones as it may remember.

Invariant: what is in `by_id` stands in one of its archive's chains, `open` or `closed`; what is not is forgotten, and
shows no order.
"""

from collections import deque

cimport cython
from mlthon._core.chain cimport items_of, join, leave
from mlthon._core.sim_order cimport SimOrder


@cython.final
@cython.no_gc                         # an order is values, and an exposure leads to no order
@cython.freelist(64)
cdef class KeptOrder:
    """An order that an exchange keeps, and what goes with it while its states come and go."""


@cython.final
cdef class OrderArchive:
    """One account's orders, fills and payments. Its link ids are remembered for good: they must never repeat.

    ``by_id`` is shared by all archives of an exchange.
    """

    def __init__(self, account, dict by_id not None, Py_ssize_t history):
        self.account = account
        self.by_id = by_id
        self.history = history
        self.by_link = {}
        self.fills = deque(maxlen=history)
        self.payments = deque(maxlen=history)

    def add_fill(self, fill):
        """Keep a fill."""
        self.fills.append(fill)
        self.fill_count += 1

    def open_order(self, order_id):
        """An open order; raises KeyError when it is not."""
        cdef KeptOrder kept = self.known(order_id)
        if kept is None or not kept.order.is_open:
            raise KeyError(order_id)
        return kept.order

    def find(self, order_id=None, link_id=None):
        """An order by the exchange's id or else by the client's; None when it is unknown or forgotten."""
        cdef KeptOrder kept = self.by_link.get(link_id or "") if order_id is None else self.known(order_id)
        return None if kept is None else kept.order

    def is_link_used(self, str link_id not None) -> bool:
        """Whether an order has had that link id."""
        return link_id in self.by_link

    def open_orders(self):
        """The open orders, the oldest first."""
        return iter([(<KeptOrder>kept).order for kept in items_of(&self.open)])

    def closed_orders(self):
        """The closed orders that are remembered, in the order in which they closed."""
        return iter([(<KeptOrder>kept).order for kept in items_of(&self.closed)])

    cdef KeptOrder begin(self, SimOrder order, object exposure):
        """Keep an order that is new, and open."""
        cdef KeptOrder kept = KeptOrder.__new__(KeptOrder)
        kept.order, kept.exposure, kept.archive = order, exposure, <void *>self
        self.by_id[order.order_id] = kept
        if order.link_id:
            self.by_link[order.link_id] = kept
        join(&self.open, &kept.link, kept)
        return kept

    cdef int close(self, KeptOrder kept) except -1:
        cdef KeptOrder oldest
        leave(&self.open, &kept.link)
        join(&self.closed, &kept.link, kept)
        if self.closed.count > self.history:
            oldest = <KeptOrder>self.closed.first.item
            leave(&self.closed, &oldest.link)
            del self.by_id[oldest.order.order_id]
            oldest.order = None
        return 0

    cdef KeptOrder known(self, object order_id):
        cdef KeptOrder kept = self.by_id.get(order_id)
        return kept if kept is not None and kept.archive is <void *>self else None
