"""The strategy's own books: positions and profit from the fills it was told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mlthon.basics.defs import Side
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.engine.instrument_table import InstrumentTable
from mlthon.engine.ports import FillReport
from mlthon.instruments.instrument import Instrument
from mlthon.instruments.perpetual import Perpetual
from mlthon.instruments.spot import Spot
from mlthon.order.position import InversePosition, Position

__all__ = ["Portfolio"]

_NOTHING = MLDecimal("0")


class Portfolio:
    """Positions by instrument, counted from fills alone and so independent of what the venue says they are.

    Money is in what an instrument settles in: the quote currency, or the base coin of inverse contracts. The sums
    over instruments mean something where these settle in one currency. A spot pair's position is what was bought
    less what was sold and less the fees charged in the base coin: such a fee counts as sold at the fill's price.
    """

    def __init__(self, instruments: InstrumentTable) -> None:
        self._instruments = instruments
        self._positions: dict[int, Position] = {}
        self.fills = 0
        self.volume = _NOTHING  #: traded notional, in quote currency

    def __iter__(self) -> Iterator[tuple[int, Position]]:
        return iter(self._positions.items())

    def position(self, instrument: Instrument) -> Position:
        """The position in an instrument; a flat one where nothing was traded."""
        number = instrument.get_instrument_id()
        position = self._positions.get(number)
        if position is None:
            position = self._positions[number] = InversePosition() if _is_inverse(instrument) else Position()
        return position

    def apply_fill(self, fill: FillReport) -> None:
        """Count a fill."""
        instrument = self._instruments.by_id(fill.instrument_id)
        position = self.position(instrument)
        if isinstance(instrument, Spot) and fill.fee_currency == instrument.get_base_currency():
            position.apply_fill(fill.side, fill.price, fill.qty)
            _charge_in_base(position, fill)
        else:
            position.apply_fill(fill.side, fill.price, fill.qty, fill.fee)
        self.fills += 1
        self.volume += fill.qty.to_mldecimal() if _is_inverse(instrument) else fill.price * fill.qty

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


def _is_inverse(instrument: Instrument) -> bool:
    return isinstance(instrument, Perpetual) and instrument.get_settlement_method() == "inverse"


def _charge_in_base(position: Position, fill: FillReport) -> None:
    """Take a fee (or add a rebate) in the base coin, and count what it was worth as the fee."""
    charged = Qty.from_mantissa(abs(fill.fee.mantissa))
    if not charged.is_zero():
        side = Side.Sell if fill.fee.sign() > 0 else Side.Buy
        position.apply_fill(side, fill.price, charged, fill.price * fill.fee)
