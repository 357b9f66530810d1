"""Tapes that are cut, shuffled, of wrong types or lying: a clear TapeError, or a tape's events; never a crash."""

from __future__ import annotations

import gc
import json
import os
import random
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon.basics.defs import Side
from mlthon.errors import TapeError
from mlthon.instruments.instrument import Instrument
from mlthon.tape.listing import Listing, instrument_of
from mlthon.tape.recording import TapeEvent

pa = pytest.importorskip("pyarrow", reason="tapes need the data extra")

from mlthon.tape.format import TapeCounts  # noqa: E402
from mlthon.tape.tape import Tape  # noqa: E402
from mlthon.tape.verify import verify  # noqa: E402
from mlthon.tape.writer import write_tape  # noqa: E402

NS = 1_700_000_000_000_000_000
MS = 1_000_000
FUZZED = 400


class Made:
    """A recording of given events."""

    origin = "bybit"

    def __init__(self, *events: TapeEvent) -> None:
        self.given = events

    @property
    def instrument(self) -> Instrument:
        return instrument_of(Listing("BTCUSDT", "BTC", "USDT", "linear"), self.given, Path("made"))

    def events(self) -> Iterator[TapeEvent]:
        return iter(self.given)

    def notes(self) -> dict[str, int]:
        return {}


def depth(
    n: int, *, seq: int | None = None, prev: int | None = None, bid: str = "99.5", late_ms: int = 5
) -> DepthUpdate:
    return DepthUpdate(
        [(bid, "1")],
        [("100.5", "2")],
        is_snapshot=n == 0,
        venue_ns=NS + n * MS,
        recv_ns=NS + (n + late_ms) * MS,
        seq=n if seq is None else seq,
        prev_seq=n - 1 if prev is None else prev,
    )


def trade(n: int, number: int) -> PublicTrade:
    return PublicTrade(
        Side.Buy, "100.5", "1", venue_ns=NS + n * MS, recv_ns=NS + (n + 5) * MS, trade_id=str(number)
    )


@pytest.fixture
def tape_of(tmp_path: Path) -> Callable[..., Path]:
    def write(*events: TapeEvent) -> Path:
        path = tmp_path / "made.tape"
        write_tape(path, Made(*events), "made")
        return path

    return write


# -- what a sound tape may hold ------------------------------------------------------------------------------------


BACKWARDS = {"rows received in another order": 1}


def problems(path: Path) -> dict[str, int]:
    return {finding.kind: finding.count for finding in verify(Tape(path)).problems}


def test_a_sound_tape_has_no_problems(tape_of: Callable[..., Path]) -> None:
    report = verify(Tape(tape_of(depth(0), depth(1), trade(1, 7), depth(2), trade(2, 8))))
    assert (report.is_sound, report.events, report.levels, report.repairs) == (True, 5, 6, {})


@pytest.mark.parametrize(
    ("events", "found"),
    [
        ([depth(0), depth(2)], {"gap": 1}),
        ([depth(0), depth(1), depth(1)], {"duplicate depth message": 1}),
        ([depth(0), depth(1), depth(2), depth(1)], {"depth message out of order": 1} | BACKWARDS),
        ([depth(0), depth(1, bid="101"), depth(2)], {"crossed book": 2}),
        ([depth(1), depth(2)], {"depth message before any snapshot": 1}),
        ([trade(1, 7), trade(2, 7), trade(3, 6)], {"duplicate trade": 1, "trade out of order": 1}),
        ([depth(0), depth(1, prev=-1), depth(1, prev=-1)], {"duplicate depth message": 1}),
        ([depth(0), depth(2, prev=-1), depth(1, prev=-1)], {"depth message out of order": 1} | BACKWARDS),
    ],
)
def test_what_misleads_is_found(
    tape_of: Callable[..., Path], events: list[TapeEvent], found: dict[str, int]
) -> None:
    assert problems(tape_of(*events)) == found


def test_a_message_received_before_the_one_above_is_repaired_and_counted(
    tape_of: Callable[..., Path],
) -> None:
    path = tape_of(depth(0), depth(1, late_ms=40), depth(2))
    assert verify(Tape(path)).repairs == {"received_out_of_order": 1}
    times = [ns for ns, _ in Tape(path).cursor()]
    assert times == sorted(times)


def test_a_tape_that_runs_backwards_is_not_sound(tape_of: Callable[..., Path]) -> None:
    found = problems(tape_of(*(trade(100 - n, n) for n in range(50))))
    assert found == BACKWARDS


def test_clock_offsets_and_steps_are_found(tape_of: Callable[..., Path]) -> None:
    second = 1000
    behind = [depth(n, late_ms=-1200) for n in range(0, 100 * second, second)]
    report = verify(Tape(tape_of(*(depth(0, late_ms=-1200), *behind[1:]))))
    assert (report.clock_offset_ns, report.clock_steps) == (-1200 * MS, [])
    assert report.repairs == {"clock_offset_ns": -1200 * MS}
    assert next(Tape(tape_of(*behind)).cursor())[0] == NS  # the fastest came at once, as far as anybody knows
    stepped = [depth(n, late_ms=20 if n < 50 * second else -2980) for n in range(0, 100 * second, second)]
    ((_, change_ns),) = verify(Tape(tape_of(*stepped))).clock_steps
    assert change_ns == -3000 * MS
    plausible = [depth(n, late_ms=80) for n in range(0, 100 * second, second)]
    assert Tape(tape_of(*plausible)).clock_offset_ns == 0


# -- what is no tape -----------------------------------------------------------------------------------------------


def rewritten(path: Path, change: Callable[[pa.Table], pa.Table]) -> Path:
    """The tape's table changed, and written as an Arrow file again."""
    with pa.ipc.open_file(path) as reader:
        table = change(reader.read_all())
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    return path


