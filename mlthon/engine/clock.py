"""Clocks: where the engine's time comes from."""

from __future__ import annotations

from mlthon._core.live_clock import LiveClock

__all__ = ["LiveClock", "ManualClock"]


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
