"""What recording costs: on the thread that receives a frame, and on the one that packs and writes it.

`take` is all that the receiving thread does for a frame, whatever its size. `write` formats, packs and writes what
has come in a quarter of a second, on another thread; packing, the greater part of it, does not hold up the first one.
"""

from __future__ import annotations

import time
from pathlib import Path

import orjson
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from recorded_market import CAPTURES

from mlthon.sim.synthetic import SyntheticMarket
from mlthon.tape.bybit_frames import PROTOCOL
from mlthon.tape.recorder import ConnectionTap, Recorder, Track

ARCHIVE = CAPTURES / "bybit" / "2024-12-01_XRPUSDT_ob500.jsonl"
FRAMES = 500


@pytest.fixture(scope="module")
def frames() -> list[bytes]:
    """Recorded changes of a book under the recorder's topic, or made-up ones where there is no recording."""
    if ARCHIVE.exists():
        lines = ARCHIVE.read_bytes().splitlines()[1:]
        deltas = [line.replace(b"orderbook.500.XRPUSDT", b"orderbook.50.BTCUSDT", 1) for line in lines]
    else:
        levels = [[f"{60_000 + number}.1", f"0.{number}"] for number in range(20)]
        deltas = [
            orjson.dumps(
                {"topic": "orderbook.50.BTCUSDT", "type": "delta", "ts": number, "data": {"b": levels}}
            )
            for number in range(50)
        ]
    return (deltas * FRAMES)[:FRAMES]


@pytest.fixture
def tapped(tmp_path: Path) -> tuple[ConnectionTap, Track]:
    """A recorder whose writer does nothing by itself."""
    recorder = Recorder(tmp_path, protocol=PROTOCOL, source="bench", now_ns=time.time_ns, on_failure=print)
    instrument = SyntheticMarket(1).instrument
    track, tap = recorder.add(instrument), recorder.tap("bench")
    tap.on_subscribed(instrument)
    return tap, track


def test_take(benchmark: BenchmarkFixture, tapped: tuple[ConnectionTap, Track], frames: list[bytes]) -> None:
    tap, track = tapped
    benchmark.extra_info["frames"] = FRAMES

    def take() -> None:
        on_frame = tap.on_frame
        for frame in frames:
            on_frame(frame, 1_700_000_000_000_000_000)

    benchmark.pedantic(take, setup=track.write, rounds=200)
    assert len(track.waiting) == FRAMES


def test_write(benchmark: BenchmarkFixture, tapped: tuple[ConnectionTap, Track], frames: list[bytes]) -> None:
    tap, track = tapped

    def take() -> None:
        for number, frame in enumerate(frames):
            tap.on_frame(frame, 1_700_000_000_000_000_000 + number * 500_000)

    benchmark.pedantic(track.write, setup=take, rounds=100)
    benchmark.extra_info["frames"] = FRAMES
    benchmark.extra_info["bytes a frame"] = round(track.raw_bytes / track.frames)
    benchmark.extra_info["packed to"] = round(track.parts.written_bytes / track.raw_bytes, 3)
    assert not track.waiting
