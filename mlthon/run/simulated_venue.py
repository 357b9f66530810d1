"""A simulated Bybit on loopback: a market, the exchange it is played into, and the server in front of it."""

from __future__ import annotations

import asyncio
import logging
import secrets
import ssl

from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.engine.clock import LiveClock
from mlthon.instruments.instrument import Instrument
from mlthon.run.market_choice import MarketChoice
from mlthon.sim.account import Account
from mlthon.sim.deposits import deposits_for
from mlthon.sim.exchange import SimExchange
from mlthon.sim.terms import Terms
from mlthon.venues.bybit import BybitVenue, Endpoints
from mlthon.venues.bybit.seams import FaultSeams
from mlthon.venues.player import Progress, play

__all__ = ["SimulatedVenue"]

log = logging.getLogger("mlthon.run")

_ACCOUNT = "demo"


class SimulatedVenue:
    """Everything behind the sockets of a simulated Bybit, with one funded account and fresh keys for it."""

    def __init__(self, choice: MarketChoice, clock: LiveClock, faults: FaultSeams | None = None) -> None:
        self._choice = choice
        self._source = choice.open()
        self.instrument: Instrument = self._source.instrument
        self.terms = Terms.of(self.instrument)
        self.exchange = SimExchange([self.instrument], clock.now_ns)
        self._deposits = deposits_for([self.instrument])
        self.account: Account = self.exchange.add_account(_ACCOUNT, self._deposits)
        self.api_key = secrets.token_hex(9)
        self.api_secret = secrets.token_hex(18)
        self.rate_scale = max(choice.speed, 1.0)  # a faster market makes clients faster too
        self._server = BybitVenue(
            self.exchange,
            clock.now_ns,
            api_keys={self.api_key: (self.api_secret, self.account)},
            rate_scale=self.rate_scale,
            faults=faults,
        )
        self.progress = Progress()
        self._player: asyncio.Task[None] | None = None

    async def start(self, port: int = 0, tls: ssl.SSLContext | None = None) -> Endpoints:
        """Listen, and start the market; raises ConfigError when the port is taken."""
        endpoints = await self._server.start(port, tls)
        self._player = asyncio.create_task(self._play(), name="market player")
        return endpoints

    def mark_price(self) -> Price | None:
        """What the instrument is worth at the venue, if anything yet."""
        return self.exchange.mark_price(self.terms.symbol)

    def earned(self, coin: str) -> MLDecimal:
        """How much more of a coin the account has now than at the start."""
        return self.account.wallet(coin).balance - self._deposits[coin].to_mldecimal()

    async def market_ends(self) -> None:
        """Return when the recording has been played to its end; raises what is wrong with it."""
        assert self._player is not None
        await asyncio.shield(self._player)

    async def close(self) -> None:
        """Stop the market and close every connection."""
        if self._player is not None:
            self._player.cancel()
            await asyncio.gather(self._player, return_exceptions=True)
        await self._server.close()

    async def _play(self) -> None:
        await play(self._source, self.exchange, self.terms.symbol, self._choice.speed, self.progress)
        log.info("the recording has ended after %d events", self.progress.events)
