"""Tapes as Parquet, for archives and for programs that do not read Arrow files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mlthon.errors import TapeError
from mlthon.tape.tape import Tape
from mlthon.tape.writer import unfinished

__all__ = ["write_parquet"]


def write_parquet(tape: Tape, path: Path, on_rows: Callable[[int], None] | None = None) -> int:
    """Write a tape's columns and metadata as one Parquet file, packed with zstd; returns how many rows it has.

    The file appears when it is whole. Raises TapeError when the tape is damaged or the file cannot be written.
    """
    rows = 0
    with unfinished(path) as draft:
        try:
            with pq.ParquetWriter(draft, tape.schema, compression="zstd") as writer:
                for batch in tape.record_batches():
                    writer.write_batch(batch)
                    rows += batch.num_rows
                    if on_rows is not None:
                        on_rows(rows)
            draft.replace(path)
        except (pa.ArrowException, OSError) as error:
            raise TapeError(f"{path}: cannot be written: {error}") from error
    return rows
