"""Cancels on their way: several in one message where that helps, and waiting where the venue has no room."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable

from mlthon.exchanges.bybit.categories import SPOT
from mlthon.exchanges.bybit.codec.fields import Json
from mlthon.exchanges.bybit.codec.trade import CANCEL, CANCEL_BATCH, batch_fields
from mlthon.exchanges.bybit.pending import Pending
from mlthon.exchanges.bybit.rate_limits import RateLimits, bucket_of

__all__ = ["CancelQueue"]

_MOST_IN_BATCH, _MOST_IN_SPOT_BATCH = 20, 10
_SHORTEST_WAIT_S = 0.005


class CancelQueue:
    """Hands cancels to `send` as fast as the venue takes them, in the order in which they were added.

    One alone goes as it is, several as a batch. Each of the two overflows into the allowance of the other.
    """

    def __init__(self, limits: RateLimits, send: Callable[[str, list[Pending], Json], None]) -> None:
        self._limits = limits
        self._send = send
        self._waiting: dict[str, deque[Pending]] = {}  # by category
        self._timer: asyncio.TimerHandle | None = None

    def add(self, pending: Pending) -> None:
        """Take in a cancel; `flush` sends it."""
        self._waiting.setdefault(pending.fields["category"], deque()).append(pending)

    def flush(self) -> None:
        """Send what the venue has room for, and come back for the rest."""
        self._stop_timer()
        for category, queue in self._waiting.items():
            self._waiting[category] = deque(pending for pending in queue if not pending.done)
        wait_s = min((self._flush(category) for category in self._waiting), default=0.0)
        self._waiting = {category: queue for category, queue in self._waiting.items() if queue}
        if self._waiting:
            delay_s = max(wait_s, _SHORTEST_WAIT_S)
            self._timer = asyncio.get_running_loop().call_later(delay_s, self.flush)

    def close(self) -> None:
        """Forget what waits."""
        self._stop_timer()
        self._waiting.clear()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _flush(self, category: str) -> float:
        """Send cancels of one category; returns after how many seconds to come back, infinity for never."""
        queue = self._waiting[category]
        single, batch = bucket_of(CANCEL, category), bucket_of(CANCEL_BATCH, category)
        most = _MOST_IN_SPOT_BATCH if category == SPOT else _MOST_IN_BATCH
        while queue:
            room = min(len(queue), most, self._limits.free(batch))
            if (len(queue) == 1 or room < 2) and self._limits.take(single):
                pending = queue.popleft()
                self._send(CANCEL, [pending], pending.fields)
            elif room and self._limits.take(batch, room):
                members = [queue.popleft() for _ in range(room)]
                self._send(CANCEL_BATCH, members, batch_fields([each.fields for each in members]))
            else:
                return min(self._limits.wait_s(single), self._limits.wait_s(batch))
        return math.inf
