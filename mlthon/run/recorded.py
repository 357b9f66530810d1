"""What a recording is saying while it is made, what came of it, and what is made of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from rich.table import Table

from mlthon.run.output import Output
from mlthon.run.record_command import ConvertTo
from mlthon.tape.recorder import Recorder, Track

__all__ = ["converted", "print_recorded", "print_recording"]

_NS_PER_MS = 1_000_000


async def print_recording(recorder: Recorder, venue_ahead_ns: Callable[[], int], output: Output) -> None:
    """Print a line a second until cancelled: frames, megabytes, lag, gaps."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    frames = 0
    for second in range(1, 10**9):
        await asyncio.sleep(max(started + second - loop.time(), 0))
        frames_now = sum(track.frames for track in recorder.tracks)
        lag_ms = newest_lag_ms(recorder.tracks, venue_ahead_ns())
        dropped = sum(track.dropped for track in recorder.tracks)
        output.line(
            f"{second:4d} s  {frames_now:,} frames, {frames_now - frames:,}/s"
            f"  {raw_mb(recorder):.2f} MB, {packed_mb(recorder):.2f} packed"
            f"  lag {'-' if lag_ms is None else f'{lag_ms} ms'}"
            f"  gaps {recorder.disconnects + recorder.books_lost}"
            f"{f', {dropped:,} frames dropped' if dropped else ''}"
        )
        frames = frames_now


def newest_lag_ms(tracks: list[Track], venue_ahead_ns: int) -> int | None:
    """How old the newest frame of each instrument was when it came, the oldest of them; None: none says."""
    lags = []
    for track in tracks:
        if track.latest is not None:
            recv_ns, data = track.latest
            sent_ms = sent_ms_of(data)
            if sent_ms is not None:
                lags.append((recv_ns + venue_ahead_ns) // _NS_PER_MS - sent_ms)
    return max(lags, default=None)


def sent_ms_of(frame: bytes) -> int | None:
    """When the venue sent a frame, if that can be read in it."""
    try:
        message = orjson.loads(frame)
    except orjson.JSONDecodeError:
        return None
    sent = message.get("ts") if isinstance(message, dict) else None
    return sent if type(sent) is int else None


def print_recorded(
    recorder: Recorder, source: str, elapsed_s: float, files: dict[int, Path], output: Output
) -> None:
    """Print what was recorded, for people and for programs; nothing where nothing was begun."""
    if not recorder.tracks:
        return
    table = Table(title=f"recorded from {source}, {elapsed_s:.1f} s", title_justify="left")
    table.add_column("instrument")
    for column in ("frames", "MB", "packed MB", "files"):
        table.add_column(column, justify="right")
    for track in recorder.tracks:
        table.add_row(
            track.instrument.get_instrument_name(),
            f"{track.frames:,}",
            f"{track.raw_bytes / 1e6:.2f}",
            f"{track.parts.written_bytes / 1e6:.2f}",
            f"{len(track.parts.parts)}",
        )
    output.show(table)
    dropped = sum(track.dropped for track in recorder.tracks)
    output.line(
        f"connections lost: {recorder.disconnects}; books fetched anew: {recorder.books_lost};"
        f" frames dropped: {dropped:,}"
    )
    for track in recorder.tracks:
        output.line(f"wrote {track.parts.folder}")
    for path in files.values():
        output.line(f"wrote {path}")
    output.result(
        {
            "mode": "record",
            "source": source,
            "elapsed_s": round(elapsed_s, 3),
            "frames": sum(track.frames for track in recorder.tracks),
            "raw_bytes": sum(track.raw_bytes for track in recorder.tracks),
            "packed_bytes": sum(track.parts.written_bytes for track in recorder.tracks),
            "connections_lost": recorder.disconnects,
            "books_lost": recorder.books_lost,
            "frames_dropped": dropped,
            "instruments": [summary_of(track, files) for track in recorder.tracks],
        }
    )


def summary_of(track: Track, files: dict[int, Path]) -> dict[str, Any]:
    made = files.get(track.instrument.get_instrument_id())
    return {
        "instrument": track.instrument.get_instrument_name(),
        "folder": str(track.parts.folder),
        "files": [path.name for path in track.parts.parts],
        "frames": track.frames,
        "raw_bytes": track.raw_bytes,
        "packed_bytes": track.parts.written_bytes,
        "frames_dropped": track.dropped,
        "converted": None if made is None else str(made),
    }


def converted(recorder: Recorder, to: ConvertTo) -> dict[int, Path]:
    """Make a tape or a Parquet file of each recording, beside its folder; gives them by instrument id.

    Raises TapeError for a recording that tells of no market.
    """
    from mlthon.run.data import progress  # noqa: PLC0415  (all this takes its time)
    from mlthon.tape.bybit_frames import BybitFrames  # noqa: PLC0415
    from mlthon.tape.opening import open_tape  # noqa: PLC0415
    from mlthon.tape.parquet import write_parquet  # noqa: PLC0415
    from mlthon.tape.writer import write_tape  # noqa: PLC0415

    files = {}
    for track in recorder.tracks:
        folder = track.parts.folder
        target = folder.with_name(f"{folder.name}.{to}")
        with progress(f"writing {target.name}", None) as on_rows:
            if to is ConvertTo.tape:
                write_tape(target, BybitFrames(folder), folder.name, on_rows)
            else:
                write_parquet(open_tape(folder), target, on_rows)
        files[track.instrument.get_instrument_id()] = target
    return files


def raw_mb(recorder: Recorder) -> float:
    return sum(track.raw_bytes for track in recorder.tracks) / 1e6


def packed_mb(recorder: Recorder) -> float:
    return sum(track.parts.written_bytes for track in recorder.tracks) / 1e6
