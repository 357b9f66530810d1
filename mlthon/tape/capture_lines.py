"""The lines of a raw capture: when the bytes came, and what they said.

A capture is text, packed (gzip, xz, zip) or not, one message a line: the local receive time in nanoseconds, a
space, and the message as it came off the wire, a JSON object. Lines are read one at a time, so a capture may be of
any size.
"""

from __future__ import annotations

import gzip
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import orjson

from mlthon.errors import TapeError

MAX_LINE_BYTES = 16 * 1024 * 1024  # a snapshot of 5,000 levels a side is about 300 kB
MAX_TIME_NS = 2**63 - 1
GZIP_MAGIC = b"\x1f\x8b"
XZ_MAGIC = b"\xfd7zXZ\x00"
ZIP_MAGIC = b"PK\x03\x04"
MAGIC_BYTES = 6
SHOWN_BYTES = 60


class CaptureLine(NamedTuple):
    """One message of a capture; ``number`` counts lines from 1."""

    number: int
    recv_ns: int
    message: dict[str, Any]


def read_capture_lines(path: Path) -> Iterator[CaptureLine]:
    """Yield the lines of a capture in the order they were written.

    Raises TapeError, naming file and line, when the file cannot be opened, is cut off, or is not a capture;
    every whole line before that has been yielded by then.
    """
    with open_capture(path) as stream:
        number = 0
        while line := read_line(stream, path, number + 1):
            number += 1
            if not line.isspace():
                yield parse_line(line, path, number)
        if number == 0:
            raise TapeError(f"{path}: expected a capture, got an empty file")


@contextmanager
def open_capture(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading, unpacking it when its first bytes say that it is packed (gzip, xz, a zip of one file).

    Raises TapeError when it cannot be opened, or is a zip of several files.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise TapeError(f"{path}: cannot be opened: {error.strerror or error}") from error
    with ExitStack() as stack:
        stack.enter_context(file)
        magic = file.read(MAGIC_BYTES)
        file.seek(0)
        if magic.startswith(GZIP_MAGIC):
            yield cast("BinaryIO", stack.enter_context(gzip.GzipFile(fileobj=file)))
        elif magic.startswith(XZ_MAGIC):
            yield cast("BinaryIO", stack.enter_context(lzma.LZMAFile(file)))
        elif magic.startswith(ZIP_MAGIC):
            yield stack.enter_context(open_zip(file, path))
        else:
            yield file


@contextmanager
def open_zip(file: BinaryIO, path: Path) -> Iterator[BinaryIO]:
    """Open the only file in a zip."""
    try:
        archive = zipfile.ZipFile(file)
        names = [name for name in archive.namelist() if not name.endswith("/")]
        if len(names) != 1:
            raise TapeError(f"{path}: expected a zip of one file, got {len(names)}")
        member = archive.open(names[0])
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
        raise TapeError(f"{path}: expected a zip that can be read: {str(error)[:200]}") from error
    with archive, member:
        yield cast("BinaryIO", member)


def read_line(stream: BinaryIO, path: Path, number: int) -> bytes:
    """Read one line with its line end; empty at the end of the file."""
    try:
        line = stream.readline(MAX_LINE_BYTES + 1)
    except EOFError as error:
        raise TapeError(
            f"{path}: line {number}: expected the end of the packed stream, the file is cut off"
        ) from error
    except (zlib.error, lzma.LZMAError, zipfile.BadZipFile, OSError) as error:
        raise TapeError(f"{path}: line {number}: cannot be read: {error}") from error
    if len(line) > MAX_LINE_BYTES:
        raise TapeError(
            f"{path}: line {number}: expected at most {MAX_LINE_BYTES} bytes a line, got {shown(line)}"
        )
    return line


def parse_line(line: bytes, path: Path, number: int) -> CaptureLine:
    """Take a line apart into its time and its message."""
    stamp, _, text = line.partition(b" ")
    if not stamp.isdigit() or len(stamp) > len(str(MAX_TIME_NS)) or int(stamp) > MAX_TIME_NS:
        raise TapeError(
            f"{path}: line {number}: expected '<receive time, ns> <JSON object>', got {shown(line)}"
        )
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        cut_off = not line.endswith(b"\n")
        reason = "the file is cut off here" if cut_off else str(error)
        raise TapeError(
            f"{path}: line {number}: expected a JSON object after the receive time,"
            f" got {shown(text)}: {reason}"
        ) from None
    if not isinstance(message, dict):
        raise TapeError(
            f"{path}: line {number}: expected a JSON object after the receive time, got {shown(text)}"
        )
    return CaptureLine(number, int(stamp), message)


def shown(text: bytes) -> str:
    """The start of a line, for an error message."""
    return repr(text) if len(text) <= SHOWN_BYTES else f"{text[:SHOWN_BYTES]!r}..."
