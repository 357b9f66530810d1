"""How close to its request allowances a client is, told when it matters."""

from __future__ import annotations

from collections.abc import Callable

from mlthon.exchanges.bybit.codec.trade import RateLimit

__all__ = ["RateLimits"]

_THRESHOLDS = (50, 90, 100)  # percent used


class RateLimits:
    """Watches every bucket's headers and reports the moment its usage crosses 50, 90 or 100 percent.

    >>> told = []
    >>> limits = RateLimits(lambda limit, remaining, reset_ms: told.append(remaining))
    >>> for remaining in (9, 5, 4, 1, 0, 0, 9, 5):
    ...     limits.observe(RateLimit("order.create", 10, remaining, 0))
    >>> told
    [5, 1, 0, 5]
    """

    def __init__(self, tell: Callable[[int, int, int], None]) -> None:
        self._tell = tell
        self._levels: dict[str, int] = {}

    def observe(self, usage: RateLimit | None) -> None:
        """Take in the headers of an answer; None, for an answer without them, changes nothing."""
        if usage is None:
            return
        used = (usage.limit - min(usage.remaining, usage.limit)) * 100
        level = sum(used >= threshold * usage.limit for threshold in _THRESHOLDS)
        before = self._levels.get(usage.bucket, 0)
        self._levels[usage.bucket] = level
        if level > before:
            self._tell(usage.limit, usage.remaining, usage.reset_ms)
