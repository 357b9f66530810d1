"""An order of the simulated exchange, as it was at one moment, and the words that are used of it.

They are published by `mlthon.sim.orders`.
"""

from enum import Enum, IntEnum

cimport cython
from mlthon._core.ascii_text cimport numbered_ascii
from mlthon._core.fixed cimport MLDecimal, Price, Qty, mldecimal_from, qty_from

cdef Qty NO_QTY = qty_from(0)
cdef MLDecimal NOTHING = mldecimal_from(0)


class SelfTrade(IntEnum):
    """What happens when an incoming order meets a resting order of its own account.

    The incoming order's choice counts. The values are the matching engine's codes.
    """

    __module__ = "mlthon.sim.orders"

    Allow = 0  #: they trade with each other
    CancelMaker = 1  #: the resting order is cancelled, the incoming one goes on
    CancelTaker = 2  #: what is left of the incoming order is cancelled
    CancelBoth = 3  #: both are cancelled


class OrderState(Enum):
    """Where an order is in its life."""

    __module__ = "mlthon.sim.orders"

    New = 1
    PartiallyFilled = 2
    Filled = 3
    Cancelled = 4  #: ended with quantity left; it may have fills
    Rejected = 5  #: ended on arrival: a post-only order that would have taken, a spot order that ran out of funds

    def __init__(self, number):
        self.is_open = number <= 2  # New and PartiallyFilled; asked often, so not worked out each time


class EndReason(Enum):
    """Why an order ended with quantity left. The positive values are the matching engine's codes."""

    __module__ = "mlthon.sim.orders"

    NotEnded = -1  #: it is open, or filled
    ByUser = 0  #: cancel or cancel-all
    PostOnlyWouldCross = 1
    NoImmediateLiquidity = 2  #: the rest of an IOC or market order
    NotFillableWhole = 3  #: a FOK order
    ReduceOnly = 4  #: nothing left to reduce
    SelfTrade = 5  #: it met an order of its own account
    ValueSpent = 6  #: what is left of an order by value buys (or sells) no lot
    FundsSpent = 7  #: a spot market order has taken all that the account can give, and is not filled
    BeforeLiquidation = 8  #: it stood in the way of a liquidation, or its margin might prevent one


class Origin(Enum):
    """Who an order is from."""

    __module__ = "mlthon.sim.orders"

    Client = 1
    Liquidation = 2  #: the exchange took a position over, at the price at which the account was bankrupt


cdef dict NO_FEES = {}               # shared: an order with fees has a dict of its own
# By their codes (sim_order.pxd), which are their values.
cdef tuple STATES = (None, *OrderState)
cdef tuple END_REASONS = tuple(EndReason)
assert [state.value for state in OrderState] == list(range(IS_NEW, IS_REJECTED + 1))
assert [reason.value for reason in EndReason] == list(range(NOT_ENDED, BEFORE_LIQUIDATION + 1))

# What `SimOrder` shows, in this order.
cdef tuple FIELDS = (
    "order_id", "link_id", "account", "symbol", "origin", "side", "order_type", "tif", "post_only",
    "reduce_only", "self_trade", "by_value", "price", "qty", "created_ns", "cum_qty", "cum_value", "avg_price",
    "cum_fees", "realised_pnl", "leaves_qty", "state", "end_reason", "met_order_id", "updated_ns",
)


