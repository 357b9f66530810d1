"""From the bytes of a Bybit frame to a 50-level book and the strategy's callback, beside orjson reading the bytes.

Ours is all that happens between the websocket and the strategy: scanning, the checks of sequence and staleness, the
book, and the callback for a best level that has changed, into an empty Python method. Theirs is ``orjson.loads`` of
the same bytes, its result dropped. A recorded market becomes frames of about 3, 25 or 100 levels: whenever so many of
the best 50 levels a side have changed, they are told in one frame. Each run begins with the snapshot.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest
from interleave import Piece

from mlthon._core.depth_view import DepthView
from mlthon._core.dispatch import Dispatcher
from mlthon._core.market_event import DepthUpdate
from mlthon.api.istrat_env import MDSub
from mlthon.basics.defs import Exchange, Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.engine.market_data import MarketData
from mlthon.exchanges.bybit import BybitConfig, feed
from mlthon.exchanges.bybit.clock import VenueClock
from mlthon.exchanges.bybit.instruments import decode_instruments
from mlthon.order.books.price_level_book import PriceLevelBook
from mlthon.tape.binance import BinanceCapture

CAPTURES = Path(os.environ.get("MLTHON_CAPTURES", Path(__file__).resolve().parents[2] / "shared" / "data"))
NOW_MS = 1_733_011_200_691
DEPTH = 50
MOST_FRAMES = 500

Change = tuple[Side, Price, Qty]


def xrp_changes() -> Iterator[Change]:
    """Recorded from Bybit: its own messages of 500 levels."""
    path = CAPTURES / "bybit" / "2024-12-01_XRPUSDT_ob500.jsonl"
    for line in path.read_bytes().splitlines():
        data = orjson.loads(line)["data"]
        yield from changes_of(DepthUpdate(data["b"], data["a"]))


def btc_changes() -> Iterator[Change]:
    """Recorded from Binance: the deep book of a perpetual."""
    for _, event in BinanceCapture(CAPTURES / "binance" / "usdm_btcusdt_20240808.gz"):
        if isinstance(event, DepthUpdate):
            yield from changes_of(event)


def changes_of(update: DepthUpdate) -> Iterator[Change]:
    for side, levels in ((Side.Buy, update.bids()), (Side.Sell, update.asks())):
        for price, qty in levels:
            yield side, price, qty


# What is recorded, the symbol, and the decimals of its prices and quantities.
MARKETS = {"XRPUSDT": (xrp_changes, 4, 0), "BTCUSDT": (btc_changes, 1, 3)}


@pytest.mark.skipif(not CAPTURES.is_dir(), reason="no recorded market data (set MLTHON_CAPTURES)")
@pytest.mark.parametrize("levels", [3, 25, 100])
@pytest.mark.parametrize("symbol", MARKETS)
async def test_a_frame_to_the_callback(compare, monkeypatch, symbol, levels):
    frames, size = frames_of(symbol, levels)
    on_message, dispatcher = connected_feed(monkeypatch, symbol)
    await asyncio.sleep(0)  # the venue agrees
    recv_ns = NOW_MS * 1_000_000

    def ours(n: int) -> None:
        for _ in range(n):
            for frame in frames:
                on_message(frame, recv_ns)

    def theirs(n: int) -> None:
        loads = orjson.loads
        for _ in range(n):
            for frame in frames:
                loads(frame)

    ours(1)
    assert dispatcher.callback_total > len(frames) / 10
    compare(
        f"Bybit frame to callback, {symbol}, {size:.1f} levels",
        ours=Piece(ours, len(frames)),
        theirs=Piece(theirs, len(frames)),
        beside="orjson.loads alone",
        at_most=0.65,
    )


# -- frames ------------------------------------------------------------------------------------------------------


def frames_of(symbol: str, levels: int) -> tuple[list[bytes], float]:
    """A snapshot and the changes after it, and how many levels a change has on average."""
    changes, price_decimals, qty_decimals = MARKETS[symbol]
    book, view = PriceLevelBook(), DepthView(DEPTH, price_decimals, qty_decimals)
    pending: tuple[dict[str, str], dict[str, str]] = ({}, {})
    frames: list[bytes] = []
    total = 0
    for side, price, qty in changes():
        book.add_lvl(side, price, qty)
        new = view.changes(book)
        if not frames and all(len(best) == DEPTH for best in view.snapshot()):
            frames.append(encode(symbol, "snapshot", 100, *view.snapshot()))
        elif frames:
            pending[0].update(map(tuple, new[0]))
            pending[1].update(map(tuple, new[1]))
            count = len(pending[0]) + len(pending[1])
            if count >= levels and not book.is_crossed():
                bids = sorted(pending[0].items(), key=lambda level: -float(level[0]))
                asks = sorted(pending[1].items(), key=lambda level: float(level[0]))
                frames.append(encode(symbol, "delta", 100 + len(frames), bids, asks))
                total += count
                pending[0].clear()
                pending[1].clear()
        if len(frames) > MOST_FRAMES:
            break
    return frames, total / (len(frames) - 1)


def encode(symbol: str, kind: str, update_id: int, bids: object, asks: object) -> bytes:
    """A message as the venue writes it."""
    data = {"s": symbol, "b": bids, "a": asks, "u": update_id, "seq": 130_020_239_261 + update_id}
    topic = f"orderbook.{DEPTH}.{symbol}"
    return orjson.dumps({"topic": topic, "type": kind, "ts": NOW_MS, "data": data, "cts": NOW_MS - 3})


# -- what is between the websocket and the strategy --------------------------------------------------------------


class Strategy:
    """Wants the best levels, and does nothing with them."""

    def on_best_bid_level_update(self, exchange, instrument_id, price, qty, recv_ts): ...

    def on_best_ask_level_update(self, exchange, instrument_id, price, qty, recv_ts): ...


class OpenSocket:
    """A websocket that is connected for good to a venue that agrees to everything."""

    is_open = True

    def __init__(self, name: str, url: str, listener: feed.BybitFeed, **_options: object) -> None:
        self.listener = listener

    def send(self, data: bytes) -> bool:
        request = orjson.loads(data)
        answer = {"success": True, "ret_msg": "", "op": request["op"], "req_id": request["req_id"]}
        asyncio.get_running_loop().call_soon(self.listener.on_message, orjson.dumps(answer), 0)
        return True

    def drop(self, reason: str) -> None:
        raise AssertionError(reason)


def connected_feed(
    monkeypatch: pytest.MonkeyPatch, symbol: str
) -> tuple[Callable[[bytes, int], None], Dispatcher]:
    """The feed's way in for messages, subscribed to the symbol's best levels, and the dispatcher at its end."""
    monkeypatch.setattr(feed, "ReconnectingSocket", OpenSocket)
    url = "ws://127.0.0.1/v5"
    config = BybitConfig("http://127.0.0.1", f"{url}/public", f"{url}/private", f"{url}/trade", depth=DEPTH)
    bybit = feed.BybitFeed(config, pytest.fail, VenueClock(lambda: NOW_MS * 1_000_000))
    dispatcher = Dispatcher(Strategy())
    market_data = MarketData(Exchange.Bybit, bybit, dispatcher, lambda: NOW_MS * 1_000_000)
    instrument = decode_instruments([row_of(symbol)], "bench").instruments[0]
    market_data.subscribe(instrument, frozenset({MDSub.BBO}))
    # Whoever wants levels gets the deep topic, but would be told of a resync at each run's snapshot.
    bybit.subscribe(instrument, frozenset({MDSub.PriceLevelBook}))
    return bybit.on_message, dispatcher


def row_of(symbol: str) -> dict[str, object]:
    """The least that has to be told of an instrument."""
    return {
        "symbol": symbol,
        "contractType": "LinearPerpetual",
        "status": "Trading",
        "baseCoin": symbol.removesuffix("USDT"),
        "quoteCoin": "USDT",
        "settleCoin": "USDT",
        "launchTime": "0",
        "deliveryTime": "0",
        "priceScale": "4",
        "priceFilter": {"minPrice": "0.0001", "maxPrice": "1000000", "tickSize": "0.0001"},
        "lotSizeFilter": {"minOrderQty": "0.001", "maxOrderQty": "1000000", "qtyStep": "0.001"},
    }
