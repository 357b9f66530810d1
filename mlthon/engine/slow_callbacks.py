"""One line for user code that takes too long: the engine does nothing else meanwhile, venues and books included."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

__all__ = ["DEFAULT_BUDGET_MS", "SlowCallbacks"]

log = logging.getLogger("mlthon.engine")

DEFAULT_BUDGET_MS = 5.0

_NS_PER_MS = 1_000_000
_LINE_EVERY_NS = 1_000_000_000


class SlowCallbacks:
    """Logs what took longer than its budget, at most one line a second; the next line says how many it stands for.

    Machine time throughout, in a backtest too: this is about the strategy's code, not about the market.

    >>> SlowCallbacks(2.5).budget_ns
    2500000
    """

    def __init__(self, budget_ms: float, machine_ns: Callable[[], int] = time.monotonic_ns) -> None:
        if not budget_ms > 0:
            raise ValueError(f"slow_callback_ms: expected more than 0, got {budget_ms!r}")
        self.budget_ns = round(budget_ms * _NS_PER_MS)
        self._machine_ns = machine_ns
        self._next_line_ns: int | None = None
        self._unsaid = 0

    def note(self, what: str, took_ns: int) -> None:
        """Take note that ``what`` (a callback, a timer, the callbacks of a message) took ``took_ns``."""
        now_ns = self._machine_ns()
        if self._next_line_ns is not None and now_ns < self._next_line_ns:
            self._unsaid += 1
            return
        since = f"; {self._unsaid} more since the last such line" if self._unsaid else ""
        log.warning(
            "slow: %s took %.1f ms, the budget is %g ms%s",
            what,
            took_ns / _NS_PER_MS,
            self.budget_ns / _NS_PER_MS,
            since,
        )
        self._next_line_ns = now_ns + _LINE_EVERY_NS
        self._unsaid = 0
