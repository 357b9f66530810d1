"""A websocket without a task between the network and its owner.

aiohttp shakes hands. Its own way to a message then is a parser, a queue, a future, and a task that the loop wakes up
in its next round; for an order that answers a message, all of that is waiting. Here messages are handed over while
the loop delivers their bytes, and what is sent reaches the kernel before `send` returns; under TLS with uvloop, when
the round is over.

Whatever is not simply a message stays aiohttp's: its parser puts together those that come in parts and tells what is
against the protocol, and control frames end up in `receive`, which answers pings and returns when the connection
ends.

This leans on how aiohttp's websockets are made, not only on what it promises: pyproject.toml names the versions that
have been read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import aiohttp
from aiohttp._websocket.reader import WebSocketDataQueue
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import WebSocketReader, WebSocketWriter

from mlthon._core.websocket_frame import MessageWriter
from mlthon._core.websocket_reader import MessageReader

__all__ = ["PromptWebSocket"]

_DATA = (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY)


class PromptWebSocket(aiohttp.ClientWebSocketResponse):
    """What a session made with ``ws_response_class=PromptWebSocket`` returns from `ws_connect`."""

    def __init__(
        self, reader: WebSocketDataQueue, writer: WebSocketWriter, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(reader, writer, *args, **kwargs)
        assert writer.transport is not None
        self._control = reader
        self._connection = cast(ResponseHandler, writer.protocol)
        self._transport = writer.transport
        self.send = MessageWriter(self._transport).send
        """Write one text message now; raises ConnectionError when it was certainly not sent, and BufferError when it
        was written, but the peer has stopped reading."""
        self._early = _EarlyBytes()
        self._messages: MessageReader | None = None
        self._connection.set_parser(self._early, reader)  # which takes what came together with the handshake
        if self._transport.get_extra_info("sslcontext") is None:
            # uvloop collects what is written until the loop's round is over, but for what exceeds this limit.
            # (The stream that carries TLS has a limit of its own, which cannot be reached from here.)
            self._transport.set_write_buffer_limits(high=0)

    @property
    def handed_over(self) -> int:
        """How many messages."""
        return 0 if self._messages is None else self._messages.messages

    @property
    def redirected_to(self) -> str | None:
        """Where the handshake was sent on to before it succeeded: aiohttp follows, asked or not. None: nowhere."""
        return str(self._response.url.origin()) if self._response.history else None

    def hand_over(
        self,
        on_message: Callable[[bytes, int], None],
        on_error: Callable[[Exception], None],
        now_ns: Callable[[], int],
        max_message_bytes: int,
    ) -> None:
        """Begin to hand over messages, each with the time by `now_ns`; first those that have already come.

        Has to be called as soon as `ws_connect` returns, before anything else is awaited. What `on_message` raises
        goes to `on_error`, or comes out of `receive` where it is no Exception; no message follows.
        """

        control = self._control

        def failed(error: BaseException) -> None:
            if isinstance(error, Exception):
                on_error(error)
            else:
                control.set_exception(error)

        messages = self._messages = MessageReader(on_message, failed, now_ns, max_message_bytes)
        inbox = _Inbox(self._connection, max_message_bytes, loop=self._loop)
        inbox.messages, inbox.control = messages, control
        messages.full = self._parser = WebSocketReader(
            inbox, max_message_bytes, compress=False, decode_text=False
        )
        self._connection.set_parser(self._parser, inbox)  # which hear of the end
        self._connection.data_received = messages.feed  # type: ignore[method-assign]
        self._transport.set_protocol(self._connection)  # a loop may look its methods up only now
        messages.feed(self._early.data)

    def hush(self) -> None:
        """Hand over nothing more; `receive` goes on until the connection has ended."""
        if self._messages is not None:
            self._messages.hush()


class _EarlyBytes:
    """In a parser's place: keeps what comes before somebody is there to take it."""

    def __init__(self) -> None:
        self.data = b""

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self.data += data
        return False, b""

    def feed_eof(self) -> None:
        """Leave it to the next read to find the connection closed."""


class _Inbox(WebSocketDataQueue):
    """Where aiohttp's parser puts messages: data is delivered, all else goes to the queue that `receive` reads."""

    messages: MessageReader
    control: WebSocketDataQueue

    def feed_data(self, message: Any, size: int) -> None:
        if message.type in _DATA:
            self.messages.deliver(message.data)
        else:
            self.control.feed_data(message, size)

    def feed_eof(self) -> None:
        self.messages.hush()  # which lets its owner go
        self.control.feed_eof()

    def set_exception(self, *error: Any) -> None:
        self.control.set_exception(*error)
