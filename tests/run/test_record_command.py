"""``record``, as a user runs it: what it says, what it leaves, and how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mlthon._core.market_event import DepthUpdate
from mlthon.sim.exchange import SimExchange
from mlthon.sim.synthetic import SyntheticMarket
from mlthon.sim.terms import Product
from mlthon.tape.bybit_frames import BybitFrames
from mlthon.tape.opening import open_tape
from mlthon.tape.raw_frames import CONTROL, FRAME, FramesReader, RawRecord, parts_of
from mlthon.tape.verify import verify
from mlthon.venues.bybit import BybitVenue

NAME = "byt-perp-BTC-USDT"
COMMAND = [sys.executable, "-W", "error", "-m", "mlthon.run"]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def start(*arguments: object, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


@contextmanager
def venue(*arguments: object) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """A simulated venue in a process of its own, and where it is."""
    process = start("venue", "bybit", *arguments)
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def records(folder: Path) -> list[RawRecord]:
    return [record for part in parts_of(folder) for record in FramesReader(part)]


def events(folder: Path) -> list[str]:
    return [record.event()["event"] for record in records(folder) if record.kind == CONTROL]


def wait_until(is_so: Callable[[], bool], what: str, process: subprocess.Popen[str]) -> None:
    """Wait for what a recorder does while it runs."""
    deadline = time.monotonic() + 30
    while not is_so():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, f"not within 30 s: {what}"
        time.sleep(0.02)


def books_in(folder: Path) -> int:
    """How many messages of a book are on the disk by now."""
    if not any(folder.glob("*.frames.gz")):
        return 0
    return sum(b"orderbook" in record.data for record in records(folder) if record.kind == FRAME)


def test_it_records_a_market_of_its_own_and_makes_a_tape(
    mlthon_run: Callable[..., Any], tmp_path: Path
) -> None:
    run = mlthon_run("record", "-o", tmp_path / "out", "--duration", 2.2, "--convert", "tape", "--json")
    summary = run.summary
    assert (summary["mode"], summary["connections_lost"], summary["books_lost"]) == ("record", 0, 0)
    assert summary["source"].startswith("a simulated Bybit of ")
    [recorded] = summary["instruments"]
    folder = tmp_path / "out" / NAME
    assert recorded["instrument"] == "byt:perp:BTC-USDT"
    assert recorded["folder"] == str(folder)
    assert recorded["converted"] == str(tmp_path / "out" / f"{NAME}.tape")
    assert recorded["files"] == [path.name for path in parts_of(folder)]
    got = [record for record in records(folder) if record.kind == FRAME]
    assert len(got) == recorded["frames"] == summary["frames"] > 20
    assert sum(len(record.data) for record in got) == summary["raw_bytes"]
    assert events(folder) == ["connected", "end"]
    assert len(run.out.splitlines()) == 1  # all the rest is for people
    lines = re.findall(
        r"^ +\d s  [\d,]+ frames, [\d,]+/s  [\d.]+ MB, [\d.]+ packed  lag -?\d+ ms  gaps 0$", run.err, re.M
    )
    assert len(lines) == 2, run.err
    tape = open_tape(recorded["converted"])
    assert verify(tape).is_sound
    assert tape.counts.trades > 0
    assert mlthon_run("data", "verify", folder).code == 0
    again = mlthon_run("record", "-o", tmp_path / "out")
    assert (again.code, again.out) == (2, "")
    assert re.match(
        rf"error: {re.escape(str(folder))}: holds a recording of a simulated Bybit of \S+: record", again.err
    )
    backtest = mlthon_run("backtest", "--tape", folder, "--json")
    assert backtest.summary["messages"] == tape.counts.depth_messages + tape.counts.trades


def test_it_records_a_venue_until_ctrl_c(tmp_path: Path) -> None:
    with venue("--market", "spot") as (_, where):
        process = start(
            "record", "--venue", where["ws_public"], "-o", tmp_path, "--no-trades", "--depth", 200
        )
        folder = tmp_path / "byt-spot-BTC-USDT"
        try:
            wait_until(lambda: books_in(folder) > 5, "a few messages on the disk", process)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
            process.communicate()
    assert (process.returncode, err) == (0, "")
    assert f"wrote {folder}" in out
    topics = {json.loads(record.data).get("topic") for record in records(folder) if record.kind == FRAME}
    assert topics == {"orderbook.200.BTCUSDT", "tickers.BTCUSDT", None}
    assert events(folder)[-1] == "end"
    assert "byt:spot:BTC-USDT" in str(BybitFrames(folder).instrument)


@pytest.mark.parametrize("seed", [5])
def test_a_killed_recorder_leaves_all_but_the_last_second(tmp_path: Path, seed: int) -> None:
    with venue("--speed", 5) as (_, where):
        process = start("record", "--venue", where["rest"], "-o", tmp_path)
        folder = tmp_path / NAME
        try:
            wait_until(lambda: books_in(folder) > 5, "a few messages on the disk", process)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=random.Random(seed).uniform(0.1, 1.2))
            killed_ns = time.time_ns()
        finally:
            process.kill()
            process.communicate()
    newest_ns = max(record.recv_ns for record in records(folder))
    assert killed_ns - newest_ns < 1_000_000_000, f"seed {seed}"
    assert "end" not in events(folder)
    report = verify(open_tape(folder))
    assert report.is_sound, f"seed {seed}: {report.problems}"


def test_a_venue_that_goes_and_comes_is_told_in_the_recording(tmp_path: Path) -> None:
    folder = tmp_path / NAME
    with venue() as (_, where):
        port = where["rest"].rpartition(":")[2]
        process = start("record", "--venue", where["ws_public"], "-o", tmp_path, "--json")
        wait_until(lambda: books_in(folder) > 5, "a few messages on the disk", process)
    try:
        wait_until(lambda: "disconnected" in events(folder), "the lost connection on the disk", process)
        before = books_in(folder)
        with venue("--port", port):
            wait_until(lambda: books_in(folder) > before + 5, "messages of the second venue", process)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0, err
    assert json.loads(out.splitlines()[-1])["connections_lost"] == 1
    assert events(folder) == ["connected", "disconnected", "connected", "end"]
    source = BybitFrames(folder)
    snapshots = [each for each in source.events() if isinstance(each, DepthUpdate) and each.is_snapshot]
    assert [len(each) > 0 for each in snapshots] == [True, False, True]
    assert source.notes()["connections_lost"] == 1
    numbering = {"duplicate trade", "trade out of order"}  # the second venue numbers its trades from 1 again
    assert {problem.kind for problem in verify(open_tape(folder)).problems} <= numbering


async def test_all_categories_and_several_instruments_at_once(tmp_path: Path) -> None:
    exchange = SimExchange(
        [SyntheticMarket(1, product=product).instrument for product in Product], time.time_ns
    )
    sides = ([["100", "1"]], [["101", "1"]])
    for symbol in ("BTCUSDT", "BTCUSD"):
        exchange.apply_depth(symbol, DepthUpdate(*sides, is_snapshot=True, venue_ns=time.time_ns(), seq=1))
    server = BybitVenue(exchange, time.time_ns, api_keys={})
    try:
        endpoints = await server.start()
        command = ["record", "--venue", endpoints.ws_public, "-o", tmp_path, "--duration", 1.2, "--json"]
        summary = await in_a_process(*command)
        assert [each["instrument"] for each in summary["instruments"]] == [
            "byt:perp:BTC-USDT",
            "byt:perp:BTC-USD",
            "byt:spot:BTC-USDT",
        ]
        for each in summary["instruments"]:
            assert books_in(Path(each["folder"])) == 1, each
            assert events(Path(each["folder"])) == ["connected", "end"]
        chosen = await in_a_process(*command, "byt:spot:BTC-USDT", "BTC-USD")
        assert [each["instrument"] for each in chosen["instruments"]] == [
            "byt:spot:BTC-USDT",
            "byt:perp:BTC-USD",
        ]
        again = BybitFrames(tmp_path / "byt-perp-BTC-USD")  # a second session in the same folder
        assert [event.is_snapshot for event in again.events() if isinstance(event, DepthUpdate)] == [True] * 3
        assert again.notes()["sessions_before"] == 1
    finally:
        await server.close()


async def in_a_process(*arguments: object) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *map(str, arguments), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, err.decode()
    return json.loads(out.splitlines()[-1])


def test_a_demo_records_what_its_strategy_is_shown(mlthon_run: Callable[..., Any], tmp_path: Path) -> None:
    run = mlthon_run("demo", "--record", tmp_path, "--duration", 1.5, "--json")
    assert run.summary["orders"]["acked"] > 0
    tape = open_tape(tmp_path / NAME)
    assert verify(tape).is_sound
    assert tape.counts.depth_messages > 0
    listed = mlthon_run("data", "ls", tmp_path / NAME, "--json").summary
    assert [each["rows"] for each in listed["tapes"]] == [tape.counts.rows]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--at", "moon"], 2, "expected one of mainnet, testnet, demo, got 'moon'"),
        (
            ["--at", "testnet", "--venue", "ws://127.0.0.1:1/v5/public"],
            2,
            "expected --at or --venue, got both",
        ),
        (["--venue", "127.0.0.1"], 2, "--venue: expected ws://host:port/v5/public, got '127.0.0.1'"),
        (["--venue", "ws://127.0.0.1:1/v5/public"], 5, "127.0.0.1:1"),
        (["ETHUSDT"], 2, "Bybit has no instrument 'ETHUSDT'"),
        (["-o", "/dev/null/there"], 2, "cannot be written: Not a directory"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_is_one_line(
    mlthon_run: Callable[..., Any], tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    output = [] if "-o" in arguments else ["-o", tmp_path / "out"]
    run = mlthon_run("record", *output, *arguments)
    [line] = run.err.splitlines()
    assert (run.code, run.out) == (code, "")
    assert line.startswith("error: ")
    assert words in line
    assert not (tmp_path / "out").exists()


FULL_DISK = """
import resource
from mlthon.run.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))  # the system refuses to make a file larger
main()
"""


def test_a_full_disk_ends_it_with_what_was_written(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", FULL_DISK, "record", "-o", str(tmp_path), "--speed", "20", "--duration", "60"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    folder = tmp_path / NAME
    [part] = parts_of(folder)
    assert run.returncode == 2
    assert run.stderr.splitlines() == [f"error: {part}: cannot be written: File too large"]
    assert f"wrote {folder}" in run.stdout
    reader = FramesReader(part)
    assert len(list(reader)) > 10
    assert not reader.is_cut_off
