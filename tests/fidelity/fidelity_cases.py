"""What is run both ways: markets, strategies and delays, the ones that a seed stands for among them."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from itertools import count
from random import Random

from fidelity_run import Case
from scripted_traders import BookTrader, BusyTrader, StairTrader, TimedTrader
from turnstile import Delays

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon._core.order_change import RateUpdate
from mlthon.backtest.backtest import MarketSource
from mlthon.basics.qty import Qty
from mlthon.sim.synthetic import SyntheticMarket
from mlthon.sim.terms import Product

__all__ = ["DELAYS", "TRADERS", "on_market", "stairs", "synthetic", "told_rates"]

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


class ToldRates:
    """A synthetic market whose venue tells marks, some five a second, and a funding rate, charged every second.

    The mark follows no book: after some seconds it falls to a quarter or rises as wildly, and whoever has a position
    is liquidated.
    """

    def __init__(self, seed: int, product: Product) -> None:
        self._market = SyntheticMarket(seed, product=product)
        self._seed = seed
        self.instrument = self._market.instrument

    def __iter__(self) -> Iterator[tuple[int, DepthUpdate | PublicTrade | RateUpdate]]:
        told = self.rates()
        rate = next(told)
        last_ns = now_ns = 0
        for gap_ns, event in self._market:
            now_ns += gap_ns
            while rate[0] <= now_ns:
                yield rate[0] - last_ns, rate[1]
                last_ns = rate[0]
                rate = next(told)
            yield now_ns - last_ns, event
            last_ns = now_ns

    def rates(self) -> Iterator[tuple[int, RateUpdate]]:
        """Rates, each with its time in ns since the start."""
        chance = Random(f"rates {self._seed}")
        start_ns = self._market.start_ns
        for at_ns in count(_FIRST_RATE_NS, _RATE_NS):
            due_ns = (at_ns // _FUNDING_NS + 1) * _FUNDING_NS
            stamps = {"venue_ns": start_ns + at_ns, "recv_ns": start_ns + at_ns}
            rate = str(Decimal(chance.randint(-99, 99)) / 10_000)
            yield at_ns, RateUpdate("funding", rate, due_ns=start_ns + due_ns, **stamps)
            mark = 60_000 + chance.randint(-300, 300)
            if at_ns > _CALM_NS and chance.random() < 0.3:
                mark = chance.choice((15_000, 150_000))
            yield at_ns, RateUpdate("mark", str(mark), **stamps)
            yield at_ns, RateUpdate("index", str(60_000 + chance.randint(-50, 50)), **stamps)


_FIRST_RATE_NS, _RATE_NS = 5_000_123, 217_000_007
_FUNDING_NS, _CALM_NS = 1_000_000_000, 4_500_000_000


def told_rates(seed: int, trader: str, product: Product, delays: str, duration_s: float) -> Case:
    """A made-up market whose venue tells marks and funding rates, and an account that is soon bankrupt."""
    market = partial(ToldRates, seed, product)
    deposits = {"USDT": Qty("1500"), "BTC": Qty("0.03")}
    return Case(market, partial(TRADERS[trader], seed), duration_s, DELAYS[delays], deposits=deposits)


class WideMarket:
    """Nobody trades, and the spread is wide; after some seconds the mark falls to next to nothing."""

    def __init__(self) -> None:
        like = SyntheticMarket(1)
        self.instrument = like.instrument
        self._start_ns = like.start_ns

    def __iter__(self) -> Iterator[tuple[int, DepthUpdate | RateUpdate]]:
        at_ns = self._start_ns
        book = [("59000", "1")], [("61000", "1")]
        yield 0, DepthUpdate(*book, is_snapshot=True, venue_ns=at_ns, recv_ns=at_ns, seq=1)
        at_ns += _CRASH_NS
        yield _CRASH_NS, RateUpdate("mark", "100", venue_ns=at_ns, recv_ns=at_ns)


_CRASH_NS = 3_600_000_007


def stairs(delays: str) -> Case:
    """Orders alone at their prices, which leave the book at once: first by a cancel-all, then by a liquidation."""
    return Case(WideMarket, partial(StairTrader, 1), 4.0, DELAYS[delays], deposits={"USDT": Qty("100")})


def on_market(market: MarketSource, seed: int, trader: str, delays: str, duration_s: float) -> Case:
    """A recorded market, which can be read any number of times."""
    return Case(lambda: market, partial(TRADERS[trader], seed), duration_s, DELAYS[delays])
