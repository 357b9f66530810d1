# What some markets tell beside levels and trades: changes of single orders, and the rates of perpetuals.
#
# Invariants: an added order's price and qty are positive; of other changes 0 means that the venue did not tell.

from libc.stdint cimport int64_t
from mlthon._core.int128 cimport int128

cdef enum OrderAction:
    ADD = 0
    MODIFY = 1
    DELETE = 2

cdef enum RateKind:
    FUNDING_RATE = 0
    MARK_PRICE_RATE = 1
    INDEX_PRICE_RATE = 2

cdef class OrderChange:
    cdef readonly int64_t venue_ns
    cdef readonly int64_t recv_ns
    cdef readonly int64_t seq
    cdef readonly int64_t order_id    # the venue's number of the order
    cdef readonly bint is_snapshot    # its message is a whole book, of adds alone
    cdef readonly bint is_first       # of its message
    cdef readonly bint is_last
    cdef int action_index             # an OrderAction
    cdef int side_index               # 0: Buy, 1: Sell
    cdef int128 price_mantissa
    cdef int128 qty_mantissa

cdef class RateUpdate:
    cdef readonly int64_t venue_ns
    cdef readonly int64_t recv_ns
    cdef readonly int64_t due_ns      # when a funding rate is charged next; 0: not told
    cdef int kind_index               # a RateKind
    cdef int128 mantissa
