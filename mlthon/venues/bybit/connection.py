"""One client's websocket: whole JSON objects in, messages out through a bounded outbox.

Sending never blocks and never awaits, so the market and the exchange run on at their own pace. A client that does
not read for so long that its outbox is full is cut off; it is told nothing, because it would not read that either.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Callable
from typing import Protocol

import orjson
from aiohttp import WSMsgType, web

from mlthon.venues.bybit.limits import VenueLimits

_log = logging.getLogger(__name__)


class Session(Protocol):
    """What one of the three streams does with a connection's messages."""

    def on_message(self, message: dict[str, object]) -> None: ...

    def on_malformed(self, reason: str) -> None:
        """A message that is not a JSON object came; the connection stays open."""

    def on_closed(self) -> None: ...


class Connection:
    """A client's websocket, from its handshake to its end."""

    def __init__(self, request: web.Request, limits: VenueLimits, idle_s: float | None) -> None:
        self.id = secrets.token_hex(10)
        self.address = request.remote or ""
        self._request = request
        self._socket = web.WebSocketResponse(
            max_msg_size=limits.message_bytes, receive_timeout=idle_s, compress=False, timeout=1.0
        )
        self._limit = limits.outbox_bytes
        self._outbox: deque[str] = deque()
        self._unread = 0
        self._filled = asyncio.Event()
        self._ended = False

    def send(self, text: str) -> None:
        """Queue one message; cut the connection when the client is too far behind."""
        if self._ended:
            return
        self._outbox.append(text)
        self._unread += len(text)
        if self._unread > self._limit:
            self._cut(f"more than {self._limit} bytes unread")
        self._filled.set()

    def send_json(self, message: object) -> None:
        self.send(orjson.dumps(message).decode())

    async def run(self, open_session: Callable[[Connection], Session]) -> web.WebSocketResponse:
        """Serve until either side closes."""
        await self._socket.prepare(self._request)
        session = open_session(self)
        writer = asyncio.create_task(self._write())
        try:
            await self._read(session)
        finally:
            self._ended = True
            session.on_closed()
            writer.cancel()
            await asyncio.wait({writer})
        if not writer.cancelled():
            writer.result()
        return self._socket

    def drop(self) -> None:
        """End the connection without a word, as a server that dies does."""
        self._ended = True
        self._outbox.clear()
        if self._request.transport is not None:
            self._request.transport.abort()

    async def close(self) -> None:
        """Tell the client that the venue is going away."""
        self._ended = True
        if self._socket.prepared:
            await self._socket.close(code=1001, message=b"the venue is closing")

    async def _read(self, session: Session) -> None:
        while True:
            try:
                frame = await self._socket.receive()
            except TimeoutError:
                await self._socket.close(code=1000, message=b"idle for too long")
                return
            if frame.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                return  # closed, or broken beyond the websocket protocol: aiohttp has answered
            self._take(session, frame.data)

    def _take(self, session: Session, data: bytes | str) -> None:
        try:
            message = orjson.loads(data)
        except orjson.JSONDecodeError as broken:
            session.on_malformed(f"not JSON: {broken}")
            return
        if isinstance(message, dict):
            session.on_message(message)
        else:
            session.on_malformed(f"expected a JSON object, got {type(message).__name__}")

    async def _write(self) -> None:
        try:
            while True:
                await self._filled.wait()
                self._filled.clear()
                while self._outbox:
                    text = self._outbox.popleft()
                    self._unread -= len(text)
                    await self._socket.send_str(text)
        except ConnectionError:
            self._ended = True  # the reader sees the end too, and tidies up

    def _cut(self, why: str) -> None:
        _log.warning("connection %s cut: %s", self.id, why)
        self.drop()
