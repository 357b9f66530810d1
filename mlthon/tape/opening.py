"""Opens whatever holds a recorded market, and gives a tape."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mlthon.basics.defs import Exchange
from mlthon.errors import ConfigError, TapeError
from mlthon.tape.cache import cached

if TYPE_CHECKING:
    from mlthon.tape.tape import Tape

__all__ = ["is_tape", "open_tape"]

TAPE_MAGIC = b"ARROW1"
CONVERSION = 1  # raised when a capture makes another tape of the same format: kept ones are then made anew


def open_tape(
    path: str | Path,
    *,
    exchange: Exchange | None = None,
    clock_offset_ns: int | None = None,
    on_rows: Callable[[int], None] | None = None,
) -> Tape:
    """Open a tape, or a capture as the tape made from it: that is made once, and kept (see `mlthon.tape.cache`).

    What was recorded is an instrument of Bybit's, wherever that was, unless `exchange` says otherwise: to trade one
    symbol at two venues in a backtest, open one of the tapes at an exchange of its own,
    ``open_tape("btcusdt.gz", exchange=Exchange.Binance)``, and it is ``bin:perp:BTC-USDT`` there.

    Times are local ones corrected by the estimated offset of the clocks; `clock_offset_ns` replaces the estimate
    (0: as recorded). `on_rows` is told how many rows there are while a capture is converted.

    Raises TapeError for a file that is neither, or is damaged, GapError where messages are missing, ConfigError when
    the packages of the ``data`` extra are not installed.
    """
    try:
        from mlthon.tape.format import FORMAT_VERSION  # noqa: PLC0415  (all this needs pyarrow, an extra)
        from mlthon.tape.tape import Tape  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"tapes need {error.name}: install it with pip install 'mlthon-trader[data]'"
        ) from error
    path = Path(path)
    if is_tape(path):
        return Tape(path, exchange=exchange, clock_offset_ns=clock_offset_ns)

    def convert(target: Path) -> None:
        from mlthon.tape.recordings import recording_at  # noqa: PLC0415  (tapes are opened without)
        from mlthon.tape.writer import write_tape  # noqa: PLC0415

        write_tape(target, recording_at(path), path.name, on_rows)

    made = cached(path, FORMAT_VERSION * 1_000 + CONVERSION, convert)
    return Tape(made, exchange=exchange, clock_offset_ns=clock_offset_ns, source_path=path)


def is_tape(path: Path) -> bool:
    """Whether a file begins as a tape does; raises TapeError when it cannot be read. A folder is none."""
    if path.is_dir():
        return False
    try:
        with path.open("rb") as file:
            return file.read(len(TAPE_MAGIC)) == TAPE_MAGIC
    except OSError as error:
        raise TapeError(f"{path}: cannot be opened: {error.strerror or error}") from error
