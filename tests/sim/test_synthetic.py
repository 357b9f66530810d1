"""The synthetic market: the same for a seed everywhere, consistent with itself, and like a market."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from itertools import islice, pairwise
from random import Random
from typing import Any

import pytest

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon.basics.defs import TIF, InstrumentType, OrderType, Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.errors import ConfigError
from mlthon.sim.exchange import SimExchange
from mlthon.sim.order_flow import MIN_LEVELS, OrderFlow
from mlthon.sim.orders import NewOrder
from mlthon.sim.synthetic import START_NS, SyntheticMarket
from mlthon.sim.terms import Product, symbol_of

SEEDS = (1, 2, 3)
MARKETS: list[dict[str, Any]] = [
    {},
    {"mid": "1.0000", "tick": "0.0001", "lot": "1"},
    {"mid": "3000000", "tick": "0.5", "lot": "0.00000001"},
]


def first_events(count: int, seed: int, **options: Any) -> list[tuple[int, DepthUpdate | PublicTrade]]:
    return list(islice(SyntheticMarket(seed, **options), count))


# -- determinism -----------------------------------------------------------------------------------------------

DIGEST_PROGRAM = """
import pickle
from hashlib import sha256
from itertools import islice
from mlthon.sim.synthetic import SyntheticMarket
digest = sha256()
for gap_ns, event in islice(SyntheticMarket(5), 4000):
    digest.update(repr((gap_ns, event.__reduce__()[1])).encode())
print(digest.hexdigest())
"""


def test_a_seed_gives_the_same_market_in_every_process() -> None:
    digest = sha256()
    for gap_ns, event in first_events(4000, 5):
        digest.update(repr((gap_ns, event.__reduce__()[1])).encode())
    for hash_seed in ("0", "1", "4242"):
        result = subprocess.run(
            [sys.executable, "-c", DIGEST_PROGRAM],
            env=os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert result.stdout.strip() == digest.hexdigest(), f"PYTHONHASHSEED={hash_seed}"


def test_iterating_again_starts_again() -> None:
    market = SyntheticMarket(9)
    one, two = iter(market), iter(market)
    assert [next(one) for _ in range(500)] == [next(two) for _ in range(500)]
    assert first_events(500, 9) != first_events(500, 10)


# -- consistency -----------------------------------------------------------------------------------------------


class Replay:
    """A dict book that takes the market's events and checks each against what came before."""

    def __init__(self, tick: Price, lot: Qty) -> None:
        self.tick = tick.mantissa
        self.lot = lot.mantissa
        self.books: dict[Side, dict[int, int]] = {Side.Buy: {}, Side.Sell: {}}
        self.taken: dict[tuple[Side, int], int] = {}  # by trades, not yet in a depth update
        self.seq = 0
        self.now_ns = START_NS
        self.trades = 0

    def best(self, side: Side) -> int:
        return max(self.books[side]) if side is Side.Buy else min(self.books[side])

    def play(self, gap_ns: int, event: DepthUpdate | PublicTrade) -> None:
        assert gap_ns >= 0
        self.now_ns += gap_ns
        assert event.venue_ns == event.recv_ns == self.now_ns
        if isinstance(event, PublicTrade):
            self.play_trade(event)
        else:
            assert gap_ns == 0 or not self.taken, "time passed between a market order's trades and its update"
            self.play_update(event)

    def play_trade(self, trade: PublicTrade) -> None:
        """A trade is at the best price that the order has not used up, and for no more than is shown there."""
        self.trades += 1
        assert trade.trade_id == str(self.trades)
        side = Side.Sell if trade.taker_side is Side.Buy else Side.Buy
        price, qty = trade.price.mantissa, trade.qty.mantissa
        left = {level: shown - self.taken.get((side, level), 0) for level, shown in self.books[side].items()}
        levels = [level for level, shown in left.items() if shown > 0]
        assert price == (max(levels) if side is Side.Buy else min(levels))
        assert 0 < qty <= left[price]
        assert qty % self.lot == 0
        self.taken[side, price] = self.taken.get((side, price), 0) + qty

    def play_update(self, update: DepthUpdate) -> None:
        assert update.seq == self.seq + 1
        assert update.is_snapshot == (self.seq == 0)
        assert update.prev_seq == (-1 if self.seq == 0 else self.seq)
        self.seq = update.seq
        told: dict[tuple[Side, int], int] = {}
        for side, levels in ((Side.Buy, update.bids()), (Side.Sell, update.asks())):
            for price, qty in levels:
                assert price.mantissa % self.tick == 0
                assert qty.mantissa % self.lot == 0
                assert (side, price.mantissa) not in told
                told[side, price.mantissa] = qty.mantissa
        for (side, level), taken in self.taken.items():
            assert told[side, level] == self.books[side][level] - taken
        self.taken.clear()
        for (side, level), shown in told.items():
            self.books[side][level] = shown
            if shown == 0:
                del self.books[side][level]
        assert self.best(Side.Buy) < self.best(Side.Sell)
        assert min(len(levels) for levels in self.books.values()) >= 200
        assert min(self.books[Side.Buy]) > 0


