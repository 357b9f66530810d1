"""The reconnecting websocket, against peers that go away, go silent, or go mad."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from fake_bybit import FakeBybit, eventually

from mlthon.errors import VenueUnreachable
from mlthon.exchanges.prompt_websocket import PromptWebSocket
from mlthon.exchanges.socket import ReconnectingSocket, SocketLimits

PING = b'{"op":"ping"}'


class Recorder:
    """Remembers what a socket says."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.stamps: list[int] = []
        self.fail_on = b""

    def on_open(self) -> None:
        self.events.append("open")

    def on_message(self, data: bytes, recv_ns: int) -> None:
        assert isinstance(data, bytes)
        if self.fail_on and data == self.fail_on:
            raise RuntimeError("cannot cope")
        self.stamps.append(recv_ns)
        self.events.append(data)

    def on_closed(self, reason: str) -> None:
        self.events.append(("closed", reason))

    def count(self, what: str) -> int:
        return sum(event == what or (isinstance(event, tuple) and event[0] == what) for event in self.events)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(ws_response_class=PromptWebSocket) as session:
        yield session


def make_socket(
    venue: FakeBybit, http: aiohttp.ClientSession, listener: Recorder, **limits: int
) -> ReconnectingSocket:
    fields: dict[str, int] = {
        "connect_timeout_ms": 1_000,
        "first_pause_ms": 5,
        "longest_pause_ms": 20,
    }
    return ReconnectingSocket(
        "test",
        f"{venue.config().ws_public_url}/linear",
        listener,
        http=lambda: http,
        ping=PING,
        now_ns=lambda: 77,
        limits=SocketLimits(**(fields | limits)),
    )


