"""The rows of `backtest.py`'s table: whole backtests, in turns, each side in a process of its own.

Run by `backtest.py`, in MLThon's environment. What is compared is the time of the processor, which other work on the
machine does not take from anybody; the wall's stands beside it. Every side must end with the same best prices.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from recorded_market import CAPTURES
from rich.console import Console
from rich.table import Table

import mlthon
from mlthon._core import buildinfo
from mlthon._core.tape_cursor import COLUMN_NAMES, SMALL_COLUMNS
from mlthon.tape.opening import open_tape
from mlthon.tape.tape import Tape

SIDES = Path(__file__).resolve().parent / "backtest_peers"
PACKAGE = Path(mlthon.__file__).parent  # the one that is imported here is the one that is measured
CAPTURE = CAPTURES / "binance" / "usdm_btcusdt_20240808.gz"
OURS = "mlthon"
SCRIPTS = {
    OURS: "mlthon_side.py",
    "nautilus_trader": "nautilus_side.py",
    "hftbacktest": "hftbacktest_side.py",
}
BOOK_KINDS = (0, 1)  # depth and trades


@dataclass(frozen=True, slots=True)
class Question:
    """What is done, beside whom, and how much of their time ours may take."""

    what: str
    work: str
    limits: dict[str, float]
    rounds: int


QUESTIONS = (
    Question("best levels and trades", "best", {"nautilus_trader": 1 / 10, "hftbacktest": 0.8}, 21),
    Question("every level and trade", "levels", {"nautilus_trader": 1 / 30}, 11),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One side beside ours."""

    what: str
    side: str
    cpu_ms: float
    wall_ms: float
    ns_an_event: float
    ratio: float | None  # ours over theirs, processor's time
    limit: float | None
    is_met: bool | None


def main() -> int:
    options = parse_arguments()
    if not buildinfo.is_release():
        sys.exit(f"backtest: expected a release build of the core, got {buildinfo.MODE}")
    if not CAPTURE.exists():
        sys.exit(f"backtest: expected the recorded market {CAPTURE}, got no such file")
    pythons = json.loads(options.pythons)
    tape = open_tape(CAPTURE)
    with tempfile.TemporaryDirectory() as folder:
        market = Path(folder) / "market.npz"
        count = write_market(tape, market)
        rows = [
            row
            for question in QUESTIONS
            if any(name in pythons for name in question.limits)
            for row in answer(question, pythons, market, count)
        ]
    if options.json:
        print(json.dumps([asdict(row) for row in rows]))
    else:
        print_table(rows, count)
    return 0 if all(row.is_met is not False for row in rows) else 1


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pythons", required=True, help="JSON: each side's Python")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def write_market(tape: Tape, path: Path) -> int:
    """Write the rows of books and trades as arrays that everybody reads; returns how many there are."""
    names = ("recv_ns", "kind", "flags", "side", "price", "qty")
    columns: dict[str, list[np.ndarray[Any, Any]]] = {name: [] for name in names}
    for count, *buffers in tape.batches():
        for name, buffer in zip(COLUMN_NAMES, buffers, strict=False):
            if name in columns:
                kind = np.uint8 if name in SMALL_COLUMNS else np.int64
                columns[name].append(np.frombuffer(buffer, kind, count).copy())
    market = {name: np.concatenate(parts) for name, parts in columns.items()}
    is_told = np.isin(market["kind"], BOOK_KINDS)
    market = {name: column[is_told] for name, column in market.items()}
    market["ns"] = np.maximum.accumulate(market.pop("recv_ns") - tape.clock_offset_ns)
    np.savez(path, **market)
    return len(market["ns"])


def answer(question: Question, pythons: dict[str, str], market: Path, count: int) -> list[Row]:
    names = [name for name in SCRIPTS if name == OURS or (name in question.limits and name in pythons)]
    with ExitStack() as stack:
        sides = {
            name: stack.enter_context(
                Side(name, pythons[name], question.work, CAPTURE if name == OURS else market)
            )
            for name in names
        }
        samples = take_turns(sides, question.rounds)
    check_tops(samples)
    medians = {
        name: {
            unit: statistics.median(sample[unit] for sample in taken) * 1e3 for unit in ("cpu_s", "wall_s")
        }
        for name, taken in samples.items()
    }
    rows = []
    for name, median in medians.items():
        limit = question.limits.get(name)
        ratio = None if limit is None else medians[OURS]["cpu_s"] / median["cpu_s"]
        met = None if ratio is None or limit is None else ratio <= limit
        each_ns = median["cpu_s"] * 1e6 / count
        rows.append(Row(question.what, name, median["cpu_s"], median["wall_s"], each_ns, ratio, limit, met))
    return rows


def take_turns(sides: dict[str, Side], rounds: int) -> dict[str, list[dict[str, Any]]]:
    """Let every side run once a round, in an order that turns around; the first round is for warming up."""
    samples: dict[str, list[dict[str, Any]]] = {name: [] for name in sides}
    order = list(sides)
    for turn in range(rounds + 1):
        for name in order:
            taken = sides[name].run()
            if turn:
                samples[name].append(taken)
        order.reverse()
    return samples


def check_tops(samples: dict[str, list[dict[str, Any]]]) -> None:
    """Exit unless all have ended with the same best bid and ask."""
    tops = {name: taken[-1]["top"] for name, taken in samples.items()}
    if any(not np.allclose(top, tops[OURS], atol=1e-6) for top in tops.values()):
        sys.exit(f"backtest: expected the same best bid and ask of all at the end, got {tops}")


class Side:
    """One side's process, which ends with this. It is ready when it is entered."""

    def __init__(self, name: str, python: str, work: str, market: Path) -> None:
        self.name = name
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - ours until the exit; shown where it explains
        self._process = subprocess.Popen(
            [python, str(SIDES / SCRIPTS[name]), work, str(market)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=os.environ | ({"PYTHONPATH": str(PACKAGE.parent)} if name == OURS else {}),
        )

    def __enter__(self) -> Side:
        try:
            self._answer()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.communicate()
        self._log.close()

    def run(self) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._log.seek(0)
            sys.exit(f"{self._log.read()}\nbacktest: {self.name} has ended early")
        said: dict[str, Any] = json.loads(line)
        return said


def print_table(rows: Sequence[Row], count: int) -> None:
    title = f"Backtests of {count:,} levels and trades, CPython {platform.python_version()}: medians"
    table = Table(title=title)
    for heading in ("what", "side", "processor", "wall", "an event", "ours / theirs", "limit", "met"):
        table.add_column(heading, justify="left" if heading in ("what", "side") else "right")
    for row in rows:
        met = "" if row.is_met is None else "yes" if row.is_met else "no"
        ratio = "" if row.ratio is None else f"{row.ratio:.3f}"
        limit = "" if row.limit is None else f"{row.limit:.3f}"
        times = (f"{row.cpu_ms:,.1f} ms", f"{row.wall_ms:,.1f} ms", f"{row.ns_an_event:,.0f} ns")
        table.add_row(row.what, row.side, *times, ratio, limit, met)
    Console(width=None if sys.stdout.isatty() else 120).print(table)


if __name__ == "__main__":
    sys.exit(main())
