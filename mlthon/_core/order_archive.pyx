"""An account's orders, found by their ids: the open ones, and as many closed ones as it may remember.

Invariant: what is in `KeptOrders` stands in one of its archive's chains, `open` or `closed`; what is not is
forgotten, and shows no order.
"""

from collections import deque

cimport cython
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF, Py_XDECREF
from libc.stdint cimport int64_t
from mlthon._core.chain cimport items_of, join, leave
from mlthon._core.id_register cimport IdRegister
from mlthon._core.id_table cimport add_id, drop_id, find_id, free_ids
from mlthon._core.sim_order cimport SimOrder

cdef extern from "Python.h":
    long long PyLong_AsLongLongAndOverflow(object number, int *is_beyond) except? -1


@cython.final
@cython.no_gc                         # an order is values, and an exposure leads to no order
@cython.freelist(64)
cdef class KeptOrder:
    """An order that an exchange keeps, and what goes with it while its states come and go."""


@cython.final
cdef class KeptOrders:
    """All orders that an exchange keeps, by their ids; for compiled code only."""

    def __dealloc__(self):
        cdef Py_ssize_t at
        for at in range(self.by_id.mask + 1 if self.by_id.size else 0):
            if self.by_id.slots[at].id != 0:
                Py_XDECREF(<PyObject *>self.by_id.slots[at].item)
        free_ids(&self.by_id)

    cdef KeptOrder find(self, int64_t order_id):
        cdef void *kept = find_id(&self.by_id, order_id)
        return None if kept is NULL else <KeptOrder>kept

    cdef int add(self, KeptOrder kept) except -1:
        add_id(&self.by_id, kept.order.order_id, <void *>kept)
        Py_INCREF(kept)
        return 0

    cdef void drop(self, KeptOrder kept) noexcept:
        drop_id(&self.by_id, kept.order.order_id)
        kept.order = None
        Py_DECREF(kept)


@cython.final
cdef class OrderArchive:
    """One account's orders, fills and payments. Its link ids are remembered for good: they must never repeat.

    ``orders`` are those of all archives of an exchange.
    """

    def __init__(self, account, KeptOrders orders not None, Py_ssize_t history):
        self.account = account
        self.orders = orders
        self.history = history
        self.by_link = IdRegister()
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
        cdef KeptOrder kept = self.known_by_link(link_id or "") if order_id is None else self.known(order_id)
        return None if kept is None else kept.order

    def is_link_used(self, str link_id not None) -> bool:
        """Whether an order has had that link id."""
        return self.known_by_link(link_id) is not None

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
        self.orders.add(kept)
        if order.link_id:
            self.by_link.add(order.link_id, kept)
        join(&self.open, &kept.link, kept)
        return kept

    cdef int close(self, KeptOrder kept) except -1:
        cdef KeptOrder oldest
        leave(&self.open, &kept.link)
        join(&self.closed, &kept.link, kept)
        if self.closed.count > self.history:
            oldest = <KeptOrder>self.closed.first.item
            leave(&self.closed, &oldest.link)
            self.orders.drop(oldest)
        return 0

    cdef KeptOrder known(self, object order_id):
        cdef int is_beyond = 0
        cdef KeptOrder kept = self.orders.find(PyLong_AsLongLongAndOverflow(order_id, &is_beyond))
        return kept if kept is not None and kept.archive is <void *>self else None

    cdef KeptOrder known_by_link(self, str link_id):
        return <KeptOrder>self.by_link.find(link_id)
