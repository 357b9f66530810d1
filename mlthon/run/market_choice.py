"""Which market a simulated venue shows, and how fast."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mlthon.errors import ConfigError
from mlthon.sim.synthetic import SyntheticMarket
from mlthon.tape.binance import BinanceCapture
from mlthon.venues.player import MarketSource

__all__ = ["MarketChoice"]


@dataclass(frozen=True, slots=True)
class MarketChoice:
    """A recording, or else the synthetic market of a seed; ``speed`` divides the gaps between its events."""

    tape: Path | None
    seed: int
    speed: float

    def __post_init__(self) -> None:
        if not 0 < self.speed < float("inf"):
            raise ConfigError(f"--speed: expected a number above 0, got {self.speed:g}")

    def open(self) -> MarketSource:
        """Open the market; raises TapeError for a recording that cannot be read."""
        return SyntheticMarket(self.seed) if self.tape is None else BinanceCapture(self.tape)
