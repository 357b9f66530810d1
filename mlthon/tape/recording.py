"""What every kind of recording offers, so that a tape can be made of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, TypeAlias

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon._core.order_change import OrderChange, RateUpdate
from mlthon.instruments.instrument import Instrument

__all__ = ["Recording", "TapeEvent"]

TapeEvent: TypeAlias = DepthUpdate | PublicTrade | OrderChange | RateUpdate


class Recording(Protocol):
    """A recorded market in whatever form, of one instrument."""

    @property
    def instrument(self) -> Instrument: ...

    @property
    def origin(self) -> str:
        """Which venue it was recorded at, ``"binance"`` say; "" where nothing tells."""

    def events(self) -> Iterator[TapeEvent]:
        """Read it from its start: every call anew, in the order received, with the stamps as recorded."""

    def notes(self) -> dict[str, int]:
        """Count by name what the last pass left out or repaired."""
