"""Which market a simulated venue shows, and how fast."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mlthon.basics.defs import Exchange
from mlthon.errors import ConfigError
from mlthon.sim.synthetic import SyntheticMarket
from mlthon.sim.terms import Product
from mlthon.tape.binance import BinanceCapture
from mlthon.tape.opening import is_tape, open_tape
from mlthon.tape.recordings import recording_at
from mlthon.venues.player import MarketSource

__all__ = ["MarketChoice"]


@dataclass(frozen=True, slots=True)
class MarketChoice:
    """A recording, or else the synthetic market of a seed; ``speed`` divides the gaps between its events.

    ``product`` is what the synthetic market trades; None: linear contracts. A recording has its own instrument.
    """

    tape: Path | None
    seed: int
    speed: float
    product: Product | None = None

    def __post_init__(self) -> None:
        if self.product is not None and self.tape is not None:
            raise ConfigError("--market: expected none with --tape, whose market is the recorded one")
        if not 0 < self.speed < float("inf"):
            raise ConfigError(f"--speed: expected a number above 0, got {self.speed:g}")

    def open(self) -> MarketSource:
        """Open the market; raises TapeError for a recording that cannot be read."""
        if self.tape is not None:
            return open_market(self.tape)
        return SyntheticMarket(self.seed, product=self.product or Product.Linear)


def open_market(path: Path) -> MarketSource:
    """Open a recording to be played: a capture of Binance as it is, which needs no extra, anything else as a tape.

    The simulated venue is a Bybit, so that is where what it plays is listed.
    """
    if not is_tape(path):
        recording = recording_at(path)
        if isinstance(recording, BinanceCapture):
            return recording
    return open_tape(path, exchange=Exchange.Bybit)
