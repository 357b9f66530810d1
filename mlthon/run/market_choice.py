"""Which market a simulated venue shows, and how fast."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mlthon.errors import ConfigError
from mlthon.sim.synthetic import SyntheticMarket
from mlthon.sim.terms import Product
from mlthon.tape.binance import BinanceCapture
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
            return BinanceCapture(self.tape)
        return SyntheticMarket(self.seed, product=self.product or Product.Linear)
