"""How long messages take: market data, requests, and answers.

A delay is asked once a message. What was sent later never arrives earlier: the loop keeps each direction in order,
as a connection does.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Protocol

from mlthon.errors import ConfigError

__all__ = ["ConstantDelay", "Delay", "Latency", "NormalDelay", "RecordedDelay", "delay_ns", "read_latencies"]

_NS_PER_MS = 1_000_000
_LONGEST_NS = 86_400 * 10**9  # a day: anything longer is a slip of units


class Delay(Protocol):
    """How long the next message of one direction takes."""

    def next_ns(self, now_ns: int) -> int:
        """Nanoseconds from ``now_ns``, when it is sent, to its arrival; 0 or more."""


@dataclass(frozen=True, slots=True)
class ConstantDelay:
    """Always the same.

    >>> ConstantDelay(5_000_000).next_ns(0)
    5000000
    """

    constant_ns: int

    def __post_init__(self) -> None:
        if not 0 <= self.constant_ns <= _LONGEST_NS:
            raise ConfigError(f"latency: expected 0 ns to a day, got {self.constant_ns} ns")

    def next_ns(self, now_ns: int) -> int:
        return self.constant_ns


class NormalDelay:
    """Drawn from a normal distribution, never below ``least_ns``. The same seed draws the same delays.

    >>> delay = NormalDelay(5_000_000, 1_000_000, seed=1)
    >>> [delay.next_ns(0) for _ in range(3)]
    [6288185, 6449446, 5066336]
    """

    def __init__(self, mean_ns: int, deviation_ns: int, *, seed: int, least_ns: int = 0) -> None:
        if min(mean_ns, deviation_ns, least_ns) < 0 or max(mean_ns, deviation_ns, least_ns) > _LONGEST_NS:
            raise ConfigError(
                f"latency: expected 0 ns to a day, got {mean_ns} with a deviation of {deviation_ns}, least {least_ns}"
            )
        self._mean_ns = mean_ns
        self._deviation_ns = deviation_ns
        self._least_ns = least_ns
        self._random = Random(seed)

    def next_ns(self, now_ns: int) -> int:
        drawn_ns = round(self._random.gauss(self._mean_ns, self._deviation_ns))
        return max(drawn_ns, self._least_ns)


class RecordedDelay:
    """What was measured once: each message takes what the last one before it took, by the time it is sent.

    ``measured`` are ``(sent_ns, delay_ns)``, in order of time; before the first of them, it counts.

    >>> RecordedDelay([(100, 7), (200, 9)]).next_ns(150)
    7
    """

    def __init__(self, measured: Sequence[tuple[int, int]]) -> None:
        if not measured:
            raise ConfigError("latency: expected at least one measurement, got none")
        self._sent_ns = [sent_ns for sent_ns, _ in measured]
        self._delays_ns = [delay_ns for _, delay_ns in measured]
        if self._sent_ns != sorted(self._sent_ns):
            raise ConfigError("latency: expected measurements in order of time")
        for sent_ns, delay_ns in measured:
            if not 0 <= delay_ns <= _LONGEST_NS:
                raise ConfigError(
                    f"latency: expected 0 ns to a day, got {delay_ns} ns of what was sent at {sent_ns}"
                )

    def next_ns(self, now_ns: int) -> int:
        return self._delays_ns[max(bisect_right(self._sent_ns, now_ns) - 1, 0)]


def _five_ms() -> Delay:
    return ConstantDelay(5 * _NS_PER_MS)


@dataclass(frozen=True, slots=True)
class Latency:
    """The three ways a message can go; 5 ms each unless said otherwise.

    ``feed`` is from a change at the exchange to the strategy, ``order`` from the strategy to the exchange, and
    ``response`` what answers, reports and fills take back.
    """

    feed: Delay = field(default_factory=_five_ms)
    order: Delay = field(default_factory=_five_ms)
    response: Delay = field(default_factory=_five_ms)

    @classmethod
    def constant_ms(cls, feed: float, order: float, response: float) -> Latency:
        """The same every time, in milliseconds."""
        return cls(*(ConstantDelay(delay_ns(ms)) for ms in (feed, order, response)))


def delay_ns(ms: float) -> int:
    """Milliseconds as nanoseconds; raises ConfigError for what is no delay: below 0, above a day, not a number."""
    if not 0 <= ms * _NS_PER_MS <= _LONGEST_NS:
        raise ConfigError(f"latency: expected 0 ms to a day, got {ms:g} ms")
    return round(ms * _NS_PER_MS)


def read_latencies(path: Path) -> Latency:
    """Delays measured once: lines of ``sent_ns,exchange_ns,answered_ns``, in order of time; a heading may be first.

    What a request took is replayed for requests, and what its answer took for answers and for market data.
    Raises ConfigError, naming the file, and the line if it cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"latencies: cannot read {path}: {error}") from None
    orders: list[tuple[int, int]] = []
    responses: list[tuple[int, int]] = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or (number == 1 and not line[0].isdigit()):
            continue
        try:
            sent_ns, exchange_ns, answered_ns = (int(part) for part in line.split(","))
        except ValueError:
            raise ConfigError(
                f"latencies: {path}: line {number}: expected sent_ns,exchange_ns,answered_ns, got {line[:60]!r}"
            ) from None
        orders.append((sent_ns, exchange_ns - sent_ns))
        responses.append((sent_ns, answered_ns - exchange_ns))
    try:
        return Latency(RecordedDelay(responses), RecordedDelay(orders), RecordedDelay(responses))
    except ConfigError as error:
        raise ConfigError(f"latencies: {path}: {error}") from None
