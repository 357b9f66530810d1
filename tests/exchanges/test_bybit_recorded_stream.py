"""A recorded stream through the connector: each frame as it was sent, over a websocket, into the engine's book."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import orjson
from bybit_messages import instrument_row
from fake_bybit import FakeBybit, eventually

from mlthon._core.dispatch import Dispatcher
from mlthon.api.istrat_env import MDSub
from mlthon.basics.defs import Exchange, FeedHandlerStatus
from mlthon.engine.market_data import MarketData
from mlthon.exchanges.bybit import BybitConnector

Levels = dict[Decimal, Decimal]


class Watcher:
    """A strategy that notes what becomes of its feed."""

    def __init__(self) -> None:
        self.statuses: list[FeedHandlerStatus] = []

    def on_feed_handler_status(self, exchange: Exchange, status: FeedHandlerStatus, detail: str) -> None:
        self.statuses.append(status)


def rebuilt(frames: list[bytes]) -> tuple[Levels, Levels]:
    """The book after all frames, kept in two dicts."""
    sides: tuple[Levels, Levels] = ({}, {})
    for frame in frames:
        message = orjson.loads(frame)
        for side, changes in zip(sides, (message["data"]["b"], message["data"]["a"]), strict=True):
            if message["type"] == "snapshot":
                side.clear()
            for price, qty in changes:
                side[Decimal(price)] = Decimal(qty)
                if Decimal(qty) == 0:
                    del side[Decimal(price)]
    return sides


async def test_the_xrpusdt_capture_leaves_the_book_that_it_describes(
    captures: Path, venue: FakeBybit
) -> None:
    """The archive's topic of 500 levels is no longer offered: here it goes by the name of the next deeper one."""
    recorded = (captures / "bybit" / "2024-12-01_XRPUSDT_ob500.jsonl").read_bytes().splitlines()
    frames = [line.replace(b"orderbook.500.", b"orderbook.1000.", 1) for line in recorded]
    assert len(frames) == 50
    venue.instruments = [instrument_row("XRPUSDT", "XRP", "0.0001", "1")]
    venue.snapshots["orderbook.1000.XRPUSDT"] = lambda: frames[0]
    venue.clock_offset_ms = orjson.loads(frames[0])["ts"] - venue.now_ms()  # the day of the recording
    watcher = Watcher()
    connector = BybitConnector(venue.config(depth=1000), lambda: venue.now_ms() * 1_000_000)
    market_data = MarketData(
        Exchange.Bybit, connector.feed, Dispatcher(watcher), lambda: venue.now_ms() * 1_000_000
    )
    try:
        [instrument] = await connector.load_instruments()
        await connector.feed.connect()
        market_data.subscribe(instrument, frozenset({MDSub.PriceLevelBook}))
        await eventually(lambda: market_data.is_live)
        session = venue.sessions[0]
        for frame in frames[1:]:
            await session.send(frame)
        bids, asks = rebuilt(frames)
        last = orjson.loads(frames[-1])["data"]
        book = market_data.book(instrument)
        await eventually(lambda: sides_of(book) == (bids, asks), f"the book after u={last['u']}")
    finally:
        await connector.close()
    assert (len(bids), len(asks)) == (500, 500)
    assert market_data.resyncs == 0
    assert venue.opened["public"] == 1
    assert watcher.statuses == [FeedHandlerStatus.SnapshotStart, FeedHandlerStatus.SnapshotEnd]


def sides_of(book) -> tuple[Levels, Levels]:
    return tuple(
        {Decimal(str(level.get_price())): Decimal(str(level.get_qty())) for level in side}
        for side in (book.bids(), book.asks())
    )
