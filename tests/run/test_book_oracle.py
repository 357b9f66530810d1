"""The book oracle, through the real path: tape, exchange, venue, websocket, connector, book.

After each depth message of a Binance capture, the best bid and ask, price and size, must equal the latest bookTicker
whose update id is not larger than the message's.

There is a capture of a linear perpetual and one of a spot pair. No inverse contract is recorded: the linear market is
listed as one too, which changes the category, the symbol, the money, and nothing about levels and their quantities.
"""

from __future__ import annotations

import asyncio
import gzip
import math
from functools import partial

import orjson
import pytest

from mlthon._core.dispatch import Dispatcher
from mlthon._core.market_event import DepthUpdate
from mlthon.api.istrat_env import MDSub
from mlthon.backtest.backtest import Backtest, Settings
from mlthon.backtest.latency import Latency
from mlthon.basics.defs import Exchange, InstrumentType
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.engine.clock import LiveClock
from mlthon.engine.market_data import MarketData
from mlthon.exchanges.bybit import BybitConfig, BybitConnector
from mlthon.instruments.instrument import Instrument
from mlthon.instruments.perpetual import Perpetual
from mlthon.sim.exchange import SimExchange
from mlthon.sim.terms import symbol_of
from mlthon.tape.binance import BinanceCapture
from mlthon.venues.bybit import BybitVenue
from mlthon.venues.player import play

Top = tuple[Price, Qty, Price, Qty]


def expected_tops(path) -> list[tuple[int, Top]]:
    """What the oracle says after each depth message that follows the snapshot: (update id, top of book)."""
    tickers: list[tuple[int, Top]] = []
    depths: list[int] = []
    snapshot_id = None
    with gzip.open(path) as lines:
        for line in lines:
            message = orjson.loads(line.split(b" ", 1)[1])
            data = message.get("data", message)
            if "lastUpdateId" in data:
                snapshot_id = data["lastUpdateId"]
            elif data.get("e") == "depthUpdate":
                depths.append(data["u"])
            elif "B" in data:
                tickers.append(
                    (data["u"], (Price(data["b"]), Qty(data["B"]), Price(data["a"]), Qty(data["A"])))
                )
    assert snapshot_id is not None
    tickers.sort(key=lambda ticker: ticker[0])
    expected, at = [], 0
    for update_id in depths:
        while at < len(tickers) and tickers[at][0] <= update_id:
            at += 1
        if update_id >= snapshot_id:
            expected.append((update_id, tickers[at - 1][1]))
    return expected


class WatchedMarketData(MarketData):
    """The engine's own, noting the top of the book after each message."""

    def __init__(self, *args) -> None:
        super().__init__(*args)
        self.tops: list[tuple[int, Top]] = []
        self.progressed = asyncio.Event()

    async def reach(self, seq: int) -> None:
        """Wait until the message of that sequence number has been applied."""
        while not self.tops or self.tops[-1][0] < seq:
            self.progressed.clear()
            await self.progressed.wait()

    def subscribe(self, instrument, subs) -> None:
        self.instrument = instrument
        super().subscribe(instrument, subs)

    def on_depth(self, instrument_id, update) -> bool:
        sound = super().on_depth(instrument_id, update)
        self.note_top(update)
        return sound

    def delta_sink(self, instrument_id):
        sink = super().delta_sink(instrument_id)

        def watched(update) -> bool:
            taken = sink(update)
            if taken:
                self.note_top(update)
            return taken

        return watched

    def note_top(self, update) -> None:
        book = self.book(self.instrument)
        bid, ask = next(iter(book.bids())), next(iter(book.asks()))
        self.tops.append((update.seq, (bid.get_price(), bid.get_qty(), ask.get_price(), ask.get_qty())))
        self.progressed.set()


def as_inverse(linear: Instrument) -> Perpetual:
    """The same market as an inverse contract, with the tape's own tick and lot."""
    return Perpetual(
        exchange=Exchange.Bybit,
        instrument_type=InstrumentType.Perpetual,
        exch_instr_id="BTCUSD",
        mlt_symbol="BTC-USD",
        base_currency="BTC",
        quote_currency="USD",
        price_tick_rules=linear.get_price_tick_rules(),
        quantity_tick_rules=linear.get_quantity_tick_rules(),
        min_quantity=linear.get_quantity_tick_rules(),
        price_precision=linear.get_price_precision(),
        quantity_precision=linear.get_quantity_precision(),
        multiplier="1",
        quantification="contracts",
        settlement_method="inverse",
    )


