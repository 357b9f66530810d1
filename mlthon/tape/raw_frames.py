"""Raw frames on disk: what came off the wire, byte for byte, with when it came. The format and its reader.

A recording is a folder of parts, ``*.frames.gz``, that are read in the order of their names. A part is a gzip
file of many members, each whole by itself: a recorder that is killed leaves a file that can be read up to the
last member. Unpacked, a part is the line ``mlthon-frames 1`` and then records, each a line and as many bytes
as it says, ended by a line feed::

    <receive time, ns> <connection> <kind> <length>

Connections are numbered from 0 in a session of the recorder. The kinds are ``H``, what the part is (the first
record, and no other), ``F``, a frame, and ``C``, something that happened to the recording: JSON with an
``event``. `docs/tape.md` names them.
"""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson

from mlthon.errors import TapeError
from mlthon.instruments.instrument import Instrument
from mlthon.instruments.instrument_utils import InstrumentUtils

__all__ = [
    "CONTROL",
    "FRAME",
    "FRAMES_MAGIC",
    "FRAMES_SUFFIX",
    "HEADER",
    "FramesHeader",
    "FramesReader",
    "RawRecord",
    "encode_record",
    "parts_of",
]

FRAMES_MAGIC = b"mlthon-frames 1\n"
FRAMES_SUFFIX = ".frames.gz"
HEADER, FRAME, CONTROL = b"H", b"F", b"C"

MAX_RECORD_BYTES = 64 * 2**20
LONGEST_LINE = 64  # of the line before a record's bytes
READ_BYTES = 2**16
UNPACKED_BYTES = 2**20  # at most, at a time
GZIP = 31  # zlib's word for a gzip member with the greatest window


class RawRecord(NamedTuple):
    """One record: ``recv_ns`` by the recorder's clock; ``kind`` is `HEADER`, `FRAME` or `CONTROL`."""

    recv_ns: int
    connection: int
    kind: bytes
    data: bytes

    def event(self) -> dict[str, Any]:
        """What a control record says; raises ValueError or TypeError when that is not JSON with an event."""
        said = orjson.loads(self.data)
        if not isinstance(said, dict) or not isinstance(said.get("event"), str):
            raise TypeError(f"expected a JSON object with an event, got {self.data[:60]!r}")
        return said


