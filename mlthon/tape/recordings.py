"""Tells by a file's content which kind of recording it is."""

from __future__ import annotations

from pathlib import Path

from mlthon.tape.binance import BinanceCapture
from mlthon.tape.bitfinex import BitfinexCapture
from mlthon.tape.bitstamp import BitstampLog
from mlthon.tape.bybit_archive import BybitBookArchive, BybitTradeArchive
from mlthon.tape.bybit_frames import BybitFrames
from mlthon.tape.capture_lines import open_capture, read_line
from mlthon.tape.hftbacktest import HftbacktestData
from mlthon.tape.recording import Recording
from mlthon.tape.tardis import TardisCsv

__all__ = ["recording_at"]

BY_FIRST_LINE = (BybitFrames, TardisCsv, BybitTradeArchive, BybitBookArchive, BitfinexCapture, BitstampLog)


def recording_at(path: Path) -> Recording:
    """The recording in a file, a capture or an archive of any kind that can be read, or in a folder of raw frames.

    Raises TapeError when it cannot be opened, or is of no such kind.
    """
    if path.is_dir():
        return BybitFrames(path)
    if HftbacktestData.matches(path):
        return HftbacktestData(path)
    with open_capture(path) as stream:
        line = read_line(stream, path, 1)
    for kind in BY_FIRST_LINE:
        if kind.matches(line):
            return kind(path)
    return BinanceCapture(path)
