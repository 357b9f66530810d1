# Orders of the simulated exchange, for compiled code: `SimOrder` is a named tuple, these are its fields.

from mlthon._core.fixed cimport Price, Qty

cdef enum:
    ORDER_ID = 0
    LINK_ID = 1
    ACCOUNT = 2
    SYMBOL = 3
    SIDE = 5
    ORDER_TYPE = 6
    TIME_IN_FORCE = 7
    POST_ONLY = 8
    REDUCE_ONLY = 9
    PRICE = 12
    QTY = 13
    CUM_QTY = 15
    LEAVES_QTY = 20
    STATE = 21
    END_REASON = 22
    UPDATED_NS = 24

# An order before anything has happened to it, and one that has ended with quantity left.
cdef tuple begin_order(
    object order_id, str link_id, str account, str symbol, object origin, object side, object order_type, object tif,
    object post_only, object reduce_only, object self_trade, object by_value, Price price, Qty qty, object now_ns,
)
cdef tuple ended_order(tuple order, object state, object end_reason, object met_order_id, object updated_ns)
