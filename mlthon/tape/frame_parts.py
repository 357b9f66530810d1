"""The parts of a recording being written: opened, filled member by member, and followed by the next.

A part appears under its name with its header in it, and grows by whole members. What could not be written
whole is cut off again, so that a part is readable at any moment.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import zlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

from mlthon.errors import ConfigError, MLThonError, TapeError
from mlthon.tape.raw_frames import (
    CONTROL,
    FRAMES_MAGIC,
    FRAMES_SUFFIX,
    GZIP,
    HEADER,
    FramesHeader,
    FramesReader,
    encode_record,
)

__all__ = ["PartWriter", "RotationLimits", "stamp"]

LEVEL = (
    4  # of compression: a sixth smaller than by level 1; level 6 takes three times as long for another 8 %
)
NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class RotationLimits:
    """When a part is followed by the next: after so many packed bytes, or so long."""

    part_bytes: int = 256 * 2**20
    part_ns: int = 3_600 * NS_PER_S


class PartWriter:
    """Writes the parts of one instrument's recording into a folder of its own, which is locked until `close`.

    `header` makes the header of the part of a number, from 1. Raises ConfigError when somebody else records
    into the folder, or the recording in it is of another venue, TapeError when it cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        limits: RotationLimits,
        now_ns: Callable[[], int],
        header: Callable[[int], FramesHeader],
    ) -> None:
        self.folder = folder
        self.parts: list[Path] = []
        self.written_bytes = 0  # packed, of all parts
        self._limits = limits
        self._now_ns = now_ns
        self._header = header
        self._part_bytes = 0
        self._part_began_ns = 0
        self._lock = locked(folder)
        self._file: int | None = None
        try:
            self._check_source()
            self._open()
        except MLThonError:
            os.close(self._lock)
            raise

    def append(self, records: bytes) -> None:
        """Write some records as a member; the next part begins when this one is full. Raises TapeError."""
        self._write(packed(records))
        is_old = self._now_ns() - self._part_began_ns >= self._limits.part_ns
        if is_old or self._part_bytes >= self._limits.part_bytes:
            self._end("continued")
            self._open()

    def close(self) -> None:
        """End the recording; raises TapeError when its end cannot be written."""
        try:
            if self._file is not None:
                self._end("end")
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Leave the part as it is, without an end."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    # -- details ---------------------------------------------------------------------------------------------

    def _check_source(self) -> None:
        """See that what is in the folder already is of the same venue: two markets make no recording."""
        before = sorted(self.folder.glob(f"*{FRAMES_SUFFIX}"))[-1:]
        for path in before:
            with closing(FramesReader(path)) as part:
                source, known = self._header(1).source, part.header.source
                if source != known:
                    raise ConfigError(
                        f"{self.folder}: holds a recording of {known}: record {source} into another folder"
                    )

    def _open(self) -> None:
        """Begin the next part: under another name until its header is written."""
        now_ns = self._now_ns()
        header = self._header(len(self.parts) + 1).encode()
        path = self.folder / f"{stamp(now_ns)}-{len(self.parts) + 1:06d}{FRAMES_SUFFIX}"
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        self._part_bytes, self._part_began_ns = 0, now_ns
        self.parts.append(path)
        try:
            self._file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            self._write(packed(FRAMES_MAGIC + encode_record(now_ns, 0, HEADER, header)))
            draft.replace(path)
        except (OSError, TapeError) as error:
            self.parts.pop()
            draft.unlink(missing_ok=True)
            if isinstance(error, TapeError):
                raise
            raise TapeError(f"{path}: cannot be written: {error.strerror or error}") from error

    def _end(self, event: str) -> None:
        """Say that the part ends on purpose, and close it."""
        self._write(packed(encode_record(self._now_ns(), 0, CONTROL, orjson.dumps({"event": event}))))
        assert self._file is not None
        try:
            os.fsync(self._file)
        except OSError as error:
            raise self._failed(error) from error
        os.close(self._file)
        self._file = None

    def _write(self, member: bytes) -> None:
        assert self._file is not None
        rest = memoryview(member)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError as error:
            raise self._failed(error) from error
        self._part_bytes += len(member)
        self.written_bytes += len(member)

    def _failed(self, error: OSError) -> TapeError:
        """Cut off what was begun, and say what is wrong."""
        assert self._file is not None
        with contextlib.suppress(OSError):  # a disk that is gone: readers find the end by themselves
            os.ftruncate(self._file, self._part_bytes)
        return TapeError(f"{self.parts[-1]}: cannot be written: {error.strerror or error}")


def packed(records: bytes) -> bytes:
    """A gzip member."""
    packer = zlib.compressobj(LEVEL, wbits=GZIP)
    return packer.compress(records) + packer.flush()


def stamp(ns: int) -> str:
    """An instant in UTC to the millisecond, as names of files can have it.

    >>> stamp(1_700_000_000_123_456_789)
    '20231114T221320.123Z'
    """
    seconds, rest = divmod(ns, NS_PER_S)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y%m%dT%H%M%S}.{rest // 1_000_000:03d}Z"


def locked(folder: Path) -> int:
    """Make a folder and lock it; gives what holds the lock, to be closed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise TapeError(f"{folder}: cannot be written: {error.strerror or error}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise ConfigError(f"{folder}: another recorder is writing there") from None
    return descriptor
