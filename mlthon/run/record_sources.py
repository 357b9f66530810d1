"""Where a recording comes from: Bybit, a venue that speaks like it, or a simulated one of our own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from mlthon.basics.defs import Exchange
from mlthon.engine.clock import LiveClock
from mlthon.engine.instrument_table import InstrumentTable
from mlthon.errors import ConfigError
from mlthon.exchanges.bybit import BybitConfig, BybitConnector
from mlthon.exchanges.bybit.categories import CATEGORIES
from mlthon.instruments.instrument import Instrument
from mlthon.run.market_choice import MarketChoice
from mlthon.run.simulated_venue import SimulatedVenue
from mlthon.tape.frame_parts import stamp

__all__ = ["RecordSource", "SourceChoice", "choose", "opened"]

_MOST_UNNAMED = 10  # instruments that are recorded without being named


@dataclass(frozen=True, slots=True)
class SourceChoice:
    """What the command line asked for: one of Bybit's places, a venue's address, or else a simulated market."""

    at: str | None
    venue: str | None
    rest: str | None
    market: MarketChoice


@dataclass(frozen=True, slots=True)
class RecordSource:
    """How to reach the venue, what to call it, and the venue itself where it is one of our own."""

    config: BybitConfig
    name: str
    simulated: SimulatedVenue | None = None


@asynccontextmanager
async def opened(choice: SourceChoice, clock: LiveClock, **settings: Any) -> AsyncIterator[RecordSource]:
    """Open a source, with settings of `BybitConfig`; raises ConfigError, and TapeError for a market that is none."""
    settings |= {"categories": CATEGORIES}
    if choice.at is not None:
        yield RecordSource(BybitConfig.at(choice.at, **settings), f"bybit {choice.at}")
    elif choice.venue is not None:
        yield RecordSource(config_of(choice.venue, choice.rest, settings), choice.venue)
    else:
        venue = SimulatedVenue(choice.market, clock)
        try:
            endpoints = await venue.start()
            name = f"a simulated Bybit of {stamp(clock.now_ns())}"  # each is a market of its own
            yield RecordSource(config_of(endpoints.ws_public, None, settings), name, venue)
        finally:
            await venue.close()


def config_of(address: str, rest: str | None, settings: dict[str, Any]) -> BybitConfig:
    """How to reach a venue of which one address is known, of its public streams or its REST; raises ConfigError.

    >>> config_of("ws://127.0.0.1:8080/v5/public", None, {}).rest_url
    'http://127.0.0.1:8080'
    """
    parts = urlsplit(address)
    if parts.scheme not in ("ws", "wss", "http", "https") or not parts.hostname:
        raise ConfigError(f"--venue: expected ws://host:port/v5/public, got {address!r}")
    s = "s" if parts.scheme in ("wss", "https") else ""
    streams = f"ws{s}://{parts.netloc}/v5"
    return BybitConfig(
        rest_url=rest or f"http{s}://{parts.netloc}",
        ws_public_url=address if parts.scheme.startswith("ws") else f"{streams}/public",
        ws_private_url=f"{streams}/private",
        ws_trade_url=f"{streams}/trade",
        **settings,
    )


async def choose(config: BybitConfig, clock: LiveClock, names: Sequence[str]) -> list[Instrument]:
    """The instruments of these names, or all if the venue has but a few; raises InstrumentError, VenueError."""
    connector = BybitConnector(config, clock.now_ns)
    try:
        table = InstrumentTable(await connector.load_instruments())
    finally:
        await connector.close()
    if not names and len(table) > _MOST_UNNAMED:
        some = ", ".join(each.get_instrument_name() for each in list(table)[:3])
        raise ConfigError(f"expected the instruments to record: the venue lists {len(table)}, {some}, ...")
    keys = [int(name) if name.isdigit() else name for name in names]
    chosen = [table.resolve(Exchange.Bybit, key) for key in keys] if names else list(table)
    return list({each.get_instrument_id(): each for each in chosen}.values())
