# Order requests as text that was written before, for compiled callers.

cimport cython


@cython.final
cdef class OrderTemplate:
    cdef object side, order_type, tif, exec_instr, close_position
    cdef tuple parts
    cdef OrderTemplate next

    cdef bint suits(self, tuple fields) except -1


@cython.final
cdef class OrderTemplates:
    cdef OrderTemplate first

    cdef bytes text_of(self, tuple fields, str req_id, long long timestamp_ms)     # `fill`, of a NewOrderRequest