async def test_a_redirected_handshake_is_no_connection(
    venue: FakeBybit, http: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    """What is said on a connection, logins first of all, is for the host that was dialled."""

    async def send_on(_: web.Request) -> web.StreamResponse:
        raise web.HTTPTemporaryRedirect(f"{venue.config().rest_url}/v5/public/linear")

    listener = Recorder()
    app = web.Application()
    app.router.add_get("/", send_on)
    async with TestServer(app) as server:
        socket = ReconnectingSocket(
            "test", str(server.make_url("/")), listener, http=lambda: http, ping=PING, now_ns=lambda: 77
        )
        socket.start()
        await eventually(lambda: "sent on to http://127.0.0.1:" in caplog.text)
        await socket.close()
    assert listener.events == []
    assert all(session.received == [] for session in venue.sessions)


async def test_messages_arrive_as_bytes_with_a_stamp(venue: FakeBybit, http: aiohttp.ClientSession) -> None:
    listener = Recorder()
    socket = make_socket(venue, http, listener)
    socket.start()
    await socket.wait_open()
    await venue.session("public").send({"n": 1})
    await eventually(lambda: len(listener.events) == 2)
    assert listener.events == ["open", b'{"n":1}']
    assert listener.stamps == [77]
    await socket.close()
    assert listener.count("closed") == 0  # closing on purpose is not a loss


async def test_what_is_sent_is_written_at_once(venue: FakeBybit, http: aiohttp.ClientSession) -> None:
    socket = make_socket(venue, http, Recorder())
    assert not socket.send(b'{"op":"x","too":"early"}')
    socket.start()
    await socket.wait_open()
    session = venue.session("public")
    session.muted = True
    for number in range(20):
        assert socket.send(b'{"op":"x","n":%d}' % number)
    await eventually(lambda: len(session.received) == 20)
    assert [message["n"] for message in session.received] == list(range(20))
    await socket.close()
    assert not socket.send(b'{"op":"x","too":"late"}')


async def test_it_comes_back_after_every_kind_of_loss(venue: FakeBybit, http: aiohttp.ClientSession) -> None:
    listener = Recorder()
    socket = make_socket(venue, http, listener)
    socket.start()
    for number, lose in enumerate(("close", "cut", "half a frame", "restart")):
        await eventually(lambda number=number: listener.count("open") == number + 1 and socket.is_open)
        session = venue.session("public")
        if lose == "close":
            await session.close()
        elif lose == "cut":
            session.cut()
        elif lose == "half a frame":
            session.cut(half_sent=b'{"topic":"orderbook')
        else:
            await venue.stop()
            await eventually(lambda: listener.count("closed") == 4)
            await venue.start()
    await eventually(lambda: listener.count("open") == 5)
    await socket.close()
    # Half a message is no message, and opens and losses alternate.
    assert [event if event == "open" else event[0] for event in listener.events] == ["open", "closed"] * 4 + [
        "open"
    ]


async def test_a_silent_peer_is_left(venue: FakeBybit, http: aiohttp.ClientSession) -> None:
    listener = Recorder()
    socket = make_socket(venue, http, listener, ping_interval_ms=40, pong_timeout_ms=30)
    socket.start()
    await socket.wait_open()
    session = venue.session("public")
    await eventually(lambda: len(session.received) >= 3)  # it stays while pings are answered
    assert listener.count("closed") == 0
    session.muted = True
    await eventually(lambda: listener.count("open") == 2)
    assert ("closed", "silent for 0.03 s after a ping") in listener.events
    await socket.close()


async def test_an_oversized_message_ends_the_connection(
    venue: FakeBybit, http: aiohttp.ClientSession
) -> None:
    listener = Recorder()
    socket = make_socket(venue, http, listener, max_message_bytes=1_000)
    socket.start()
    await socket.wait_open()
    await venue.session("public").send("x" * 999)
    await venue.session("public").send("y" * 2_000)
    await eventually(lambda: listener.count("open") == 2)
    assert listener.events[1] == b"x" * 999
    assert listener.events[2][0] == "closed"
    assert "protocol error" in listener.events[2][1]
    await socket.close()


async def test_nothing_more_is_delivered_from_a_dropped_connection(
    venue: FakeBybit, http: aiohttp.ClientSession
) -> None:
    class DropAtThree(Recorder):
        def on_message(self, data: bytes, recv_ns: int) -> None:
            super().on_message(data, recv_ns)
            if data == b'{"n":3}':
                socket.drop("enough")

    listener = DropAtThree()
    socket = make_socket(venue, http, listener)
    socket.start()
    await socket.wait_open()
    session = venue.session("public")
    for number in range(1, 8):
        await session.send({"n": number})
    await eventually(lambda: listener.count("open") == 2)
    assert listener.events[1:5] == [b'{"n":1}', b'{"n":2}', b'{"n":3}', ("closed", "enough")]
    await socket.close()


async def test_a_listener_that_fails_costs_the_connection_and_is_heard_of(
    venue: FakeBybit, http: aiohttp.ClientSession
) -> None:
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    listener = Recorder()
    listener.fail_on = b"bad"
    socket = make_socket(venue, http, listener)
    socket.start()
    await socket.wait_open()
    await venue.session("public").send("bad")
    await eventually(lambda: listener.count("open") == 2)
    assert listener.events[1] == ("closed", "test: RuntimeError while handling on_message")
    assert isinstance(reported[0]["exception"], RuntimeError)
    await socket.close()


async def test_a_peer_that_stops_reading_is_left(venue: FakeBybit, http: aiohttp.ClientSession) -> None:
    listener = Recorder()
    socket = make_socket(venue, http, listener)
    socket.start()
    await socket.wait_open()
    session = venue.session("public")
    session.muted = True
    assert session.request.transport is not None
    session.request.transport.pause_reading()  # type: ignore[attr-defined]
    sent = 0
    while socket.send(b'{"op":"x","pad":"%s"}' % (b"x" * 60_000)):
        sent += 1
        assert sent < 10_000
        await asyncio.sleep(0)
    await eventually(lambda: listener.count("open") == 2)
    assert listener.events[1] == ("closed", "the peer has stopped reading")
    await socket.close()


async def test_nobody_there_is_an_error_that_says_so(venue: FakeBybit, http: aiohttp.ClientSession) -> None:
    socket = make_socket(venue, http, Recorder(), connect_timeout_ms=150)
    await venue.stop()
    socket.start()
    with pytest.raises(VenueUnreachable, match=r"test: no connection within 0\.15 s: cannot connect"):
        await socket.wait_open()
    await socket.close()


async def test_pauses_between_tries_grow(venue: FakeBybit, http: aiohttp.ClientSession) -> None:
    """A peer that accepts and hangs up at once must not be dialled in a hot loop."""
    listener = Recorder()
    socket = make_socket(venue, http, listener, first_pause_ms=20, longest_pause_ms=10_000)
    loop = asyncio.get_running_loop()
    began = loop.time()
    socket.start()
    opened_at: list[float] = []
    for number in range(1, 5):
        await eventually(lambda number=number: listener.count("open") == number and venue.sessions)
        opened_at.append(loop.time())
        venue.session("public").cut()
        await eventually(lambda number=number: listener.count("closed") == number)
    await socket.close()
    # Three pauses of at least half of 20, 40 and 80 ms.
    assert opened_at[-1] - began >= 0.07
