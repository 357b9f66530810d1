"""What a run prints: lines and tables for people, one line of JSON for programs."""

from __future__ import annotations

import os
import sys
from typing import Any, TextIO

import orjson
from rich.console import Console, RenderableType

from mlthon.errors import ConfigError

__all__ = ["Output"]


class Output:
    """Text for people goes to stdout; with ``as_json`` to stderr, so that stdout ends in one JSON object.

    A reader that goes away (``| head``) ends the output, never the run: there are orders to look after.
    """

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._programs = sys.stdout
        self._people = sys.stderr if as_json else sys.stdout

    def line(self, text: str) -> None:
        """Print a line for people."""
        _write(self._people, text + "\n")

    def show(self, table: RenderableType) -> None:
        """Print a table for people."""
        console = Console(file=self._people, highlight=False)
        with console.capture() as capture:
            console.print(table)
        _write(self._people, capture.get())

    def result(self, value: dict[str, Any]) -> None:
        """Print the result for programs, if that was asked for; raises ConfigError where it cannot be written."""
        if self._as_json:
            error = _write(self._programs, orjson.dumps(value).decode() + "\n")
            if error is not None and not isinstance(error, BrokenPipeError):  # that reader wanted no more
                raise ConfigError(f"stdout: cannot write the result: {error.strerror}")


def _write(stream: TextIO, text: str) -> OSError | None:
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        # Nobody reads it. Let what is still buffered go nowhere too, or the interpreter complains at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return error
    return None
