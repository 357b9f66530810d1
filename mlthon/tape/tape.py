"""A tape, opened: its header, and its events in order, without holding more of it in memory than a batch."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon._core.order_change import OrderChange, RateUpdate
from mlthon._core.tape_cursor import COLUMN_NAMES, TapeCursor
from mlthon.basics.defs import Exchange
from mlthon.errors import TapeError
from mlthon.tape.format import TEXT_ID, TapeCounts, TapeHeader, columns_of
from mlthon.tape.listing import listed_at, origin_of
from mlthon.tape.order_levels import OrderLevels

__all__ = ["Batch", "Tape"]

MAGIC = b"ARROW1"
Batch = Sequence[Any]


class Tape:
    """A recorded market in MLThon's own format, memory-mapped.

    `cursor` reads it from its start, any number of times. Iterating it yields ``(gap_ns, event)`` for a player: depth
    updates, trades and rates, with single orders added up to levels.
    Times are the local ones, corrected by the estimated offset of the clocks; `clock_offset_ns` replaces the
    estimate (0: as recorded). Its instrument is the one it was imported as, or that of the same symbol at `exchange`.
    `source_path` is the file that error lines name, if another than `path`.

    Raises TapeError, saying what and where, when the file is not a tape, or is damaged.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        exchange: Exchange | None = None,
        clock_offset_ns: int | None = None,
        source_path: Path | None = None,
    ) -> None:
        self.path = Path(path)
        self.source_path = source_path or self.path  # what the user named, where this is a conversion of it
        self._mapping = Mapping(self.path)
        self.header: TapeHeader = self._mapping.header
        #: What was recorded.
        self.instrument = (
            self.header.instrument if exchange is None else listed_at(exchange, self.header.instrument)
        )
        #: Which venue it was recorded at; "" where nothing tells.
        self.origin = self.header.origin or origin_of(exchange)
        self.clock_offset_ns = self.header.clock_offset_ns if clock_offset_ns is None else clock_offset_ns

    def __repr__(self) -> str:
        return f"Tape({str(self.source_path)!r})"

    @property
    def counts(self) -> TapeCounts:
        """How much is on it."""
        return self.header.counts

    def batches(self) -> Iterator[Batch]:
        """The columns' memory, batch by batch, as `TapeCursor` takes it; one is valid until the next is asked for."""
        return self._mapping.batches()

    @property
    def schema(self) -> pa.Schema:
        """Its columns, and the header as metadata, as Arrow has them."""
        return self._mapping.reader.schema

    def record_batches(self) -> Iterator[pa.RecordBatch]:
        """Its batches as Arrow has them; one is valid until the next is asked for."""
        return self._mapping.record_batches()

    def cursor(self) -> TapeCursor:
        """Read the tape from its start; iterate the cursor for ``(ns, event)``, or use it from compiled code."""
        return TapeCursor(
            self.batches(),
            price_decimals=self.header.price_decimals,
            qty_decimals=self.header.qty_decimals,
            correction_ns=-self.clock_offset_ns,
            name=str(self.source_path),
        )

    def __iter__(self) -> Iterator[tuple[int, DepthUpdate | PublicTrade | RateUpdate]]:
        before_ns: int | None = None
        levels = OrderLevels()
        for ns, event in self.cursor():
            played = levels.apply(event) if isinstance(event, OrderChange) else event
            if played is not None:
                yield 0 if before_ns is None else ns - before_ns, played
                before_ns = ns


class Mapping:
    """The memory-mapped file: Arrow's reader over it, and the pages that were read given back."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                if file.read(len(MAGIC)) != MAGIC:
                    raise TapeError(f"{path}: expected a tape (an Arrow IPC file), got something else")
                self.memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:
            raise TapeError(f"{path}: cannot be opened: {error.strerror or error}") from error
        self.buffer = pa.py_buffer(self.memory)
        try:
            self.reader = pa.ipc.open_file(self.buffer)
            self.header = TapeHeader.from_metadata(self.reader.schema.metadata)
            self.text_ids = columns_of(self.reader.schema)
        except (pa.ArrowException, OSError, ValueError, TypeError) as error:
            raise TapeError(f"{path}: {one_line(error)}") from error

    def batches(self) -> Iterator[Batch]:
        """Yield the batches as `TapeCursor` takes them; one is valid until the next is asked for."""
        for number, batch in enumerate(self.record_batches()):
            yield self.columns(batch, number)

    def record_batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the batches, and give back the memory of one when the next is asked for."""
        released = 0
        for number in range(self.reader.num_record_batches):
            batch = self.read(number)
            yield batch
            released = self.release(released, batch)

    def read(self, number: int) -> pa.RecordBatch:
        try:
            batch = self.reader.get_batch(number)
            batch.validate()
        except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
            raise TapeError(f"{self.path}: batch {number}: {one_line(error)}") from error
        return batch

    def columns(self, batch: pa.RecordBatch, number: int) -> Batch:
        """The memory of a batch's columns."""
        columns: list[Any] = [batch.num_rows]
        for index, name in enumerate(COLUMN_NAMES):
            column = batch.column(index)
            if column.null_count or column.offset:
                raise TapeError(f"{self.path}: batch {number}: column {name}: expected no nulls, got some")
            columns.append(column.buffers()[1] or b"")
        if not self.text_ids:
            return [*columns, None]
        texts = batch.column(len(COLUMN_NAMES))
        if texts.offset:
            raise TapeError(f"{self.path}: batch {number}: column {TEXT_ID}: expected a whole column")
        validity, offsets, data = texts.buffers()
        return [*columns, None if batch.num_rows == 0 else (offsets, data or b"", validity)]

    def release(self, start: int, batch: pa.RecordBatch) -> int:
        """Give back the pages up to the batch's end: they stay in the file, and need not stay in memory."""
        ends = [
            buffer.address + buffer.size - self.buffer.address
            for column in batch.columns
            for buffer in column.buffers()
            if buffer is not None and 0 <= buffer.address - self.buffer.address <= self.buffer.size
        ]
        end = max(ends, default=start) // mmap.PAGESIZE * mmap.PAGESIZE
        if end > start:
            self.memory.madvise(mmap.MADV_DONTNEED, start, end - start)
        return max(start, end)


def one_line(error: BaseException) -> str:
    """What an error says, on one line of bounded length."""
    return " ".join(str(error).split())[:300]
