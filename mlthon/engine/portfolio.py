"""The strategy's own books: positions and profit from the fills it was told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.engine.ports import FillReport
from mlthon.instruments.instrument import Instrument
from mlthon.order.position import Position

__all__ = ["Portfolio"]

_NOTHING = MLDecimal("0")


class Portfolio:
    """Positions by instrument, counted from fills alone and so independent of what the venue says they are."""

    def __init__(self) -> None:
        self._positions: dict[int, Position] = {}
        self.fills = 0
        self.volume = _NOTHING  #: traded notional, in quote currency

    def __iter__(self) -> Iterator[tuple[int, Position]]:
        return iter(self._positions.items())

    def position(self, instrument: Instrument) -> Position:
        """The position in an instrument; a flat one where nothing was traded."""
        return self._positions.setdefault(instrument.get_instrument_id(), Position())

    def apply_fill(self, fill: FillReport) -> None:
        """Count a fill."""
        position = self._positions.setdefault(fill.instrument_id, Position())
        position.apply_fill(fill.side, fill.price, fill.qty, fill.fee)
        self.fills += 1
        self.volume += fill.price * fill.qty

    def realised(self) -> MLDecimal:
        """Profit of what was closed, before fees."""
        return sum((position.realised for position in self._positions.values()), _NOTHING)

    def fees(self) -> MLDecimal:
        """Fees paid; negative: rebates outweigh."""
        return sum((position.fees for position in self._positions.values()), _NOTHING)

    def unrealised(self, marks: Mapping[int, Price]) -> MLDecimal:
        """Profit of what is open at the marks, by instrument id; a position without a mark counts as zero."""
        total = _NOTHING
        for number, position in self._positions.items():
            price = marks.get(number)
            if price is not None:
                total += position.unrealised(price)
        return total
