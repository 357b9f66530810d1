"""An asyncio loop whose timers follow a clock that is moved by hand, while its sockets are real."""

from __future__ import annotations

import asyncio
import selectors
import time
from typing import Any

from mlthon.engine.clock import ManualClock

__all__ = ["ManualLoop"]

_PATIENCE_S = 20.0  # without anything on any socket, while somebody waits for something


class ManualLoop(asyncio.SelectorEventLoop):
    """`time` is that of the clock, counted from the loop's beginning, so that it is exact to the nanosecond.

    A loop on which nothing happens for twenty seconds of real time while it waits raises TimeoutError.
    """

    def __init__(self, clock: ManualClock) -> None:
        self._manual = clock
        self._began_ns = clock.now_ns()
        super().__init__(_Watchful())

    def time(self) -> float:
        return (self._manual.now_ns() - self._began_ns) / 1e9

    def next_due_ns(self) -> int | None:
        """When the loop's next timer is due, or was to be, had it not been cancelled; None: there is none."""
        timers: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        return self._began_ns + round(timers[0].when() * 1e9) if timers else None


class _Watchful(selectors.DefaultSelector):
    """A selector that does not wait for ever."""

    def __init__(self) -> None:
        super().__init__()
        self._idle_since = time.monotonic()

    def select(self, timeout: float | None = None) -> Any:
        found = super().select(_PATIENCE_S if timeout is None else min(timeout, _PATIENCE_S))
        now = time.monotonic()
        if found:
            self._idle_since = now
        elif now - self._idle_since > _PATIENCE_S:
            raise TimeoutError(f"nothing has happened on any socket for {_PATIENCE_S:g} s")
        return found
