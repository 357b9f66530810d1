"""A day of a busy perpetual in one process: how much memory it takes, and at what rate it is played.

    python bench/day.py                   10^8 events: 6 GB on disk, removed afterwards
    python bench/day.py --events 10000000
    python bench/day.py --folder DIR      where there is room for the tape

The day is the recorded market over and over: each time its stamps and numbers are moved on, and it begins with its
own snapshot, so that the book stays sound. Prints what the day takes beside the recorded market alone, which is
played before and after it; fails over a limit. Run it where MLThon is installed with its ``data`` extra.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from backtest_rows import CAPTURE, OURS, Side
from environments import CACHE

from mlthon._core import buildinfo
from mlthon.tape.format import TapeCounts, schema_of
from mlthon.tape.opening import open_tape
from mlthon.tape.tape import Tape

EVENTS = 100_000_000
ROW_BYTES = 59
GAP_NS = 1_000_000  # between one repetition's last event and the next one's first
MOST_MB = 150
MOST_RATIO = 1.1  # an event's time, the day's over the short tape's
ROUNDS = 5  # of the short tape, before and after


def main() -> int:
    options = parse_arguments()
    if not buildinfo.is_release():
        sys.exit(f"day: expected a release build of the core, got {buildinfo.MODE}")
    short = open_tape(CAPTURE)
    times = -(-options.events // (short.counts.levels + short.counts.trades))
    with day_of(short, times, options.folder) as day:
        before = event_ns(CAPTURE, ROUNDS)
        long_ns, peak_mb, events = play(day, 1)[0]
        after = event_ns(CAPTURE, ROUNDS)
    short_ns = statistics.median(before + after)
    print(f"day: {events:,} events, {long_ns:.1f} ns each, {peak_mb:.0f} MB at most")
    print(f"recorded market alone: {short_ns:.1f} ns each; ratio {long_ns / short_ns:.3f}")
    return 0 if peak_mb < MOST_MB and long_ns <= MOST_RATIO * short_ns else 1


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Play a day of a busy perpetual in one process.")
    parser.add_argument("--events", type=int, default=EVENTS, metavar="N")
    parser.add_argument("--folder", type=Path, default=CACHE / "backtest", metavar="DIR")
    return parser.parse_args()


def event_ns(path: Path, rounds: int) -> list[float]:
    return [ns for ns, _, _ in play(path, rounds)]


def play(path: Path, rounds: int) -> list[tuple[float, float, int]]:
    """Play a tape in a process of its own: an event's ns of the processor, peak memory in MB, events."""
    with Side(OURS, sys.executable, "best", path) as side:
        answers = [side.run() for _ in range(rounds)]
    return [(said["cpu_s"] * 1e9 / said["events"], said["peak_mb"], said["events"]) for said in answers]


@contextmanager
def day_of(short: Tape, times: int, folder: Path) -> Iterator[Path]:
    """Write a tape, which goes at the end, that repeats another one."""
    folder.mkdir(parents=True, exist_ok=True)
    needed = times * short.counts.rows * ROW_BYTES
    if shutil.disk_usage(folder).free < 2 * needed:
        sys.exit(f"day: expected twice {needed / 1e9:.1f} GB free in {folder}")
    with tempfile.TemporaryDirectory(dir=folder) as made:
        path = Path(made) / "day.tape"
        write_day(short, times, path)
        yield path


def write_day(short: Tape, times: int, path: Path) -> None:
    counts = short.counts
    span_ns = counts.last_recv_ns - counts.first_recv_ns + GAP_NS
    numbers = span_of_seq(short)
    ends = {
        "first_recv_ns": counts.first_recv_ns,
        "last_recv_ns": counts.last_recv_ns + (times - 1) * span_ns,
    }
    repeated = {name: times * count for name, count in asdict(counts).items()} | ends
    schema = schema_of(replace(short.header, counts=TapeCounts(**repeated)), text_ids=False)
    steps = {"recv_ns": span_ns, "venue_ns": span_ns, "seq": numbers, "prev_seq": numbers}
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        for turn in range(times):
            for batch in short.record_batches():
                columns = [
                    moved(column, turn * steps[name]) if name in steps else column
                    for name, column in zip(schema.names, batch.columns, strict=True)
                ]
                writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))


def moved(column: pa.Array, by: int) -> pa.Array:
    """Add to stamps or numbers; what is negative stands for none, and stays."""
    return pc.if_else(pc.less(column, 0), column, pc.add(column, by))


def span_of_seq(short: Tape) -> int:
    """How far one repetition's numbers are from the next one's."""
    first = last = 0
    for batch in short.record_batches():
        bounds = pc.min_max(batch.column("seq")).as_py()
        first, last = first or bounds["min"], max(last, bounds["max"])
    return last - first + 1


if __name__ == "__main__":
    sys.exit(main())
