"""The recorder: what it is told is on the disk soon, whatever happens to it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from frames_at_hand import INSTRUMENT, START_NS, book, ticker, trade

from mlthon.errors import ConfigError, TapeError
from mlthon.sim.synthetic import SyntheticMarket
from mlthon.sim.terms import Product
from mlthon.tape import recorder as recorder_module
from mlthon.tape.bybit_frames import PROTOCOL
from mlthon.tape.frame_parts import RotationLimits
from mlthon.tape.raw_frames import CONTROL, FRAME, FramesReader, RawRecord, parts_of
from mlthon.tape.recorder import Recorder

INVERSE = SyntheticMarket(1, product=Product.Inverse).instrument


def fail(error: TapeError) -> None:
    raise AssertionError(error)


def new_recorder(
    folder: Path, *, limits: RotationLimits | None = None, on_failure: Callable[[TapeError], None] = fail
) -> Recorder:
    return Recorder(
        folder, protocol=PROTOCOL, source="test", now_ns=time.time_ns, limits=limits, on_failure=on_failure
    )


def records(folder: Path) -> list[RawRecord]:
    return [record for part in parts_of(folder) for record in FramesReader(part)]


def events(folder: Path) -> list[str]:
    return [record.event()["event"] for record in records(folder) if record.kind == CONTROL]


def test_each_instrument_gets_its_frames_and_what_befell_its_connection(tmp_path: Path) -> None:
    recorder = new_recorder(tmp_path)
    linear, inverse = recorder.add(INSTRUMENT), recorder.add(INVERSE)
    first, second = recorder.tap("linear"), recorder.tap("inverse")
    recorder.start()
    first.on_subscribed(INSTRUMENT)
    second.on_subscribed(INVERSE)
    first.on_connected(START_NS)
    depth, later_topic = book("snapshot", 1, [], []), ticker("snapshot", markPrice="1")
    turned = b'{"type":"snapshot","topic":"publicTrade.BTCUSDT","ts":1,"data":[]}'
    nobodys = [b'{"op":"pong"}', b"\xff\n", b'{"topic":7}', b'{"topic":"orderbook.50.OTHER"}', b'{"topic":"']
    for data in (depth, later_topic, turned, *nobodys):
        first.on_frame(data, START_NS + 1)
    second.on_frame(b'{"topic":"publicTrade.BTCUSD","data":[]}', START_NS + 2)
    first.on_book_lost(INSTRUMENT.get_instrument_id(), "a gap", START_NS + 3)
    second.on_disconnected("cut", START_NS + 4)
    recorder.close()
    got = records(linear.parts.folder)
    assert [record.data for record in got if record.kind == FRAME] == [depth, later_topic, turned, *nobodys]
    assert {record.connection for record in got[:-1]} == {0}
    assert events(linear.parts.folder) == ["connected", "book_lost", "end"]
    assert [record[:3] for record in records(inverse.parts.folder)][:2] == [
        (START_NS + 2, 1, FRAME),
        (START_NS + 4, 1, CONTROL),
    ]
    assert events(inverse.parts.folder) == ["disconnected", "end"]
    assert (linear.frames, inverse.frames) == (8, 1)
    assert (recorder.disconnects, recorder.books_lost) == (1, 1)
    assert linear.parts.written_bytes == sum(path.stat().st_size for path in parts_of(linear.parts.folder))


def test_parts_follow_each_other_by_size_and_lose_nothing(tmp_path: Path) -> None:
    recorder = new_recorder(tmp_path, limits=RotationLimits(part_bytes=2_000))
    track, tap = recorder.add(INSTRUMENT), recorder.tap("linear")
    tap.on_subscribed(INSTRUMENT)
    rng = random.Random(3)
    sent = [trade(f"{rng.randrange(10**12)}.5", number) for number in range(200)]
    for number, data in enumerate(sent):
        tap.on_frame(data, START_NS + number)
        if number % 10 == 9:
            track.write()
    recorder.close()
    folder = track.parts.folder
    assert [record.data for record in records(folder) if record.kind == FRAME] == sent
    parts = parts_of(folder)
    assert parts == track.parts.parts
    assert 4 <= len(parts) <= 20
    headers = [FramesReader(part).header for part in parts]
    assert [header.part for header in headers] == list(range(1, len(parts) + 1))
    assert headers[-1].connections == ("linear",)
    assert events(folder) == ["continued"] * (len(parts) - 1) + ["end"]


def test_parts_follow_each_other_by_time(tmp_path: Path) -> None:
    recorder = new_recorder(tmp_path, limits=RotationLimits(part_ns=1))
    track, tap = recorder.add(INSTRUMENT), recorder.tap("linear")
    tap.on_subscribed(INSTRUMENT)
    for number in range(3):
        tap.on_frame(trade("1", number), START_NS)
        track.write()
    recorder.close()
    assert len(parts_of(track.parts.folder)) == 4


def test_a_folder_is_recorded_into_by_one_at_a_time(tmp_path: Path) -> None:
    first, second = new_recorder(tmp_path), new_recorder(tmp_path)
    first.add(INSTRUMENT)
    with pytest.raises(ConfigError, match="another recorder is writing there"):
        second.add(INSTRUMENT)
    first.close()
    second.add(INSTRUMENT)
    second.close()


def test_what_the_disk_cannot_follow_is_dropped_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "MOST_WAITING_BYTES", 1_000)
    recorder = new_recorder(tmp_path)
    track, tap = recorder.add(INSTRUMENT), recorder.tap("linear")
    tap.on_subscribed(INSTRUMENT)
    data = trade("1")
    for _ in range(100):
        tap.on_frame(data, START_NS)
    kept = len(track.waiting)
    assert kept < 1_000 // len(data) + 2
    track.write()
    tap.on_frame(data, START_NS + 1)
    recorder.close()
    got = records(track.parts.folder)
    assert [record.kind for record in got] == [FRAME] * kept + [CONTROL, FRAME, CONTROL]
    assert got[kept].event() == {"event": "dropped", "frames": 100 - kept}
    assert (track.frames, track.dropped) == (kept + 1, 100 - kept)


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TapeError, match=r"cannot be written: Not a directory"):
        new_recorder(tmp_path / "file").add(INSTRUMENT)


FULL_DISK = """
import resource, sys, threading, time
from pathlib import Path
from test_recorder import INSTRUMENT, START_NS, new_recorder, trade
from mlthon.errors import TapeError
resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))  # the system refuses to make a file larger
failed = threading.Event()
recorder = new_recorder(Path(sys.argv[1]), on_failure=lambda error: failed.set())
track, tap = recorder.add(INSTRUMENT), recorder.tap("linear")
tap.on_subscribed(INSTRUMENT)
recorder.start()
number = 0
while not failed.wait(0.001):
    number += 1
    tap.on_frame(trade(f"{number * 7919}.5", number), START_NS + number)
