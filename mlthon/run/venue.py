"""``python -m mlthon.run venue bybit``: a simulated venue for any client."""

from __future__ import annotations

import asyncio
import ssl
import sys

import orjson

from mlthon.engine.clock import LiveClock
from mlthon.run.interrupts import interrupted
from mlthon.run.market_choice import MarketChoice
from mlthon.run.simulated_venue import SimulatedVenue
from mlthon.venues.bybit.seams import FaultSeams

__all__ = ["run_venue"]


async def run_venue(
    market: MarketChoice,
    port: int,
    *,
    faults: FaultSeams | None = None,
    tls: ssl.SSLContext | None = None,
) -> None:
    """Serve until interrupted; when ready, print one line of JSON that says where and with which keys.

    A recording that ends leaves its last book standing.
    """
    venue = SimulatedVenue(market, LiveClock(), faults)
    try:
        with interrupted() as interrupts:
            endpoints = await venue.start(port, tls)
            ready = {
                "rest": endpoints.rest,
                "ws_public": endpoints.ws_public,
                "ws_private": endpoints.ws_private,
                "ws_trade": endpoints.ws_trade,
                "api_key": venue.api_key,
                "api_secret": venue.api_secret,
            }
            sys.stdout.write(orjson.dumps(ready).decode() + "\n")
            sys.stdout.flush()
            market_task = asyncio.create_task(venue.market_ends())
            stop_task = asyncio.create_task(interrupts.stop.wait())
            await asyncio.wait({market_task, stop_task}, return_when=asyncio.FIRST_COMPLETED)
            if market_task.done():
                market_task.result()
            await stop_task
    finally:
        await venue.close()
