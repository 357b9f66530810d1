"""Bybit as `run` wires it to the engine: one account's feed and gateway, and what they share."""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable, Sequence

import aiohttp

from mlthon.basics.defs import Exchange
from mlthon.errors import ConfigError
from mlthon.exchanges.bybit.clock import VenueClock
from mlthon.exchanges.bybit.config import BybitConfig
from mlthon.exchanges.bybit.feed import BybitFeed
from mlthon.exchanges.bybit.gateway import BybitGateway
from mlthon.exchanges.bybit.instruments import Instruments
from mlthon.exchanges.bybit.listing_watch import ListingWatch
from mlthon.exchanges.bybit.queries import Queries
from mlthon.exchanges.bybit.rest import RestClient
from mlthon.exchanges.prompt_websocket import PromptWebSocket
from mlthon.exchanges.tap import MarketTap
from mlthon.instruments.instrument import Instrument

__all__ = ["BybitConnector"]

log = logging.getLogger("mlthon.exchanges.bybit")


class BybitConnector:
    """One Bybit account, in the configured categories. Implements `mlthon.engine.ports.Connector`.

    ``now_ns`` is our clock, in nanoseconds since the epoch; ``steady_ns`` one that is never set, by which requests
    are counted and the venue's time is kept (a simulated clock is both). Load the instruments before connecting:
    what the venue says about an instrument that was not loaded is ignored. ``tap`` hears all public market data as
    it comes.
    """

    def __init__(
        self,
        config: BybitConfig,
        now_ns: Callable[[], int],
        steady_ns: Callable[[], int] = time.monotonic_ns,
        tap: MarketTap | None = None,
    ) -> None:
        self.exchange = Exchange.Bybit
        self._config = config
        self._tls = _trusting(config.ca_file) if config.ca_file else True
        self._session: aiohttp.ClientSession | None = None
        self._clock = clock = VenueClock(now_ns, steady_ns)
        self._instruments = Instruments()
        self._rest = RestClient(config, self._http, clock)
        self._queries = Queries(self._rest, self._instruments, clock)
        self._watch = ListingWatch(config, self._queries, self._instruments)
        self.feed = BybitFeed(config, self._http, clock, tap, self._watch.is_traded)
        self.gateway = BybitGateway(config, self._http, clock, self._rest, self._queries, self._instruments)

    @property
    def venue_ahead_ns(self) -> int:
        """How far the venue's clock is ahead of ours, as last measured; 0 before that."""
        return self._clock.offset_ns

    async def load_instruments(self) -> list[Instrument]:
        """Ask the venue what it trades; raises VenueError or DecodeError.

        An instrument that cannot be represented exactly is left out, with a line in the log that says why.
        """
        await self._rest.measure_clock()
        for category in self._config.categories:
            listing = await self._queries.listing(category)
            for line in listing.refused:
                log.error("%s", line)
            self._instruments.add(listing.instruments)
            log.info("%s: %d instruments", category, len(listing.instruments))
        return self._instruments.all()

    def watch_instruments(self, tell: Callable[[Sequence[Instrument]], None]) -> None:
        self._watch.start(tell)

    async def close(self) -> None:
        """Close feed and gateway, and release every socket."""
        await self._watch.close()
        await self.feed.close()
        await self.gateway.close()
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._tls), ws_response_class=PromptWebSocket
            )
        return self._session


def _trusting(ca_file: str) -> ssl.SSLContext:
    """What verifies certificates by those in a file; raises ConfigError."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        what = error.strerror or str(error)
        raise ConfigError(
            f"bybit: ca_file: expected a file of certificates (PEM), got {ca_file}: {what}"
        ) from error
