"""Maintenance: what the venue announces of it, and the requests that it does not take meanwhile.

While it lasts, order entry by websocket answers 10019 and every private REST request 10016, as Bybit does when a
service restarts; market data and the private stream go on. It is announced by REST and on ``system.status``, when it
begins and when it ends.
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from mlthon.venues.bybit.connection import Connection
from mlthon.venues.bybit.errors import ApiError, RetCode
from mlthon.venues.bybit.order_messages import Json
from mlthon.venues.bybit.params import Params
from mlthon.venues.bybit.public_topics import Audience
from mlthon.venues.bybit.wire import to_ms

STATUS_TOPIC = "system.status"

_REMEMBERED = 100
_TRADING_AND_PRIVATE = [1, 2, 3, 4]  # the services that are concerned, in the venue's numbers
_FUTURES_AND_SPOT = [1, 2]
_PLANNED = 1
_PRODUCTION = 1


@dataclass(frozen=True, slots=True)
class Window:
    """One maintenance; `end_ms` is when it is expected to end, and then when it did."""

    id: str
    title: str
    begin_ms: int
    end_ms: int
    is_over: bool = False

    def row(self) -> Json:
        """As the venue tells of it."""
        return {
            "id": self.id,
            "title": self.title,
            "state": "completed" if self.is_over else "ongoing",
            "begin": str(self.begin_ms),
            "end": str(self.end_ms),
            "href": "",
            "serviceTypes": _TRADING_AND_PRIVATE,
            "product": _FUTURES_AND_SPOT,
            "uidSuffix": [],
            "maintainType": _PLANNED,
            "env": _PRODUCTION,
        }


class Maintenance:
    """Whether the venue is being maintained, and the topic that says so."""

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self.name = STATUS_TOPIC
        self._now_ns = now_ns
        self._windows: deque[Window] = deque(maxlen=_REMEMBERED)  # oldest first
        self._audience = Audience()

    @property
    def is_on(self) -> bool:
        return bool(self._windows) and not self._windows[-1].is_over

    def begin(self, title: str, expected_s: float) -> None:
        """Begin one; nothing happens when one is under way."""
        if self.is_on:
            return
        now_ms = to_ms(self._now_ns())
        self._windows.append(Window(str(uuid.uuid4()), title, now_ms, now_ms + int(expected_s * 1000)))
        self._announce()

    def end(self) -> None:
        """End the one under way, if one is."""
        if not self.is_on:
            return
        self._windows[-1] = replace(self._windows[-1], end_ms=to_ms(self._now_ns()), is_over=True)
        self._announce()

    def check(self, code: RetCode) -> None:
        """Raise ApiError with that code while the venue is being maintained."""
        if self.is_on:
            raise ApiError(code, "the service is restarting: try again later")

    def status(self, params: Params) -> Json:
        """The maintenances that are remembered, newest first: all, or the one of an id, or those of a state."""
        rows = [window.row() for window in reversed(self._windows)]
        for name in ("id", "state"):
            if params.is_given(name):
                rows = [row for row in rows if row[name] == params.text(name)]
        return {"list": rows}

    # -- as a topic --------------------------------------------------------------------------------------------

    def find(self, name: str) -> Maintenance | None:
        """The one topic of the status stream, by its name."""
        return self if name == self.name else None

    def add(self, connection: Connection) -> None:
        self._audience.add(connection)

    def remove(self, connection: Connection) -> None:
        self._audience.remove(connection)

    def _announce(self) -> None:
        ts_ms = to_ms(self._now_ns())
        self._audience.send({"topic": self.name, "ts": ts_ms, "data": [self._windows[-1].row()]})
