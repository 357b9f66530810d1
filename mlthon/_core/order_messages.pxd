# Requests and reports of orders, for other compiled modules.

cimport cython
from libc.stdint cimport int64_t
from mlthon._core.fixed cimport Price, Qty


@cython.final
cdef class NewOrderRequest:
    cdef readonly str wire_id
    cdef readonly object instrument, side
    cdef readonly Price price         # None: a market order
    cdef readonly Qty qty
    cdef readonly object order_type, tif, exec_instr
    cdef readonly bint close_position


@cython.final
cdef class CancelOrderRequest:
    cdef readonly str wire_id, exchange_id
    cdef readonly object instrument


@cython.final
cdef class OrderReport:
    cdef readonly str wire_id, exchange_id
    cdef readonly object instrument_id, side
    cdef readonly Price price
    cdef readonly Qty qty, cum_qty
    cdef readonly object status, order_type, tif, exec_instr, cancel_code, reject_code
    cdef readonly str reason
    cdef readonly int64_t venue_ms, recv_ms


cdef inline tuple fields_of(object values):
    """A named tuple's fields, as the plain tuple that it is underneath."""
    if not isinstance(values, tuple):
        raise TypeError(f"expected a named tuple of an order, got {values!r}")
    return <tuple>values
