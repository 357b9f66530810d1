"""``python -m mlthon.run demo``: a strategy, the real connector, real sockets, and a simulated Bybit."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import orjson
from rich.console import Console

from mlthon.basics.defs import Exchange
from mlthon.engine.clock import LiveClock
from mlthon.engine.live import LiveEngine
from mlthon.exchanges.bybit import BybitConfig, BybitConnector
from mlthon.run.event_log import EventLog
from mlthon.run.interrupts import interrupted
from mlthon.run.market_choice import MarketChoice
from mlthon.run.simulated_venue import SimulatedVenue
from mlthon.run.status import print_status
from mlthon.run.strategy_loader import load_strategy_class, make_strategy
from mlthon.run.summary import Summary

__all__ = ["DemoOptions", "run_demo"]

_EXCHANGE = Exchange.Bybit


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the command line asked for."""

    strategy: str
    params: Mapping[str, object]
    market: MarketChoice
    duration_s: float
    as_json: bool
    event_log: Path | None


async def run_demo(options: DemoOptions) -> None:
    """Trade until the duration, the recording or the user ends it; print the summary.

    Raises StrategyError when the strategy raised, LedgerMismatch when its books and the venue's disagree, and what
    cannot be loaded or connected.
    """
    clock = LiveClock()
    strategy_class = load_strategy_class(options.strategy)
    with ExitStack() as open_files:
        journal = open_files.enter_context(EventLog(options.event_log)) if options.event_log else None
        venue = SimulatedVenue(options.market, clock)
        strategy = make_strategy(strategy_class, {})
        console = Console(stderr=options.as_json, highlight=False)
        try:
            endpoints = await venue.start()
            config = BybitConfig(
                rest_url=endpoints.rest,
                ws_public_url=endpoints.ws_public,
                ws_private_url=endpoints.ws_private,
                ws_trade_url=endpoints.ws_trade,
                api_key=venue.api_key,
                api_secret=venue.api_secret,
            )
            engine = LiveEngine(
                strategy,
                [BybitConnector(config, clock.now_ns)],
                clock=clock,
                params=options.params,
                choose_defaults=lambda table: [
                    table.resolve(_EXCHANGE, venue.instrument.get_instrument_name())
                ],
                journal=journal,
            )
            summary = await _trade(engine, venue, options, console)
        finally:
            await venue.close()
    if options.as_json:
        sys.stdout.write(orjson.dumps(summary.to_json()).decode() + "\n")
    else:
        summary.print(console)
    summary.check_ledgers()


async def _trade(
    engine: LiveEngine, venue: SimulatedVenue, options: DemoOptions, console: Console
) -> Summary:
    """Run the strategy from start to close, whatever ends it."""
    loop = asyncio.get_running_loop()
    with interrupted() as stop:
        started = loop.time()
        try:
            await engine.start()
            started = loop.time()
            await _until_something_ends(engine, venue, options, console, stop)
        finally:
            try:
                await engine.stop()
            finally:
                elapsed_s = loop.time() - started
                await engine.close()
    return Summary.of(engine.env, _EXCHANGE, venue, elapsed_s)


async def _until_something_ends(
    engine: LiveEngine,
    venue: SimulatedVenue,
    options: DemoOptions,
    console: Console,
    stop: asyncio.Event,
) -> None:
    """Wait for whatever ends the run; raises what is wrong with a tape."""
    ends = [
        asyncio.create_task(wait)
        for wait in (
            stop.wait(),
            engine.failed.wait(),
            venue.market_ends(),
            print_status(engine.env, _EXCHANGE, venue, console),
        )
    ]
    try:
        done, _ = await asyncio.wait(ends, timeout=options.duration_s, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in ends:
            task.cancel()
        await asyncio.gather(*ends, return_exceptions=True)
