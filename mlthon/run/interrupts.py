"""Ctrl-C and termination, as events that a run can wait for."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

__all__ = ["Interrupts", "interrupted"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(slots=True)
class Interrupts:
    """What the user has asked for so far."""

    stop: asyncio.Event = field(default_factory=asyncio.Event)  #: wind down
    hurry: asyncio.Event = field(default_factory=asyncio.Event)  #: wait for nothing any more


@contextmanager
def interrupted() -> Iterator[Interrupts]:
    """Within the block, the first SIGINT, SIGTERM or SIGHUP asks to stop, the second to hurry.

    A third acts as if unhandled, so that a run that hangs can still be ended by hand.
    """
    loop = asyncio.get_running_loop()
    interrupts = Interrupts()

    def on_signal() -> None:
        if not interrupts.stop.is_set():
            interrupts.stop.set()
            return
        interrupts.hurry.set()
        for number in _SIGNALS:
            loop.remove_signal_handler(number)

    for number in _SIGNALS:
        loop.add_signal_handler(number, on_signal)
    try:
        yield interrupts
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
