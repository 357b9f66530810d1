"""``python -m mlthon.run data``: recordings become tapes, and tapes are examined, listed and handed on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlthon.errors import ConfigError, MLThonError, TapeError
from mlthon.run.option_values import exchange_named
from mlthon.run.output import Output
from mlthon.tape.cache import cached_tapes, clear_cache
from mlthon.tape.opening import is_tape, open_tape
from mlthon.tape.raw_frames import FRAMES_SUFFIX

if TYPE_CHECKING:
    from mlthon.tape.tape import Tape
    from mlthon.tape.verify import Report

__all__ = ["data_app"]

SUFFIX = ".tape"
PACKED_SUFFIXES = {".gz", ".xz", ".zip", ".csv", ".json", ".jsonl", ".log", ".npz", ".data", ".txt", SUFFIX}
SHOWN_EXAMPLES = 3
NS_PER_S = 1_000_000_000

data_app = typer.Typer(
    help="Recorded markets: import, verify, list, export.", rich_markup_mode=None, no_args_is_help=True
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, the rest on stderr.")]
Folder = Annotated[
    Path, typer.Option("--output", "-o", metavar="DIR", help="Where to write; made if it is not there.")
]


@data_app.callback()
def data() -> None:
    """Recorded markets: import, verify, list, export."""


@data_app.command("import")
def import_sources(
    sources: Annotated[list[Path], typer.Argument(metavar="SOURCE...", help="Captures and archives.")],
    output: Folder = Path(),
    merge: Annotated[
        str | None,
        typer.Option(
            "--merge", metavar="NAME", help="Make one tape of all: parts of one market, by time received."
        ),
    ] = None,
    exchange: Annotated[
        str | None,
        typer.Option(
            "--exchange",
            metavar="NAME",
            help="Where the tapes' instruments are listed: binance, say. Else they are Bybit's.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a tape of each recording: Binance, Bybit, Tardis, hftbacktest, Bitstamp, Bitfinex.

    What kind it is shows in the file itself. A tape that was there is replaced when the new one is whole.
    """
    needs_extra()
    from mlthon.tape.merged import MergedRecording  # noqa: PLC0415  (all this takes its time)
    from mlthon.tape.recordings import recording_at  # noqa: PLC0415
    from mlthon.tape.writer import write_tape  # noqa: PLC0415

    out = Output(as_json)
    listed_by = None if exchange is None else exchange_named("--exchange", exchange)
    for source in sources:
        if is_tape(source):
            raise TapeError(f"{source}: expected a recording, got a tape: it needs no import")
    groups = [(output / f"{stem_of(source)}{SUFFIX}", [source]) for source in dict.fromkeys(sources)]
    if merge:
        groups = [(output / f"{merge}{SUFFIX}", sources)]
    refuse_twins([target for target, _ in groups])
    made = []
    for target, parts in groups:
        recordings = [recording_at(part) for part in parts]
        recording = recordings[0] if len(parts) == 1 else MergedRecording(recordings)
        with progress(f"importing {target.stem}", None) as on_rows:
            header = write_tape(
                target, recording, " + ".join(part.name for part in parts), on_rows, exchange=listed_by
            )
        out.line(f"{target}: {described(header.counts.rows, header.instrument.get_instrument_name())}")
        made.append({"tape": str(target), **summary_of(open_tape(target))})
    out.result({"tapes": made})


@data_app.command("verify")
def verify_files(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Tapes, captures and archives.")],
    as_json: Json = False,
) -> None:
    """Examine recordings: gaps, crossed books, clocks, order, duplicates, and what was repaired.

    Exit code 2 when one of them is damaged or would mislead who trades on it.
    """
    needs_extra()
    from mlthon.tape.verify import verify  # noqa: PLC0415

    out = Output(as_json)
    results: list[dict[str, Any]] = []
    for file in files:
        try:
            with progress(f"opening {file.name}", None) as on_rows:
                tape = open_tape(file, on_rows=on_rows)
            with progress(f"verifying {file.name}", events_on(tape)) as on_events:
                report = verify(tape, on_events)
        except MLThonError as error:
            out.line(f"{file}: damaged: {error}")
            results.append({"file": str(file), "is_sound": False, "error": str(error)})
        else:
            show_report(out, file, report)
            results.append({"file": str(file), **report.to_json()})
    out.result({"files": results})
    wrong = [result["file"] for result in results if not result["is_sound"]]
    if wrong:
        raise TapeError(f"{len(wrong)} of {len(files)} recordings are not sound: {', '.join(wrong)}")


