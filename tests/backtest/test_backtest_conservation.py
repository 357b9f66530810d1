"""Random orders in a backtest: nothing is lost or made, and a naive matcher fills them alike."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from naive_matcher import BUY, SELL, NaiveMatcher, NaiveOrder
from scripted import LINEAR, amend, cancel, order

from mlthon._core.market_event import DepthUpdate
from mlthon.backtest.backtest import Backtest, Settings
from mlthon.backtest.connector import BacktestConnector
from mlthon.backtest.latency import Latency
from mlthon.backtest.request_limits import RequestRates
from mlthon.basics.defs import TIF, Side
from mlthon.sim.orders import EndReason, SimOrder
from mlthon.sim.synthetic import SyntheticMarket

SECONDS = 3
UNLIMITED = RequestRates(orders=10**9)


class Gambler:
    """Does something at random whenever the market moves, and checks the books first."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.sent = 0
        self.checks = 0
        self.open: list[str] = []

    def on_framework_connected(self, env) -> None:
        self.env = env
        env.login("gambler")

    def on_best_bid_level_update(self, exchange, instrument_id, price, qty, recv_ts) -> None:
        self.bid = price
        self.act()

    def on_public_trade(self, *_: object) -> None:
        self.act()

    def on_order_cancelled(self, exchange, client_id, *_: object) -> None:
        self.open.remove(client_id)

    def on_new_order_reject(self, exchange, client_id, *_: object) -> None:
        self.open.remove(client_id)

    def act(self) -> None:
        self.check()
        draw = self.random.random()
        if self.open and draw < 0.3:
            cancel(self.random.choice(self.open))(self.env)
        elif self.open and draw < 0.4:
            amend(self.random.choice(self.open), self.price(), None)(self.env)
        elif draw < 0.9:
            self.sent += 1
            name = f"g{self.sent}"
            self.open.append(name)
            tif = self.random.choice([TIF.GTC, TIF.GTC, TIF.GTC, TIF.IOC, TIF.FOK])
            side = self.random.choice([Side.Buy, Side.Sell])
            qty = str(Decimal(self.random.randint(1, 900)) / 1000)
            post_only = tif is TIF.GTC and self.random.random() < 0.3
            order(name, side, self.price(), qty, tif=tif, post_only=post_only)(self.env)

    def price(self) -> str:
        return str(Decimal(str(self.bid)) + Decimal(self.random.randint(-6, 7)) / 10)

    def check(self) -> None:
        """The strategy's books and the exchange's are the same whenever nothing is on its way."""
        self.checks += 1
        self.sim.check_conservation()
        own, there = self.env.portfolio.position(LINEAR), self.account.purse.position("BTCUSDT")
        assert (own.size, own.realised, own.fees) == (there.size, there.realised, there.fees)


class Witness:
    """Takes down what reaches the exchange, in order, for the naive matcher: the exchange tells of every order."""

    def __init__(self, connector: BacktestConnector) -> None:
        self.steps: list[tuple[str, Any]] = []
        self.seen: set[int] = set()
        sim, change = connector.sim, connector.sim.amend

        def amended(account: Any, symbol: str, **asked: Any) -> Any:
            done = change(account, symbol, **asked)
            self.steps.append(("amend", (done.order_id, asked["price"])))
            return done

        sim.amend = amended
        sim.attach(self)

    def on_order(self, order: SimOrder) -> None:
        if order.order_id not in self.seen:
            self.seen.add(order.order_id)
            self.steps.append(("place", order))
        elif order.end_reason is EndReason.ByUser:
            self.steps.append(("cancel", order.order_id))

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name.startswith("on_"):
            return lambda *_: None
        raise AttributeError(name)


class WitnessedMarket:
    """A market whose events are taken down when the loop plays them: it asks for each one event ahead."""

    def __init__(self, seed: int) -> None:
        self.source = SyntheticMarket(seed)
        self.instrument = self.source.instrument
        self.witness: Witness | None = None

    def __iter__(self):
        held = None
        for gap_ns, event in self.source:
            if held is not None:
                self.witness.steps.append(("event", held))
            held = event
            yield gap_ns, event


def replayed(steps: list[tuple[str, Any]]) -> NaiveMatcher:
    naive = NaiveMatcher(1)
    for kind, what in steps:
        if kind == "event" and isinstance(what, DepthUpdate):
            sides = [
                [(Decimal(str(price)), Decimal(str(qty))) for price, qty in levels]
                for levels in (what.bids(), what.asks())
            ]
            naive.depth(*sides, what.is_snapshot, what.venue_ns)
        elif kind == "event":
            side = BUY if what.taker_side is Side.Buy else SELL
            naive.trade(side, Decimal(str(what.price)), Decimal(str(what.qty)), what.venue_ns)
        elif kind == "place":
            naive.place(
                NaiveOrder(
                    what.order_id,
                    0,
                    BUY if what.side is Side.Buy else SELL,
                    Decimal(str(what.price)),
                    Decimal(str(what.qty)),
                    immediate=what.tif in (TIF.IOC, TIF.FOK),
                    whole=what.tif is TIF.FOK,
                    post_only=what.post_only,
                )
            )
        elif kind == "amend":
            number, price = what
            naive.amend(number, Decimal(str(price)), naive.order(number).leaves)
        else:
            naive.cancel(what)
    return naive


@pytest.mark.parametrize("seed", range(3))
def test_a_backtest_of_random_orders_is_what_a_naive_matcher_makes_of_them(seed):
    market, gambler = WitnessedMarket(seed), Gambler(seed)
    settings = Settings(latency=Latency.constant_ms(0, 0, 0), rates=UNLIMITED, duration_s=SECONDS)
    backtest = Backtest([market], gambler, settings=settings)
    [connector] = backtest.connectors
    gambler.sim, gambler.account = connector.sim, connector.account
    market.witness = Witness(connector)
    backtest.run()
    backtest.check_ledgers()
    assert gambler.checks > 30
    naive = replayed(market.witness.steps)
    fills = [
        (fill.order_id, Decimal(str(fill.price)), Decimal(str(fill.qty)), fill.is_maker)
        for fill in connector.sim.fills(connector.account)
    ]
    assert len(fills) > 5, f"seed {seed}"
    assert joined(fills) == joined([(f[0], f[1], f[2], f[3]) for f in naive.fills]), f"seed {seed}"


def joined(fills: list[tuple[int, Decimal, Decimal, bool]]) -> list[tuple[int, Decimal, Decimal, bool]]:
    """Fills in a row of one order at one price, summed up: how a level is cut is nobody's business."""
    whole: list[tuple[int, Decimal, Decimal, bool]] = []
    for number, price, qty, is_maker in fills:
        if whole and whole[-1][0] == number and whole[-1][1] == price and whole[-1][3] == is_maker:
            whole[-1] = (number, price, whole[-1][2] + qty, is_maker)
        else:
            whole.append((number, price, qty, is_maker))
    return whole