def with_metadata(**changed: str) -> Callable[[pa.Table], pa.Table]:
    encoded = {key.encode(): value.encode() for key, value in changed.items()}

    def change(table: pa.Table) -> pa.Table:
        return table.replace_schema_metadata({**table.schema.metadata, **encoded})

    return change


def recast(name: str, kind: pa.DataType) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        index = table.schema.get_field_index(name)
        return table.set_column(index, name, table.column(index).cast(kind))

    return change


def with_nulls(table: pa.Table) -> pa.Table:
    index = table.schema.get_field_index("price")
    return table.set_column(index, "price", pa.array([None] * len(table), pa.int64()))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (recast("price", pa.float64()), "expected the columns .*, got .*price: double"),
        (recast("kind", pa.int64()), "expected the columns .*, got .*kind: int64"),
        (lambda table: table.drop_columns(["qty"]), "expected the columns"),
        (lambda table: table.append_column("more", table.column("id")), "expected the columns"),
        (with_nulls, "batch 0: column price: expected no nulls"),
        (
            lambda table: table.replace_schema_metadata({}),
            "expected an Arrow file with the metadata of a tape",
        ),
        (with_metadata(version="2"), "expected a tape of version 1, got version 2"),
        (with_metadata(version="x"), "metadata: version: expected an integer"),
        (
            with_metadata(price_decimals="19"),
            "metadata: price_decimals: expected an integer from 0 to 18, got '19'",
        ),
        (with_metadata(clock_offset_ns="9" * 30), "metadata: clock_offset_ns: expected an integer"),
        (with_metadata(counts="[]"), "metadata: counts: expected an object of integers"),
        (with_metadata(counts='{"rows": 99999999999999999999}'), "metadata: counts: expected"),
        (
            with_metadata(counts=json.dumps(dict.fromkeys(TapeCounts.__slots__, -1))),
            "metadata: counts: expected",
        ),
        (with_metadata(notes="{"), "metadata: notes: expected JSON"),
        (with_metadata(instrument="{}"), "instrument: key 'instrument_type' is missing"),
    ],
)
def test_another_table_is_refused(
    tape_of: Callable[..., Path], change: Callable[[pa.Table], pa.Table], text: str
) -> None:
    path = rewritten(tape_of(depth(0), depth(1)), change)
    with pytest.raises(TapeError, match=text):
        list(Tape(path).cursor())


def test_rows_in_another_order_are_an_error_or_found(tape_of: Callable[..., Path]) -> None:
    events = [depth(n) for n in range(200)]
    seed = random.randrange(2**32)
    order = random.Random(seed).sample(range(400), 400)
    path = rewritten(tape_of(*events), lambda table: table.take(order))
    try:
        report = verify(Tape(path))
    except TapeError as error:
        assert "row" in str(error), f"seed {seed}"
    else:
        assert not report.is_sound, f"seed {seed}"


def test_a_tape_that_is_cut_off_is_refused_wherever(tape_of: Callable[..., Path]) -> None:
    path = tape_of(depth(0), depth(1))
    whole = path.read_bytes()
    for size in [*range(0, len(whole), 97), len(whole) - 1]:
        path.write_bytes(whole[:size])
        with pytest.raises(TapeError):
            list(Tape(path).cursor())


def test_changed_bytes_never_crash_the_reader(tape_of: Callable[..., Path]) -> None:
    """In a process of its own: a crash would take the tests with it."""
    path = tape_of(depth(0), depth(1), trade(1, 7), *(depth(n) for n in range(2, 40)))
    seed = random.randrange(2**32)
    script = textwrap.dedent(
        """
        import random, sys
        from pathlib import Path
        from mlthon.errors import TapeError
        from mlthon.tape.tape import Tape
        path, seed, rounds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
        whole, rng = path.read_bytes(), random.Random(seed)
        refused = 0
        for number in range(rounds):
            print(number, file=sys.stderr, flush=True)
            content = bytearray(whole)
            for _ in range(rng.choice([1, 1, 2, 8])):
                at = rng.randrange(len(content))
                content[at:at + rng.choice([1, 1, 4, 8])] = rng.choice(
                    [b"\\x00", b"\\xff", bytes([rng.randrange(256)]), b"\\xff" * 8, b"\\xff\\xff\\xff\\x7f"])
            target = path.with_name("mutant.tape")
            target.unlink(missing_ok=True)
            target.write_bytes(content)
            try:
                Tape(target).cursor().read_through()
            except TapeError:
                refused += 1
        print(refused)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path), str(seed), str(FUZZED)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, f"seed {seed}: {done.stderr[-2000:]}"
    assert int(done.stdout) > FUZZED // 20, f"seed {seed}"


# -- memory --------------------------------------------------------------------------------------------------------


def test_memory_stays_flat_on_a_long_tape(tape_of: Callable[..., Path]) -> None:
    path = tape_of(depth(0), *(depth(n) for n in range(1, 30_000)))
    with pa.ipc.open_file(path) as reader:
        batches, schema = [reader.get_batch(0)] * 40, reader.schema
        with pa.OSFile(str(path) + ".long", "wb") as file, pa.ipc.new_file(file, schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
    long = Path(str(path) + ".long")
    assert long.stat().st_size > 100_000_000
    del batches
    gc.collect()
    script = (
        "import resource, sys; from mlthon.tape.tape import Tape; tape = Tape(sys.argv[1])\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "levels, events = tape.cursor().read_through()\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, events)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(long)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    grown_kb, events = map(int, done.stdout.split())
    assert events == 40 * 30_000
    assert grown_kb < 30_000
