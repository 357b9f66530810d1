"""Profit and position over time, counted exactly from fills, payments and marks while a run goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

from mlthon.backtest.curve import Curve
from mlthon.backtest.statistics import DrawdownMeter, InventoryMeter, SharpeMeter
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.engine.instrument_table import InstrumentTable
from mlthon.engine.portfolio import Portfolio
from mlthon.engine.ports import FillReport
from mlthon.instruments.instrument import Instrument
from mlthon.instruments.perpetual import Perpetual

__all__ = ["CURVE_COLUMNS", "PNL_COLUMNS", "CoinBooks", "InstrumentBooks", "Pnl", "coin_of"]

PNL_COLUMNS = ("realised", "unrealised", "fees", "funding", "net")
CURVE_COLUMNS = ("mid", "mark", "position", *PNL_COLUMNS)

_NOTHING = MLDecimal("0")


@dataclass(frozen=True, slots=True)
class Pnl:
    """Profit and what it is made of, in one coin.

    ``realised`` is that of what was closed and ``unrealised`` that of what is open, at the mark (at the mid, where
    none is told), both before fees; ``fees`` are what was paid (negative: rebates outweigh), ``funding`` what was
    received.
    """

    realised: MLDecimal = _NOTHING
    unrealised: MLDecimal = _NOTHING
    fees: MLDecimal = _NOTHING
    funding: MLDecimal = _NOTHING

    @property
    def net(self) -> MLDecimal:
        """All of it together."""
        return self.realised + self.unrealised - self.fees + self.funding

    def __add__(self, other: Pnl) -> Pnl:
        return Pnl(
            self.realised + other.realised,
            self.unrealised + other.unrealised,
            self.fees + other.fees,
            self.funding + other.funding,
        )


class InstrumentBooks:
    """What one instrument's fills and payments come to, counted while they happen.

    ``curve`` holds what was found at the samples and at the end; a sample shows what was before its time.
    ``positions`` holds the size after each fill. Both are thinned when they get long; no figure hangs on that.
    """

    def __init__(self, instrument: Instrument, spacing_ns: int) -> None:
        self.instrument = instrument
        self.coin = coin_of(instrument)
        self._portfolio = Portfolio(InstrumentTable([instrument]))
        self.position = self._portfolio.position(instrument)
        self.funding = _NOTHING
        self.mid: Price | None = None  #: of the last sample
        self.mark: Price | None = None  #: what it valued the position at: the venue's mark, or the mid
        self.sampled = Pnl()  #: what the last sample showed
        self.net = _NOTHING  #: all of it together
        self.is_stirred = False  #: whether there were fills or payments since
        self.held = InventoryMeter()
        self.curve = Curve(CURVE_COLUMNS, turning=("mid", "net"), spacing_ns=spacing_ns)
        self.positions = Curve(("position",), turning=("position",), spacing_ns=spacing_ns)

    @property
    def fills(self) -> int:
        return self._portfolio.fills

    @property
    def volume(self) -> MLDecimal:
        """Traded notional, in quote currency."""
        return self._portfolio.volume

    def pnl(self) -> Pnl:
        """As it stands, at the mark of the last sample; without one, what is open counts as zero."""
        position = self.position
        unrealised = _NOTHING if self.mark is None else position.unrealised(self.mark)
        return Pnl(position.realised, unrealised, position.fees, self.funding)

    def begin(self, ns: int) -> None:
        """From now on the position counts as held: it is flat."""
        self.held.change(ns, 0)

    def apply_fill(self, ns: int, fill: FillReport) -> None:
        """Count a fill."""
        self.is_stirred = True
        self._portfolio.apply_fill(fill)
        self.held.change(ns, self.position.size.mantissa)
        self.positions.add(ns, self.position.size)

    def apply_funding(self, received: MLDecimal) -> None:
        """Count a payment; negative: paid."""
        self.is_stirred = True
        self.funding += received

    def sample(self, ns: int, mid: Price, mark: Price) -> None:
        """Find out how things stand at a mid, with the position valued at a mark."""
        self.mid, self.mark = mid, mark
        size = self.position.size
        if self.is_stirred or size:  # a flat position is worth the same at any mark
            self.sampled = self.pnl()
            self.net = self.sampled.net
            self.is_stirred = False
        pnl = self.sampled
        self.curve.add(ns, mid, mark, size, pnl.realised, pnl.unrealised, pnl.fees, pnl.funding, self.net)


class CoinBooks:
    """What all instruments that settle in one coin earn together."""

    def __init__(self, coin: str, books: Sequence[InstrumentBooks], spacing_ns: int) -> None:
        self.coin = coin
        self.drawdown = DrawdownMeter()
        self.sharpe = SharpeMeter()
        self._books = tuple(books)
        self._own = Curve(PNL_COLUMNS, turning=("net",), spacing_ns=spacing_ns)

    @property
    def curve(self) -> Curve:
        """The pnl at the samples, with at least `PNL_COLUMNS`; thinned when it gets long."""
        return self._books[0].curve if len(self._books) == 1 else self._own

    def pnl(self) -> Pnl:
        """As it stands."""
        return sum((books.pnl() for books in self._books), Pnl())

    def sample(self, ns: int) -> None:
        """Find out how things stand, where one of the instruments has been sampled."""
        if len(self._books) == 1:
            net = self._books[0].net
        else:
            pnl = sum((books.sampled for books in self._books), Pnl())
            net = pnl.net
            self._own.add(ns, pnl.realised, pnl.unrealised, pnl.fees, pnl.funding, net)
        self.drawdown.add(ns, net.mantissa)
        self.sharpe.add(ns, net.mantissa)

    def equity(self) -> tuple[list[int], list[int]]:
        """Times and mantissas of the net profit to draw; where the deepest fall began and ended is always there."""
        points = list(zip(self.curve.ns, self.curve.mantissas("net"), strict=True))
        worst = self.drawdown.worst
        if worst is not None and self.curve.is_thinned:
            ends = {(worst.from_ns, worst.peak), (worst.to_ns, worst.peak - worst.money)}
            points += ends.difference(points)
            points.sort(key=itemgetter(0))  # stable: of the last two rows, which may be of one time
        return [ns for ns, _ in points], [net for _, net in points]


def coin_of(instrument: Instrument) -> str:
    """What an instrument's profit is counted in: the quote currency, or the base coin of inverse contracts."""
    inverse = isinstance(instrument, Perpetual) and instrument.get_settlement_method() == "inverse"
    coin = instrument.get_base_currency() if inverse else instrument.get_quote_currency()
    return str(coin)
