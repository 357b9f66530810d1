"""What is recorded of a simulated venue, and made into a tape, is the market that the venue played."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import pytest

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon.api.istrat_env import MDSub
from mlthon.basics.defs import Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.exchanges.bybit import BybitConfig, BybitConnector
from mlthon.instruments.instrument import Instrument
from mlthon.run.record import Refusals
from mlthon.sim.exchange import SimExchange
from mlthon.sim.synthetic import SyntheticMarket
from mlthon.sim.terms import Product, Terms
from mlthon.tape.binance import BinanceCapture
from mlthon.tape.bybit_frames import PROTOCOL
from mlthon.tape.frame_parts import RotationLimits
from mlthon.tape.opening import open_tape
from mlthon.tape.recorder import Recorder, Track
from mlthon.tape.verify import verify
from mlthon.venues.bybit import BybitVenue
from mlthon.venues.player import MarketSource, play

DEPTH = 1000
SUBS = frozenset({MDSub.PriceLevelBook, MDSub.PublicTrades})
MarketEvent = DepthUpdate | PublicTrade
Levels = dict[Price, Qty]
LAST_PRICE = "1.5"
NS_PER_MS = 1_000_000


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@dataclass
class Excerpt:
    """The first events of a market, and a trade far away that tells that all have come."""

    market: MarketSource
    length: int | None

    @property
    def instrument(self) -> Instrument:
        return self.market.instrument

    def __iter__(self) -> Iterator[tuple[int, MarketEvent]]:
        yield from islice(iter(self.market), self.length)
        yield 0, PublicTrade(Side.Buy, LAST_PRICE, "50")


@dataclass
class Book:
    """A book kept the plain way."""

    bids: Levels = field(default_factory=dict)
    asks: Levels = field(default_factory=dict)

    def apply(self, update: DepthUpdate) -> None:
        for side, levels in ((self.bids, update.bids()), (self.asks, update.asks())):
            if update.is_snapshot:
                side.clear()
            for price, qty in levels:
                side[price] = qty
                if qty.is_zero():
                    del side[price]

    def best(self, depth: int) -> tuple[list[tuple[Price, Qty]], list[tuple[Price, Qty]]]:
        return sorted(self.bids.items(), reverse=True)[:depth], sorted(self.asks.items())[:depth]


async def eventually(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline, f"not within 20 s: {what}"
        await asyncio.sleep(0.005)


async def recorded(market: Excerpt, folder: Path, limits: RotationLimits | None = None) -> Track:
    """Play a market at a venue as fast as it goes, to a recorder that has subscribed before."""
    exchange = SimExchange([market.instrument], time.time_ns)
    venue = BybitVenue(exchange, time.time_ns, api_keys={})
    terms = Terms.of(market.instrument)
    endpoints = await venue.start()
    recorder = Recorder(
        folder,
        protocol=PROTOCOL,
        source="test",
        now_ns=time.time_ns,
        limits=limits,
        on_failure=print,
        tickers=False,  # told by the clock: the last trade is to be the last frame
    )
    config = BybitConfig(
        endpoints.rest,
        endpoints.ws_public,
        endpoints.ws_private,
        endpoints.ws_trade,
        categories=(terms.product.value,),
        depth=DEPTH,
        stale_after_ms=None,
    )
    connector = BybitConnector(config, time.time_ns, tap=recorder)
    try:
        [instrument] = await connector.load_instruments()
        track = recorder.add(instrument)
        recorder.start()
        connector.feed.attach(Refusals([instrument]))
        await connector.feed.connect()
        connector.feed.subscribe(instrument, SUBS)
        await eventually(lambda: track.frames == 2, "the book and the answer")
        await play(market, exchange, terms.symbol, math.inf)
        await eventually(lambda: f'"{LAST_PRICE}"'.encode() in seen(track), "the last trade")
    finally:
        await connector.close()
        await venue.close()
        recorder.close()
    return track


def seen(track: Track) -> bytes:
    return b"" if track.latest is None else track.latest[1]


def check(market: Excerpt, folder: Path, depth: int, every: int) -> None:
    """Compare the tape of a recording with the market: trades, and the book after each `every`-th of its changes."""
    tape = open_tape(folder)
    assert tape.instrument.get_instrument_name() == market.instrument.get_instrument_name()
    report = verify(tape)
    assert report.is_sound, report.problems
    told = [event for _, event in tape.cursor() if isinstance(event, DepthUpdate | PublicTrade)]
    played, shown = Book(), Book()
    events = iter(told)
    snapshot = next(events)
    assert isinstance(snapshot, DepthUpdate)
    assert (snapshot.is_snapshot, len(snapshot)) == (True, 0)  # subscribed before anything was played
    came = next(events)
    changes = 0
    for _, event in market:
        if isinstance(event, PublicTrade):
            assert isinstance(came, PublicTrade)
            assert (came.taker_side, came.price, came.qty) == (event.taker_side, event.price, event.qty)
            came = next(events, None)
            continue
        played.apply(event)
        if isinstance(came, DepthUpdate) and came.seq == event.seq:
            shown.apply(came)
            assert came.venue_ns == event.venue_ns // NS_PER_MS * NS_PER_MS
            changes += 1
            came = next(events, None)
            if changes % every == 0:
                assert shown.best(depth) == played.best(depth), f"after {event!r}"
    assert came is None
    assert changes > 100
    assert shown.best(depth) == played.best(depth)


@pytest.mark.parametrize("product", Product)
async def test_a_synthetic_market_of_each_category(tmp_path: Path, product: Product) -> None:
    market = Excerpt(SyntheticMarket(5, product=product), 1_500)
    track = await recorded(market, tmp_path, RotationLimits(part_bytes=20_000))
    assert len(track.parts.parts) > 1
    check(
        market, track.parts.folder, depth=10_000, every=1
    )  # all of it: the book is not as deep as the topic


async def test_the_usdm_capture(tmp_path: Path, captures: Path) -> None:
    market = Excerpt(BinanceCapture(captures / "binance" / "usdm_btcusdt_20240808.gz"), None)
    track = await recorded(market, tmp_path)
    check(market, track.parts.folder, depth=DEPTH, every=100)