@pytest.mark.parametrize("options", MARKETS, ids=str)
@pytest.mark.parametrize("seed", SEEDS)
def test_events_agree_with_each_other(seed: int, options: dict[str, Any]) -> None:
    market = SyntheticMarket(seed, **options)
    replay = Replay(market.instrument.get_price_tick_rules(), market.instrument.get_quantity_tick_rules())
    for gap_ns, event in islice(market, 4000):
        replay.play(gap_ns, event)
    assert replay.trades > 200


def test_the_book_stays_filled_and_bounded_for_hours() -> None:
    """Two hours of market: the price stays near, the book neither thins out nor grows."""
    flow = OrderFlow(Random(4), 600_000)
    seconds = 0.0
    while seconds < 7200:
        step, is_order = flow.advance()
        seconds += step
        if is_order:
            flow.send_market_order()
        else:
            flow.requote()
        for ladder in (flow.bids, flow.asks):
            ladder.take_changes()
            assert MIN_LEVELS <= len(ladder.levels) <= 600
        assert flow.bids.best < flow.asks.best
    for ladder in (flow.bids, flow.asks):
        assert ladder.far == (min if ladder is flow.bids else max)(ladder.levels)
    assert 590_000 < flow.bids.best < 610_000


# -- likeness --------------------------------------------------------------------------------------------------


class Seconds:
    """A market sampled once a second."""

    def __init__(self, seed: int, count: int) -> None:
        self.spreads: list[int] = []
        self.mids: list[float] = []
        self.activity: list[float] = []
        self.orders: list[int] = []  # market orders in each second
        self.messages = 0
        self.trades = 0
        flow = OrderFlow(Random(seed), 600_000)
        seconds = 0.0
        orders = 0
        while len(self.mids) < count:
            step, is_order = flow.advance()
            seconds += step
            while len(self.mids) < min(int(seconds), count):
                self.spreads.append(flow.asks.best - flow.bids.best)
                self.mids.append((flow.asks.best + flow.bids.best) / 2)
                self.activity.append(flow.activity)
                self.orders.append(orders)
                orders = 0
            self.messages += 1
            if is_order:
                orders += 1
                self.trades += len(flow.send_market_order()[1])
            else:
                flow.requote()

    def returns(self) -> list[float]:
        return [after - before for before, after in pairwise(self.mids)]


@pytest.fixture(scope="module", params=SEEDS)
def half_hour(request: pytest.FixtureRequest) -> Seconds:
    return Seconds(request.param, 1800)


def autocorrelation(series: list[float], lag: int) -> float:
    mean = statistics.fmean(series)
    deviations = [value - mean for value in series]
    products = (a * b for a, b in zip(deviations, deviations[lag:], strict=False))
    return sum(products) / sum(value * value for value in deviations)


def test_rates(half_hour: Seconds) -> None:
    assert 20 < half_hour.messages / 1800 < 60
    assert 3 < half_hour.trades / 1800 < 10


def test_spread_is_narrow_and_widens_with_activity(half_hour: Seconds) -> None:
    spreads = half_hour.spreads
    assert min(spreads) == 1
    assert sum(spread <= 2 for spread in spreads) / len(spreads) > 0.65
    assert 4 <= max(spreads) < 40
    by_activity = [spread for _, spread in sorted(zip(half_hour.activity, spreads, strict=True))]
    calm, hectic = by_activity[:600], by_activity[-600:]
    assert statistics.fmean(hectic) > statistics.fmean(calm) + 0.5


