"""BybitFaults: where the faults of a plan come in, one seam a channel.

    websockets      FaultyConnection    every message, in both directions
    REST            a middleware        every request, before and after it is carried out
    the clock       BybitFaults.clock   what the protocol's side of the venue takes for the time

The rest of the venue knows nothing of faults, and a venue without a fault plan has none of this in its way.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter, deque
from collections.abc import Callable, Collection

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from mlthon._core.market_event import PublicTrade
from mlthon.basics.defs import Side
from mlthon.venues.bybit.connection import Connection
from mlthon.venues.bybit.faulty_connection import FaultyConnection, channel_of, no_quota
from mlthon.venues.bybit.limits import VenueLimits
from mlthon.venues.bybit.seams import Venue
from mlthon.venues.bybit.wire import to_ms
from mlthon.venues.faults.injector import FaultInjector, Injected, Injection
from mlthon.venues.faults.lines import corrupted, truncated
from mlthon.venues.faults.plan import (
    Channel,
    Corrupt,
    Cut,
    Delay,
    Direction,
    Drop,
    FaultPlan,
    Hang,
    HttpError,
    LoseAck,
    Refuse,
    Throttle,
    Truncate,
)

__all__ = ["BybitFaults"]


class BybitFaults:
    """One fault plan for one `BybitVenue`; what was injected can be read at any time.

    It is carried out from the venue's start to its end, or from `begin` on where it is not `at_once`.
    """

    def __init__(self, plan: FaultPlan, *, at_once: bool = True) -> None:
        self._at_once = at_once
        self._injector = FaultInjector(plan)
        self._connections: set[FaultyConnection] = set()
        self._hung: set[asyncio.Future[None]] = set()  # REST requests that will not be answered
        self._venue: Venue | None = None
        self._now_ns: Callable[[], int] = lambda: 0

    @property
    def counts(self) -> Counter[str]:
        """How many faults were injected, by name."""
        return self._injector.counts

    @property
    def injected(self) -> deque[Injected]:
        """The faults that were injected last, the oldest first."""
        return self._injector.injected

    def clock(self, now_ns: Callable[[], int]) -> Callable[[], int]:
        """The clock of the venue's servers, as wrong as the plan wants it."""
        self._now_ns = self._injector.clock(now_ns)
        return self._now_ns

    def start(self, venue: Venue) -> None:
        self._venue = venue
        if self._at_once:
            self.begin()

    def begin(self) -> None:
        """Inject from now on, which is the time that `at_s` counts from."""
        self._injector.start(self)

    def stop(self) -> None:
        """Inject nothing more, and end what stands; what hangs is hung up on."""
        self._injector.stop()
        for waiting in self._hung:
            if not waiting.done():
                waiting.set_result(None)
        for connection in tuple(self._connections):
            if connection.hangs:
                connection.drop()

    # -- the venue as a whole ----------------------------------------------------------------------------------

    def restart(self, *, drop_connections: bool) -> None:
        self._target.restart(drop_connections=drop_connections)

    def drop_connections(self, channels: Collection[Channel]) -> None:
        for connection in tuple(self._connections):
            if connection.channel in channels:
                connection.drop()

    def begin_maintenance(self) -> None:
        self._target.begin_maintenance()

    def end_maintenance(self) -> None:
        self._target.end_maintenance()

    def fill_an_order(self, rng: random.Random) -> bool:
        """Let the market trade with one of the clients' open orders; returns whether there is one."""
        exchange = self._target.exchange
        resting = [order for account in self._target.accounts for order in exchange.open_orders(account)]
        if not resting:
            return False
        order = rng.choice(resting)
        assert order.price is not None, "a market order never rests"
        taker_side = Side.Sell if order.side is Side.Buy else Side.Buy
        qty = exchange.qty_ahead(order) + order.leaves_qty
        exchange.apply_trade(order.symbol, PublicTrade(taker_side, order.price, qty, venue_ns=self._now_ns()))
        return True

    @property
    def _target(self) -> Venue:
        assert self._venue is not None, "faults are injected between start and stop"
        return self._venue

    # -- websockets --------------------------------------------------------------------------------------------

    def connection(self, request: web.Request, limits: VenueLimits, idle_s: float | None) -> Connection:
        """A connection of which every message passes the plan."""
        connection = FaultyConnection(
            request, limits, idle_s, self._injector, self._now_ns, self._connections.discard
        )
        self._connections.add(connection)
        return connection

    # -- REST --------------------------------------------------------------------------------------------------

    def middleware(self) -> Middleware:
        """What every request passes; during an outage websockets are turned away here too."""

        @web.middleware
        async def serve(request: web.Request, handler: Handler) -> web.StreamResponse:
            channel = channel_of(request.path)
            if self._injector.is_unreachable(channel):
                return _status(503)
            return await (self._serve(request, handler) if channel is Channel.Rest else handler(request))

        return serve

    async def _serve(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        kind = request.path.removeprefix("/v5/").replace("/", ".")
        injection = self._injector.on_message(Channel.Rest, Direction.In, kind)
        if injection is not None and not isinstance(injection.fault, Delay):
            return await self._spoil(request, None, injection)
        if injection is not None and isinstance(injection.fault, Delay):
            await asyncio.sleep(injection.fault.delay_ms / 1_000)
        answer = await handler(request)
        injection = self._injector.on_message(Channel.Rest, Direction.Out, kind)
        return answer if injection is None else await self._spoil(request, answer, injection)

    async def _spoil(
        self, request: web.Request, answer: web.StreamResponse | None, injection: Injection
    ) -> web.StreamResponse:
        """Answer otherwise than the venue would, and where it has not been asked, without asking it."""
        fault, rng = injection.fault, injection.rng
        if isinstance(fault, HttpError):
            return _status(fault.status)
        if isinstance(fault, Refuse | Throttle):
            return self._refusal(fault)
        if isinstance(fault, Hang):
            await self._leave_waiting()
        if answer is None or isinstance(fault, Drop | LoseAck | Hang):
            return _hung_up(request)
        assert isinstance(answer, web.Response) and isinstance(answer.body, bytes)
        if isinstance(fault, Delay):
            await asyncio.sleep(fault.delay_ms / 1_000)
        elif isinstance(fault, Cut):
            return await _cut_short(request, answer.body, rng)
        else:
            assert isinstance(fault, Truncate | Corrupt), fault
            change = truncated if isinstance(fault, Truncate) else corrupted
            answer.body = change(answer.body.decode(), rng).encode()
        return answer

    def _refusal(self, fault: Refuse | Throttle) -> web.Response:
        body = {"retCode": fault.code, "retMsg": fault.text, "result": {}, "retExtInfo": {}}
        now_ms = to_ms(self._now_ns())
        headers = no_quota(now_ms) if isinstance(fault, Throttle) else {}
        content = orjson.dumps(body | {"time": now_ms})
        return web.Response(body=content, content_type="application/json", headers=headers)

    async def _leave_waiting(self) -> None:
        """Wait until the client goes away, or the faults are stopped."""
        waiting = asyncio.get_running_loop().create_future()
        self._hung.add(waiting)
        try:
            await waiting
        finally:
            self._hung.discard(waiting)


def _status(status: int) -> web.Response:
    """An answer that no venue gave but something in front of it."""
    return web.Response(status=status, content_type="text/html", text=f"<html><body>{status}</body></html>")


def _hung_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _cut_short(request: web.Request, body: bytes, rng: random.Random) -> web.StreamResponse:
    """Promise a whole answer, send a part of it, and hang up."""
    answer = web.StreamResponse(
        headers={"Content-Length": str(len(body)), "Content-Type": "application/json"}
    )
    await answer.prepare(request)
    await answer.write(body[: rng.randrange(len(body))])
    if request.transport is not None:
        request.transport.close()
    return answer
