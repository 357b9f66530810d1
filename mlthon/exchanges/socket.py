"""A websocket that keeps itself connected, for any venue.

One task dials, waits for the end, and dials again after growing pauses. The owner hears of it in three plain calls,
in this order and never overlapping: ``on_open``, any number of ``on_message``, ``on_closed``.

A peer is not trusted: a message over the size limit, a missing pong, or a peer that stops reading ends the
connection. What was handed to `send` is written at once or not at all, and never again on a later connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket as sockets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

import aiohttp

from mlthon.errors import VenueUnreachable
from mlthon.exchanges.background import Background
from mlthon.exchanges.backoff import Backoff
from mlthon.exchanges.prompt_websocket import PromptWebSocket

__all__ = ["ReconnectingSocket", "SocketLimits", "SocketListener"]

log = logging.getLogger("mlthon.exchanges")

_CLOSE_HANDSHAKE_S = 1.0


class SocketListener(Protocol):
    """What a socket tells its owner."""

    def on_open(self) -> None:
        """Connected; `ReconnectingSocket.send` works from here on."""

    def on_message(self, data: bytes, recv_ns: int, /) -> None:
        """One whole message, stamped when it was read."""

    def on_closed(self, reason: str) -> None:
        """The connection that on_open announced is gone; another will be tried. Not called by `close`."""


@dataclass(frozen=True, slots=True)
class SocketLimits:
    """How long, how often, how much."""

    connect_timeout_ms: int = 10_000
    ping_interval_ms: int = 20_000
    pong_timeout_ms: int = 10_000  # silence after a ping that ends the connection
    first_pause_ms: int = 100  # before the second try
    longest_pause_ms: int = 30_000
    stable_after_ms: int = 10_000  # a connection that lived this long starts the pauses anew
    max_message_bytes: int = 4 * 2**20


class ReconnectingSocket:
    """A client websocket that comes back after every loss until it is closed.

    `http` gives the session to dial with, one whose websockets are of class `PromptWebSocket`; it is called inside
    the running loop. `ping` is the venue's own keep-alive message, sent every `SocketLimits.ping_interval_ms`; any
    message counts as the answer. An exception from the listener goes to the loop's exception handler, and ends the
    connection: what the message would have changed is then as unknown as after a loss.
    """

    def __init__(
        self,
        name: str,
        url: str,
        listener: SocketListener,
        *,
        http: Callable[[], aiohttp.ClientSession],
        ping: bytes,
        now_ns: Callable[[], int],
        limits: SocketLimits | None = None,
    ) -> None:
        self.name = name
        self._url = url
        self._listener = listener
        self._http = http
        self._ping = ping
        self._now_ns = now_ns
        self._limits = limits or SocketLimits()
        self._pauses = Backoff(self._limits.first_pause_ms, self._limits.longest_pause_ms)
        self._tasks = Background()
        self._started = False
        self._socket: PromptWebSocket | None = None
        self._life: asyncio.Timeout | None = None
        self._drop_reason: str | None = None
        self._opened = asyncio.Event()
        self._last_failure = "not tried yet"

    @property
    def is_open(self) -> bool:
        """Whether a message can be sent now."""
        return self._socket is not None and self._drop_reason is None

    def start(self) -> None:
        """Begin to dial; does nothing when already begun."""
        if not self._started:
            self._started = True
            self._tasks.spawn(self._run(), f"socket {self.name}")

    async def wait_open(self) -> None:
        """Wait for the first connection; raises VenueUnreachable after the connect timeout."""
        timeout_s = self._limits.connect_timeout_ms / 1_000
        try:
            async with asyncio.timeout(timeout_s):
                await self._opened.wait()
        except TimeoutError:
            raise VenueUnreachable(
                f"{self.name}: no connection within {timeout_s:g} s: {self._last_failure}"
            ) from None

    def send(self, data: bytes) -> bool:
        """Write one text message now; returns False when it was certainly not sent.

        True says that the bytes were handed to the operating system's buffers, not that anybody got them.
        """
        socket = self._socket
        if socket is None or self._drop_reason is not None:
            return False
        try:
            socket.send(data)
        except BufferError as error:
            self.drop(str(error))
        except ConnectionError as error:
            self.drop(f"cannot write: {error}")
            return False
        return True

    def drop(self, reason: str) -> None:
        """End the present connection, deliver nothing more from it, and dial again."""
        if self._socket is None or self._drop_reason is not None:
            return
        self._drop_reason = reason
        self._socket.hush()
        if self._life is not None:
            self._life.reschedule(asyncio.get_running_loop().time())

    async def close(self) -> None:
        """End the connection and stop dialling, without telling the listener; `start` begins anew."""
        await self._tasks.close()
        self._started = False
        self._opened.clear()

    # -- the one task ----------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            lived_s = await self._dial_and_read()
            if lived_s * 1_000 >= self._limits.stable_after_ms:
                self._pauses.reset()
            pause_s = self._pauses.next_s()
            log.warning("%s: %s; next try in %.2f s", self.name, self._last_failure, pause_s)
            await asyncio.sleep(pause_s)

    async def _dial_and_read(self) -> float:
        """Live through one connection; returns its length in seconds, 0 when there was none."""
        clock = asyncio.get_running_loop().time
        try:
            socket = await self._dial()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self._last_failure = f"cannot connect: {error or type(error).__name__}"
            return 0.0
        began = clock()
        self._socket, self._drop_reason = socket, None
        log.info("%s: connected", self.name)
        try:
            self._last_failure = await self._live(socket)
            self._socket = None
            socket.hush()
            self._tell(self._listener.on_closed, self._last_failure)
        finally:
            self._socket = self._life = None
            socket.hush()
            await _hang_up(socket)
        return clock() - began

    async def _dial(self) -> PromptWebSocket:
        async with asyncio.timeout(self._limits.connect_timeout_ms / 1_000):
            timeout = aiohttp.ClientWSTimeout(ws_close=_CLOSE_HANDSHAKE_S)
            socket = await self._http().ws_connect(self._url, timeout=timeout, decode_text=False)
            prompt = cast(PromptWebSocket, socket)
            if prompt.redirected_to is not None:  # what is said after this is for one host alone
                await _hang_up(prompt)
                raise aiohttp.ClientError(f"expected a websocket, got sent on to {prompt.redirected_to}")
            return prompt

    async def _live(self, socket: PromptWebSocket) -> str:
        """Let messages come until the connection ends; returns why it did."""
        keep_alive = self._tasks.spawn(self._keep_alive(socket), f"pings {self.name}")
        try:
            async with asyncio.timeout(None) as self._life:
                self._opened.set()
                self._tell(self._listener.on_open)
                if self._drop_reason is None:
                    socket.hand_over(
                        self._listener.on_message,
                        self._on_error,
                        self._now_ns,
                        self._limits.max_message_bytes,
                    )
                ended = await _end(socket)
                return self._drop_reason or ended
        except TimeoutError:
            return self._drop_reason or "timed out"
        finally:
            keep_alive.cancel()

    def _on_error(self, error: Exception) -> None:
        self._failed(self._listener.on_message, error)

    async def _keep_alive(self, socket: PromptWebSocket) -> None:
        """Ping, and end the connection when nothing at all comes back."""
        interval_s = self._limits.ping_interval_ms / 1_000
        timeout_s = self._limits.pong_timeout_ms / 1_000
        while True:
            await asyncio.sleep(max(interval_s - timeout_s, 0.0))
            heard = socket.handed_over
            self.send(self._ping)
            await asyncio.sleep(timeout_s)
            if socket.handed_over == heard:
                self.drop(f"silent for {timeout_s:g} s after a ping")

    def _tell(self, call: Callable[..., None], *arguments: object) -> None:
        try:
            call(*arguments)
        except Exception as error:
            self._failed(call, error)

    def _failed(self, call: Callable[..., None], error: Exception) -> None:
        what = f"{self.name}: {type(error).__name__} while handling {call.__name__}"
        asyncio.get_running_loop().call_exception_handler({"message": what, "exception": error})
        self.drop(what)


async def _end(socket: PromptWebSocket) -> str:
    """Wait until the peer closes the connection, or breaks the protocol; returns which."""
    message = await socket.receive()
    if message.type is aiohttp.WSMsgType.ERROR:
        return f"protocol error: {message.data}"
    return f"closed by the peer (code {socket.close_code})"


async def _hang_up(socket: PromptWebSocket) -> None:
    """Close politely, and by force where the peer does not take part."""
    raw = socket.get_extra_info("socket")
    try:
        async with asyncio.timeout(_CLOSE_HANDSHAKE_S):
            await socket.close()
    except TimeoutError:
        # Unsent data keeps a closing transport alive for as long as the peer pleases.
        if raw is not None:
            with contextlib.suppress(OSError):
                raw.shutdown(sockets.SHUT_RDWR)