@data_app.command("ls")
def list_tapes(
    places: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PLACE...", help="Files and folders; without any, this folder and the cache."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List tapes: what is on them, from when to when, and how large they are.

    Exit code 2 when one of them cannot be read, after the others have been listed.
    """
    needs_extra()
    from rich.table import Column, Table  # noqa: PLC0415

    out = Output(as_json)
    table = Table(
        *(Column(heading, overflow="fold") for heading in ("tape", "instrument")),
        *(
            Column(heading, justify="right", no_wrap=True)
            for heading in ("from (UTC)", "length", "rows", "MB")
        ),
    )
    listed: list[dict[str, Any]] = []
    unreadable = []
    for path in tapes_in(places) if places else [*tapes_in([Path()]), *cached_tapes()]:
        try:
            summary = summary_of(open_tape(path))
        except MLThonError as error:
            unreadable.append(str(error))
            listed.append({"path": str(path), "error": str(error)})
            continue
        table.add_row(path.name, *row_of(summary))
        listed.append({"path": str(path), **summary})
    if table.row_count:
        out.show(table)
    elif not listed:
        out.line("no tapes")
    out.result({"tapes": listed})
    if len(unreadable) == 1:
        raise TapeError(unreadable[0])
    if unreadable:
        raise TapeError(f"{len(unreadable)} of {len(listed)} cannot be read: {'; '.join(unreadable)}")


@data_app.command("clear")
def clear(as_json: Json = False) -> None:
    """Remove the tapes that were made from captures on the way; they are made again when they are needed."""
    out = Output(as_json)
    freed = clear_cache()
    out.line(f"{freed / 1e6:.1f} MB freed")
    out.result({"freed_bytes": freed})


@data_app.command("export")
def export(
    tapes: Annotated[list[Path], typer.Argument(metavar="TAPE...", help="Tapes, captures and archives.")],
    output: Folder = Path(),
    as_json: Json = False,
) -> None:
    """Write tapes as Parquet files, with the same columns and metadata."""
    needs_extra()
    from mlthon.tape.parquet import write_parquet  # noqa: PLC0415

    out = Output(as_json)
    made = []
    targets = {source: output / f"{stem_of(source)}.parquet" for source in tapes}
    refuse_twins(list(targets.values()))
    for source, target in targets.items():
        with progress(f"opening {source.name}", None) as on_rows:
            tape = open_tape(source, on_rows=on_rows)
        with progress(f"writing {target.name}", tape.counts.rows) as on_rows:
            rows = write_parquet(tape, target, on_rows)
        out.line(f"{target}: {described(rows, tape.instrument.get_instrument_name())}")
        made.append({"source": str(source), "parquet": str(target), "rows": rows})
    out.result({"files": made})


# -- what is shown -----------------------------------------------------------------------------------------------


def needs_extra() -> None:
    """Say what to install where the packages are missing that every one of these commands needs."""
    try:
        import numpy  # noqa: F401, PLC0415
        import pyarrow  # noqa: F401, PLC0415
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"tapes need {error.name}: install it with pip install 'mlthon-trader[data]'"
        ) from error


def refuse_twins(targets: list[Path]) -> None:
    """Raise ConfigError where one file would be written over another of the same command."""
    for target in targets:
        if targets.count(target) > 1:
            raise ConfigError(f"{target}: several sources would be written there; take them one by one")


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show on stderr how far something is, if that is a terminal; yields what to tell it with."""
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,}"),
        TimeElapsedColumn(),
    )
    console = Console(file=sys.stderr)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)


def show_report(out: Output, file: Path, report: Report) -> None:
    """Print what was found out about a recording."""
    verdict = "sound" if report.is_sound else "NOT SOUND"
    out.line(f"{file}: {verdict}, {report.events:,} events, {report.levels:,} levels")
    for finding in report.problems:
        out.line(f"  {finding.kind}: {finding.count:,}")
        for example in finding.examples[:SHOWN_EXAMPLES]:
            out.line(f"    {example}")
    if report.fastest_ns is not None:
        late, corrected = report.fastest_ns / 1e6, -report.clock_offset_ns / 1e6
        out.line(
            f"  clock: the fastest messages came {late:+.1f} ms after the venue's stamp,"
            f" corrected by {corrected:.1f} ms"
        )
    for name, count in report.repairs.items():
        if name != "clock_offset_ns":
            out.line(f"  repaired in reading: {name.replace('_', ' ')}: {count:,}")
    for name, count in report.import_notes.items():
        out.line(f"  import: {name.replace('_', ' ')}: {count:,}")


def summary_of(tape: Tape) -> dict[str, Any]:
    """What a list of tapes says of one."""
    return {
        "instrument": tape.instrument.get_instrument_name(),
        "source": tape.header.source,
        "origin": tape.origin,
        "clock_offset_ns": tape.header.clock_offset_ns,
        "bytes": tape.path.stat().st_size,
        **asdict(tape.counts),
    }


def row_of(summary: dict[str, Any]) -> list[str]:
    seconds = (summary["last_recv_ns"] - summary["first_recv_ns"]) // NS_PER_S
    begin = datetime.fromtimestamp(summary["first_recv_ns"] // NS_PER_S, UTC)
    return [
        summary["instrument"],
        begin.strftime("%Y-%m-%d %H:%M:%S"),
        str(timedelta(seconds=seconds)),
        f"{summary['rows']:,}",
        f"{summary['bytes'] / 1e6:.1f}",
    ]


def described(rows: int, instrument: str) -> str:
    return f"{rows:,} rows of {instrument}"


def events_on(tape: Tape) -> int:
    counts = tape.counts
    return counts.depth_messages + counts.trades + counts.order_changes + counts.rates


def tapes_in(places: list[Path]) -> list[Path]:
    """Files and recordings as they are, and of other folders the tapes in them."""
    found: list[Path] = []
    for place in places:
        is_recording = place.is_dir() and any(place.glob(f"*{FRAMES_SUFFIX}"))
        found += sorted(place.glob(f"*{SUFFIX}")) if place.is_dir() and not is_recording else [place]
    return found


def stem_of(source: Path) -> str:
    """A file's name without the endings that say how it is packed."""
    name = source
    while name.suffix.lower() in PACKED_SUFFIXES and name.stem:
        name = name.with_suffix("")
    return name.name
