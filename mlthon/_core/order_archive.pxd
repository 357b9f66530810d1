# The orders that an exchange keeps, for other compiled modules.
#
# An order may be named by its id, which is unique in the exchange, or by its account's link id; one object per order
# is what both lead to, and goes on to be so while the order's states come and go.

cimport cython
from libc.stdint cimport int64_t
from mlthon._core.chain cimport Chain, Link
from mlthon._core.id_register cimport IdRegister
from mlthon._core.id_table cimport IdTable
from mlthon._core.int128 cimport int128
from mlthon._core.sim_order cimport SimOrder


@cython.final
cdef class KeptOrder:
    cdef SimOrder order               # as it is now; None: forgotten
    cdef void *archive                # its account's, which outlives it
    cdef object exposure              # what counts it while it is open
    cdef int128 outlay                # what it counts there
    cdef Link link                    # among the archive's open ones, or the closed


@cython.final
cdef class KeptOrders:
    cdef IdTable by_id                # `KeptOrder`s, which it holds

    cdef KeptOrder find(self, int64_t order_id)        # None when there is none
    cdef int add(self, KeptOrder kept) except -1
    cdef void drop(self, KeptOrder kept) noexcept      # and forget its order


@cython.final
cdef class OrderArchive:
    cdef readonly object account      # whose it is
    cdef readonly object fills        # deques, the oldest first
    cdef readonly object payments
    cdef readonly long long fill_count     # forgotten ones included
    cdef Py_ssize_t history
    cdef KeptOrders orders            # of all accounts of the exchange
    cdef IdRegister by_link           # `KeptOrder`s, by their link ids
    cdef Chain open, closed           # of `KeptOrder`s: in order of their ids; in order of their ends

    cdef KeptOrder begin(self, SimOrder order, object exposure)
    cdef int close(self, KeptOrder kept) except -1     # its order has ended
    cdef KeptOrder known(self, object order_id)        # None: unknown or forgotten, or another account's
    cdef KeptOrder known_by_link(self, str link_id)    # None: unknown; of a forgotten one, `order` is None


# Whose it is.
cdef inline OrderArchive archive_of(KeptOrder kept):
    return <OrderArchive>kept.archive
