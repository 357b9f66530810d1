"""Ctrl-C and termination, as an event that a run can wait for."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["interrupted"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interrupted() -> Iterator[asyncio.Event]:
    """Within the block, the first SIGINT or SIGTERM sets the event; a second one acts as if unhandled.

    So that a run that hangs while winding down can still be ended by hand.
    """
    loop = asyncio.get_running_loop()
    event = asyncio.Event()

    def on_signal() -> None:
        event.set()
        for number in _SIGNALS:
            loop.remove_signal_handler(number)

    for number in _SIGNALS:
        loop.add_signal_handler(number, on_signal)
    try:
        yield event
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
