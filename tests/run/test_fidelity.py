"""A backtest and the simulated venue tell one story: the loop, and real sockets on a simulated clock.

Compared are all order requests and order callbacks, with their times and all that they say but the venue's ids and
words. The venue's market moves when the test says so, and everything on its way arrives before it moves again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon.api.istrat_env import MDSub
from mlthon.api.istrategy import IStrategy
from mlthon.backtest.backtest import Backtest, Settings
from mlthon.backtest.latency import Latency
from mlthon.basics.defs import TIF, Exchange, ExecInstructions, OrderType, Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.engine.clock import ManualClock
from mlthon.engine.live import LiveEngine
from mlthon.exchanges.bybit import BybitConfig, BybitConnector
from mlthon.sim.deposits import deposits_for
from mlthon.sim.exchange import SimExchange
from mlthon.sim.synthetic import SyntheticMarket
from mlthon.sim.terms import symbol_of
from mlthon.tape.binance import BinanceCapture
from mlthon.venues.bybit import BybitVenue

NAME = "byt:perp:BTC-USDT"
TICK = Price("0.1")
QUIET_TURNS = 60  # of the event loop, without anything being told: what was on its way has arrived
EVENTS = 250
UNTOLD = {"exchange_id", "reject_reason", "cancel_reason", "env"}
STORY = {
    "on_new_order_ack",
    "on_new_order_reject",
    "on_modify_order_ack",
    "on_modify_order_reject",
    "on_cancel_order_ack",
    "on_cancel_order_reject",
    "on_order_execution",
    "on_order_cancelled",
    "on_position_info",
    "on_wallet_info",
    "on_rate_limit_info",
}


class Story:
    """A journal of requests and order callbacks."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, str, tuple[str, ...]]] = []

    def record_request(self, engine_ns: int, name: str, arguments: Any) -> None:
        if name in ("send_new_order", "send_modify_order", "send_cancel_order"):
            values = [str(value) for key, value in arguments.items() if key != "wire_id"]
            self.lines.append((engine_ns, name, tuple(values)))

    def record_callback(self, engine_ns: int, name: str, arguments: Any) -> None:
        if name in STORY:
            names = getattr(IStrategy, name).__code__.co_varnames[1:]
            values = [str(value) for key, value in zip(names, arguments, strict=False) if key not in UNTOLD]
            self.lines.append((engine_ns, name, tuple(values)))


