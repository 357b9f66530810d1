"""``python -m mlthon.run record``: Bybit's public streams, or a simulated venue's, onto the disk."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon.api.istrat_env import MDSub
from mlthon.basics.defs import GtwRejectCode
from mlthon.engine.clock import LiveClock
from mlthon.errors import TapeError, VenueRefusal
from mlthon.exchanges.bybit import BybitConnector
from mlthon.exchanges.bybit.categories import CATEGORIES, category_of
from mlthon.instruments.instrument import Instrument
from mlthon.run.first_of import first_of
from mlthon.run.interrupts import interrupted
from mlthon.run.output import Output
from mlthon.run.record_command import ConvertTo
from mlthon.run.record_sources import RecordSource, SourceChoice, choose, opened
from mlthon.run.recorded import converted, print_recorded, print_recording
from mlthon.tape.bybit_frames import PROTOCOL
from mlthon.tape.frame_parts import RotationLimits
from mlthon.tape.recorder import Recorder

__all__ = ["RecordOptions", "run_record"]

log = logging.getLogger("mlthon.run")


@dataclass(frozen=True, slots=True)
class RecordOptions:
    """What the command line asked for."""

    instruments: Sequence[str]
    source: SourceChoice
    folder: Path
    depth: int
    trades: bool
    tickers: bool
    duration_s: float | None
    limits: RotationLimits
    convert: ConvertTo | None
    as_json: bool


async def run_record(options: RecordOptions) -> None:
    """Record until the duration, the market, the user or the disk ends it; print the summary in any case.

    Raises TapeError when it cannot be written, VenueError when the venue cannot be reached or refuses
    everything, InstrumentError for instruments that it does not have.
    """
    output = Output(options.as_json)
    clock = LiveClock()
    disk_failed = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_failure(_error: TapeError) -> None:
        loop.call_soon_threadsafe(disk_failed.set)

    async with AsyncExitStack() as stack:
        source = await stack.enter_async_context(opened(options.source, clock, depth=options.depth))
        instruments = await choose(source.config, clock, options.instruments)
        recorder = Recorder(
            options.folder,
            protocol=PROTOCOL,
            source=source.name,
            now_ns=clock.now_ns,
            on_failure=on_failure,
            limits=options.limits,
            tickers=options.tickers,
        )
        session = Session(options, source, recorder, clock, instruments)
        files: dict[int, Path] = {}
        began_s = time.monotonic()
        elapsed_s = 0.0
        try:
            try:
                for instrument in instruments:
                    recorder.add(instrument)
                recorder.start()
                await session.run(disk_failed.wait, output)
            finally:
                elapsed_s = time.monotonic() - began_s
                await asyncio.to_thread(recorder.close)
            await stack.aclose()  # no venue of our own plays on while files are made
            if options.convert is not None:
                files = converted(recorder, options.convert)
        finally:
            print_recorded(recorder, source.name, elapsed_s, files, output)


class Session:
    """One connector with the recorder at its tap."""

    def __init__(
        self,
        options: RecordOptions,
        source: RecordSource,
        recorder: Recorder,
        clock: LiveClock,
        instruments: Sequence[Instrument],
    ) -> None:
        used = {category_of(instrument) for instrument in instruments}
        categories = tuple(category for category in CATEGORIES if category in used)
        self._options = options
        self._source = source
        self._recorder = recorder
        self._instruments = instruments
        self._connector = BybitConnector(
            replace(source.config, categories=categories), clock.now_ns, tap=recorder
        )
        self._listener = Refusals(instruments)

    async def run(self, disk_failed: Callable[[], Awaitable[object]], output: Output) -> None:
        """Receive until something ends it; raises VenueError."""
        feed = self._connector.feed
        with interrupted() as interrupts:
            try:
                await self._connector.load_instruments()
                feed.attach(self._listener)
                await feed.connect()
                subs = {MDSub.PriceLevelBook} | ({MDSub.PublicTrades} if self._options.trades else set())
                for instrument in self._instruments:
                    feed.subscribe(instrument, frozenset(subs))
                simulated = self._source.simulated
                await first_of(
                    self._options.duration_s,
                    interrupts.stop.wait(),
                    disk_failed(),
                    self._listener.none_left.wait(),
                    print_recording(self._recorder, lambda: self._connector.venue_ahead_ns, output),
                    *([] if simulated is None else [simulated.market_ends()]),
                )
            finally:
                await self._connector.close()
        if self._listener.none_left.is_set():
            raise VenueRefusal(0, "; ".join(self._listener.refused.values()), "subscribing")


class Refusals:
    """Implements `mlthon.engine.ports.FeedListener` for who only wants to know what the venue does not give."""

    def __init__(self, instruments: Sequence[Instrument]) -> None:
        self.refused: dict[int, str] = {}
        self.none_left = asyncio.Event()
        self._names = {each.get_instrument_id(): each.get_instrument_name() for each in instruments}

    def on_depth(self, _instrument_id: int, _update: DepthUpdate) -> bool:
        return True

    def delta_sink(self, _instrument_id: int) -> Callable[[DepthUpdate], bool]:
        return lambda _update: True

    def instrument_feed(self, _instrument_id: int) -> None:
        return None

    def on_trades(self, instrument_id: int, trades: Sequence[PublicTrade]) -> None: ...

    def on_stream_ready(self, instrument_id: int) -> None: ...

    def on_subscribe_refused(self, instrument_id: int, _code: GtwRejectCode, reason: str) -> None:
        self.refused[instrument_id] = f"{self._names[instrument_id]}: {reason}"
        log.error("not recorded: %s", self.refused[instrument_id])
        if len(self.refused) == len(self._names):
            self.none_left.set()

    def on_book_lost(self, instrument_id: int, reason: str) -> None: ...

    def on_feed_lost(self, reason: str, instrument_ids: Collection[int] | None = None) -> None: ...
