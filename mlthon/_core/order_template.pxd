# Order requests as text that was written before, for compiled callers.

cimport cython
from mlthon._core.order_messages cimport NewOrderRequest


@cython.final
cdef class OrderTemplate:
    cdef object side, order_type, tif, exec_instr
    cdef bint close_position
    cdef tuple parts
    cdef OrderTemplate next

    cdef bint suits(self, NewOrderRequest request) noexcept


@cython.final
cdef class OrderTemplates:
    cdef OrderTemplate first

    cdef bytes text_of(self, NewOrderRequest request, str req_id, long long timestamp_ms)     # `fill`
