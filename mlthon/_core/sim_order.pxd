# Orders of the simulated exchange, for compiled code.

cimport cython
from libc.stdint cimport int64_t
from mlthon._core.fixed cimport MLDecimal, Price, Qty

cdef enum StateCode:                  # the values of OrderState
    IS_NEW = 1
    IS_PARTIALLY_FILLED, IS_FILLED, IS_CANCELLED, IS_REJECTED

cdef enum ReasonCode:                 # the values of EndReason
    NOT_ENDED = -1
    BY_USER, WOULD_CROSS, NO_LIQUIDITY, NOT_FILLABLE_WHOLE, REDUCE_ONLY, SELF_TRADE, VALUE_SPENT, FUNDS_SPENT
    BEFORE_LIQUIDATION


@cython.final
cdef class SimOrder:
    cdef readonly int64_t order_id    # unique in the exchange, grows
    cdef readonly str link_id
    cdef readonly str account
    cdef readonly str symbol
    cdef readonly object origin
    cdef readonly object side
    cdef readonly object order_type
    cdef readonly object tif
    cdef readonly bint post_only
    cdef readonly bint reduce_only
    cdef readonly object self_trade
    cdef readonly bint by_value       # then qty and leaves_qty count the quote coin
    cdef readonly Price price         # None: a market order
    cdef readonly Qty qty
    cdef readonly int64_t created_ns
    cdef readonly Qty cum_qty
    cdef readonly MLDecimal cum_value  # of the fills; inverse: in the base coin, else in the quote coin
    cdef readonly Price avg_price     # of the fills, rounded; None without fills
    cdef readonly object cum_fees     # by coin; positive: paid
    cdef readonly MLDecimal realised_pnl  # of what its fills closed, before fees
    cdef readonly Qty leaves_qty      # still open; zero once the order has ended
    cdef readonly object met_order_id  # the own order that it ended on meeting; 0 unless end_reason is SelfTrade
    cdef readonly int64_t updated_ns
    cdef readonly bint is_open
    cdef int state_code
    cdef int reason_code
    cdef str id_text                  # its id as text, or None until somebody asks

    cdef str exchange_id(self)
    cdef SimOrder twin(self)
    # Change it to what it is once it has ended with quantity left. For who has made it, and shown it to nobody.
    cdef int end(self, int state_code, int reason_code, object met_order_id, int64_t updated_ns) except -1


# An order before anything has happened to it.
cdef SimOrder begin_order(
    int64_t order_id, str link_id, str account, str symbol, object origin, object side, object order_type, object tif,
    bint post_only, bint reduce_only, object self_trade, bint by_value, Price price, Qty qty, int64_t now_ns,
)
