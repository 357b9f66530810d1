"""Frames of a websocket client, read back by aiohttp's own parser."""

from __future__ import annotations

import asyncio
import random

import pytest
from aiohttp._websocket.reader import WebSocketDataQueue
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import WebSocketReader

from mlthon._core.websocket_frame import text_frame

SIZES = [*range(20), 124, 125, 126, 127, 65_534, 65_535, 65_536, 100_003]


@pytest.mark.parametrize("size", SIZES)
async def test_a_frame_is_read_back(size: int) -> None:
    seed = random.randrange(2**32)
    payload = random.Random(seed).randbytes(size)
    loop = asyncio.get_running_loop()
    queue = WebSocketDataQueue(BaseProtocol(loop), 2**20, loop=loop)
    reader = WebSocketReader(queue, 2**20, compress=False, decode_text=False)
    data = text_frame(payload, seed)
    assert reader.feed_data(data) == (False, b"")
    assert (await queue.read()).data == payload, f"seed {seed}"
    assert len(data) == size + 6 + (0 if size < 126 else 2 if size < 65_536 else 8)


@pytest.mark.parametrize("mask", [-1, 2**32])
def test_a_mask_has_32_bits(mask: int) -> None:
    with pytest.raises(OverflowError):
        text_frame(b"", mask)


def test_only_bytes_are_framed() -> None:
    with pytest.raises(TypeError):
        text_frame("text", 0)  # type: ignore[arg-type]
