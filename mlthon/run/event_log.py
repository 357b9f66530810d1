"""The event log: every request of a strategy and every callback it was given, as JSON lines.

Each line is ``{"engine_ns": ..., "kind": "request" | "callback", "name": ..., "args": {...}}``. Prices and
quantities are text, enum members their names, instruments their names, orders their client ids. Parameters of
callbacks carry their published names.
"""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import orjson

from mlthon._core.callbacks import CALLBACKS
from mlthon.api.istrat_env import IStratEnv
from mlthon.api.istrategy import IStrategy
from mlthon.basics.mlt_enum import MltEnum
from mlthon.errors import ConfigError
from mlthon.instruments.instrument import Instrument
from mlthon.order.order import Order

__all__ = ["EventLog"]

log = logging.getLogger("mlthon.run")

_PARAMETERS = {name: tuple(inspect.signature(getattr(IStrategy, name)).parameters)[1:] for name in CALLBACKS}


class EventLog:
    """A journal that hands each request to the operating system before the engine acts on it. A context manager.

    A disk that fails must not stop a strategy from trading its way out: the log ends, a line says so at once, and
    leaving the context raises ConfigError.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file: BinaryIO = path.open("wb")
        except OSError as error:
            raise ConfigError(f"event log: cannot write {path}: {error.strerror}") from error
        self._path = path
        self._broken: OSError | None = None

    def __enter__(self) -> EventLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # what could not be written has been noted
            self._file.close()
        if self._broken is not None and error is None:
            raise ConfigError(f"event log: cannot write {self._path}: {self._broken.strerror}")

    def record_request(self, engine_ns: int, name: str, arguments: Mapping[str, object]) -> None:
        self._write(engine_ns, "request", name, arguments)
        self._flush()

    def record_callback(self, engine_ns: int, name: str, arguments: Sequence[object]) -> None:
        self._write(engine_ns, "callback", name, dict(zip(_PARAMETERS[name], arguments, strict=False)))

    def _write(self, engine_ns: int, kind: str, name: str, arguments: Mapping[str, object]) -> None:
        if self._broken is not None:
            return
        plain = {key: _plain(value) for key, value in arguments.items()}
        record = {"engine_ns": engine_ns, "kind": kind, "name": name, "args": plain}
        try:
            self._file.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
        except TypeError:  # an integer above 64 bits, or text that is no Unicode
            self._file.write(json.dumps(record).encode() + b"\n")
        except OSError as error:
            self._break(error)

    def _flush(self) -> None:
        try:
            self._file.flush()
        except OSError as error:
            self._break(error)

    def _break(self, error: OSError) -> None:
        if self._broken is None:
            self._broken = error
            log.error("event log: cannot write %s: %s", self._path, error.strerror)


def _plain(value: object) -> object:
    """A value as JSON has it."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, MltEnum):
        return value.name
    if isinstance(value, Instrument):
        return value.get_instrument_name()
    if isinstance(value, Order):
        return value.get_client_id()
    if isinstance(value, Mapping):
        return {str(key): _plain(member) for key, member in value.items()}
    if isinstance(value, IStratEnv):
        return "env"  # the one there is
    if isinstance(value, list | tuple):
        return [_plain(member) for member in value]
    return str(value)
