"""Figures drawn from a run, each with its definition.

Money stays exact; only what is a ratio or a mean is a float.
"""

from __future__ import annotations

import math
import statistics
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

__all__ = [
    "Distribution",
    "Drawdown",
    "Inventory",
    "Sharpe",
    "inventory",
    "max_drawdown",
    "sharpe_ratio",
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


def max_drawdown(times: Sequence[int], equity: Sequence[int]) -> Drawdown | None:
    """The largest of ``max(equity before t) - equity(t)``; None without points.

    Definition as in Magdon-Ismail and Atiya, "Maximum drawdown", Risk 17(10), 2004. It is that of the samples: what
    happened between two of them is not seen.

    >>> max_drawdown([1, 2, 3, 4], [5, 9, 4, 8])
    Drawdown(money=5, peak=9, from_ns=2, to_ns=3)
    """
    if not times:
        return None
    peak, peak_ns = equity[0], times[0]
    worst = Drawdown(0, peak, peak_ns, peak_ns)
    for ns, value in zip(times, equity, strict=True):
        if value > peak:
            peak, peak_ns = value, ns
        elif peak - value > worst.money:
            worst = Drawdown(peak - value, peak, peak_ns, ns)
    return worst


@dataclass(frozen=True, slots=True)
class Sharpe:
    """An annualised Sharpe ratio, and what it is made from."""

    ratio: float
    period_s: int
    returns: int


def sharpe_ratio(times: Sequence[int], equity: Sequence[int]) -> Sharpe | None:
    """Mean over standard deviation of the profits of equal periods, times the root of the periods in a year.

    W. F. Sharpe, "The Sharpe Ratio", Journal of Portfolio Management 21(1), 1994, with nothing subtracted for
    interest. On a capital that stays the same, profits and returns have the same ratio, so no capital enters. The
    deviation is the sample's (n - 1). Periods are days, or hours where there are fewer than 20 days, of a year of 365
    days of 24 hours. Scaling by the root assumes that profits of different periods do not depend on each other
    (A. W. Lo, "The Statistics of Sharpe Ratios", Financial Analysts Journal 58(4), 2002).

    None where that would be a number without meaning: fewer than 20 whole hours, or profits that are all the same.
    """
    if not times:
        return None
    for period_s in _PERIODS_S:
        period_ns = period_s * _NS_PER_S
        count = (times[-1] - times[0]) // period_ns
        if count < _FEWEST_RETURNS:
            continue
        ends = (equity[bisect_right(times, times[0] + n * period_ns) - 1] for n in range(count + 1))
        levels = list(ends)
        profits = [float(after - before) for before, after in pairwise(levels)]
        deviation = statistics.stdev(profits)
        if deviation == 0:
            return None
        ratio = statistics.fmean(profits) / deviation * math.sqrt(_YEAR_S / period_s)
        return Sharpe(ratio, period_s, count)
    return None


@dataclass(frozen=True, slots=True)
class Inventory:
    """A position over time, in the instrument's quantity unit. Means weigh each size by how long it was held."""

    mean: float  #: signed: which way the strategy leans
    mean_abs: float
    max_abs: int  #: a mantissa
    flat_share: float  #: of the time


def inventory(changes: Iterable[tuple[int, int]], started_ns: int, ended_ns: int) -> Inventory | None:
    """Of changes (when, to which mantissa) of a position that began flat; None for a run without duration.

    >>> one = 10**18
    >>> inventory([(10, one), (30, -one)], 0, 40)
    Inventory(mean=0.25, mean_abs=0.75, max_abs=1000000000000000000, flat_share=0.25)
    """
    if ended_ns <= started_ns:
        return None
    total = total_abs = flat_ns = size = max_abs = 0
    since_ns = started_ns
    for ns, changed in [*changes, (ended_ns, 0)]:
        held_ns = ns - since_ns
        total += size * held_ns
        total_abs += abs(size) * held_ns
        flat_ns += held_ns if size == 0 else 0
        since_ns, size = ns, changed
        max_abs = max(max_abs, abs(size))
    whole = (ended_ns - started_ns) * 10**18
    return Inventory(total / whole, total_abs / whole, max_abs, flat_ns / (ended_ns - started_ns))


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
