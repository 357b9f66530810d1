# An account's orders, for other compiled modules.

cimport cython
from mlthon._core.sim_order cimport SimOrder


@cython.final
cdef class OrderArchive:
    cdef readonly object fills        # deques, the oldest first
    cdef readonly object payments
    cdef readonly long long fill_count     # forgotten ones included
    cdef Py_ssize_t history
    cdef dict open, closed            # by order id
    cdef object closing               # deque of order ids
    cdef dict id_of_link

    cdef SimOrder keep(self, SimOrder order)
    cdef SimOrder known(self, object order_id)
