"""Writes a tape: a recording's events in, a whole file out, or none."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon._core.order_change import OrderChange
from mlthon._core.tape_columns import ColumnsTooNarrow, TapeColumns
from mlthon.basics.defs import Exchange
from mlthon.errors import TapeError
from mlthon.tape.clock_offset import ClockOffset
from mlthon.tape.format import ROWS_PER_BATCH, TapeCounts, TapeHeader, bare_schema, columns_of, schema_of
from mlthon.tape.listing import listed_at, origin_of
from mlthon.tape.recording import Recording, TapeEvent

__all__ = ["write_tape"]


def write_tape(
    path: Path,
    recording: Recording,
    source: str,
    on_rows: Callable[[int], None] | None = None,
    *,
    exchange: Exchange | None = None,
) -> TapeHeader:
    """Write a recording as a tape; returns its header.

    The tape's instrument is listed at `exchange`; None: as the recording has it. The file appears when it is
    whole; until then it has another name in the same folder, and goes when anything fails. `on_rows` is told
    from time to time how many rows there are. Raises what the recording raises, and TapeError when the file
    cannot be written.
    """
    instrument = recording.instrument if exchange is None else listed_at(exchange, recording.instrument)
    columns = TapeColumns(
        price_decimals=instrument.get_price_precision() or 0,
        qty_decimals=instrument.get_quantity_precision() or 0,
    )
    while True:
        with unfinished(path) as draft:
            try:
                clock, counts = write_draft(draft, columns, recording, on_rows or ignore)
            except ColumnsTooNarrow as needed:  # a finer value than those before: once more, with room for it
                columns = TapeColumns(
                    price_decimals=needed.price_decimals,
                    qty_decimals=needed.qty_decimals,
                    text_ids=needed.text_ids,
                )
                continue
            header = TapeHeader(
                instrument=instrument,
                price_decimals=columns.price_decimals,
                qty_decimals=columns.qty_decimals,
                clock_offset_ns=clock.offset_ns,
                source=source,
                counts=counts,
                notes=recording.notes(),
                origin=recording.origin or origin_of(exchange),
            )
            with unfinished(path) as whole:
                finish(draft, whole, header)
                put_in_place(whole, path)
            return header


def write_draft(
    draft: Path, columns: TapeColumns, recording: Recording, on_rows: Callable[[int], None]
) -> tuple[ClockOffset, TapeCounts]:
    """Write the batches as a stream: what belongs in a tape's header is known only when all have been seen."""
    schema = bare_schema(text_ids=columns.text_ids)
    clock, counts = ClockOffset(), TapeCounts()
    with written(draft) as file, pa.ipc.new_stream(file, schema) as writer:
        for event in recording.events():
            columns.append(event)
            count(event, counts)
            clock.observe(event.recv_ns, event.venue_ns)
            if len(columns) >= ROWS_PER_BATCH:
                counts.rows += len(columns)
                writer.write_batch(batch_of(columns, schema))
                on_rows(counts.rows)
        counts.rows += len(columns)
        writer.write_batch(batch_of(columns, schema))
        on_rows(counts.rows)
    return clock, counts


def finish(draft: Path, whole: Path, header: TapeHeader) -> None:
    """Copy a stream of batches into a file with a header."""
    with pa.OSFile(str(draft)) as source, pa.ipc.open_stream(source) as reader, written(whole) as file:
        schema = schema_of(header, text_ids=columns_of(reader.schema))
        with pa.ipc.new_file(file, schema) as writer:
            for batch in reader:
                writer.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=schema))


def put_in_place(whole: Path, path: Path) -> None:
    try:
        whole.replace(path)
    except OSError as error:
        raise TapeError(f"{path}: cannot be written: {error.strerror or error}") from error


def count(event: TapeEvent, counts: TapeCounts) -> None:
    if isinstance(event, DepthUpdate):
        counts.depth_messages += 1
        counts.levels += len(event)
    elif isinstance(event, PublicTrade):
        counts.trades += 1
    elif isinstance(event, OrderChange):
        counts.order_changes += 1
    else:
        counts.rates += 1
    if counts.first_recv_ns == 0:
        counts.first_recv_ns = event.recv_ns
    counts.last_recv_ns = max(counts.last_recv_ns, event.recv_ns)


def batch_of(columns: TapeColumns, schema: pa.Schema) -> pa.RecordBatch:
    """The rows collected so far, as Arrow has them."""
    rows, *buffers, texts = columns.take()
    arrays = [
        pa.Array.from_buffers(field.type, rows, [None, pa.py_buffer(buffer)])
        for field, buffer in zip(schema, buffers, strict=False)
    ]
    if texts is not None:
        arrays.append(pa.array(texts, pa.utf8()))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


@contextmanager
def unfinished(path: Path) -> Iterator[Path]:
    """A name beside a file to be, for what is not whole yet; whatever still has it in the end is removed."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.touch(exist_ok=False)
    except OSError as error:
        raise TapeError(f"{path}: cannot be written: {error.strerror or error}") from error
    try:
        yield draft
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def written(path: Path) -> Iterator[pa.OSFile]:
    try:
        with pa.OSFile(str(path), "wb") as file:
            yield file
    except OSError as error:
        raise TapeError(f"{path}: cannot be written: {error}") from error


def ignore(_rows: int) -> None:
    """Nobody wants to know how far it is."""
