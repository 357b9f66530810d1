"""How values look on the wire: numbers as text with the contract's decimals, times in milliseconds, ids as UUIDs."""

from __future__ import annotations

from enum import IntEnum

from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.instruments.instrument import Instrument

_NS_PER_MS = 1_000_000
_ID_BITS = 64
_ID_MASK = (1 << _ID_BITS) - 1
_UUID_BITS = 128
_EPOCH_MASK = (1 << 60) - 1


def to_ms(time_ns: int) -> int:
    """Whole milliseconds, rounded down."""
    return time_ns // _NS_PER_MS


def exact(value: Price | Qty | MLDecimal) -> str:
    """The shortest exact text, never in exponent form.

    >>> exact(MLDecimal("0.00110"))
    '0.0011'
    """
    return f"{value.to_decimal():f}"


class Formats:
    """Prices and quantities of one contract as text, with its decimals.

    >>> btc = Formats(Instrument(price_precision=2, quantity_precision=3))
    >>> btc.price(Price("9226.5")), btc.qty(Qty("1"))
    ('9226.50', '1.000')
    """

    def __init__(self, instrument: Instrument) -> None:
        self._price_spec = f".{instrument.get_price_precision()}f"
        self._qty_spec = f".{instrument.get_quantity_precision()}f"

    def price(self, price: Price) -> str:
        return format(price, self._price_spec)

    def qty(self, qty: Qty) -> str:
        return format(qty, self._qty_spec)


class IdKind(IntEnum):
    """What an id stands for; part of the id, so that no order's is also a fill's."""

    ORDER = 1
    FILL = 2
    TRADE = 3
    FUNDING = 4  # instead of an order's


class WireIds:
    """Ids in the form of a UUID: the kind and the venue's start time in front, the exchange's number behind.

    Ids of different runs never meet, and an id leads back to the number without a table.

    >>> ids = WireIds(epoch_ns=1_700_000_000_000_000_000)
    >>> ids.encode(IdKind.ORDER, 7)
    '17979cfe-362a-0000-0000-000000000007'
    >>> ids.order_number('17979cfe-362a-0000-0000-000000000007')
    7
    """

    def __init__(self, epoch_ns: int) -> None:
        self._epoch = epoch_ns & _EPOCH_MASK

    def encode(self, kind: IdKind, number: int) -> str:
        digits = f"{self._prefix(kind) << _ID_BITS | number & _ID_MASK:032x}"
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

    def order_number(self, text: str) -> int | None:
        """The exchange's number of an order; None when the id is not one of this run's."""
        try:
            value = int(text.replace("-", ""), 16) if len(text) <= _UUID_BITS // 2 else -1
        except ValueError:
            return None
        return value & _ID_MASK if value >> _ID_BITS == self._prefix(IdKind.ORDER) else None

    def _prefix(self, kind: IdKind) -> int:
        return kind << 60 | self._epoch