@pytest.mark.parametrize(
    ("capture", "category", "depth", "messages"),
    [
        ("usdm_btcusdt_20240808.gz", "linear", 50, 6_500),
        ("usdm_btcusdt_20240808.gz", "linear", 1000, 6_500),
        ("usdm_btcusdt_20240808.gz", "inverse", 200, 6_500),
        ("spot_btcusdt_20240808.gz", "spot", 50, 3_000),
        ("spot_btcusdt_20240808.gz", "spot", 1000, 3_000),
    ],
)
async def test_the_book_agrees_with_every_book_ticker(captures, capture, category, depth, messages):
    path = captures / "binance" / capture
    expected = expected_tops(path)
    assert len(expected) > messages

    clock = LiveClock()
    tape = BinanceCapture(path)
    listed = as_inverse(tape.instrument) if category == "inverse" else tape.instrument
    symbol = symbol_of(listed)
    exchange = SimExchange([listed], clock.now_ns)
    venue = BybitVenue(exchange, clock.now_ns, api_keys={})
    endpoints = await venue.start()
    connector = BybitConnector(
        BybitConfig(
            endpoints.rest,
            endpoints.ws_public,
            endpoints.ws_private,
            endpoints.ws_trade,
            categories=(category,),
            depth=depth,
        ),
        clock.now_ns,
    )
    market_data = WatchedMarketData(Exchange.Bybit, connector.feed, Dispatcher(object()), clock.now_ns)
    events = iter(tape)
    try:
        async with asyncio.timeout(120):
            exchange.apply_depth(symbol, next(events)[1])
            [instrument] = await connector.load_instruments()
            await connector.feed.connect()
            market_data.subscribe(instrument, frozenset({MDSub.PriceLevelBook}))
            await market_data.reach(exchange.market_seq(symbol))
            await play(events, exchange, symbol, math.inf)
            best_bid = next(iter(exchange.book(symbol).bids())).get_price()
            last = exchange.market_seq(symbol) + 1
            exchange.apply_depth(symbol, DepthUpdate([(best_bid, "0")], [], seq=last))
            await market_data.reach(last)
    finally:
        await connector.close()
        await venue.close()

    assert market_data.resyncs == 0
    at, top = 0, None
    for update_id, oracle in expected:
        # A message that leaves the published levels alone is not sent: the book stays as it was.
        while at < len(market_data.tops) and market_data.tops[at][0] <= update_id:
            top = market_data.tops[at][1]
            at += 1
        assert top == oracle, f"after depth message {update_id}: book {top}, bookTicker {oracle}"


class TopWatcher:
    """A strategy that reads the engine's own book after each message that changed a level."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.tops: list[tuple[int, Top]] = []

    def on_framework_connected(self, env) -> None:
        self.env = env
        env.login("watcher")

    def on_start(self, params: str) -> None:
        self.env.subscribe_to_market_data(Exchange.Bybit, [self.name], [MDSub.PriceLevelBook])

    def note_top(self, *_: object) -> None:
        if self.env.last_in_batch:
            book = self.env.feeds[Exchange.Bybit].book(self.instrument)
            bid, ask = next(iter(book.bids())), next(iter(book.asks()))
            top = (bid.get_price(), bid.get_qty(), ask.get_price(), ask.get_qty())
            self.tops.append((self.seq(), top))

    on_add_price_level = on_modify_price_level = on_delete_price_level = note_top


@pytest.mark.parametrize("capture", ["usdm_btcusdt_20240808.gz", "spot_btcusdt_20240808.gz"])
def test_the_book_of_a_backtest_agrees_with_every_book_ticker(captures, capture):
    path = captures / "binance" / capture
    expected = expected_tops(path)
    tape = BinanceCapture(path)
    watcher = TopWatcher(tape.instrument.get_instrument_name())
    backtest = Backtest([path], watcher, settings=Settings(latency=Latency.constant_ms(0, 0, 0)))
    [connector] = backtest.connectors
    [watcher.instrument] = backtest.instruments
    watcher.seq = partial(connector.sim.market_seq, symbol_of(watcher.instrument))
    backtest.run()
    assert backtest.env.feeds[Exchange.Bybit].resyncs == 0
    at, top = 0, None
    for update_id, oracle in expected:
        while at < len(watcher.tops) and watcher.tops[at][0] <= update_id:
            top = watcher.tops[at][1]
            at += 1
        assert top == oracle, f"after depth message {update_id}: book {top}, bookTicker {oracle}"
    assert len(expected) > 3_000
