"""Raw frames as Bybit sends them, and recordings of them, for the tests of the recorder."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson

from mlthon.instruments.instrument import Instrument
from mlthon.sim.synthetic import SyntheticMarket
from mlthon.tape.bybit_frames import PROTOCOL
from mlthon.tape.raw_frames import (
    CONTROL,
    FRAME,
    FRAMES_MAGIC,
    HEADER,
    FramesHeader,
    RawRecord,
    encode_record,
)

START_NS = 1_700_000_000_000_000_000
INSTRUMENT: Instrument = SyntheticMarket(1).instrument
Levels = list[list[str]]


def book(kind: str, update_id: int, bids: Levels, asks: Levels, ms: int = 0) -> bytes:
    """A message of the book of 50 levels."""
    data = {"s": "BTCUSDT", "b": bids, "a": asks, "u": update_id, "seq": update_id * 10}
    stamp = START_NS // 1_000_000 + ms
    return orjson.dumps(
        {"topic": "orderbook.50.BTCUSDT", "type": kind, "ts": stamp, "data": data, "cts": stamp - 1}
    )


def trade(price: str, ms: int = 0) -> bytes:
    """A public trade."""
    stamp = START_NS // 1_000_000 + ms
    row = {"T": stamp, "s": "BTCUSDT", "S": "Buy", "v": "0.001", "p": price, "i": f"id-{ms}", "BT": False}
    return orjson.dumps({"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": stamp, "data": [row]})


def ticker(kind: str, ms: int = 0, **fields: str) -> bytes:
    """A ticker of a contract."""
    stamp = START_NS // 1_000_000 + ms
    data = {"symbol": "BTCUSDT", **fields}
    return orjson.dumps({"topic": "tickers.BTCUSDT", "type": kind, "data": data, "cs": 1, "ts": stamp})


def frames(*datas: bytes) -> list[RawRecord]:
    """Frames that were received a millisecond apart."""
    return [RawRecord(START_NS + 1_000_000 * index, 0, FRAME, data) for index, data in enumerate(datas)]


def control(ns: int, **said: Any) -> RawRecord:
    """Something that happened to the recording."""
    return RawRecord(ns, 0, CONTROL, orjson.dumps(said))


def part_of(
    records: Iterable[RawRecord],
    *,
    protocol: str = PROTOCOL,
    session_ns: int = START_NS,
    part: int = 1,
    member_records: int = 3,
) -> bytes:
    """A part with these records, some in each member."""
    header = FramesHeader(protocol, "test", session_ns, part, INSTRUMENT)
    first = FRAMES_MAGIC + encode_record(session_ns, 0, HEADER, header.encode())
    texts = [encode_record(*record) for record in records]
    groups = [
        b"".join(texts[start : start + member_records]) for start in range(0, len(texts), member_records)
    ]
    return b"".join(gzip.compress(group, 1) for group in [first, *groups])


def recording(folder: Path, *parts: Sequence[RawRecord]) -> Path:
    """A folder with the parts of one session."""
    folder.mkdir()
    for number, records in enumerate(parts, 1):
        (folder / f"{number:06d}.frames.gz").write_bytes(part_of(records, part=number))
    return folder
