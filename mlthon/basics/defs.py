"""The published enums: what an order, an instrument, a venue or a status can be.

Compare members, never values: the values are numbers on no wire.
"""

from mlthon._core.enums import TIF, ExecInstructions, OrderType, Side
from mlthon.basics.mlt_enum import MltEnum

__all__ = [
    "CancelCode",
    "Exchange",
    "ExecInstructions",
    "FeedHandlerStatus",
    "GtwRejectCode",
    "GtwStatus",
    "InstrumentType",
    "OrderStatus",
    "OrderType",
    "Side",
    "TIF",
]


class Exchange(MltEnum):
    """A venue. The value is its number in instrument ids (``number * 10**10 + n``).

    >>> Exchange.Bybit.exchange_code
    'byt'
    """

    Blockchain = 1
    Blade = 2
    Bybit = 3

    @property
    def exchange_code(self) -> str:
        """The three letters that start an instrument's name."""
        return _EXCHANGE_CODES[self]


_EXCHANGE_CODES = {Exchange.Blockchain: "bln", Exchange.Blade: "bld", Exchange.Bybit: "byt"}


class InstrumentType(MltEnum):
    """The kind of contract.

    >>> InstrumentType.Perpetual.type_id
    'perp'
    """

    Spot = 1
    Perpetual = 2
    Future = 3

    @property
    def type_id(self) -> str:
        """The middle part of an instrument's name."""
        return _TYPE_IDS[self]


_TYPE_IDS = {InstrumentType.Spot: "spot", InstrumentType.Perpetual: "perp", InstrumentType.Future: "fut"}


class OrderStatus(MltEnum):
    """Where an order is in its life, as ``on_order_status`` reports it."""

    Unset = 0
    New = 1
    PartiallyFilled = 2
    Filled = 3
    Cancelled = 4
    Rejected = 5


class CancelCode(MltEnum):
    """Why an order ended without being filled."""

    Unset = 0
    CanceledByUser = 1
    SelfTradePrevention = 2


class GtwStatus(MltEnum):
    """Whether a gateway takes requests."""

    ReadyToTrade = 1
    Connecting = 2
    Maintenance = 3


class FeedHandlerStatus(MltEnum):
    """Where a feed is between losing its books and having them again."""

    SnapshotStart = 1
    SnapshotEnd = 2
    Disconnected = 3


class GtwRejectCode(MltEnum):
    """Why a request was refused, by the venue or before it got there.

    ``GtwNotReady`` is published as 1000; the other numbers are MLThon's own. The venue's words are always in
    the reason that comes with the code.
    """

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