try:
    recorder.close()
except TapeError as error:
    print(error)
"""


def test_a_full_disk_leaves_what_was_written_whole(tmp_path: Path) -> None:
    out = python(FULL_DISK, tmp_path)
    [folder] = tmp_path.iterdir()
    [part] = parts_of(folder)
    assert out == f"{part}: cannot be written: File too large\n"
    reader = FramesReader(part)
    got = list(reader)
    assert not reader.is_cut_off
    assert [record.recv_ns for record in got] == [START_NS + number for number in range(1, len(got) + 1)]
    assert len(got) > 20


KILLED = """
import sys, time
from pathlib import Path
from test_recorder import INSTRUMENT, new_recorder, trade
recorder = new_recorder(Path(sys.argv[1]))
track, tap = recorder.add(INSTRUMENT), recorder.tap("linear")
tap.on_subscribed(INSTRUMENT)
recorder.start()
number = 0
while True:
    number += 1
    tap.on_frame(trade("60000.5", number), time.time_ns())
    if number == 1:
        print("recording", flush=True)
    time.sleep(0.002)
"""


@pytest.mark.parametrize("seed", range(4))
def test_a_killed_recorder_loses_the_last_second_at_most(tmp_path: Path, seed: int) -> None:
    lives_s = random.Random(seed).uniform(0.3, 1.7)
    process = start_python(KILLED, tmp_path)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "recording\n"
        began_ns = time.time_ns()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=lives_s)
        killed_ns = time.time_ns()
        process.send_signal(signal.SIGKILL)
        process.communicate()
    finally:
        process.kill()
    [folder] = tmp_path.iterdir()
    got = records(folder)
    assert [record.data for record in got] == [
        trade("60000.5", number) for number in range(1, len(got) + 1)
    ], f"seed {seed}"
    last_ns = got[-1].recv_ns if got else began_ns
    assert killed_ns - last_ns < 1_000_000_000, f"seed {seed}, killed after {lives_s:.3f} s"


def python(script: str, folder: Path) -> str:
    """Run a script to its end; gives what it printed."""
    process = start_python(script, folder)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out


def start_python(script: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, str(folder)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
