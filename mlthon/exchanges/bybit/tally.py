"""Counting what should not happen, without filling the log with it."""

from __future__ import annotations

import logging
from collections import Counter

__all__ = ["Tally"]

log = logging.getLogger("mlthon.exchanges.bybit")

_MOST_KINDS = 1_000  # a peer can invent names; beyond these they are counted together


class Tally:
    """Counts by name; the 1st, 10th, 100th... of a name is logged, with what is special about it.

    >>> tally = Tally("feed")
    >>> for _ in range(3):
    ...     tally.count("unknown topic", "kline.5.BTCUSDT")
    >>> tally.counts["unknown topic"]
    3
    """

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self.counts: Counter[str] = Counter()

    def count(self, name: str, detail: str = "") -> None:
        """Count one, and log it where the count is a power of ten."""
        if name not in self.counts and len(self.counts) >= _MOST_KINDS:
            name = "other"
        self.counts[name] += 1
        seen = self.counts[name]
        if seen == 10 ** (len(str(seen)) - 1):
            log.warning("%s: %s (%d so far): %s", self._owner, name, seen, detail)