class Reacting:
    """Answers every few changes of the best bid with a request drawn from a seed: new, amend, or cancel."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.seen = self.sent = 0
        self.open: list[str] = []

    def on_framework_connected(self, env) -> None:
        self.env = env
        env.login("reacting")

    def on_start(self, params: str) -> None:
        self.env.subscribe_to_market_data(Exchange.Bybit, [NAME], [MDSub.BBO])
        self.env.request_execution_connection(Exchange.Bybit, [NAME])

    def on_best_bid_level_update(self, exchange, instrument_id, price, qty, recv_ts) -> None:
        self.seen += 1
        if self.seen % 4 == 0:
            self.act(exchange, instrument_id, price)

    def act(self, exchange, instrument_id, price) -> None:
        draw = self.random.random()
        if self.open and draw < 0.35:
            self.env.send_cancel_order(exchange, instrument_id, self.random.choice(self.open))
        elif self.open and draw < 0.5:
            near = price + TICK * self.random.randint(-3, 3)
            self.env.send_modify_order(exchange, self.random.choice(self.open), near, None)
        else:
            self.send(exchange, instrument_id, price)

    def send(self, exchange, instrument_id, price) -> None:
        self.sent += 1
        name = f"r{self.sent}"
        self.open.append(name)
        tif = self.random.choice([TIF.GTC, TIF.GTC, TIF.IOC, TIF.FOK])
        post_only = tif is TIF.GTC and self.random.random() < 0.3
        self.env.send_new_order(
            name,
            exchange,
            instrument_id,
            self.random.choice([Side.Buy, Side.Sell]),
            price + TICK * self.random.randint(-4, 5),
            Qty("0.001") * self.random.randint(1, 900),
            ExecInstructions.PostOnly if post_only else ExecInstructions.Unset,
            OrderType.Limit,
            tif,
            self.random.random() < 0.15,
        )

    def on_order_execution(self, exchange, client_id, side, price, qty, leaves_qty, *_: object) -> None:
        if leaves_qty.is_zero():
            self.forget(client_id)

    def on_order_cancelled(self, exchange, client_id, *_: object) -> None:
        self.forget(client_id)

    on_new_order_reject = on_order_cancelled

    def forget(self, client_id: str) -> None:
        if client_id in self.open:
            self.open.remove(client_id)

    def hear(self, *_: object) -> None:
        """Define a callback, so that it is made."""

    on_new_order_ack = on_modify_order_ack = on_modify_order_reject = on_cancel_order_ack = hear
    on_cancel_order_reject = on_position_info = on_wallet_info = on_rate_limit_info = hear

    def on_stop(self, params: str) -> None:
        self.env.send_stop_ack()


class Timed(Reacting):
    """Does the same by the clock, whatever the market does."""

    def on_start(self, params: str) -> None:
        super().on_start(params)
        self.last: tuple[Any, ...] = ()
        self.env.setup_timer(130, self.tick)

    def on_best_bid_level_update(self, exchange, instrument_id, price, qty, recv_ts) -> None:
        self.last = exchange, instrument_id, price

    def tick(self) -> bool:
        if self.last:
            self.act(*self.last)
        return True


class Cut:
    """The first events of a market."""

    def __init__(self, source: Any) -> None:
        self.source = source
        self.instrument = source.instrument

    def __iter__(self) -> Iterator[tuple[int, DepthUpdate | PublicTrade]]:
        for number, event in enumerate(self.source):
            if number == EVENTS:
                return
            yield event


def told_by_backtest(market: Cut, strategy: Reacting) -> list[Any]:
    story = Story()
    at_once = Settings(latency=Latency.constant_ms(0, 0, 0))
    backtest = Backtest([market], strategy, settings=at_once, journal=story)
    backtest.load()
    backtest.play()
    told = list(story.lines)
    backtest.close()
    return told


async def told_by_venue(market: Cut, strategy: Reacting) -> list[Any]:
    story, events = Story(), iter(market)
    _, first = next(events)
    clock = ManualClock(first.recv_ns)
    symbol = symbol_of(market.instrument)
    exchange = SimExchange([market.instrument], clock.now_ns)
    account = exchange.add_account("one", deposits_for([market.instrument]))
    venue = BybitVenue(exchange, clock.now_ns, api_keys={"key": ("secret", account)})
    at = await venue.start()
    config = BybitConfig(
        at.rest, at.ws_public, at.ws_private, at.ws_trade, api_key="key", api_secret="secret", depth=1000
    )
    engine = LiveEngine(
        strategy,
        [BybitConnector(config, clock.now_ns, clock.now_ns)],
        clock=clock,
        journal=story,
    )
    try:
        async with asyncio.timeout(60):
            exchange.apply_depth(symbol, first)
            await engine.start()
            while not engine.env.feeds[Exchange.Bybit].is_live:
                await quiet(story)
            for gap_ns, event in events:
                at_ns = clock.now_ns() + gap_ns
                while (due_ns := engine.env.scheduler.next_due_ns()) is not None and due_ns <= at_ns:
                    clock.advance(max(due_ns - clock.now_ns(), 0))
                    engine.env.scheduler.fire_due()
                    await quiet(story)
                clock.advance(at_ns - clock.now_ns())
                apply = exchange.apply_depth if isinstance(event, DepthUpdate) else exchange.apply_trade
                apply(symbol, event)
                await quiet(story)
        told = list(story.lines)
    finally:
        await engine.stop()
        await engine.close()
        await venue.close()
    return told


async def quiet(story: Story) -> None:
    """Return when nothing has been told for many turns of the loop: on loopback each turn delivers what was sent."""
    before, turns = -1, 0
    while turns < QUIET_TURNS:
        turns = turns + 1 if len(story.lines) == before else 0
        before = len(story.lines)
        await asyncio.sleep(0)


def compare(ours: list[Any], theirs: list[Any], seed: int) -> None:
    for number, (our, their) in enumerate(zip(ours, theirs, strict=False)):
        assert our == their, f"seed {seed}, line {number}, after {ours[max(number - 3, 0) : number]}"
    assert len(ours) == len(theirs) > 20, f"seed {seed}"


@pytest.mark.parametrize("strategy", [Reacting, Timed])
@pytest.mark.parametrize("seed", range(1, 21))
async def test_on_synthetic_markets(seed, strategy):
    ours = told_by_backtest(Cut(SyntheticMarket(seed)), strategy(seed))
    theirs = await told_by_venue(Cut(SyntheticMarket(seed)), strategy(seed))
    compare(ours, theirs, seed)
    assert ours == told_by_backtest(Cut(SyntheticMarket(seed)), strategy(seed))


@pytest.mark.parametrize("strategy", [Reacting, Timed])
async def test_on_a_recording(captures, strategy):
    path = captures / "binance" / "usdm_btcusdt_20240808.gz"
    ours = told_by_backtest(Cut(BinanceCapture(path)), strategy(1))
    theirs = await told_by_venue(Cut(BinanceCapture(path)), strategy(1))
    compare(ours, theirs, 1)
