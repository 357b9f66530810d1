"""The published enums: what an order, an instrument, a venue or a status can be.

Compare members, never values: the values are numbers on no wire.
"""

from mlthon._core.enums import TIF, CancelCode, ExecInstructions, GtwRejectCode, OrderStatus, OrderType, Side
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

    Those from Binance on are here for their recordings: what was recorded there can be traded in a backtest under its
    own name (`mlthon.tape.opening.open_tape`). They have no connector.

    >>> Exchange.Bybit.exchange_code
    'byt'
    """

    Blockchain = 1
    Blade = 2
    Bybit = 3
    Binance = 4
    Okx = 5
    Kraken = 6
    Deribit = 7
    Coinbase = 8
    Bitstamp = 9
    Bitfinex = 10
    Bitmex = 11

    @property
    def exchange_code(self) -> str:
        """The three letters that start an instrument's name."""
        return _EXCHANGE_CODES[self]


# Never change one: they stand in journals and recordings.
_EXCHANGE_CODES = {
    Exchange.Blockchain: "bln",
    Exchange.Blade: "bld",
    Exchange.Bybit: "byt",
    Exchange.Binance: "bin",
    Exchange.Okx: "okx",
    Exchange.Kraken: "krk",
    Exchange.Deribit: "drb",
    Exchange.Coinbase: "cnb",
    Exchange.Bitstamp: "bst",
    Exchange.Bitfinex: "bfx",
    Exchange.Bitmex: "bmx",
}


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