@dataclass(frozen=True, slots=True)
class FramesHeader:
    """What a part is: a venue's frames of one instrument, the ``part``-th (from 1) of a recorder's session.

    `session_ns` is when the session began; `protocol` says how the frames are to be read, `source` where they
    come from. `connections` are the names of those that were opened before the part began, in order of their
    numbers.
    """

    protocol: str
    source: str
    session_ns: int
    part: int
    instrument: Instrument
    connections: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """The header as a record's bytes."""
        return orjson.dumps(
            {
                "protocol": self.protocol,
                "source": self.source,
                "session_ns": self.session_ns,
                "part": self.part,
                "connections": self.connections,
                "instrument": InstrumentUtils.get_json_from_instrument(self.instrument),
            }
        )

    @classmethod
    def decode(cls, data: bytes) -> FramesHeader:
        """Read a record's bytes; raises ValueError for those that are no header."""
        said = orjson.loads(data)
        try:
            header = cls(
                protocol=said["protocol"],
                source=said["source"],
                session_ns=said["session_ns"],
                part=said["part"],
                instrument=InstrumentUtils.get_instrument_from_json(said["instrument"]),
                connections=tuple(said["connections"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"expected a header, got {data[:60]!r}: {error}") from None
        if type(header.session_ns) is not int or type(header.part) is not int:
            raise ValueError(f"expected numbers for session_ns and part, got {data[:60]!r}")
        return header


def encode_record(recv_ns: int, connection: int, kind: bytes, data: bytes) -> bytes:
    r"""A record as it stands in a part.

    >>> encode_record(1_700_000_000_000_000_000, 0, FRAME, b'{"op":"pong"}')
    b'1700000000000000000 0 F 13\n{"op":"pong"}\n'
    """
    return b"%d %d %b %d\n%b\n" % (recv_ns, connection, kind, len(data), data)


def parts_of(path: Path) -> list[Path]:
    """The parts of a recording in order, or the one part that ``path`` is; raises TapeError where there are none."""
    if not path.is_dir():
        return [path]
    parts = sorted(path.glob(f"*{FRAMES_SUFFIX}"))
    if not parts:
        raise TapeError(f"{path}: expected a recording (a folder with {FRAMES_SUFFIX} files), got none in it")
    return parts


class FramesReader:
    """One part, opened: `header`, then iterate for the records after it.

    `is_cut_off` tells, when all have been read, whether the recorder was killed while it wrote: the part then
    ends in the middle of a member, of which whole records are still given. Raises TapeError, naming part and
    byte, for a file that is no part, or is damaged; whole records before that have been given by then.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_cut_off = False
        self._at = 0  # bytes of it, unpacked, that were read
        self._records = self._read()
        first = next(self._records, None)
        if first is None or first.kind != HEADER:
            raise self._wrong("expected what the part is, got none")
        try:
            self.header = FramesHeader.decode(first.data)
        except ValueError as error:
            raise self._wrong(str(error)) from error

    def __iter__(self) -> Iterator[RawRecord]:
        return self._records

    def close(self) -> None:
        """Let go of the file."""
        self._records.close()

    def _read(self) -> Generator[RawRecord, None, None]:
        rest = b""  # of what is unpacked, from where a record begins
        with closing(self._unpack()) as chunks:
            for chunk in chunks:
                rest += chunk
                if self._at == 0:
                    if len(rest) < len(FRAMES_MAGIC) and FRAMES_MAGIC.startswith(rest):
                        continue
                    if not rest.startswith(FRAMES_MAGIC):
                        raise self._wrong(f"expected {FRAMES_MAGIC!r}, got {rest[:20]!r}")
                    rest = rest[len(FRAMES_MAGIC) :]
                    self._at = len(FRAMES_MAGIC)
                start = 0
                while (end := self._end_of(rest, start)) is not None:
                    yield self._record(rest, start, end)
                    self._at += end - start
                    start = end
                rest = rest[start:]
        if rest:
            self.is_cut_off = True

    def _end_of(self, text: bytes, start: int) -> int | None:
        """Where the record ends that begins at ``start``; None when that is not unpacked yet."""
        line_end = text.find(b"\n", start, start + LONGEST_LINE)
        if line_end < 0:
            if len(text) - start >= LONGEST_LINE:
                raise self._wrong(f"expected a record's line, got {text[start : start + LONGEST_LINE]!r}")
            return None
        length = text[text.rfind(b" ", start, line_end) + 1 : line_end]
        if not length.isdigit() or int(length) > MAX_RECORD_BYTES:
            raise self._wrong(f"expected a record's line, got {text[start:line_end]!r}")
        end = line_end + 1 + int(length) + 1
        return end if end <= len(text) else None

    def _record(self, text: bytes, start: int, end: int) -> RawRecord:
        line, _, data = text[start : end - 1].partition(b"\n")
        fields = line.split(b" ")
        if (
            len(fields) != 4
            or not fields[0].isdigit()
            or not fields[1].isdigit()
            or fields[2] not in (HEADER, FRAME, CONTROL)
            or text[end - 1 : end] != b"\n"
        ):
            raise self._wrong(f"expected a record, got {line!r}")
        return RawRecord(int(fields[0]), int(fields[1]), fields[2], data)

    def _unpack(self) -> Generator[bytes, None, None]:
        try:
            with self.path.open("rb") as file:
                yield from self._members(file)
        except OSError as error:
            raise TapeError(f"{self.path}: cannot be read: {error.strerror or error}") from error

    def _members(self, file: BinaryIO) -> Iterator[bytes]:
        """Unpack member after member, a bounded piece at a time."""
        packed = file.read(READ_BYTES)
        while packed:
            member = zlib.decompressobj(GZIP)
            while not member.eof:
                try:
                    yield member.decompress(packed, UNPACKED_BYTES)
                except zlib.error as error:
                    raise self._wrong(f"damaged: {error}") from None
                packed = member.unconsumed_tail or (b"" if member.eof else file.read(READ_BYTES))
                if not packed and not member.eof:
                    self.is_cut_off = True
                    return
            packed = member.unused_data or file.read(READ_BYTES)

    def _wrong(self, what: str) -> TapeError:
        return TapeError(f"{self.path}: byte {self._at} unpacked: {what}")
