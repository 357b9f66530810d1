"""What is run both ways: markets, strategies and delays, the ones that a seed stands for among them."""

from __future__ import annotations

from functools import partial

from fidelity_run import Case
from scripted_traders import BookTrader, BusyTrader, TimedTrader
from turnstile import Delays

from mlthon.backtest.backtest import MarketSource
from mlthon.sim.synthetic import SyntheticMarket
from mlthon.sim.terms import Product

__all__ = ["DELAYS", "TRADERS", "on_market", "synthetic"]

TRADERS = {"timed": TimedTrader, "book": BookTrader, "busy": BusyTrader}
DELAYS = {
    "none": Delays(),
    "5 ms": Delays(5_000_000, 5_000_000, 5_000_000),
    "uneven": Delays(feed_ns=300_001, order_ns=7_000_003, response_ns=1_200_007),
}


def synthetic(seed: int, trader: str, product: Product, delays: str, duration_s: float) -> Case:
    """A made-up market."""
    market = partial(SyntheticMarket, seed, product=product)
    return Case(market, partial(TRADERS[trader], seed), duration_s, DELAYS[delays])


def on_market(market: MarketSource, seed: int, trader: str, delays: str, duration_s: float) -> Case:
    """A recorded market, which can be read any number of times."""
    return Case(lambda: market, partial(TRADERS[trader], seed), duration_s, DELAYS[delays])
