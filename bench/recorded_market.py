"""Recorded markets as level changes and as Bybit frames, for every benchmark that wants real ones.

The captures are where the tests find them: in the folder MLTHON_CAPTURES, or in ``../shared/data`` beside the
repository. Where there are none, `SYNTHETIC` is a market made up from a seed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import orjson

from mlthon._core.depth_view import DepthView
from mlthon._core.market_event import DepthUpdate
from mlthon.basics.defs import Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.order.books.price_level_book import PriceLevelBook
from mlthon.sim.synthetic import SyntheticMarket
from mlthon.tape.binance import BinanceCapture

__all__ = ["CAPTURES", "DEPTH", "MARKETS", "NOW_MS", "SYNTHETIC", "changes", "frames_of"]

CAPTURES = Path(os.environ.get("MLTHON_CAPTURES", Path(__file__).resolve().parents[2] / "shared" / "data"))
SYNTHETIC = "synthetic"
NOW_MS = 1_733_011_200_691
DEPTH = 50
MOST_FRAMES = 500
SYNTHETIC_EVENTS = 20_000

Change = tuple[Side, Price, Qty]


def xrp_updates() -> Iterator[DepthUpdate]:
    """Recorded from Bybit: its own messages of 500 levels."""
    path = CAPTURES / "bybit" / "2024-12-01_XRPUSDT_ob500.jsonl"
    for line in path.read_bytes().splitlines():
        data = orjson.loads(line)["data"]
        yield DepthUpdate(data["b"], data["a"])


def btc_updates() -> Iterator[DepthUpdate]:
    """Recorded from Binance: the deep book of a perpetual."""
    for _, event in BinanceCapture(CAPTURES / "binance" / "usdm_btcusdt_20240808.gz"):
        if isinstance(event, DepthUpdate):
            yield event


def synthetic_updates() -> Iterator[DepthUpdate]:
    """Made up, the same every time."""
    for _, event in islice(SyntheticMarket(seed=1), SYNTHETIC_EVENTS):
        if isinstance(event, DepthUpdate):
            yield event


@dataclass(frozen=True, slots=True)
class Market:
    """Where a market's updates come from, and how its frames are written."""

    updates: Callable[[], Iterator[DepthUpdate]]
    symbol: str
    price_decimals: int
    qty_decimals: int


MARKETS = {
    "XRPUSDT": Market(xrp_updates, "XRPUSDT", 4, 0),
    "BTCUSDT": Market(btc_updates, "BTCUSDT", 1, 3),
    SYNTHETIC: Market(synthetic_updates, "BTCUSDT", 1, 3),
}


def changes(market: str) -> Iterator[Change]:
    """The market's level changes, one by one, the first snapshot's included; quantities are absolute."""
    for update in MARKETS[market].updates():
        for side, levels in ((Side.Buy, update.bids()), (Side.Sell, update.asks())):
            for price, qty in levels:
                yield side, price, qty


def frames_of(market: str, levels: int) -> tuple[list[bytes], float]:
    """A Bybit snapshot and the changes after it, and how many levels a change has on average.

    Whenever so many of the best 50 levels a side have changed, they are told in one frame.
    """
    made = MARKETS[market]
    book, view = PriceLevelBook(), DepthView(DEPTH, made.price_decimals, made.qty_decimals)
    pending: tuple[dict[str, str], dict[str, str]] = ({}, {})
    frames: list[bytes] = []
    total = 0
    for side, price, qty in changes(market):
        book.add_lvl(side, price, qty)
        new = view.changes(book)
        if not frames and all(len(best) == DEPTH for best in view.snapshot()):
            frames.append(encode(made.symbol, "snapshot", 100, *view.snapshot()))
        elif frames:
            pending[0].update(map(tuple, new[0]))
            pending[1].update(map(tuple, new[1]))
            count = len(pending[0]) + len(pending[1])
            if count >= levels and not book.is_crossed():
                bids = sorted(pending[0].items(), key=lambda level: -float(level[0]))
                asks = sorted(pending[1].items(), key=lambda level: float(level[0]))
                frames.append(encode(made.symbol, "delta", 100 + len(frames), bids, asks))
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
