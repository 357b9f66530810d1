"""The venue's time, estimated from ours."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["VenueClock"]

_NS_PER_MS = 1_000_000


class VenueClock:
    """Our clock plus the measured offset of the venue's.

    >>> clock = VenueClock(lambda: 5_000_000_000)
    >>> clock.measured(sent_ns=1_000_000_000, received_ns=1_200_000_000, venue_ns=3_100_000_000)
    >>> clock.offset_ns, clock.now_ms(), clock.at_ms(1_000_000_000)
    (2000000000, 7000, 3000)
    """

    __slots__ = ("_now_ns", "offset_ns")

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self._now_ns = now_ns
        self.offset_ns = 0

    def measured(self, *, sent_ns: int, received_ns: int, venue_ns: int) -> None:
        """Take over a measurement: the venue read its clock halfway between sending and receiving."""
        self.offset_ns = venue_ns - (sent_ns + received_ns) // 2

    def local_ns(self) -> int:
        """Our own time, in nanoseconds."""
        return self._now_ns()

    def now_ms(self) -> int:
        """The venue's time, in milliseconds."""
        return self.at_ms(self._now_ns())

    def at_ms(self, local_ns: int) -> int:
        """The venue's time at an instant of ours, in milliseconds."""
        return (local_ns + self.offset_ns) // _NS_PER_MS
