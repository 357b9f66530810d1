"""Market data of all categories: which connection carries which instrument."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiohttp

from mlthon.api.istrat_env import MDSub
from mlthon.engine.ports import FeedListener
from mlthon.errors import UsageError
from mlthon.exchanges.bybit.categories import category_of
from mlthon.exchanges.bybit.clock import VenueClock
from mlthon.exchanges.bybit.config import BybitConfig
from mlthon.exchanges.bybit.market_stream import MarketStream
from mlthon.exchanges.bybit.tally import Tally
from mlthon.exchanges.tap import MarketTap
from mlthon.instruments.instrument import Instrument

__all__ = ["BybitFeed"]

_UNSUPPORTED = frozenset({MDSub.OrderBook})  # the venue publishes no order-by-order book


class BybitFeed:
    """Books and trades of the configured categories. Implements `mlthon.engine.ports.Feed`.

    Each category has a connection of its own, and further ones where the names of its topics grow too many for one.
    ``is_traded`` is asked about an instrument, by its id, whose book cannot be had any more.
    """

    def __init__(
        self,
        config: BybitConfig,
        http: Callable[[], aiohttp.ClientSession],
        clock: VenueClock,
        tap: MarketTap | None = None,
        is_traded: Callable[[int], bool] = lambda _: True,
    ) -> None:
        self._config = config
        self._http = http
        self._clock = clock
        self._tap = tap
        self._listener: FeedListener | None = None
        self._connected = False
        self.tally = Tally("feed")
        self._is_traded = is_traded
        self._streams = {category: [self._new_stream(category, "")] for category in config.categories}

    @property
    def streams(self) -> list[MarketStream]:
        """All connections."""
        return [stream for streams in self._streams.values() for stream in streams]

    def attach(self, listener: FeedListener) -> None:
        self._listener = listener

    async def connect(self) -> None:
        if self._listener is None:
            raise UsageError("BybitFeed.connect: expected attach(listener) before it")
        self._connected = True
        for stream in self.streams:
            stream.start()
        try:
            await asyncio.gather(*(stream.wait_open() for stream in self.streams))
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        self._connected = False
        await asyncio.gather(*(stream.close() for stream in self.streams))

    def unsupported_subs(self) -> frozenset[MDSub]:
        return _UNSUPPORTED

    def subscribe(self, instrument: Instrument, subs: frozenset[MDSub]) -> None:
        self._stream_for(instrument).subscribe(instrument, subs - _UNSUPPORTED)

    # -- details ---------------------------------------------------------------------------------------------

    def _stream_for(self, instrument: Instrument) -> MarketStream:
        """The connection that carries an instrument, or has room for it."""
        category = category_of(instrument)
        streams = self._streams[category]
        carrying = [stream for stream in streams if stream.carries(instrument)]
        fitting = carrying or [stream for stream in streams if stream.has_room_for(instrument)]
        if fitting:
            return fitting[0]
        stream = self._new_stream(category, f" {len(streams) + 1}")
        streams.append(stream)
        if self._connected:
            stream.start()
        return stream

    def _new_stream(self, category: str, number: str) -> MarketStream:
        name = f"bybit public {category}{number}"
        return MarketStream(
            name,
            category,
            self._config,
            self._http,
            self._clock,
            self._attached,
            self.tally,
            self._is_traded,
            self._tap,
        )

    def _attached(self) -> FeedListener:
        assert self._listener is not None
        return self._listener
