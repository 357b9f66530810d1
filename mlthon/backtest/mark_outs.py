"""Mark-outs: what the market did after our fills."""

from __future__ import annotations

from dataclasses import dataclass

from mlthon.backtest.pnl import InstrumentBooks
from mlthon.backtest.trace import MARK_OUTS_S, Trace
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty

__all__ = ["MarkOut", "mark_outs"]

_NOTHING = MLDecimal("0")


@dataclass(frozen=True, slots=True)
class MarkOut:
    """What fills had earned some time after each of them, if closed at the mid then, before fees.

    Positive when the market stood better than our price: above what we bought at, below what we sold at. At 0 s it is
    the distance of our prices from the mid right after the fills: what a maker was paid for waiting, a taker paid for
    haste. What comes later takes from it what the other side knew.
    """

    after_s: int
    fills: int  #: of which the mid at that time is known: the run did not end before it
    money: MLDecimal
    notional: MLDecimal  #: of these fills

    @property
    def bps(self) -> float | None:
        """Money in 1/10,000 of the notional, so larger fills weigh more; None without fills."""
        if self.notional.is_zero():
            return None
        return 10_000 * self.money.to_float() / self.notional.to_float()


def mark_outs(trace: Trace, number: int, books: InstrumentBooks, liquidity: int) -> tuple[MarkOut, ...]:
    """Mark-outs of an instrument's fills as maker or as taker, at 0 s and at each of `MARK_OUTS_S`."""
    rows = trace.fills
    columns = (rows.mid, *rows.marks)
    fills = [0] * len(columns)
    money = [_NOTHING] * len(columns)
    notional = [_NOTHING] * len(columns)
    for row, (which, how) in enumerate(zip(rows.instrument, rows.liquidity, strict=True)):
        if which != number or how != liquidity:
            continue
        price, qty = Price.from_mantissa(rows.price[row] or 0), Qty.from_mantissa(rows.qty[row] or 0)
        cost = books.position.value_of(price, qty)
        for at, marks in enumerate(columns):
            mark = marks[row]
            if mark is not None:
                gain = books.position.value_of(Price.from_mantissa(mark), qty) - cost
                fills[at] += 1
                money[at] += gain if rows.is_buy[row] else -gain
                notional[at] += abs(cost)
    return tuple(map(MarkOut, (0, *MARK_OUTS_S), fills, money, notional))
