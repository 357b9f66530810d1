"""Profit and position over time, worked out exactly from a trace's fills, payments and mids."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from mlthon._core.fixed_column import FixedColumn
from mlthon.backtest.trace import Trace
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.engine.instrument_table import InstrumentTable
from mlthon.engine.portfolio import Portfolio
from mlthon.instruments.instrument import Instrument
from mlthon.instruments.perpetual import Perpetual

__all__ = ["Curve", "InstrumentBooks", "Pnl", "coin_of", "equity_in", "read_books"]

_NOTHING = MLDecimal("0")
_SAMPLE, _FUNDING, _FILL = range(3)  # in this order where times are equal: a sample shows what was before


@dataclass(frozen=True, slots=True)
class Pnl:
    """Profit and what it is made of, in one coin.

    ``realised`` is that of what was closed and ``unrealised`` that of what is open, at the mid, both before fees;
    ``fees`` are what was paid (negative: rebates outweigh), ``funding`` what was received.
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


@dataclass(slots=True)
class Curve:
    """Pnl and position at the times of the samples, and at the end. A sample shows what was before its time."""

    ns: array[int] = field(default_factory=lambda: array("q"))
    mid: FixedColumn = field(default_factory=FixedColumn)
    position: FixedColumn = field(default_factory=FixedColumn)
    realised: FixedColumn = field(default_factory=FixedColumn)
    unrealised: FixedColumn = field(default_factory=FixedColumn)
    fees: FixedColumn = field(default_factory=FixedColumn)
    funding: FixedColumn = field(default_factory=FixedColumn)

    def __len__(self) -> int:
        return len(self.ns)

    def add(self, ns: int, mid: Price, position: Qty, pnl: Pnl) -> None:
        self.ns.append(ns)
        self.mid.append(mid)
        self.position.append(position)
        self.realised.append(pnl.realised)
        self.unrealised.append(pnl.unrealised)
        self.fees.append(pnl.fees)
        self.funding.append(pnl.funding)

    def net(self) -> Iterator[int]:
        """The mantissas of the net profit, point by point."""
        for parts in zip(self.realised, self.unrealised, self.fees, self.funding, strict=True):
            realised, unrealised, fees, funding = (part or 0 for part in parts)
            yield realised + unrealised - fees + funding


class InstrumentBooks:
    """What one instrument's fills and payments came to."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.coin = coin_of(instrument)
        self._portfolio = Portfolio(InstrumentTable([instrument]))
        self.position = self._portfolio.position(instrument)
        self.funding = _NOTHING
        self.mid: Price | None = None
        self.curve = Curve()
        self.size_changes: list[tuple[int, int]] = []  #: when the position changed, and to which mantissa

    @property
    def fills(self) -> int:
        return self._portfolio.fills

    @property
    def volume(self) -> MLDecimal:
        """Traded notional, in quote currency."""
        return self._portfolio.volume

    def pnl(self) -> Pnl:
        """As it stands; without a mid, what is open counts as zero."""
        position = self.position
        unrealised = _NOTHING if self.mid is None else position.unrealised(self.mid)
        return Pnl(position.realised, unrealised, position.fees, self.funding)

    def read(self, trace: Trace, steps: Sequence[tuple[int, int, int]]) -> None:
        """Go through what happened: (ns, what, row) in order of time."""
        for ns, what, row in steps:
            if what == _FILL:
                self._portfolio.apply_fill(trace.fill_report(row))
                self.size_changes.append((ns, self.position.size.mantissa))
            elif what == _FUNDING:
                self.funding += MLDecimal.from_mantissa(trace.funding_amount[row] or 0)
            else:
                self.mid = Price.from_mantissa(trace.sample_mid[row] or 0)
                if ns != trace.ended_ns:  # the last point comes after everything
                    self.curve.add(ns, self.mid, self.position.size, self.pnl())
        if self.mid is not None:
            self.curve.add(trace.ended_ns, self.mid, self.position.size, self.pnl())


def read_books(trace: Trace) -> list[InstrumentBooks]:
    """The books of every instrument of a trace, in its order."""
    steps: list[list[tuple[int, int, int]]] = [[] for _ in trace.instruments]
    sources = (
        (_SAMPLE, trace.sample_ns, trace.sample_instrument),
        (_FUNDING, trace.funding_ns, trace.funding_instrument),
        (_FILL, trace.fills.ns, trace.fills.instrument),
    )
    for what, times, numbers in sources:
        for row, (ns, number) in enumerate(zip(times, numbers, strict=True)):
            steps[number].append((ns, what, row))
    books = [InstrumentBooks(instrument) for instrument in trace.instruments]
    for book, own in zip(books, steps, strict=True):
        own.sort()  # sorted runs already: cheap
        book.read(trace, own)
    return books


def coin_of(instrument: Instrument) -> str:
    """What an instrument's profit is counted in: the quote currency, or the base coin of inverse contracts."""
    inverse = isinstance(instrument, Perpetual) and instrument.get_settlement_method() == "inverse"
    coin = instrument.get_base_currency() if inverse else instrument.get_quote_currency()
    return str(coin)


def equity_in(books: Sequence[InstrumentBooks]) -> tuple[list[int], list[int]]:
    """Times, and the mantissas of the summed net profits: what all these books, of one coin, earned together."""
    points = sorted(
        (ns, number, net)
        for number, book in enumerate(books)
        for ns, net in zip(book.curve.ns, book.curve.net(), strict=True)
    )
    latest = [0] * len(books)
    times: list[int] = []
    sums: list[int] = []
    total = 0
    for ns, number, net in points:
        total += net - latest[number]
        latest[number] = net
        if times and times[-1] == ns:
            sums[-1] = total
        else:
            times.append(ns)
            sums.append(total)
    return times, sums
