"""Timers and daily callbacks of a strategy.

Knows no event loop: whoever drives it asks `next_due_ns` and calls `fire_due`. Live, that is an asyncio timer; in a
backtest, the loop over the tape.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from mlthon._core.timers import TimerQueue

__all__ = ["Scheduler"]

_NS_PER_MS = 1_000_000
_LONGEST_MS = 10 * 365 * 86_400_000  # ten years
_NS_PER_S = 1_000_000_000
_HH_MM_SS = re.compile(r"([01]\d|2[0-3]):([0-5]\d):([0-5]\d)")


@dataclass(slots=True)
class _Timer:
    what: str
    callback: Callable[[], object]
    next_due_ns: Callable[[int, int], int]  # (due_ns, now_ns) -> the time after
    of_run: int | None  # the run of the strategy it belongs to; None: to all of them
    internal: bool  # the engine's own: fires once, whether or not the strategy runs


class Scheduler:
    """The pending timers of one strategy.

    A timer set while the strategy runs belongs to that run and is dropped when it stops. One set before its first
    start (in ``on_framework_connected``) is kept: it is silent while the strategy is stopped, and fires once if it
    fell due meanwhile. A timer that fell behind fires once, not in a burst.

    ``run`` is how user code is called: ``run(what, callback)`` returns what the callback returned.
    """

    def __init__(
        self,
        now_ns: Callable[[], int],
        run: Callable[[str, Callable[[], object]], object],
        *,
        time_zone: tzinfo | None = None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._now_ns = now_ns
        self._run = run
        self._time_zone = time_zone  # None: the system's
        self.on_change = on_change  # called when next_due_ns may have changed
        self._queue = TimerQueue()
        self._suspended: list[tuple[int, _Timer]] = []
        self._running = False
        self._run_number = 0  # 0: before the first start

    # -- the strategy's ----------------------------------------------------------------------------------------

    def every(self, duration_ms: int, callback: Callable[[], object]) -> None:
        """Call back every ``duration_ms`` milliseconds, as long as the callback returns True."""
        if isinstance(duration_ms, bool) or not isinstance(duration_ms, int):
            raise TypeError(f"duration_ms: expected an int, got {duration_ms!r}")
        if not 0 < duration_ms <= _LONGEST_MS:
            raise ValueError(f"duration_ms: expected 1 to {_LONGEST_MS}, got {duration_ms}")
        period_ns = duration_ms * _NS_PER_MS

        def after(due_ns: int, now_ns: int) -> int:
            behind = max(now_ns - due_ns, 0) // period_ns
            return due_ns + (behind + 1) * period_ns

        self._add(self._now_ns() + period_ns, f"timer of {duration_ms} ms", callback, after)

    def daily(self, hh_mm_ss: str, callback: Callable[[], object]) -> None:
        """Call back at a time of day, as long as the callback returns True."""
        match = _HH_MM_SS.fullmatch(hh_mm_ss) if isinstance(hh_mm_ss, str) else None
        if match is None:
            raise ValueError(f"hh_mm_ss: expected 'HH:mm:ss' from '00:00:00' to '23:59:59', got {hh_mm_ss!r}")
        hour, minute, second = (int(part) for part in match.groups())

        def after(_due_ns: int, now_ns: int) -> int:
            return self._next_time_of_day(now_ns, hour, minute, second)

        self._add(after(0, self._now_ns()), f"daily callback of {hh_mm_ss}", callback, after)

    # -- the engine's ------------------------------------------------------------------------------------------

    def once(self, delay_ms: int, what: str, callback: Callable[[], object]) -> int:
        """Call the engine's own code once; returns a number for `cancel`."""
        timer = _Timer(what, callback, lambda due_ns, _now_ns: due_ns, of_run=None, internal=True)
        number = self._queue.add(self._now_ns() + delay_ms * _NS_PER_MS, timer)
        self.on_change()
        return number

    def cancel(self, number: int) -> None:
        """Forget a timer made by `once`; nothing happens if it has fired."""
        self._queue.cancel(number)

    def start(self) -> None:
        """Let the strategy's timers fire."""
        self._running = True
        self._run_number += 1
        for due_ns, timer in self._suspended:
            self._queue.add(due_ns, timer)
        self._suspended.clear()
        self.on_change()

    def stop(self) -> None:
        """Drop the timers of this run; hold back the others until the next start."""
        self._running = False

    def next_due_ns(self) -> int | None:
        """When `fire_due` has something to do next; None: never, as things stand."""
        return self._queue.next_due_ns()

    def fire_due(self) -> None:
        """Fire every timer that is due now, each once."""
        now_ns = self._now_ns()
        while (due := self._queue.pop_due(now_ns)) is not None:
            due_ns, timer = due
            assert isinstance(timer, _Timer)
            if timer.internal:
                timer.callback()
            elif timer.of_run is not None and (timer.of_run != self._run_number or not self._running):
                continue
            elif not self._running:
                self._suspended.append((due_ns, timer))
            elif self._run(timer.what, timer.callback) is True:
                # Counted from its end: a callback that outlasts its period must not leave no time for anything else.
                self._queue.add(timer.next_due_ns(due_ns, self._now_ns()), timer)

    def _add(
        self, due_ns: int, what: str, callback: Callable[[], object], after: Callable[[int, int], int]
    ) -> None:
        if not callable(callback):
            raise TypeError(f"callback_func: expected a callable, got {callback!r}")
        self._queue.add(
            due_ns, _Timer(what, callback, after, of_run=self._run_number or None, internal=False)
        )
        self.on_change()

    def _next_time_of_day(self, now_ns: int, hour: int, minute: int, second: int) -> int:
        now = datetime.fromtimestamp(now_ns / _NS_PER_S, self._time_zone)
        due = now.replace(hour=hour, minute=minute, second=second, microsecond=0, fold=0)
        while (due_ns := int(due.timestamp()) * _NS_PER_S) <= now_ns:
            due += timedelta(days=1)
        return due_ns
