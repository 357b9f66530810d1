"""Funding of perpetuals: when it is due, and at which rate.

The rate is configured, or follows the market as the large venues have it:

    premium = the time-weighted average, since the last payment, of (mark - index) / index
    rate    = premium + (interest - premium, kept within 0.0005), kept within the cap

A recording that tells rates, and when they are charged, counts more than that (`FundingMeter.tell`), and so does an
index that it tells.

The index of a market that is alone in the world is its own mark, averaged slowly: each look pulls it towards the
mark by dt / (dt + five minutes). So the premium says how far the mark has been moving, and in a calm market the rate
is the interest.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.errors import ConfigError
from mlthon.sim.orders import check_rate

__all__ = ["FundingMeter", "FundingRules", "PastFunding"]

_EIGHT_HOURS_NS = 8 * 3600 * 10**9
_INDEX_NS = 300 * 10**9
_SOON_NS = 60 * 10**9
_INTEREST = MLDecimal("0.0001")
_CAP = MLDecimal("0.00375")
_CLAMP = MLDecimal("0.0005")
_FINEST = MLDecimal("0.00000001")
_NOTHING = MLDecimal("0")
_REMEMBERED = 200


@dataclass(frozen=True, slots=True)
class FundingRules:
    """How perpetuals are funded. Payments are due at whole multiples of the interval since the epoch."""

    interval_ns: int = _EIGHT_HOURS_NS
    rate: MLDecimal | None = None  #: None: from the market
    interest: MLDecimal = _INTEREST
    cap: MLDecimal = _CAP  #: of the rate, both ways

    def __post_init__(self) -> None:
        if self.interval_ns <= 0:
            raise ConfigError(f"funding interval: expected more than 0, got {self.interval_ns}")
        if self.rate is not None:
            check_rate("funding rate", self.rate)


@dataclass(frozen=True, slots=True)
class PastFunding:
    """A payment that was made: when it was due, and at which rate."""

    due_ns: int
    rate: MLDecimal


class FundingMeter:
    """The funding of one contract, kept up to date by looking at its mark every now and then.

    >>> meter = FundingMeter(FundingRules())
    >>> meter.look(Price("100"), 0)
    >>> meter.rate
    MLDecimal('0.00010000')
    >>> meter.look(Price("101"), 60 * 10**9)  # a minute at 101, and the index has come a sixth of the way
    >>> meter.index, meter.rate
    (Price('100.16666666'), MLDecimal('0.00375000'))
    """

    def __init__(self, rules: FundingRules) -> None:
        self._rules = rules
        self.index: Price | None = None  # None until the first look at a mark
        self.told_index: Price | None = None  #: a recorded one, instead of the average
        self._told_rate: MLDecimal | None = None  # a recorded one, which counts more than the market's
        self._is_due_told = False
        self._upcoming: tuple[MLDecimal, int] | None = (
            None  # a rate, and its time, that count after the next payment
        )
        self.past: deque[PastFunding] = deque(maxlen=_REMEMBERED)  # newest last
        self._seen_ns = 0
        self._due_ns: int | None = None
        self._premium_time = _NOTHING  # the premium, summed over time
        self._time_ns = 0

    @property
    def rate(self) -> MLDecimal:
        """What longs would pay to shorts now, as a fraction of the position's value at the mark."""
        rules = self._rules
        if rules.rate is not None:
            return rules.rate
        if self._told_rate is not None:
            return self._told_rate
        premium = self._premium_time / self._time_ns if self._time_ns else _NOTHING
        rate = premium + _within(rules.interest - premium, _CLAMP)
        return _within(rate, rules.cap).round_nearest(_FINEST)

    def due_ns(self, now_ns: int) -> int:
        """When the next payment is due."""
        return self._due_ns if self._due_ns is not None else self._next_ns(now_ns)

    def tell(self, rate: MLDecimal, due_ns: int, now_ns: int) -> None:
        """Fund at a recorded rate from now on, and when it says that it is charged next (0: it does not say).

        What was due before `now_ns` has been paid. A rate for the payment after the next one that comes when that is
        only seconds away is no change of plan, but of a clock that is ahead of ours: it counts after the next one.
        """
        pending_ns = self.due_ns(now_ns)
        if self._is_due_told and due_ns > pending_ns and pending_ns - now_ns <= _SOON_NS:
            self._upcoming = rate, due_ns
            return
        self._upcoming = None
        self._told_rate = rate
        if due_ns > now_ns:
            self._due_ns = due_ns
            self._is_due_told = True

    def look(self, mark: Price | None, now_ns: int) -> None:
        """Take the mark into account for the time since the last look."""
        if self._due_ns is None:
            self._due_ns = self._next_ns(now_ns)
        dt_ns = now_ns - self._seen_ns
        if mark is None or (self.index is not None and dt_ns <= 0):
            return
        self._seen_ns = now_ns
        if self.index is None:
            self.index = self.told_index or mark
            return
        if self.told_index is not None:
            self.index = self.told_index
        else:
            step = (mark.mantissa - self.index.mantissa) * dt_ns // (dt_ns + _INDEX_NS)
            self.index = Price.from_mantissa(self.index.mantissa + step).round_down(_PRICE_STEP)
        self._premium_time += (mark - self.index) / self.index * dt_ns
        self._time_ns += dt_ns

    def paid(self) -> None:
        """Start over: the payment that was due has been made."""
        assert self._due_ns is not None, "nothing is due before the first look"
        self.past.append(PastFunding(self._due_ns, self.rate))
        self._is_due_told = self._upcoming is not None
        if self._upcoming is not None:
            (self._told_rate, self._due_ns), self._upcoming = self._upcoming, None
        else:
            self._due_ns += self._rules.interval_ns
        self._premium_time = _NOTHING
        self._time_ns = 0

    def _next_ns(self, now_ns: int) -> int:
        return (now_ns // self._rules.interval_ns + 1) * self._rules.interval_ns


_PRICE_STEP = Price("0.00000001")


def _within(value: MLDecimal, bound: MLDecimal) -> MLDecimal:
    return max(-bound, min(value, bound))
