"""A wire between a client and a venue that a test can meddle with: hold, drop, repeat, change, cut.

Websocket messages and REST answers pass it one by one, unchanged unless the test says otherwise.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import astuple

import aiohttp
import orjson
from aiohttp import WSMsgType, web
from bybit_client import Json
from yarl import URL

from mlthon.venues.bybit import Endpoints

Change = Callable[[Json], list[Json]]
"""What becomes of a message: nothing, itself, another, several."""


class Line:
    """One client's websocket, both ends of it."""

    def __init__(
        self, request: web.Request, client: web.WebSocketResponse, venue: aiohttp.ClientWebSocketResponse
    ) -> None:
        self.request = request
        self.client = client
        self.venue = venue

    def cut(self) -> None:
        if self.request.transport is not None:
            self.request.transport.abort()


class MeddlingWire:
    """Listens where the client connects. Channels are ``"private"``, ``"trade"``, ``"public/linear"`` and so on."""

    def __init__(self) -> None:
        self.to_client: dict[str, Change] = {}  # by channel, or path of a REST request
        self.to_venue: dict[str, Change] = {}  # websocket requests, by channel
        self.query_changes: dict[
            str, Callable[[dict[str, str]], dict[str, str]]
        ] = {}  # of public GETs, by path
        self.asked: dict[str, int] = defaultdict(int)  # REST requests, by path
        self.opened: dict[str, int] = defaultdict(int)  # websockets, by channel
        self.refused: set[str] = set()  # channels on which nobody gets through
        self.turned_away: dict[str, int] = defaultdict(int)  # those who tried, by channel
        self._lines: dict[str, list[Line]] = defaultdict(list)
        self.venue: Endpoints
        self.http: aiohttp.ClientSession
        self._runner: web.AppRunner

    async def start(self, venue: Endpoints) -> Endpoints:
        """Listen in front of a venue; returns where."""
        self.venue = venue
        self.http = aiohttp.ClientSession(skip_auto_headers=["Content-Type"])
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        port = self._runner.addresses[0][1]
        there = str(URL(venue.rest).port)
        return Endpoints(*(address.replace(f":{there}", f":{port}", 1) for address in astuple(venue)))

    async def close(self) -> None:
        for channel in self._lines:
            self.cut(channel)
        await self._runner.cleanup()
        await self.http.close()

    def cut(self, channel: str) -> None:
        """End every line of a channel, without a word."""
        for line in tuple(self._lines[channel]):
            line.cut()

    async def send(self, channel: str, message: Json | str) -> None:
        """Say something to the client that the venue has not said, or has said earlier."""
        (line,) = self._lines[channel]
        await line.client.send_str(message if isinstance(message, str) else orjson.dumps(message).decode())

    def close_off(self, *channels: str) -> None:
        """End the lines of these channels, and let nobody through until they are taken off `refused`."""
        self.refused.update(channels)
        for channel in channels:
            self.cut(channel)

    def hold(self, channel: str) -> list[Json]:
        """Keep what the venue says from now on: returns the list it is put in."""
        held: list[Json] = []

        def keep(message: Json) -> list[Json]:
            held.append(message)
            return []

        self.to_client[channel] = keep
        return held

    async def release(self, channel: str, messages: list[Json]) -> None:
        """Let messages through again, after these."""
        del self.to_client[channel]
        for message in messages:
            await self.send(channel, message)

    # -- details ---------------------------------------------------------------------------------------------

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._pass_messages(request)
        return await self._pass_request(request)

    async def _pass_request(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        self.asked[path] += 1
        query = request.rel_url.raw_query_string
        if path in self.query_changes:
            query = URL.build(query=self.query_changes[path](dict(request.query))).raw_query_string
        url = URL(f"{self.venue.rest}{path}" + (f"?{query}" if query else ""), encoded=True)
        headers = {k: v for k, v in request.headers.items() if k.upper().startswith("X-BAPI")}
        async with self.http.request(
            request.method, url, data=await request.read() or None, headers=headers
        ) as answer:
            body, kept = (
                await answer.read(),
                {k: v for k, v in answer.headers.items() if k.startswith("X-Bapi")},
            )
            if path in self.to_client:
                changed = self.to_client[path](orjson.loads(body))
                if not changed:
                    assert request.transport is not None
                    request.transport.abort()
                    return web.Response()
                body = orjson.dumps(changed[0])
            return web.Response(
                body=body, status=answer.status, headers=kept, content_type="application/json"
            )

    async def _pass_messages(self, request: web.Request) -> web.StreamResponse:
        channel = request.path.removeprefix("/v5/")
        if channel in self.refused:
            self.turned_away[channel] += 1
            return web.Response(status=503)
        client = web.WebSocketResponse()
        await client.prepare(request)
        there = f"{self.venue.rest.replace('http', 'ws', 1)}{request.rel_url}"
        async with self.http.ws_connect(there) as venue:
            line = Line(request, client, venue)
            self._lines[channel].append(line)
            self.opened[channel] += 1
            back = asyncio.create_task(self._pass_back(channel, line))
            try:
                await self._pass_on(channel, line)
            finally:
                self._lines[channel].remove(line)
                back.cancel()
                await asyncio.gather(back, return_exceptions=True)
        return client

    async def _pass_on(self, channel: str, line: Line) -> None:
        async for frame in line.client:
            if frame.type is WSMsgType.TEXT:
                for text in _changed(self.to_venue.get(channel), frame.data):
                    await line.venue.send_str(text)

    async def _pass_back(self, channel: str, line: Line) -> None:
        async for frame in line.venue:
            if frame.type is WSMsgType.TEXT:
                for text in _changed(self.to_client.get(channel), frame.data):
                    await line.client.send_str(text)
        await line.client.close()


def _changed(change: Change | None, text: str) -> list[str]:
    if change is None:
        return [text]
    return [orjson.dumps(message).decode() for message in change(orjson.loads(text))]