@cython.final
@cython.no_gc                         # what an order is of is values: no cycle leads back from one
@cython.freelist(256)
cdef class SimOrder:
    """An order as it was at one moment. Two are equal where all that they show is."""

    __module__ = "mlthon.sim.orders"

    def __init__(self, **values):
        if values.keys() != set(FIELDS):
            raise TypeError(f"SimOrder: expected {', '.join(FIELDS)}, got {', '.join(values)}")
        self.order_id = values["order_id"]
        self.link_id = values["link_id"]
        self.account = values["account"]
        self.symbol = values["symbol"]
        self.origin = values["origin"]
        self.side = values["side"]
        self.order_type = values["order_type"]
        self.tif = values["tif"]
        self.post_only = values["post_only"]
        self.reduce_only = values["reduce_only"]
        self.self_trade = values["self_trade"]
        self.by_value = values["by_value"]
        self.price = values["price"]
        self.qty = values["qty"]
        self.created_ns = values["created_ns"]
        self.cum_qty = values["cum_qty"]
        self.cum_value = values["cum_value"]
        self.avg_price = values["avg_price"]
        self.cum_fees = values["cum_fees"]
        self.realised_pnl = values["realised_pnl"]
        self.leaves_qty = values["leaves_qty"]
        self.state_code = values["state"].value
        self.reason_code = values["end_reason"].value
        self.met_order_id = values["met_order_id"]
        self.updated_ns = values["updated_ns"]
        self.is_open = values["state"].is_open

    @classmethod
    def begin(cls, order_id, account, origin, request, now_ns):
        """The order that a request asks for, before anything has happened to it."""
        return begin_order(
            order_id, request.link_id, account, request.symbol, origin, request.side, request.order_type, request.tif,
            request.post_only, request.reduce_only, request.self_trade, request.by_value, request.price, request.qty,
            now_ns)

    def ended(self, state, end_reason, met_order_id, updated_ns):
        """The order once it has ended with quantity left."""
        cdef SimOrder ended = self.twin()
        ended.end(state.value, end_reason.value, met_order_id, updated_ns)
        return ended

    def replace(self, **changes):
        """The order with other values in some fields; raises TypeError for a name that is none."""
        return SimOrder(**{**values_of(self), **changes})

    @property
    def state(self):
        """Where it is in its life."""
        return STATES[self.state_code]

    @property
    def end_reason(self):
        """Why it ended with quantity left."""
        return END_REASONS[self.reason_code - NOT_ENDED]

    @property
    def unfilled_qty(self):
        """What has not been filled, and never will be once the order has ended; counted as ``qty`` is."""
        return qty_from(self.qty.mantissa - (self.cum_value.mantissa if self.by_value else self.cum_qty.mantissa))

    def __eq__(self, other):
        if type(other) is not SimOrder:
            return NotImplemented
        return values_of(self) == values_of(other)

    __hash__ = None

    def __repr__(self):
        return f"SimOrder({', '.join([f'{name}={value!r}' for name, value in values_of(self).items()])})"

    def __reduce__(self):
        return restore_sim_order, (values_of(self),)

    cdef str exchange_id(self):
        """Its id as venues tell it."""
        if self.id_text is None:
            self.id_text = numbered_ascii(b"", 0, self.order_id)
        return self.id_text

    cdef SimOrder twin(self):
        """The same order again, to be changed by whoever asked."""
        cdef SimOrder twin = SimOrder.__new__(SimOrder)
        twin.order_id = self.order_id
        twin.link_id = self.link_id
        twin.account = self.account
        twin.symbol = self.symbol
        twin.origin = self.origin
        twin.side = self.side
        twin.order_type = self.order_type
        twin.tif = self.tif
        twin.post_only = self.post_only
        twin.reduce_only = self.reduce_only
        twin.self_trade = self.self_trade
        twin.by_value = self.by_value
        twin.price = self.price
        twin.qty = self.qty
        twin.created_ns = self.created_ns
        twin.cum_qty = self.cum_qty
        twin.cum_value = self.cum_value
        twin.avg_price = self.avg_price
        twin.cum_fees = self.cum_fees
        twin.realised_pnl = self.realised_pnl
        twin.leaves_qty = self.leaves_qty
        twin.state_code = self.state_code
        twin.reason_code = self.reason_code
        twin.met_order_id = self.met_order_id
        twin.updated_ns = self.updated_ns
        twin.is_open, twin.id_text = self.is_open, self.id_text
        return twin

    cdef int end(self, int state_code, int reason_code, object met_order_id, int64_t updated_ns) except -1:
        self.leaves_qty, self.state_code, self.reason_code = NO_QTY, state_code, reason_code
        self.met_order_id, self.updated_ns, self.is_open = met_order_id, updated_ns, False
        return 0


def restore_sim_order(values):
    """Rebuild a pickled `SimOrder`."""
    return SimOrder(**values)


cdef dict values_of(SimOrder order):
    return {name: getattr(order, name) for name in FIELDS}


cdef SimOrder begin_order(
    int64_t order_id, str link_id, str account, str symbol, object origin, object side, object order_type, object tif,
    bint post_only, bint reduce_only, object self_trade, bint by_value, Price price, Qty qty, int64_t now_ns,
):
    cdef SimOrder order = SimOrder.__new__(SimOrder)
    order.order_id, order.link_id, order.account, order.symbol = order_id, link_id, account, symbol
    order.origin, order.side, order.order_type, order.tif = origin, side, order_type, tif
    order.post_only, order.reduce_only = post_only, reduce_only
    order.self_trade, order.by_value = self_trade, by_value
    order.price, order.qty, order.leaves_qty = price, qty, qty
    order.cum_qty, order.cum_value, order.realised_pnl, order.cum_fees = NO_QTY, NOTHING, NOTHING, NO_FEES
    order.state_code, order.reason_code, order.met_order_id, order.is_open = IS_NEW, NOT_ENDED, 0, True
    order.created_ns = order.updated_ns = now_ns
    return order
