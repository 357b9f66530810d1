"""Figures drawn from a run, each with its definition.

Money stays exact; only what is a ratio or a mean is a float. What needs a whole run is counted while it goes, by a
meter whose memory does not grow.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = [
    "Distribution",
    "Drawdown",
    "DrawdownMeter",
    "Inventory",
    "InventoryMeter",
    "Sharpe",
    "SharpeMeter",
]

_NS_PER_S = 1_000_000_000
_YEAR_S = 365 * 86_400  # these markets never close
_PERIODS_S = (86_400, 3_600)
_FEWEST_RETURNS = 20  # a tape of a day is a little shorter than that


@dataclass(frozen=True, slots=True)
class Drawdown:
    """The deepest fall of equity below its highest point so far. Money as a mantissa."""

    money: int  #: never negative
    peak: int  #: equity at the top of the fall
    from_ns: int
    to_ns: int  #: its lowest point


class DrawdownMeter:
    """The largest of ``max(equity before t) - equity(t)``, while equity is told point by point.

    Definition as in Magdon-Ismail and Atiya, "Maximum drawdown", Risk 17(10), 2004. It is that of the points: what
    happened between two of them is not seen.

    >>> meter = DrawdownMeter()
    >>> for ns, equity in [(1, 5), (2, 9), (3, 4), (4, 8)]:
    ...     meter.add(ns, equity)
    >>> meter.worst
    Drawdown(money=5, peak=9, from_ns=2, to_ns=3)
    """

    def __init__(self) -> None:
        self.worst: Drawdown | None = None  #: None before the first point
        self._peak = self._peak_ns = 0

    def add(self, ns: int, equity: int) -> None:
        """Tell a point; equity is a mantissa."""
        worst = self.worst
        if worst is None:
            self.worst = Drawdown(0, equity, ns, ns)
            self._peak, self._peak_ns = equity, ns
        elif equity > self._peak:
            self._peak, self._peak_ns = equity, ns
        elif self._peak - equity > worst.money:
            self.worst = Drawdown(self._peak - equity, self._peak, self._peak_ns, ns)


@dataclass(frozen=True, slots=True)
class Sharpe:
    """An annualised Sharpe ratio, and what it is made from."""

    ratio: float
    period_s: int
    returns: int


class SharpeMeter:
    """Mean over standard deviation of the profits of equal periods, times the root of the periods in a year.

    W. F. Sharpe, "The Sharpe Ratio", Journal of Portfolio Management 21(1), 1994, with nothing subtracted for
    interest. On a capital that stays the same, profits and returns have the same ratio, so no capital enters. The
    deviation is the sample's (n - 1). Periods are days, or hours where there are fewer than 20 days, of a year of 365
    days of 24 hours, from the first point on. Scaling by the root assumes that profits of different periods do not
    depend on each other (A. W. Lo, "The Statistics of Sharpe Ratios", Financial Analysts Journal 58(4), 2002).

    Sums are kept as integers, so that nothing is lost over a year, and memory does not grow.

    >>> meter = SharpeMeter()
    >>> for hour in range(25):
    ...     meter.add(hour * 3_600 * 10**9, hour**2)
    >>> round(meter.ratio().ratio, 6), meter.ratio().returns
    (158.835764, 24)
    """

    def __init__(self) -> None:
        self._periods = [_Periods(period_s) for period_s in _PERIODS_S]
        self._last: tuple[int, int] | None = None

    def add(self, ns: int, equity: int) -> None:
        """Tell a point, not earlier than the one before; equity is a mantissa."""
        if self._last is None:
            for periods in self._periods:
                periods.begin(ns, equity)
        elif ns > self._last[0]:  # what stood until now stood at the ends of periods before
            for periods in self._periods:
                periods.pass_ends(ns, self._last[1])
        self._last = ns, equity

    def ratio(self) -> Sharpe | None:
        """Of the whole periods until the last point.

        None where that would be a number without meaning: fewer than 20 whole hours, or profits that are all equal.
        """
        if self._last is None:
            return None
        ns, equity = self._last
        for periods in self._periods:
            periods.pass_ends(ns + 1, equity)
            if periods.count >= _FEWEST_RETURNS:
                return periods.sharpe()
        return None


class _Periods:
    """The profits of periods of one length: their number, their sum, and that of their squares."""

    __slots__ = ("_due_ns", "_level", "_period_ns", "count", "squares", "total")

    def __init__(self, period_s: int) -> None:
        self._period_ns = period_s * _NS_PER_S
        self._due_ns = self._level = 0
        self.count = self.total = self.squares = 0

    def begin(self, ns: int, equity: int) -> None:
        self._due_ns, self._level = ns + self._period_ns, equity

    def pass_ends(self, until_ns: int, equity: int) -> None:
        """Count the periods that ended before a time; until it, equity was this."""
        passed = -((self._due_ns - until_ns) // self._period_ns)
        if passed > 0:  # in all but the first of them nothing happened
            profit = equity - self._level
            self.count += passed
            self.total += profit
            self.squares += profit * profit
            self._level = equity
            self._due_ns += passed * self._period_ns

    def sharpe(self) -> Sharpe | None:
        spread = self.count * self.squares - self.total * self.total  # count * (count - 1) variances
        if spread == 0:
            return None
        period_s = self._period_ns // _NS_PER_S
        square = (self.total**2 * (self.count - 1) * _YEAR_S) / (self.count * spread * period_s)
        return Sharpe(math.copysign(math.sqrt(square), self.total), period_s, self.count)


@dataclass(frozen=True, slots=True)
class Inventory:
    """A position over time, in the instrument's quantity unit. Means weigh each size by how long it was held."""

    mean: float  #: signed: which way the strategy leans
    mean_abs: float
    max_abs: int  #: a mantissa
    flat_share: float  #: of the time


