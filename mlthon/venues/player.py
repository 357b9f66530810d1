"""Plays a market into the simulated exchange, at the pace at which it happened or a multiple of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon._core.order_change import RateUpdate
from mlthon.errors import ConfigError
from mlthon.instruments.instrument import Instrument

__all__ = ["MarketSink", "MarketSource", "Progress", "play"]

NS_PER_SECOND = 1_000_000_000
EVENTS_BETWEEN_YIELDS = 32  # while late: how many are played before others on the loop get a turn


class MarketSource(Protocol):
    """A market to play: a recording, or one made up."""

    @property
    def instrument(self) -> Instrument: ...

    def __iter__(self) -> Iterator[tuple[int, DepthUpdate | PublicTrade | RateUpdate]]:
        """Yield ``(gap_ns, event)``, gap_ns being the time since the event before."""


class MarketSink(Protocol):
    """Where a market is played to: the simulated exchange."""

    def apply_depth(self, symbol: str, update: DepthUpdate) -> None: ...

    def apply_trade(self, symbol: str, trade: PublicTrade) -> None: ...

    def apply_rate(self, symbol: str, rate: RateUpdate) -> None: ...


@dataclass(slots=True)
class Progress:
    """How far a player has come; read it at any time."""

    events: int = 0
    source_ns: int = 0  # the source's own time, from its first event to the last one played


async def play(
    source: MarketSource,
    exchange: MarketSink,
    symbol: str,
    speed: float = 1.0,
    progress: Progress | None = None,
) -> None:
    """Play a source's events in order, its gaps divided by `speed`; return when it ends.

    Each event is due at a time counted from the start, so pauses do not add up: after a delay the events that
    are due follow at once, and the loop gets a turn every few of them. With ``speed=math.inf`` all are due at
    once. `progress` is kept up to date. It can be cancelled at any time.

    Raises ConfigError for a speed that is not above 0, and what the source or the exchange raises.

    >>> from types import SimpleNamespace
    >>> from mlthon.basics.defs import Side
    >>> market = [(0, DepthUpdate([], [], seq=1)), (5_000_000, PublicTrade(Side.Buy, "9226.5", "2")),
    ...           (0, RateUpdate("mark", "9226"))]
    >>> exchange = SimpleNamespace(apply_depth=print, apply_trade=print, apply_rate=print)
    >>> asyncio.run(play(market, exchange, "BTCUSDT"))
    BTCUSDT <DepthUpdate 0 bids, 0 asks, seq=1>
    BTCUSDT <PublicTrade Buy 2 @ 9226.5>
    BTCUSDT <RateUpdate mark 9226.00000000>
    """
    if not speed > 0:
        raise ConfigError(f"speed: expected more than 0, got {speed}")
    if progress is None:
        progress = Progress()
    loop = asyncio.get_running_loop()
    started = loop.time()
    source_ns = 0
    unyielded = 0
    events = iter(source)
    try:
        for gap_ns, event in events:
            source_ns += gap_ns
            wait = started + source_ns / NS_PER_SECOND / speed - loop.time()
            unyielded += 1
            if wait > 0 or unyielded >= EVENTS_BETWEEN_YIELDS:
                await asyncio.sleep(max(wait, 0))
                unyielded = 0
            if isinstance(event, DepthUpdate):
                exchange.apply_depth(symbol, event)
            elif isinstance(event, PublicTrade):
                exchange.apply_trade(symbol, event)
            else:
                exchange.apply_rate(symbol, event)
            progress.events += 1
            progress.source_ns = source_ns
    finally:
        close = getattr(events, "close", None)
        if close is not None:  # a generator: let go of its file now, not when it is collected
            close()
