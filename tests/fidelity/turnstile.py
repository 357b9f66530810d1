"""Every message between the venue and its client waits here until the moment at which it is to arrive.

The sockets are real, and what passes them passes at once. What the clock decides is when the venue is handed a
request, and when an answer or news is put on its socket; both in a fixed order. So the delays are those of a
backtest, and so are the ties:

* private: requests that arrive, and all that comes back of them, by their time and then as they came;
* news: what the public stream tells, likewise, when nothing private is due.

It is the venue's `FaultSeams`, of which it uses the connections and the middleware.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace

import aiohttp
from aiohttp import WSMsgType, web
from aiohttp.typedefs import Handler, Middleware

from mlthon.engine.clock import ManualClock
from mlthon.venues.bybit.connection import Connection, Session
from mlthon.venues.bybit.limits import VenueLimits
from mlthon.venues.bybit.seams import Venue

__all__ = ["Delays", "Turnstile"]

_Step = Callable[[], Awaitable[None]]
_PUBLIC, _WEBSOCKETS = "/v5/public", ("/v5/public", "/v5/private", "/v5/trade")


@dataclass(frozen=True, slots=True)
class Delays:
    """How long messages take, in nanoseconds: news, requests, and what comes back of requests."""

    feed_ns: int = 0
    order_ns: int = 0
    response_ns: int = 0


class Turnstile:
    """Open, it lets everything pass; once `close` was called, one message at a time, when `pass_next` is."""

    def __init__(self, clock: ManualClock, delays: Delays) -> None:
        self._clock = clock
        self._delays = delays
        self._private: list[tuple[int, int, _Step]] = []
        self._news: deque[tuple[int, _Step]] = deque()
        self._count = 0
        self._is_closed = False
        self._connections: set[TurnstileConnection] = set()
        self._held: set[asyncio.Future[None]] = set()  # of HTTP: requests and answers that wait
        self._on_the_way = 0  # requests and answers of HTTP that have left one side and not reached the other
        self._nothing_on_the_way = asyncio.Event()
        self._nothing_on_the_way.set()
        self._requests = 0  # that have come in

    def close(self) -> None:
        """Let nothing pass by itself from now on."""
        self._is_closed = True

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    # -- what waits --------------------------------------------------------------------------------------------

    @property
    def private_due_ns(self) -> int | None:
        return self._private[0][0] if self._private else None

    @property
    def news_due_ns(self) -> int | None:
        return self._news[0][0] if self._news else None

    @property
    def last_news_ns(self) -> int:
        """When the last of the news that wait is due; 0 when there are none."""
        return self._news[-1][0] if self._news else 0

    async def pass_private(self) -> None:
        """Let the next request arrive, or the next answer."""
        _, _, step = heapq.heappop(self._private)
        await step()

    async def pass_news(self) -> None:
        """Let the next message of the public stream out."""
        _, step = self._news.popleft()
        await step()

    async def settle(self) -> None:
        """Return when nothing is on its way: ask every socket until a full round brings no request.

        A round asks the sockets that tell first, and that of requests last: what the former have caused has then
        been written to the latter before it answers.
        """
        while True:
            before = self._requests
            tell = [each for each in self._connections if not each.is_for_requests]
            await asyncio.gather(*(each.ping() for each in tell))
            await asyncio.gather(*(each.ping() for each in self._connections if each.is_for_requests))
            await self._nothing_on_the_way.wait()
            if self._requests == before:
                return

    # -- what comes to wait ------------------------------------------------------------------------------------

    def arrive(self, hand_in: Callable[[], None]) -> None:
        """Hand a request to the venue when it is due."""
        self._requests += 1

        async def step() -> None:
            hand_in()

        self._wait(self._delays.order_ns, step)

    def answer(self, step: _Step) -> None:
        """Put something on the way to the client, when it is due."""
        self._wait(self._delays.response_ns, step)

    def news(self, step: _Step) -> None:
        """Put something that everybody is told on its way."""
        self._news.append((self._clock.now_ns() + self._delays.feed_ns, step))

    def _wait(self, delay_ns: int, step: _Step) -> None:
        self._count += 1
        heapq.heappush(self._private, (self._clock.now_ns() + delay_ns, self._count, step))

    # -- the seams of the venue --------------------------------------------------------------------------------

    def clock(self, now_ns: Callable[[], int]) -> Callable[[], int]:
        return now_ns

    def connection(
        self, request: web.Request, limits: VenueLimits, idle_s: float | None
    ) -> TurnstileConnection:
        connection = TurnstileConnection(request, limits, idle_s, self)
        self._connections.add(connection)
        return connection

    def start(self, venue: Venue) -> None:
        """Nothing begins by itself."""

    def stop(self) -> None:
        """Let everything pass, so that all can end."""
        self._is_closed = False
        for waiting in [*self._held]:
            self._go_on(waiting)

    def middleware(self) -> Middleware:
        @web.middleware
        async def wait(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not self._is_closed or request.path.startswith(_WEBSOCKETS):
                return await handler(request)
            await request.read()
            entered = self._hold()
            self.arrive(partial(self._go_on, entered))
            await entered
            response = await handler(request)
            if not self._is_closed:
                return response
            left = self._hold()

            async def leave() -> None:
                self._go_on(left)

            self.answer(leave)
            await left
            return response

        return wait

    def _hold(self) -> asyncio.Future[None]:
        """What something that has come in waits for."""
        self._has_come()
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._held.add(waiting)
        return waiting

    def _go_on(self, waiting: asyncio.Future[None]) -> None:
        self._has_left()
        self._held.discard(waiting)
        waiting.set_result(None)

    def _has_left(self) -> None:
        self._on_the_way += 1
        self._nothing_on_the_way.clear()

    def _has_come(self) -> None:
        self._on_the_way -= 1
        if not self._on_the_way:
            self._nothing_on_the_way.set()

    def tracing(self) -> aiohttp.TraceConfig:
        """What a client's HTTP session has to be given before its first request."""

        async def started(_session: aiohttp.ClientSession, _context: SimpleNamespace, _: object) -> None:
            self._has_left()

        async def ended(_session: aiohttp.ClientSession, _context: SimpleNamespace, _: object) -> None:
            self._has_come()

        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(started)
        trace.on_request_end.append(ended)
        trace.on_request_exception.append(ended)
        trace.freeze()
        return trace