def test_volatility_clusters(half_hour: Seconds) -> None:
    returns = half_hour.returns()
    sizes = [abs(change) for change in returns]
    assert all(autocorrelation(sizes, lag) > 0.05 for lag in (1, 2, 5, 10))
    assert abs(autocorrelation(returns, 1)) < 0.15, "the price itself should be hard to foretell"
    fourth = statistics.fmean(change**4 for change in returns)
    assert fourth / statistics.fmean(change**2 for change in returns) ** 2 > 3.5, "tails fatter than normal"


def test_market_orders_come_in_bursts(half_hour: Seconds) -> None:
    orders = half_hour.orders
    assert statistics.pvariance(orders) > 1.5 * statistics.fmean(orders), "a Poisson process would have 1"


def test_sizes_are_skewed() -> None:
    sizes = [event.qty.to_float() for event in trades(first_events(20_000, 6))]
    assert len(sizes) > 1000
    assert statistics.fmean(sizes) > 1.5 * statistics.median(sizes)
    assert max(sizes) > 10 * statistics.median(sizes)


def trades(events: list[tuple[int, DepthUpdate | PublicTrade]]) -> Iterator[PublicTrade]:
    return (event for _, event in events if isinstance(event, PublicTrade))


# -- options ---------------------------------------------------------------------------------------------------


def test_instrument() -> None:
    instrument = SyntheticMarket(1).instrument
    assert instrument.get_instrument_name() == "byt:perp:BTC-USDT"
    assert instrument.get_instrument_type() is InstrumentType.Perpetual
    assert instrument.get_exch_instr_id() == "BTCUSDT"
    assert instrument.get_price_tick_rules() == Price("0.1")
    assert instrument.get_quantity_tick_rules() == instrument.get_min_quantity() == Qty("0.001")
    assert (instrument.get_price_precision(), instrument.get_quantity_precision()) == (1, 3)


@pytest.mark.parametrize(
    ("product", "name", "symbol", "lot"),
    [
        (Product.Inverse, "byt:perp:BTC-USD", "BTCUSD", "50"),
        (Product.Spot, "byt:spot:BTC-USDT", "BTC/USDT", "0.001"),
    ],
)
def test_other_products_trade_too(product: Product, name: str, symbol: str, lot: str) -> None:
    market = SyntheticMarket(1, product=product)
    assert market.instrument.get_instrument_name() == name
    assert market.instrument.get_quantity_tick_rules() == Qty(lot)
    assert symbol_of(market.instrument) == symbol
    exchange = SimExchange([market.instrument], lambda: 0)
    account = exchange.add_account("alice", {"BTC": Qty("10"), "USDT": Qty("1000000")})
    for number, (_, event) in enumerate(islice(market, 300)):
        if isinstance(event, DepthUpdate):
            exchange.apply_depth(symbol, event)
        else:
            exchange.apply_trade(symbol, event)
        if number % 50 == 10:
            side = Side.Buy if number % 100 == 10 else Side.Sell
            qty = market.instrument.get_quantity_tick_rules() * 10
            exchange.place(account, NewOrder(symbol, side, qty, order_type=OrderType.Market, tif=TIF.IOC))
    assert exchange.fill_count(account) >= 6
    exchange.check_conservation()


def test_time_starts_where_told() -> None:
    gap_ns, snapshot = next(iter(SyntheticMarket(1, start_ns=77)))
    assert (gap_ns, snapshot.venue_ns, snapshot.recv_ns) == (0, 77, 77)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"mid": "0"}, ConfigError, "mid: expected more than 0, got 0"),
        ({"tick": "-0.1"}, ConfigError, "tick: expected more than 0, got -0.1"),
        ({"lot": "0"}, ConfigError, "lot: expected more than 0, got 0"),
        ({"mid": "999.9"}, ConfigError, "mid: expected 10000 to .* whole ticks of 0.10*, got 999.9"),
        ({"mid": "60000.05"}, ConfigError, "mid: expected 10000 to .* whole ticks of 0.10*, got 60000.05"),
        ({"mid": 60000.0}, TypeError, "from_float"),
        ({"mid": "sixty"}, ValueError, "sixty"),
        ({"seed": "1"}, TypeError, "seed: expected an integer, got '1'"),
    ],
)
def test_wrong_options(options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        SyntheticMarket(**{"seed": 1} | options)
