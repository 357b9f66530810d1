"""Malformed, truncated, oversized and unknown messages on every websocket: one answer each, and the venue goes on."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import aiohttp
import orjson
import pytest
from bybit_client import DEADLINE_S, KEY, Client, Json, Socket, Stage, perpetual, spot

from mlthon.errors import ConfigError
from mlthon.instruments.perpetual import Perpetual
from mlthon.venues.bybit import BybitVenue, VenueLimits
from mlthon.venues.bybit.listing import Listing
from mlthon.venues.bybit.wire import WireIds

STREAMS = ("public", "private", "trading")
Open = Callable[[], AbstractAsyncContextManager[Socket]]


@pytest.fixture(params=STREAMS)
def open_stream(request: pytest.FixtureRequest, client: Client) -> Open:
    return getattr(client, request.param)


def is_error(answer: Json) -> bool:
    return answer.get("success") is False or answer.get("retCode", 0) != 0


GARBAGE: list[str | bytes] = [
    "",
    "{",
    '{"op":"subscribe","args":["orderbook.50.BTC',
    "null",
    "[]",
    '"ping"',
    "7",
    "nan",
    "\x00\x01",
    "[" * 20_000,
    '{"op":' * 10_000,
    b"\xff\xfe",
    b'{"op": "\xff"}',
    '{"op":7}',
    '{"op":null,"args":null,"req_id":{},"reqId":{}}',
    '{"op":["subscribe"],"req_id":[[1]]}',
    '{"OP":"ping"}',
    '{"op":"' + "x" * 30_000 + '"}',
    '{"op":"order.create","args":' + "[" * 500 + "]" * 500 + "}",
    '{"op":"subscribe","args":{"0":"order"}}',
    '{"op":"auth","args":[{},[],null]}',
    '{"op":"auth","args":["' + KEY + '",1e400,"x"]}',
    "{}",
]


@pytest.mark.usefixtures("bystander")
@pytest.mark.parametrize("garbage", GARBAGE, ids=lambda text: repr(text)[:30])
async def test_garbage_gets_an_error_and_the_connection_lives(
    open_stream: Open, garbage: str | bytes
) -> None:
    async with open_stream() as socket:
        answer = await socket.ask(garbage)
        assert is_error(answer), answer
        assert len(orjson.dumps(answer)) < 1000
        assert (await socket.ask({"op": "ping"})).get("op") in ("ping", "pong")


@pytest.mark.usefixtures("bystander")
@pytest.mark.parametrize("seed", range(3))
async def test_mutated_messages(client: Client, open_stream: Open, seed: int) -> None:
    """Every answer is JSON, and the connection ends only where the protocol says so."""
    print(f"seed {seed}")
    rng = random.Random(seed)
    valid = [
        orjson.dumps(message)
        for message in (
            client.login(),
            {"op": "subscribe", "args": ["orderbook.50.BTCUSDT", "order"], "req_id": "1"},
            {
                "reqId": "r",
                "header": {"X-BAPI-TIMESTAMP": "1700000000000"},
                "op": "order.create",
                "args": [{"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "qty": "1"}],
            },
        )
    ]
    async with open_stream() as socket:
        for _ in range(100):
            text = bytearray(rng.choice(valid))
            for _ in range(rng.randrange(1, 4)):
                position = rng.randrange(len(text))
                text[position : position + rng.randrange(3)] = bytes(
                    rng.choices(b'{}[]",:0-9ax\\\xff', k=rng.randrange(3))
                )
            await socket.send(bytes(text[: rng.randrange(1, len(text) + 1)]))
        await socket.send({"op": "ping", "req_id": "last"})
        answers = await socket.until(lambda answer: "pong" in (answer.get("op"), answer.get("ret_msg")))
        assert len(answers) >= 100


@pytest.mark.usefixtures("bystander")
async def test_oversized_messages_end_the_connection(open_stream: Open) -> None:
    async with open_stream() as socket:
        await socket.send("x" * (VenueLimits().message_bytes + 1))
        assert await socket.closed() == aiohttp.WSCloseCode.MESSAGE_TOO_BIG


@pytest.mark.usefixtures("bystander")
@pytest.mark.parametrize("path", ["/v5/public/linear", "/v5/private", "/v5/trade"])
@pytest.mark.parametrize(
    "wire",
    [b"\x83\x01", b"\xff" * 64, b"\x81\xfe\xff", b"GET / HTTP/1.1\r\n\r\n"],
    ids=lambda wire: repr(wire)[:20],
)
async def test_broken_frames_and_hang_ups(client: Client, path: str, wire: bytes) -> None:
    """After the handshake: bytes that are no websocket frames, a frame that is cut off, and then nothing."""
    host, port = client.endpoints.rest.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    async with asyncio.timeout(DEADLINE_S):
        assert b"101" in await reader.readline()
        writer.write(wire)
        writer.write_eof()
        await reader.read()
    writer.close()
    await writer.wait_closed()


# -- clients that do not read, or do nothing -----------------------------------------------------------------------


async def test_a_client_that_does_not_read_is_cut_and_the_others_are_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stage = Stage(limits=VenueLimits(outbox_bytes=200_000))
    endpoints = await stage.venue.start()
    async with aiohttp.ClientSession() as http:
        client = Client(http, endpoints)
        async with client.public() as reader, client.public() as sleeper:
            for socket in (reader, sleeper):
                await socket.ask({"op": "subscribe", "args": ["orderbook.200.BTCUSDT"]})
                await socket.receive()
            transport = sleeper.ws._response.connection.transport  # type: ignore[union-attr]
            transport.pause_reading()
            sent = 0
            while "unread" not in caplog.text:
                sent += 1
                assert sent < 20_000, "the sleeper was never cut"
                stage.depth([(f"{50_000 + number}.0", str(1 + sent % 7)) for number in range(100)], [])
                assert (await reader.receive())["type"] == "delta"
            assert (await reader.ask({"op": "ping"}))["ret_msg"] == "pong"
            transport.resume_reading()
            assert await sleeper.closed() == aiohttp.WSCloseCode.ABNORMAL_CLOSURE
    await stage.venue.close()


async def test_silent_private_connections_are_closed() -> None:
    stage = Stage(limits=VenueLimits(idle_s=0.05))
    endpoints = await stage.venue.start()
    async with aiohttp.ClientSession() as http:
        client = Client(http, endpoints)
        async with (
            client.raw(endpoints.ws_private) as private,
            client.raw(endpoints.ws_trade) as trading,
            client.public() as public,
        ):
            assert await private.closed() == 1000
            assert await trading.closed() == 1000
            assert (await public.ask({"op": "ping"}))["ret_msg"] == "pong"
    await stage.venue.close()


# -- start and end ---------------------------------------------------------------------------------------------


async def test_closing_tells_the_clients(stage: Stage, client: Client) -> None:
    async with client.public() as public, client.private() as private, client.trading() as trading:
        await asyncio.gather(
            stage.venue.close(), *(expect_going_away(socket) for socket in (public, private, trading))
        )
    with pytest.raises(aiohttp.ClientConnectorError):
        await client.get("/v5/market/time")


async def expect_going_away(socket: Socket) -> None:
    assert await socket.closed() == aiohttp.WSCloseCode.GOING_AWAY


async def test_a_taken_port_is_an_error_that_says_so(client: Client) -> None:
    port = int(client.endpoints.rest.rpartition(":")[2])
    second = BybitVenue(Stage().exchange, lambda: 1, api_keys={})
    with pytest.raises(ConfigError, match=f"port {port} on 127.0.0.1"):
        await second.start(port)


def test_only_instruments_that_are_whole_are_listed() -> None:
    listing = Listing({"BTCUSDT": perpetual(), "BTC/USDT": spot()}, WireIds(0))
    assert [(market.category, market.symbol) for market in listing] == [
        ("linear", "BTCUSDT"),
        ("spot", "BTCUSDT"),
    ]
    half = Perpetual(exch_instr_id="BTCUSDT", quote_currency="USDT", settlement_method="linear")
    with pytest.raises(ConfigError, match="base_currency, price_tick_rules"):
        Listing({"BTCUSDT": half}, WireIds(0))


async def test_it_listens_on_loopback_only(client: Client) -> None:
    for address in (
        client.endpoints.rest,
        client.endpoints.ws_public,
        client.endpoints.ws_private,
        client.endpoints.ws_trade,
    ):
        assert address.split("://")[1].startswith("127.0.0.1:")
