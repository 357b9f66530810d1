"""Tapes made from captures, kept so that a capture is converted once.

They lie in ``$XDG_CACHE_HOME/mlthon/tapes`` (``~/.cache`` where that is not set), under a name made from the
capture's place, size, time of change, its first and last bytes, and the format's version: a capture that changes is
converted anew. `cached_tapes` lists them, `clear_cache` removes them; nothing else does.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from mlthon.errors import TapeError
from mlthon.tape.raw_frames import parts_of

__all__ = ["cached", "cached_tapes", "clear_cache"]

PROBED_BYTES = 65_536
SUFFIX = ".tape"


def cached(capture: Path, version: int, convert: Callable[[Path], object]) -> Path:
    """Give the path of the tape made from a capture; `convert` is called with that path when there is none yet."""
    path = folder() / f"{capture.name}-{key_of(capture, version)}{SUFFIX}"
    if not path.exists():
        convert(path)
    return path


def cached_tapes() -> list[Path]:
    """The tapes that are kept, by name."""
    return sorted(folder().glob(f"*{SUFFIX}"))


def clear_cache() -> int:
    """Remove all of them; returns how many bytes that made free. A tape that is open stays readable."""
    freed = 0
    for path in cached_tapes():
        freed += path.stat().st_size
        path.unlink()
    return freed


def folder() -> Path:
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "mlthon" / "tapes"


def key_of(capture: Path, version: int) -> str:
    """Sixteen hexadecimal digits for this content at this place; of a folder for all parts of the recording in it."""
    if capture.is_dir():
        keys = [key_of(part, version) for part in parts_of(capture)]
        return hashlib.sha256("\0".join(keys).encode()).hexdigest()[:16]
    try:
        status = capture.stat()
        with capture.open("rb") as file:
            first = file.read(PROBED_BYTES)
            file.seek(max(0, status.st_size - PROBED_BYTES))
            last = file.read(PROBED_BYTES)
    except OSError as error:
        raise TapeError(f"{capture}: cannot be opened: {error.strerror or error}") from error
    parts = [str(capture.resolve()), str(status.st_size), str(status.st_mtime_ns), str(version)]
    return hashlib.sha256("\0".join(parts).encode() + b"\0" + first + last).hexdigest()[:16]
