"""The event log: every request of a strategy and every callback it was given, as JSON lines.

Each line is ``{"engine_ns": ..., "kind": "request" | "callback", "name": ..., "args": {...}}``. Prices and
quantities are text, enum members their names, instruments their names, orders their client ids. Parameters of
callbacks carry their published names.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import orjson

from mlthon._core.dispatch import CALLBACKS
from mlthon.api.istrat_env import IStratEnv
from mlthon.api.istrategy import IStrategy
from mlthon.basics.mlt_enum import MltEnum
from mlthon.errors import ConfigError
from mlthon.instruments.instrument import Instrument
from mlthon.order.order import Order

__all__ = ["EventLog"]

_PARAMETERS = {name: tuple(inspect.signature(getattr(IStrategy, name)).parameters)[1:] for name in CALLBACKS}


class EventLog:
    """A journal that writes each record to a file before the engine acts on it. A context manager."""

    def __init__(self, path: Path) -> None:
        try:
            self._file: BinaryIO = path.open("wb")
        except OSError as error:
            raise ConfigError(f"event log: cannot write {path}: {error.strerror}") from error

    def __enter__(self) -> EventLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def record_request(self, engine_ns: int, name: str, arguments: Mapping[str, object]) -> None:
        self._write(engine_ns, "request", name, arguments)

    def record_callback(self, engine_ns: int, name: str, arguments: Sequence[object]) -> None:
        self._write(engine_ns, "callback", name, dict(zip(_PARAMETERS[name], arguments, strict=False)))

    def _write(self, engine_ns: int, kind: str, name: str, arguments: Mapping[str, object]) -> None:
        plain = {key: _plain(value) for key, value in arguments.items()}
        record = {"engine_ns": engine_ns, "kind": kind, "name": name, "args": plain}
        self._file.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))


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
