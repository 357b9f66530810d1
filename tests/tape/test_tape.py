"""Tapes made from captures: they say what the capture says, and are made once."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon.errors import TapeError
from mlthon.tape.binance import BinanceCapture
from mlthon.tape.cache import cached_tapes, clear_cache
from mlthon.tape.opening import open_tape

pytest.importorskip("pyarrow", reason="tapes need the data extra")

BINANCE = {
    "binance/usdm_btcusdt_20240808.gz": (6_548, 445_262, 21_308, -1_271_183_590),
    "binance/spot_btcusdt_20240808.gz": (3_450, 126_073, 9_756, -1_273_743_558),
}


@pytest.fixture(autouse=True)
def cache_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("name", BINANCE)
def test_a_tape_says_what_its_capture_says(captures: Path, name: str) -> None:
    capture = BinanceCapture(captures / name)
    tape = open_tape(captures / name)
    depth_messages, levels, trades, clock_offset_ns = BINANCE[name]
    assert tape.instrument == capture.instrument
    assert (tape.counts.depth_messages, tape.counts.levels, tape.counts.trades) == (
        depth_messages,
        levels,
        trades,
    )
    assert tape.clock_offset_ns == clock_offset_ns
    latest_ns = 0
    for (gap_ns, expected), (tape_gap_ns, came) in zip(capture, tape, strict=True):
        latest_ns = max(latest_ns, expected.recv_ns)
        assert (tape_gap_ns, came.recv_ns) == (gap_ns, latest_ns - clock_offset_ns)
        assert said(came) == said(expected)


def said(event: DepthUpdate | PublicTrade) -> tuple[object, ...]:
    """All of an event but when it was received."""
    if isinstance(event, DepthUpdate):
        numbers = (event.is_snapshot, event.venue_ns, event.seq, event.prev_seq)
        return (event.bids(), event.asks(), *numbers)
    return (event.taker_side, event.price, event.qty, event.venue_ns, event.trade_id)


def test_a_capture_is_converted_once(captures: Path, tmp_path: Path, cache_home: Path) -> None:
    told: list[int] = []
    capture = tmp_path / "capture.gz"
    with gzip.open(captures / "binance/spot_btcusdt_20240808.gz") as file:
        lines = file.read(3_000_000).splitlines(keepends=True)
    capture.write_bytes(b"".join(lines[:-1]))
    first = open_tape(capture, on_rows=told.append)
    assert told
    assert told[-1] == first.counts.rows
    assert cached_tapes() == [first.path]
    assert first.path.is_relative_to(cache_home)
    told.clear()
    again = open_tape(capture, on_rows=told.append, clock_offset_ns=0)
    assert (again.path, told, again.clock_offset_ns) == (first.path, [], 0)
    assert next(again.cursor())[0] < next(first.cursor())[0]
    capture.write_bytes(b"".join(lines[:-2]))
    assert open_tape(capture).path != first.path
    assert len(cached_tapes()) == 2
    assert clear_cache() > 0
    assert cached_tapes() == []
    assert (
        sum(1 for _ in first.cursor()) == first.counts.depth_messages + first.counts.trades
    )  # open ones stay


def test_a_capture_that_breaks_off_leaves_nothing_behind(
    captures: Path, tmp_path: Path, cache_home: Path
) -> None:
    capture = tmp_path / "cut.gz"
    capture.write_bytes((captures / "binance/spot_btcusdt_20240808.gz").read_bytes()[:300_000])
    with pytest.raises(TapeError, match="the file is cut off"):
        open_tape(capture)
    assert [path for path in cache_home.rglob("*") if path.is_file()] == []
