"""hftbacktest: a compiled loop that reads the top and the trades at every event of the feed; depths are hash maps.

What the exchange does reaches the strategy 5 ms later. Orders take as long; there are none, and so no queues.
"""

import sys

import numpy as np
from hftbacktest import (
    BUY_EVENT,
    DEPTH_EVENT,
    DEPTH_SNAPSHOT_EVENT,
    EXCH_EVENT,
    LOCAL_EVENT,
    SELL_EVENT,
    TRADE_EVENT,
    BacktestAsset,
    HashMapMarketDepthBacktest,
)
from hftbacktest.types import event_dtype
from numba import njit
from turns import serve

TRADE, SNAPSHOT = 1, 2
FEED = 2  # what `wait_next_feed` answers when there was something
LONGEST_NS = 10**18
LATENCY_NS = 5_000_000
TRADES_AT_ONCE = 1_000


def events() -> np.ndarray:
    """The market as hftbacktest's own array."""
    market = np.load(sys.argv[2])
    made = np.zeros(len(market["ns"]), event_dtype)
    kind = np.where(market["flags"] & SNAPSHOT, DEPTH_SNAPSHOT_EVENT, DEPTH_EVENT)
    kind = np.where(market["kind"] == TRADE, TRADE_EVENT, kind).astype(np.uint64)
    side = np.where(market["side"] == 0, BUY_EVENT, SELL_EVENT).astype(np.uint64)
    made["ev"] = kind | side | np.uint64(EXCH_EVENT) | np.uint64(LOCAL_EVENT)
    made["exch_ts"] = market["ns"]
    made["local_ts"] = market["ns"] + LATENCY_NS
    made["px"] = market["price"] / 10
    made["qty"] = market["qty"] / 1_000
    return made


@njit
def read_tops(backtest, top):
    """Read what the callbacks of a strategy would be given; returns how many events and trades there were."""
    count = 0
    trades = 0
    depth = backtest.depth(0)
    while backtest.wait_next_feed(False, LONGEST_NS) == FEED:
        top[0] = depth.best_bid
        top[1] = depth.best_ask
        top[2] = depth.best_bid_qty
        top[3] = depth.best_ask_qty
        for trade in backtest.last_trades(0):
            top[4] = trade.px
            top[5] = trade.qty
            trades += 1
        backtest.clear_last_trades(0)
        count += 1
    return count, trades


MARKET = events()


class Run:
    def __init__(self) -> None:
        asset = (
            BacktestAsset()
            .data(MARKET)
            .linear_asset(1.0)
            .constant_order_latency(LATENCY_NS, LATENCY_NS)
            .risk_adverse_queue_model()
            .no_partial_fill_exchange()
            .trading_value_fee_model(0.0002, 0.0005)
            .last_trades_capacity(TRADES_AT_ONCE)
            .tick_size(0.1)
            .lot_size(0.001)
        )
        self.backtest = HashMapMarketDepthBacktest([asset])
        self.top = np.zeros(6)
        self.count = (0, 0)

    def run(self) -> None:
        self.count = read_tops(self.backtest, self.top)

    def seen(self) -> dict[str, object]:
        self.backtest.close()
        return {"callbacks": sum(self.count), "top": self.top[:2].tolist()}


serve(Run, Run.run, Run.seen)
