"""What faults do to the messages of one direction of a websocket."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Line", "corrupted", "truncated"]

_Message = TypeVar("_Message")

_MOST_CORRUPT_CHARS = 8
_CONTROL_CHARS = "\x01\x02\x03\x04\x05\x06\x07\x08"


@dataclass(slots=True, eq=False)
class _Held(Generic[_Message]):
    """A message that lets others pass."""

    message: _Message
    behind: int  # how many more


class Line(Generic[_Message]):
    """Hands messages on in their order. A late one holds up all that come after it; a held one lets some pass."""

    def __init__(self, hand_on: Callable[[_Message], None]) -> None:
        self._hand_on = hand_on
        self._late: deque[tuple[float, _Message]] = deque()  # with when each is due, in order
        self._held: list[_Held[_Message]] = []
        self._timers: list[asyncio.TimerHandle] = []

    def take(self, message: _Message, delay_s: float = 0.0) -> None:
        """Hand on a message after a delay, and after all that is late already."""
        if not self._late and delay_s <= 0.0:
            self._pass(message)
            return
        due = asyncio.get_running_loop().time() + delay_s
        if self._late:
            due = max(due, self._late[-1][0])
        self._late.append((due, message))
        self._call_at(due, self._pass_late)

    def hold(self, message: _Message, behind: int, longest_s: float) -> None:
        """Hand on a message when that many others have passed it, or when the time is over."""
        held = _Held(message, behind)
        self._held.append(held)
        self._call_at(asyncio.get_running_loop().time() + longest_s, lambda: self._release(held))

    def close(self) -> None:
        """Forget what has not been handed on."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._late.clear()
        self._held.clear()

    def _pass_late(self) -> None:
        """Hand on the first late message: there is one timer for each, and all are due in their order."""
        self._pass(self._late.popleft()[1])

    def _pass(self, message: _Message) -> None:
        self._hand_on(message)
        for held in tuple(self._held):
            held.behind -= 1
            if held.behind == 0:
                self._release(held)

    def _release(self, held: _Held[_Message]) -> None:
        if held in self._held:
            self._held.remove(held)
            self._hand_on(held.message)

    def _call_at(self, due: float, call: Callable[[], None]) -> None:
        now = asyncio.get_running_loop().time()
        self._timers = [timer for timer in self._timers if timer.when() > now and not timer.cancelled()]
        self._timers.append(asyncio.get_running_loop().call_at(due, call))


def truncated(text: str, rng: random.Random) -> str:
    """The beginning of a text, at least one character of it missing.

    >>> truncated('{"a":1}', random.Random(1))
    '{"'
    """
    return text[: rng.randrange(1, len(text))] if len(text) > 1 else ""


def corrupted(text: str, rng: random.Random) -> str:
    """A text with control characters in it, as no JSON may hold.

    >>> any(char < " " for char in corrupted('{"a":1}', random.Random(1)))
    True
    """
    chars = list(text)
    for _ in range(rng.randint(1, _MOST_CORRUPT_CHARS)):
        chars[rng.randrange(len(chars))] = rng.choice(_CONTROL_CHARS)
    return "".join(chars)
