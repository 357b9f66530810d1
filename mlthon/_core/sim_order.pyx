"""An order of the simulated exchange, as it was at one moment, and the words that are used of it.

They are published by `mlthon.sim.orders`. Compiled code makes orders, and takes them apart by position.
"""

from enum import Enum, IntEnum
from typing import NamedTuple

from mlthon._core.fixed cimport MLDecimal, Price, Qty, mldecimal_from, qty_from
from mlthon._core.order_messages cimport named

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


cdef object NEW = OrderState.New
cdef object NOT_ENDED = EndReason.NotEnded


class SimOrder(NamedTuple):
    """An order as it was at one moment."""

    __module__ = "mlthon.sim.orders"

    order_id: int  # unique in the exchange, grows
    link_id: str
    account: str
    symbol: str
    origin: object
    side: object
    order_type: object
    tif: object
    post_only: bool
    reduce_only: bool
    self_trade: object
    by_value: bool  # then qty and leaves_qty count the quote coin
    price: object  # None: a market order
    qty: object
    created_ns: int
    cum_qty: object
    cum_value: object  # of the fills; inverse: in the base coin, else in the quote coin
    avg_price: object  # of the fills, rounded; None without fills
    cum_fees: object  # by coin; positive: paid
    realised_pnl: object  # of what its fills closed, before fees
    leaves_qty: object  # still open; zero once the order has ended
    state: object
    end_reason: object
    met_order_id: int  # the own order that it ended on meeting; 0 unless end_reason is SelfTrade
    updated_ns: int

    @classmethod
    def begin(cls, order_id, account, origin, request, now_ns):
        """The order that a request asks for, before anything has happened to it."""
        return begin_order(
            order_id, request.link_id, account, request.symbol, origin, request.side, request.order_type, request.tif,
            request.post_only, request.reduce_only, request.self_trade, request.by_value, request.price, request.qty,
            now_ns)

    @property
    def is_open(self):
        return self.state.is_open

    def ended(self, state, end_reason, met_order_id, updated_ns):
        """The order once it has ended with quantity left."""
        return ended_order(<tuple>self, state, end_reason, met_order_id, updated_ns)

    @property
    def unfilled_qty(self):
        """What has not been filled, and never will be once the order has ended; counted as ``qty`` is."""
        if self.by_value:
            return qty_from((<Qty?>self.qty).mantissa - (<MLDecimal?>self.cum_value).mantissa)
        return self.qty - self.cum_qty


cdef tuple begin_order(
    object order_id, str link_id, str account, str symbol, object origin, object side, object order_type, object tif,
    object post_only, object reduce_only, object self_trade, object by_value, Price price, Qty qty, object now_ns,
):
    return named(SimOrder, (
        order_id, link_id, account, symbol, origin, side, order_type, tif, post_only, reduce_only, self_trade,
        by_value, price, qty, now_ns, NO_QTY, NOTHING, None, {}, NOTHING, qty, NEW, NOT_ENDED, 0, now_ns))


cdef tuple ended_order(tuple order, object state, object end_reason, object met_order_id, object updated_ns):
    return named(SimOrder, order[:LEAVES_QTY] + (NO_QTY, state, end_reason, met_order_id, updated_ns))
