"""Pauses between tries that grow, with jitter, up to a limit."""

from __future__ import annotations

import random

__all__ = ["Backoff"]


class Backoff:
    """Doubling pauses, each shortened at random by up to half, so that many clients do not knock in step.

    The first `free_tries` pauses after a `reset` are zero.

    >>> pauses = Backoff(first_ms=100, longest_ms=1_000, free_tries=1)
    >>> pauses.next_s(), 0.05 <= pauses.next_s() <= 0.1, 0.1 <= pauses.next_s() <= 0.2
    (0.0, True, True)
    """

    __slots__ = ("_first_ms", "_free_tries", "_longest_ms", "_random", "_tries")

    def __init__(
        self, first_ms: int, longest_ms: int, *, free_tries: int = 0, rng: random.Random | None = None
    ) -> None:
        self._first_ms = first_ms
        self._longest_ms = longest_ms
        self._free_tries = free_tries
        self._random = rng or random.Random()
        self._tries = 0

    def next_s(self) -> float:
        """Return the next pause, in seconds."""
        self._tries += 1
        doublings = self._tries - self._free_tries - 1
        if doublings < 0:
            return 0.0
        # 2**40 times any first pause is beyond any limit; the shift must not grow for ever.
        pause_ms = min(self._first_ms << min(doublings, 40), self._longest_ms)
        return pause_ms * self._random.uniform(0.5, 1.0) / 1_000

    def reset(self) -> None:
        """Start again from the shortest pause."""
        self._tries = 0
