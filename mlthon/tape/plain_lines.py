"""Lines and CSV rows of archives' files, which are packed or not."""

from __future__ import annotations

import csv
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from mlthon.errors import TapeError
from mlthon.tape.capture_lines import open_capture, read_line, shown

__all__ = ["Row", "decoded", "first_line", "read_lines", "read_rows"]

Row = dict[str, str]
Decoded = TypeVar("Decoded")


def read_lines(path: Path) -> Generator[tuple[int, bytes], None, None]:
    """Yield the lines with their numbers, from 1, blank ones left out.

    Raises TapeError, naming file and line, where the file cannot be read further; whole lines before have been
    yielded by then.
    """
    with open_capture(path) as stream:
        number = 0
        while line := read_line(stream, path, number + 1):
            number += 1
            if not line.isspace():
                yield number, line


def first_line(path: Path) -> bytes:
    """The first line that is not blank; empty where there is none."""
    with closing(read_lines(path)) as lines:
        return next(lines, (0, b""))[1]


def read_rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Yield the rows of a CSV file with their line numbers, by the names in its first line."""
    header: list[str] = []
    for number, line in read_lines(path):
        try:
            fields = next(csv.reader([line.decode()]))
        except (UnicodeDecodeError, csv.Error) as error:
            raise TapeError(f"{path}: line {number}: expected CSV, got {shown(line)}: {error}") from error
        if not header:
            header = fields
        elif len(fields) == len(header):
            yield number, dict(zip(header, fields, strict=True))
        else:
            cut = "" if line.endswith(b"\n") else ": the file is cut off here"
            raise TapeError(f"{path}: line {number}: expected {len(header)} fields, got {len(fields)}{cut}")


def decoded(path: Path, number: int, decode: Callable[[], Decoded]) -> Decoded:
    """Call what decodes a line; what is wrong becomes a TapeError that names the line."""
    try:
        return decode()
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        text = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise TapeError(f"{path}: line {number}: {text}") from error
