"""A recorder beside a run that trades: what the strategy is shown is kept."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from mlthon.engine.clock import LiveClock
from mlthon.errors import TapeError
from mlthon.instruments.instrument import Instrument
from mlthon.tape.bybit_frames import PROTOCOL
from mlthon.tape.frame_parts import stamp
from mlthon.tape.recorder import Recorder

__all__ = ["recorder_beside"]

log = logging.getLogger("mlthon.run")


@contextmanager
def recorder_beside(
    folder: Path | None, instruments: Sequence[Instrument], clock: LiveClock
) -> Iterator[Recorder | None]:
    """Record a simulated venue's instruments while the block runs, for a connector's tap; without a folder: None.

    A disk that fails does not end the run: it is logged at once, and raised as a TapeError at the end, unless the run
    has ended with an error of its own. Raises ConfigError or TapeError at the start when the folder cannot be used.
    """
    if folder is None:
        yield None
        return
    recorder = Recorder(
        folder,
        protocol=PROTOCOL,
        source=f"a simulated Bybit of {stamp(clock.now_ns())}",
        now_ns=clock.now_ns,
        on_failure=lambda error: log.error("nothing is recorded any more: %s", error),
    )
    try:
        for instrument in instruments:
            recorder.add(instrument)
        recorder.start()
        yield recorder
    except BaseException:
        with suppress(TapeError):  # which has been logged
            recorder.close()
        raise
    recorder.close()
