"""Clocks: where the engine's time comes from."""

from __future__ import annotations

import time

__all__ = ["LiveClock", "ManualClock"]


class LiveClock:
    """The machine's clock, made to never run backwards.

    The wall clock is read once; from then on time advances with the monotonic clock, so that a wall clock step
    neither stalls timers nor fires a burst of them.
    """

    __slots__ = ("_offset_ns",)

    def __init__(self) -> None:
        self._offset_ns = time.time_ns() - time.monotonic_ns()

    def now_ns(self) -> int:
        """Nanoseconds since the epoch, UTC."""
        return time.monotonic_ns() + self._offset_ns


class ManualClock:
    """A clock that stands still until it is told to move: for tests and simulated time.

    >>> clock = ManualClock(1_000)
    >>> clock.advance(500)
    >>> clock.now_ns()
    1500
    """

    __slots__ = ("_now_ns",)

    def __init__(self, now_ns: int = 0) -> None:
        self._now_ns = now_ns

    def now_ns(self) -> int:
        """Nanoseconds since the epoch, UTC."""
        return self._now_ns

    def advance(self, by_ns: int) -> None:
        """Move forward; raises ValueError for a negative step."""
        if by_ns < 0:
            raise ValueError(f"a clock only moves forward: expected a step >= 0 ns, got {by_ns}")
        self._now_ns += by_ns
