"""Messages out of what a websocket server sends: the same as aiohttp's own parser finds in it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp._websocket.reader import WebSocketDataQueue
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import WebSocketReader

from mlthon._core.websocket_reader import MessageReader

LIMIT = 70_000
TEXT, BINARY, MORE, PING = 1, 2, 0, 9
FULL = 0x80


def frame(first: int, payload: bytes, *, mask: bytes = b"") -> bytes:
    size = len(payload)
    masked = 0x80 if mask else 0
    if size < 126:
        head = bytes((first, masked | size))
    elif size < 65_536:
        head = bytes((first, masked | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, masked | 127)) + size.to_bytes(8, "big")
    return (
        head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
        if mask
        else head + payload
    )


class Log(WebSocketDataQueue):
    """What a parser puts out, and how it ends."""

    def __init__(self) -> None:
        super().__init__(BaseProtocol(asyncio.get_running_loop()), 2**30, loop=asyncio.get_running_loop())
        self.log: list[object] = []
        self.deliver: Callable[[bytes], None] | None = None

    def feed_data(self, message: Any, size: int) -> None:
        if self.deliver is not None and message.type.value in (TEXT, BINARY):
            self.deliver(message.data)
        else:
            self.log.append(message.data)

    def set_exception(self, error: Any, *_cause: Any) -> None:
        self.log.append(
            str(error).replace("close frame: False", "close frame: True")
        )  # it says which was before


def by_aiohttp(stream: bytes) -> list[object]:
    log = Log()
    WebSocketReader(log, LIMIT, compress=False, decode_text=False).feed_data(stream)
    return log.log


def by_ours(pieces: list[bytes]) -> list[object]:
    """What comes out of the pieces; the owner's errors would come out, too."""
    log = Log()
    reader = MessageReader(lambda data, _recv_ns: log.log.append(data), log.log.append, lambda: 0, LIMIT)
    log.deliver = reader.deliver
    reader.full = WebSocketReader(log, LIMIT, compress=False, decode_text=False)
    for piece in pieces:
        reader.feed(piece)
    return log.log


def cut(stream: bytes, chance: random.Random) -> list[bytes]:
    ends = sorted(chance.randrange(len(stream) + 1) for _ in range(chance.randrange(6)))
    return [stream[start:end] for start, end in zip([0, *ends], [*ends, len(stream)], strict=True)]


STREAMS = {
    "two messages": frame(FULL | TEXT, b"one") + frame(FULL | BINARY, b""),
    "a ping between": frame(FULL | TEXT, b"one") + frame(FULL | PING, b"hi") + frame(FULL | TEXT, b"two"),
    "in parts": frame(TEXT, b"o") + frame(FULL | PING, b"") + frame(MORE, b"n") + frame(FULL | MORE, b"e"),
    "after parts": frame(BINARY, b"o") + frame(FULL | MORE, b"ne") + frame(FULL | TEXT, b"two"),
    "text amid parts": frame(TEXT, b"o") + frame(FULL | TEXT, b"two") + frame(FULL | TEXT, b"three"),
    "the end of nothing": frame(FULL | MORE, b"ne") + frame(FULL | TEXT, b"two"),
    "masked": frame(FULL | TEXT, b"one", mask=b"abcd") + frame(FULL | TEXT, b"two"),
    "reserved bits": frame(0xC0 | TEXT, b"one") + frame(FULL | TEXT, b"two"),
    "reserved opcode": frame(FULL | 3, b"one") + frame(FULL | TEXT, b"two"),
    "a ping in parts": frame(PING, b"one") + frame(FULL | TEXT, b"two"),
    "a long ping": frame(FULL | PING, bytes(126)) + frame(FULL | TEXT, b"two"),
    "close": frame(FULL | TEXT, b"one") + frame(FULL | 8, b"\x03\xe8bye"),
    "126": frame(FULL | TEXT, bytes(125)) + frame(FULL | TEXT, bytes(126)) + frame(FULL | TEXT, b"two"),
}


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS.keys())
async def test_every_cut_of_a_stream_gives_the_same(stream: bytes) -> None:
    expected = by_aiohttp(stream)
    assert expected
    assert by_ours([bytes((byte,)) for byte in stream]) == expected
    for at in range(len(stream) + 1):
        assert by_ours([stream[:at], stream[at:]]) == expected, at


@pytest.mark.parametrize("size", [65_535, 65_536, LIMIT - 1, LIMIT, LIMIT + 1, 2**63 - 1, 2**63])
async def test_long_messages_are_taken_to_the_limit(size: int) -> None:
    """One over the limit is refused by its header, without waiting for the rest."""
    whole = size < LIMIT
    if whole:
        stream = frame(FULL | TEXT, bytes(size)) + frame(FULL | TEXT, b"two")
    else:
        stream = bytes((FULL | TEXT, 127)) + size.to_bytes(8, "big") + b"the beginning"
    expected = by_aiohttp(stream)
    assert [len(data) for data in expected if isinstance(data, bytes)] == ([size, 3] if whole else [])
    assert by_ours([stream]) == expected
    assert by_ours([stream[at : at + 7_001] for at in range(0, len(stream), 7_001)]) == expected


async def test_random_streams_in_random_pieces_give_the_same() -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    firsts = [FULL | TEXT] * 6 + [FULL | BINARY, TEXT, MORE, FULL | MORE, FULL | PING, 0xC1, FULL | 8, 0x85]
    for _ in range(2_000):
        frames = []
        for _ in range(chance.randrange(1, 8)):
            size = chance.choice((0, 1, 5, 124, 125, 126, 300, 65_536 if chance.random() < 0.02 else 7))
            frames.append(frame(chance.choice(firsts), chance.randbytes(size)))
        stream = b"".join(frames)
        assert by_ours(cut(stream, chance)) == by_aiohttp(stream), f"seed {seed}"


async def test_what_the_owner_raises_goes_to_on_error_and_ends_it() -> None:
    errors: list[BaseException] = []

    def take(data: bytes, _recv_ns: int) -> None:
        raise ValueError(data)

    reader = MessageReader(take, errors.append, lambda: 0, LIMIT)
    reader.feed(frame(FULL | TEXT, b"one") + frame(FULL | TEXT, b"two"))
    reader.feed(frame(FULL | TEXT, b"three"))
    assert [error.args for error in errors] == [(b"one",)]


async def test_hushed_amid_what_was_read_it_hands_over_nothing_more() -> None:
    got: list[tuple[bytes, int]] = []

    def take(data: bytes, recv_ns: int) -> None:
        got.append((data, recv_ns))
        reader.hush()

    reader = MessageReader(take, pytest.fail, lambda: 77, LIMIT)
    reader.feed(frame(FULL | TEXT, b"one") + frame(FULL | TEXT, b"two"))
    assert got == [(b"one", 77)]
    assert reader.messages == 1
