"""``python -m mlthon.run demo``: a strategy, the real connector, real sockets, and a simulated Bybit."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from mlthon.basics.defs import Exchange
from mlthon.engine.clock import LiveClock
from mlthon.engine.live import LiveEngine
from mlthon.errors import OrdersLeftOpen
from mlthon.exchanges.bybit import BybitConfig, BybitConnector
from mlthon.run.demo_presets import demo_presets
from mlthon.run.event_log import EventLog
from mlthon.run.first_of import first_of
from mlthon.run.interrupts import Interrupts, interrupted
from mlthon.run.market_choice import MarketChoice
from mlthon.run.output import Output
from mlthon.run.recorded_run import recorder_beside
from mlthon.run.simulated_venue import SimulatedVenue
from mlthon.run.status import print_status
from mlthon.run.strategy_loader import load_strategy_class, make_strategy
from mlthon.run.summary import Summary
from mlthon.venues.bybit import Endpoints
from mlthon.venues.bybit.seams import FaultSeams

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
    record: Path | None
    slow_callback_ms: float
    faults: FaultSeams | None = None


async def run_demo(options: DemoOptions) -> None:
    """Trade until the duration, the recording, the strategy or the user ends it; print the summary in any case.

    Raises StrategyError when the strategy raised, OrdersLeftOpen when its orders could not all be cancelled,
    LedgerMismatch when its books and the venue's disagree, and what cannot be loaded or connected.
    """
    output = Output(options.as_json)
    clock = LiveClock()
    with ExitStack() as stack:
        if options.as_json:
            stack.enter_context(redirect_stdout(sys.stderr))  # what the strategy prints is for people
        strategy_class = load_strategy_class(options.strategy)
        journal = stack.enter_context(EventLog(options.event_log)) if options.event_log else None
        venue = SimulatedVenue(options.market, clock, options.faults)
        try:
            recorder = stack.enter_context(recorder_beside(options.record, [venue.instrument], clock))
            presets = demo_presets(options.strategy, [venue.instrument])
            strategy = make_strategy(strategy_class, presets)
            config = _reach(await venue.start(), venue)
            engine = LiveEngine(
                strategy,
                [BybitConnector(config, clock.now_ns, tap=recorder)],
                clock=clock,
                params={**presets, **options.params},
                choose_defaults=lambda table: [
                    table.resolve(_EXCHANGE, venue.instrument.get_instrument_name())
                ],
                journal=journal,
                slow_callback_ms=options.slow_callback_ms,
            )
            try:
                await _trade(engine, venue, options.duration_s, output)
            finally:
                if engine.was_started:
                    Summary.of(engine, _EXCHANGE, venue).print(output)
        finally:
            await venue.close()
    if engine.left_open:
        names = ", ".join(f"{order.client_id} ({order.wire_id})" for order in engine.left_open)
        raise OrdersLeftOpen(f"{len(engine.left_open)} orders may still be open at the venue: {names}")
    Summary.of(engine, _EXCHANGE, venue).check_ledgers()


def _reach(endpoints: Endpoints, venue: SimulatedVenue) -> BybitConfig:
    """How the connector reaches the simulated venue."""
    return BybitConfig(
        rest_url=endpoints.rest,
        ws_public_url=endpoints.ws_public,
        ws_private_url=endpoints.ws_private,
        ws_trade_url=endpoints.ws_trade,
        ws_status_url=f"{endpoints.ws_public}/misc/status",
        categories=(venue.terms.product.value,),
        api_key=venue.api_key,
        api_secret=venue.api_secret,
        rate_factor=math.ceil(venue.rate_scale),
    )


async def _trade(engine: LiveEngine, venue: SimulatedVenue, duration_s: float, output: Output) -> None:
    """Run the strategy from start to close, whatever ends it."""
    with interrupted() as interrupts:
        try:
            await engine.start()
            await first_of(
                duration_s,
                interrupts.stop.wait(),
                engine.failed.wait(),
                venue.market_ends(),
                print_status(engine.env, _EXCHANGE, venue, output),
            )
        finally:
            try:
                await _stop(engine, interrupts)
            finally:
                await engine.close()


async def _stop(engine: LiveEngine, interrupts: Interrupts) -> None:
    """Wind the engine down, or give up waiting when the user insists."""
    await first_of(None, engine.stop(), interrupts.hurry.wait())
