"""How far the clock of a recording was off the venue's.

Every message has two stamps: the venue's, when it happened, and the local one, when it was received. Their difference
is the clocks' offset plus the time the message travelled, and nothing in a recording tells the two apart, but that no
message arrives before it was sent. So the estimate is the least difference of each window of time (the fastest
message in it), and of those the median, so that a few wrong stamps do not count. Where that is a time that messages
do take, from nothing to `LONGEST_TRAVEL_NS`, the clocks are taken to agree: the offset is 0. Otherwise it is the
offset, and the fastest messages are taken to have travelled in no time: what they really took is lost, and is for a
latency model to add.
"""

from __future__ import annotations

from statistics import median_low

__all__ = ["ClockOffset"]

WINDOW_NS = 10_000_000_000
LONGEST_TRAVEL_NS = (
    1_000_000_000  # a fastest message that is later than this tells of the clock, not of the way
)
STEP_NS = 500_000_000  # what neighbouring windows may differ by before it is called a step
MOST_WINDOWS = 65_536  # two windows become one when there are more: a week of ten seconds each


class ClockOffset:
    """An estimate that is made while stamps are shown to it: `observe` each message's, then read `offset_ns`."""

    def __init__(self) -> None:
        self.window_ns = WINDOW_NS
        self.least: dict[int, int] = {}  # of each window, by its number, the least difference

    def observe(self, recv_ns: int, venue_ns: int) -> None:
        """Take a message's two stamps into account; 0 or less means that there is none."""
        if recv_ns <= 0 or venue_ns <= 0:
            return
        window = recv_ns // self.window_ns
        difference = recv_ns - venue_ns
        if difference < self.least.get(window, difference + 1):
            self.least[window] = difference
            if len(self.least) > MOST_WINDOWS:
                self.merge_windows()

    def merge_windows(self) -> None:
        self.window_ns *= 2
        merged: dict[int, int] = {}
        for window, difference in self.least.items():
            merged[window // 2] = min(difference, merged.get(window // 2, difference))
        self.least = merged

    @property
    def fastest_ns(self) -> int | None:
        """The typical difference of the fastest messages, None where no message has both stamps."""
        return median_low(self.least.values()) if self.least else None

    @property
    def offset_ns(self) -> int:
        """How far the local clock is ahead of the venue's (negative: behind); 0 where nothing speaks against it."""
        fastest = self.fastest_ns
        return 0 if fastest is None or 0 <= fastest <= LONGEST_TRAVEL_NS else fastest

    @property
    def steps(self) -> list[tuple[int, int]]:
        """Where the offset jumped and stayed there: ``(recv_ns, by how much)``, from one window to the next."""
        windows = sorted(self.least)
        found = []
        for before, after, later in zip(windows, windows[1:], windows[2:], strict=False):
            change = self.least[after] - self.least[before]
            stays = self.least[later] - self.least[before]
            if abs(change) > STEP_NS and abs(stays) > STEP_NS and (change > 0) == (stays > 0):
                found.append((after * self.window_ns, change))
        return found
