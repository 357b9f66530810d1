"""Where a fault plan would come in. A venue without one has none of it in its way."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from aiohttp import web
from aiohttp.typedefs import Middleware

from mlthon.sim.account import Account
from mlthon.sim.exchange import SimExchange
from mlthon.venues.bybit.connection import Connection
from mlthon.venues.bybit.limits import VenueLimits

__all__ = ["FaultSeams", "Venue"]


class Venue(Protocol):
    """A venue, as far as faults concern it as a whole."""

    @property
    def exchange(self) -> SimExchange: ...

    @property
    def accounts(self) -> Collection[Account]: ...

    def restart(self, *, drop_connections: bool = True) -> None: ...

    def begin_maintenance(self) -> None: ...

    def end_maintenance(self) -> None: ...


class FaultSeams(Protocol):
    """What a venue asks of its faults: `mlthon.venues.bybit.faults.BybitFaults` is one."""

    def clock(self, now_ns: Callable[[], int]) -> Callable[[], int]: ...

    def connection(self, request: web.Request, limits: VenueLimits, idle_s: float | None) -> Connection: ...

    def middleware(self) -> Middleware: ...

    def start(self, venue: Venue) -> None:
        """The venue listens from now on."""

    def stop(self) -> None:
        """The venue goes."""
