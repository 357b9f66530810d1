"""Deadlines of many things that all wait equally long: one timer for all of them, not one for each."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

__all__ = ["Deadlines"]


class _Waits(Protocol):
    due_at: float  # loop time, written here; 0: not waited for


_Item = TypeVar("_Item", bound=_Waits)


class Deadlines(Generic[_Item]):
    """Calls `on_late` with each item that was started `wait_s` ago, and not started again since.

    An item that no longer waits is not taken out: whoever is called knows. It is let go when its time is over.
    """

    def __init__(self, wait_s: float, on_late: Callable[[_Item], None]) -> None:
        self._wait_s = wait_s
        self._on_late = on_late
        self._queue: deque[tuple[float, _Item]] = deque()  # by time, since all wait equally long
        self._timer: asyncio.TimerHandle | None = None

    def start(self, item: _Item, now: float) -> None:
        """Begin to wait for an item, or begin anew; `now` is the loop's time."""
        item.due_at = now + self._wait_s
        self._queue.append((item.due_at, item))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(self._queue[0][0], self._ring)

    def close(self) -> None:
        """Forget all items."""
        self._queue.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        try:
            while self._queue and self._queue[0][0] <= now:
                due_at, item = self._queue.popleft()
                if item.due_at == due_at:
                    item.due_at = 0.0
                    self._on_late(item)
        finally:
            if self._queue and self._timer is None:
                self._timer = loop.call_at(self._queue[0][0], self._ring)
