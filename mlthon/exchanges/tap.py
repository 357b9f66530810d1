"""What a recorder hears of market data connections: each frame as it came, and what befell the connection."""

from __future__ import annotations

from typing import Protocol

from mlthon.instruments.instrument import Instrument

__all__ = ["MarketTap", "StreamTap"]


class StreamTap(Protocol):
    """What one connection tells. Times are ours, in nanoseconds since the epoch; no call may block."""

    def on_subscribed(self, instrument: Instrument) -> None:
        """The connection carries an instrument from now on; may be repeated."""

    def on_connected(self, now_ns: int) -> None:
        """The connection stands; nothing is subscribed on it yet."""

    def on_frame(self, data: bytes, recv_ns: int) -> None:
        """One whole message, before anybody else has looked at it."""

    def on_book_lost(self, instrument_id: int, reason: str, now_ns: int) -> None:
        """A book has lost step with the venue; the next snapshot of it will be whole again."""

    def on_disconnected(self, reason: str, now_ns: int) -> None:
        """The connection is gone; another will be tried."""


class MarketTap(Protocol):
    """A recorder, as a connector knows it. `tickers` says whether it wants tickers to be subscribed as well."""

    @property
    def tickers(self) -> bool: ...

    def tap(self, connection: str) -> StreamTap:
        """Give what a connection of this name is to tell; called once for each."""
