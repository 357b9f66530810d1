"""The base of the published enums, and those that compiled code tells apart: what is about orders.

Everything else that is published as an enum lives in `mlthon.basics.defs`, in plain Python.
"""

from enum import Enum, EnumType

cdef extern from *:
    """
    /* Before 3.12 EnumType has a __getattr__, for members whose names are taken. For its sake every member is looked
       for through two hooks in Python, though nearly all stand in their classes as plain attributes. */
    static getattrofunc mlthon_find_by_hooks;

    static PyObject *mlthon_find_member(PyObject *kind, PyObject *name) {
        PyObject *found = PyType_Type.tp_getattro(kind, name);
        if (found != NULL || !PyErr_ExceptionMatches(PyExc_AttributeError))
            return found;
        PyErr_Clear();
        return mlthon_find_by_hooks(kind, name);
    }
    static void mlthon_find_members_first(PyTypeObject *enum_type) {
        mlthon_find_by_hooks = enum_type->tp_getattro;
        enum_type->tp_getattro = mlthon_find_member;
        PyType_Modified(enum_type);
    }
    """
    void find_members_first "mlthon_find_members_first"(type enum_type) noexcept


class MltEnumType(EnumType):
    """The type of all MLThon enums: gives their members as quickly as any class its attributes."""

    __module__ = "mlthon.basics.mlt_enum"


find_members_first(MltEnumType)


class MltEnum(Enum, metaclass=MltEnumType):
    """Base of all MLThon enums: compare members, never values.

    >>> from mlthon.basics.defs import Side
    >>> Side.Buy is Side["Buy"], str(Side.Buy)
    (True, 'Side.Buy')
    """

    __module__ = "mlthon.basics.mlt_enum"


class Side(MltEnum):
    """Which side of the market an order or a level is on.

    >>> Side.Buy.name
    'Buy'
    """

    __module__ = "mlthon.basics.defs"

    Buy = 1
    Sell = 2


class OrderType(MltEnum):
    """How an order is priced."""

    __module__ = "mlthon.basics.defs"

    Unset = 0
    Limit = 1
    Market = 2


class TIF(MltEnum):
    """Time in force: how long an order may rest."""

    __module__ = "mlthon.basics.defs"

    Unset = 0
    GTC = 1  #: until cancelled
    IOC = 2  #: fills what it can at once, the rest is cancelled
    FOK = 3  #: fills whole at once, or not at all


class ExecInstructions(MltEnum):
    """What an order must or must not do when it arrives."""

    __module__ = "mlthon.basics.defs"

    Unset = 0
    PostOnly = 1  #: never takes liquidity; refused if it would cross


class OrderStatus(MltEnum):
    """Where an order is in its life, as ``on_order_status`` reports it."""

    __module__ = "mlthon.basics.defs"

    Unset = 0
    New = 1
    PartiallyFilled = 2
    Filled = 3
    Cancelled = 4
    Rejected = 5


class CancelCode(MltEnum):
    """Why an order ended without being filled."""

    __module__ = "mlthon.basics.defs"

    Unset = 0
    CanceledByUser = 1
    SelfTradePrevention = 2


class GtwRejectCode(MltEnum):
    """Why a request was refused, by the venue or before it got there.

    ``GtwNotReady`` is published as 1000; the other numbers are MLThon's own. The venue's words are always in
    the reason that comes with the code.
    """

    __module__ = "mlthon.basics.defs"

    GtwNotReady = 1000  #: the gateway is not connected, or the strategy is stopped
    UnknownInstrument = 1001  #: no such instrument, or not one that can be traded now
    UnknownOrder = 1002  #: no open order with this id
    DuplicateClientId = 1003  #: this client id was used before
    InvalidPrice = 1004  #: off the tick, out of range, or not a price
    InvalidQty = 1005  #: off the lot, too small or too large
    InvalidNotional = 1006  #: price times quantity is below the venue's minimum
    PostOnlyWouldCross = 1007  #: a post-only order would have taken liquidity
    InsufficientFunds = 1008  #: balance or margin does not cover it
    PositionLimit = 1009  #: a position, order-count or risk limit
    ReduceOnlyRefused = 1010  #: a closing order would have opened or grown the position
    RequestPending = 1011  #: an earlier request for this order is still unanswered
    TooLate = 1012  #: the order is already filled or cancelled
    RateLimited = 1013  #: too many requests; try again after the reset
    AuthFailed = 1014  #: key, signature or permission
    ClockSkew = 1015  #: the request's timestamp is outside the venue's window
    MarketClosed = 1016  #: the instrument is halted, settling or delisted
    VenueFault = 1017  #: the venue failed; what became of the request was found out by asking
    InvalidRequest = 1018  #: the venue did not understand a parameter
    SelfTrade = 1019  #: it would have traded with an own order
    Other = 1099  #: none of the above; read the reason


class RequestKind(MltEnum):
    """A request to a venue; the value is its published name in reject and unsupported callbacks."""

    __module__ = "mlthon.engine.ports"

    NewOrder = "NewOrder"
    ModifyOrder = "ModifyOrder"
    CancelOrder = "CancelOrder"
    CancelAll = "CancelAll"
    OrderStatus = "OrderStatus"
    OrdersInfo = "OrdersInfo"
    PositionInfo = "PositionInfo"
    WalletInfo = "WalletInfo"
    AccountInfo = "AccountInfo"
    FundingInfo = "FundingInfo"
    MarketData = "MarketData"
    ExecutionConnection = "ExecutionConnection"


class OrderEvent(MltEnum):
    """A step in an order's story, as the order desk tells it to an `OrderRecord`."""

    __module__ = "mlthon.engine.ports"

    Sent = 1
    Acked = 2
    Rejected = 3
    ModifySent = 4
    Modified = 5
    ModifyRejected = 6
    CancelSent = 7
    CancelRejected = 8
    Cancelled = 9
    Filled = 10  #: to its end


cdef object BUY = Side.Buy
cdef object SELL = Side.Sell


cdef int side_index(object side) except -1:
    if side is BUY:
        return 0
    if side is SELL:
        return 1
    raise TypeError(f"side: expected Side.Buy or Side.Sell, got {side!r}")


cdef object side_from(int index):
    return BUY if index == 0 else SELL