class TurnstileConnection(Connection):
    """A websocket on which nothing passes by itself once the turnstile is closed."""

    def __init__(
        self, request: web.Request, limits: VenueLimits, idle_s: float | None, turnstile: Turnstile
    ) -> None:
        super().__init__(request, limits, idle_s)
        self._socket = web.WebSocketResponse(
            max_msg_size=limits.message_bytes, receive_timeout=idle_s, compress=False, autoping=False
        )
        self._turnstile = turnstile
        self._is_public = request.path.startswith(_PUBLIC)
        self.is_for_requests = request.path == "/v5/trade"
        self._pong = asyncio.Event()

    def send(self, text: str) -> None:
        if not self._turnstile.is_closed:
            super().send(text)
            return
        put = partial(self._socket.send_str, text)
        if self._is_public:
            self._turnstile.news(put)
        else:
            self._turnstile.answer(put)

    async def ping(self) -> None:
        """Return when the client has handled all that was sent to it, and the venue all that the client sent."""
        self._pong.clear()
        await self._socket.ping()
        await self._pong.wait()

    async def _read(self, session: Session) -> None:
        while True:
            frame = await self._socket.receive()
            if frame.type is WSMsgType.PONG:
                self._pong.set()
            elif frame.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                self._take(session, frame.data)
            else:
                return

    def _take(self, session: Session, data: bytes | str) -> None:
        take = partial(super()._take, session, data)
        if self._turnstile.is_closed:
            self._turnstile.arrive(take)
        else:
            take()