class InventoryMeter:
    """How large a position is, weighed by time, while its changes are told.

    >>> one = 10**18
    >>> meter = InventoryMeter()
    >>> meter.change(0, 0)
    >>> meter.change(10, one)
    >>> meter.change(30, -one)
    >>> meter.until(40)
    Inventory(mean=0.25, mean_abs=0.75, max_abs=1000000000000000000, flat_share=0.25)
    """

    __slots__ = ("_flat_ns", "_max_abs", "_since_ns", "_size", "_started_ns", "_total", "_total_abs")

    def __init__(self) -> None:
        self._started_ns: int | None = None
        self._since_ns = self._size = self._max_abs = 0
        self._total = self._total_abs = self._flat_ns = 0

    def change(self, ns: int, size: int) -> None:
        """Tell what the position is from now on, as a mantissa; the first time, where the run begins."""
        if self._started_ns is None:
            self._started_ns = self._since_ns = ns
        self._hold_until(ns)
        self._size = size
        self._max_abs = max(self._max_abs, abs(size))

    def until(self, ended_ns: int) -> Inventory | None:
        """The figures, the last size being held until then; None for a run without duration."""
        if self._started_ns is None or ended_ns <= self._started_ns:
            return None
        self._hold_until(ended_ns)
        held_ns = ended_ns - self._started_ns
        whole = held_ns * 10**18
        return Inventory(self._total / whole, self._total_abs / whole, self._max_abs, self._flat_ns / held_ns)

    def _hold_until(self, ns: int) -> None:
        held_ns = ns - self._since_ns
        self._total += self._size * held_ns
        self._total_abs += abs(self._size) * held_ns
        self._flat_ns += held_ns if self._size == 0 else 0
        self._since_ns = ns


@dataclass(frozen=True, slots=True)
class Distribution:
    """How times are spread, in nanoseconds. Quantiles are values that occurred (nearest rank)."""

    count: int
    mean_ns: float
    median_ns: int
    p95_ns: int
    max_ns: int

    @classmethod
    def of(cls, values: Iterable[int]) -> Distribution | None:
        """None where there are no values.

        >>> Distribution.of([30, 10, 20])
        Distribution(count=3, mean_ns=20.0, median_ns=20, p95_ns=30, max_ns=30)
        """
        ranked = sorted(values)
        if not ranked:
            return None
        count = len(ranked)
        p95 = ranked[-(-95 * count // 100) - 1]
        return cls(count, statistics.fmean(ranked), ranked[(count - 1) // 2], p95, ranked[-1])
