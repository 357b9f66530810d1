"""The websocket that hands messages over at once: against a peer that writes its bytes by hand."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import select
import socket as sockets
from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest
from fake_bybit import eventually

from mlthon.exchanges.prompt_websocket import PromptWebSocket

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
PING, CLOSE = b"\x89\x02hi", b"\x88\x02\x03\xe8"


def frame(text: bytes) -> bytes:
    """A text frame of a server."""
    return bytes((0x81, len(text))) + text


def unmasked(data: bytes) -> bytes:
    """The payload of a client's short frame."""
    size = data[1] & 127
    assert data[1] & 128 and size < 126 and len(data) == 6 + size
    return bytes(byte ^ data[2 + at % 4] for at, byte in enumerate(data[6:]))


def hand_over(client: PromptWebSocket, take: Callable[[bytes], None]) -> None:
    """Let messages go to `take`, which is not expected to fail with an Exception."""

    def fail(error: Exception) -> None:
        raise AssertionError(error)

    client.hand_over(lambda data, _recv_ns: take(data), fail, lambda: 0, 1_000)


class Peer:
    """A server for one client; `greeting` goes out in one piece with the answer to the handshake."""

    def __init__(self, greeting: bytes = b"") -> None:
        self._listening = sockets.create_server(("127.0.0.1", 0))
        self._greeting = greeting
        self.line: sockets.socket

    async def connect(self, http: aiohttp.ClientSession) -> PromptWebSocket:
        url = f"ws://127.0.0.1:{self._listening.getsockname()[1]}/"
        client, _ = await asyncio.gather(http.ws_connect(url, decode_text=False), self._answer())
        assert isinstance(client, PromptWebSocket)
        return client

    async def _answer(self) -> None:
        loop = asyncio.get_running_loop()
        self._listening.setblocking(False)
        self.line, _ = await loop.sock_accept(self._listening)
        self.line.setblocking(False)
        head = b""
        while b"\r\n\r\n" not in head:
            head += await loop.sock_recv(self.line, 4096)
        key = head.lower().split(b"sec-websocket-key: ")[1].split(b"\r\n")[0]
        at = head.lower().index(key)
        accept = base64.b64encode(hashlib.sha1(head[at : at + len(key)] + GUID).digest())
        answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        answer += b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + self._greeting
        assert self.line.send(answer) == len(answer)

    def has_received(self) -> bytes:
        """What has come to this end by now; the loop is not given a turn."""
        readable, _, _ = select.select([self.line], [], [], 1.0)
        return self.line.recv(4096) if readable else b""

    def close(self) -> None:
        self.line.close()
        self._listening.close()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(ws_response_class=PromptWebSocket) as session:
        yield session


@pytest.mark.parametrize("cut", range(1, 9))
async def test_what_comes_with_the_handshake_is_not_lost(http: aiohttp.ClientSession, cut: int) -> None:
    """Not even half a frame: its other half comes later."""
    frames = frame(b"one") + frame(b"two")
    peer = Peer(greeting=frames[:cut])
    client = await peer.connect(http)
    got: list[bytes] = []
    hand_over(client, got.append)
    peer.line.send(frames[cut:])
    await eventually(lambda: got == [b"one", b"two"])
    await hang_up(client, peer)


async def test_pings_are_answered_and_a_close_ends_it(http: aiohttp.ClientSession) -> None:
    peer = Peer()
    client = await peer.connect(http)
    got: list[bytes] = []
    hand_over(client, got.append)
    ended = asyncio.create_task(client.receive())
    peer.line.send(PING + frame(b"one"))
    pong = await asyncio.get_running_loop().sock_recv(peer.line, 100)
    assert (pong[0], unmasked(pong), got) == (0x8A, b"hi", [b"one"])
    peer.line.send(CLOSE)
    assert (await ended).type is aiohttp.WSMsgType.CLOSE
    assert client.close_code == 1000
    peer.close()


async def test_after_hush_nothing_is_handed_over(http: aiohttp.ClientSession) -> None:
    peer = Peer()
    client = await peer.connect(http)
    got: list[bytes] = []

    def take(data: bytes) -> None:
        got.append(data)
        client.hush()

    hand_over(client, take)
    peer.line.send(frame(b"one") + frame(b"two") + CLOSE)
    await client.receive()
    assert got == [b"one"]
    peer.close()


async def test_what_the_owner_raises_comes_out_of_receive(http: aiohttp.ClientSession) -> None:
    peer = Peer()
    client = await peer.connect(http)

    def fail(_data: bytes) -> None:
        raise SystemExit(3)

    hand_over(client, fail)
    peer.line.send(frame(b"one"))
    try:
        await client.receive()
    except SystemExit as error:
        assert error.code == 3
    else:
        pytest.fail("expected SystemExit")
    client._response.close()  # to close it politely would raise again
    peer.close()


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_an_answer_has_left_before_send_returns(loop: str) -> None:
    """Not even uvloop collects it until its round is over."""
    module = pytest.importorskip(loop)

    async def answer() -> None:
        async with aiohttp.ClientSession(ws_response_class=PromptWebSocket) as http:
            peer = Peer()
            client = await peer.connect(http)
            arrived: list[bytes] = []

            def reply(data: bytes) -> None:
                client.send(b"to " + data)
                arrived.append(unmasked(peer.has_received()))

            hand_over(client, reply)
            peer.line.send(frame(b"one"))
            await eventually(lambda: arrived)
            assert arrived == [b"to one"]
            await hang_up(client, peer)

    with asyncio.Runner(loop_factory=module.new_event_loop) as runner:
        runner.run(answer())


async def test_a_connection_that_is_gone_takes_nothing(http: aiohttp.ClientSession) -> None:
    peer = Peer()
    client = await peer.connect(http)
    hand_over(client, lambda _data: None)
    await hang_up(client, peer)
    with pytest.raises(ConnectionError, match="closing"):
        client.send(b"late")


async def hang_up(client: PromptWebSocket, peer: Peer) -> None:
    peer.close()
    await client.close()
