"""One connector, all categories, against the simulated venue, with lines that are cut: every ledger must agree."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator

import pytest
from fake_bybit import eventually
from test_bybit_against_venue import SEED, CuttingProxy, Rig, shown_top, top_of

from mlthon.api.istrat_env import MDSub
from mlthon.basics.defs import TIF, ExecInstructions, GtwStatus, OrderType, Side
from mlthon.basics.qty import Qty
from mlthon.engine.ports import CancelOrderRequest, ModifyOrderRequest, NewOrderRequest
from mlthon.exchanges.bybit import BybitConfig, BybitConnector
from mlthon.exchanges.socket import SocketLimits
from mlthon.instruments.instrument import Instrument
from mlthon.instruments.spot import Spot
from mlthon.sim.exchange import SimExchange
from mlthon.sim.synthetic import SyntheticMarket
from mlthon.sim.terms import Product, Terms, symbol_of
from mlthon.venues.bybit import BybitVenue, Endpoints
from mlthon.venues.player import play

ORDERS = 90


class Stage:
    """A venue of three markets in one coin, two of which go by one symbol."""

    def __init__(self) -> None:
        self.markets = [SyntheticMarket(SEED + n, product=product) for n, product in enumerate(Product)]
        self.exchange = SimExchange([market.instrument for market in self.markets], time.time_ns)
        self.account = self.exchange.add_account("test", {"USDT": Qty("10000000"), "BTC": Qty("1000")})
        keys = {"k": ("s", self.account)}
        self.venue = BybitVenue(self.exchange, time.time_ns, api_keys=keys, rate_scale=100.0)
        self.players: list[asyncio.Task[None]] = []

    async def start(self) -> Endpoints:
        endpoints = await self.venue.start()
        self.players = [
            asyncio.create_task(play(market, self.exchange, symbol_of(market.instrument), 10.0))
            for market in self.markets
        ]
        return endpoints

    async def stand_still(self) -> None:
        for player in self.players:
            player.cancel()
        await asyncio.gather(*self.players, return_exceptions=True)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    staged = Stage()
    try:
        yield staged
    finally:
        await staged.stand_still()
        await staged.venue.close()


@pytest.fixture
async def rig(stage: Stage) -> AsyncIterator[Rig]:
    endpoints = await stage.start()
    urls = (endpoints.rest, endpoints.ws_public, endpoints.ws_private, endpoints.ws_trade)
    proxies = [CuttingProxy(url) for url in urls]
    addresses = [await proxy.start() for proxy in proxies]
    config = BybitConfig(
        *addresses,
        ws_status_url=f"{addresses[1]}/misc/status",
        categories=("linear", "inverse", "spot"),
        api_key="k",
        api_secret="s",
        recv_window_ms=500,
        request_timeout_ms=500,
        retry_first_ms=10,
        retry_longest_ms=50,
        rate_factor=100,
        socket=SocketLimits(first_pause_ms=5, longest_pause_ms=50, stable_after_ms=60_000),
    )
    connector = BybitConnector(config, time.time_ns)
    rigged = Rig(stage.exchange, stage.account, stage.players[0], connector, proxies)
    connector.gateway.attach(rigged.listener)
    connector.feed.attach(rigged.books)
    try:
        yield rigged
    finally:
        await connector.close()
        for proxy in proxies:
            await proxy.close()


async def test_the_ledgers_of_all_categories_agree_whatever_happens_to_the_lines(
    stage: Stage, rig: Rig
) -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    instruments = await rig.connector.load_instruments()
    assert [symbol_of(instrument) for instrument in instruments] == ["BTCUSDT", "BTCUSD", "BTC/USDT"]
    await asyncio.gather(rig.connector.gateway.connect(), rig.connector.feed.connect())
    for instrument in instruments:
        rig.connector.feed.subscribe(instrument, frozenset({MDSub.PriceLevelBook, MDSub.PublicTrades}))
    requests = await trade(rig, instruments, rng)
    await eventually(lambda: rig.listener.answers.total() >= requests, f"all answers, seed {SEED}", 15)
    await rig.ready()
    for instrument in instruments:
        rig.connector.gateway.send_cancel_all(instrument)
    await eventually(
        lambda: len(rig.listener.named("cancel-all accepted")) == 3, f"cancel-alls, seed {SEED}", 15
    )
    await stage.stand_still()
    await eventually(lambda: rig.fills_agree() and rig.orders_agree(), f"agreement, seed {SEED}", 15)
    for instrument in instruments:
        await eventually(lambda each=instrument: position_agrees(rig, each), f"position, seed {SEED}", 15)
        await eventually(lambda each=instrument: book_agrees(rig, each), f"book, seed {SEED}", 15)
    await wallets_agree(rig)
    assert rig.listener.answers.total() == requests
    assert rig.exchange.open_orders(rig.account) == []
    traded = {fill.instrument_id for fill in rig.listener.fills.values()}
    assert traded == {instrument.get_instrument_id() for instrument in instruments}
    rig.exchange.check_conservation()


async def trade(rig: Rig, instruments: list[Instrument], rng: random.Random) -> int:
    """Send orders, modifies and cancels in all markets, cutting lines; returns the number of requests."""
    gateway = rig.connector.gateway
    for instrument in instruments:
        await eventually(lambda each=instrument: rig.exchange.mark_price(symbol_of(each)) is not None)
    requests, sent = 0, []
    for number in range(ORDERS):
        await rig.ready()
        instrument = rng.choice(instruments)
        tick, lot = instrument.get_price_tick_rules(), instrument.get_quantity_tick_rules()
        mark = rig.exchange.mark_price(symbol_of(instrument))
        assert mark is not None
        price = mark.round_nearest(tick) + tick * rng.randint(-4, 4)
        is_market = rng.random() < 0.2
        order = NewOrderRequest(
            f"w{number}",
            instrument,
            rng.choice([Side.Buy, Side.Sell]),
            None if is_market else price,
            lot * rng.randint(10, 200),
            OrderType.Market if is_market else OrderType.Limit,
            TIF.IOC if is_market else rng.choice([TIF.GTC, TIF.GTC, TIF.IOC, TIF.FOK]),
            ExecInstructions.Unset,
            False,
        )
        gateway.send_new(order)
        sent.append(order)
        requests += 1
        other = rng.choice(sent)
        if rng.random() < 0.3 and other.price is not None:
            new_price = other.price - other.instrument.get_price_tick_rules()
            gateway.send_modify(ModifyOrderRequest(other.wire_id, "", other.instrument, new_price, None))
            requests += 1
        if rng.random() < 0.3:
            gateway.send_cancel(CancelOrderRequest(other.wire_id, "", other.instrument))
            requests += 1
        if rng.random() < 0.1:
            rng.choice(rig.proxies).cut()
        events = len(rig.books.events)
        await eventually(lambda events=events: len(rig.books.events) > events, "the market goes on", 15)
    return requests


def position_agrees(rig: Rig, instrument: Instrument) -> bool:
    if isinstance(instrument, Spot):
        return True  # its coins are compared instead
    symbol = instrument.get_exch_instr_id()
    told = [event[2] for event in rig.listener.named("position") if event[1] == symbol]
    return (told[-1] if told else Qty("0")) == rig.account.position(symbol).size


def book_agrees(rig: Rig, instrument: Instrument) -> bool:
    return top_of(rig, instrument) == shown_top(rig.exchange.book(symbol_of(instrument)))


async def wallets_agree(rig: Rig) -> None:
    """Ask for both coins, and compare what is told with what is booked."""
    for coin in ("BTC", "USDT"):
        told = len(rig.listener.named("wallet"))
        rig.connector.gateway.fetch_wallet(coin)
        await eventually(lambda told=told: len(rig.listener.named("wallet")) > told, f"wallet, seed {SEED}")
        _, about, total, _ = rig.listener.named("wallet")[-1]
        assert about == coin
        assert total.to_mldecimal() == rig.account.wallet(coin).balance


async def test_a_maintenance_of_the_venue_is_announced_and_survived(stage: Stage, rig: Rig) -> None:
    gateway, listener = rig.connector.gateway, rig.listener
    linear = (await rig.connector.load_instruments())[0]
    await gateway.connect()
    stage.venue.begin_maintenance("Upgrade")
    await eventually(lambda: gateway.status is GtwStatus.Maintenance)
    stage.venue.end_maintenance()
    await rig.ready()
    price = linear.get_price_tick_rules() * 100_000
    gateway.send_new(
        NewOrderRequest(
            *(
                "after",
                linear,
                Side.Buy,
                price,
                Qty("0.01"),
                OrderType.Limit,
                TIF.GTC,
                ExecInstructions.Unset,
            ),
            close_position=False,
        )
    )
    await eventually(lambda: "after" in listener.orders)


async def test_contracts_are_funded_and_spot_is_not(rig: Rig) -> None:
    instruments = await rig.connector.load_instruments()
    await rig.connector.gateway.connect()
    for instrument in instruments:
        rig.connector.gateway.fetch_funding(instrument)
        rig.connector.gateway.fetch_position(instrument)
    await eventually(lambda: len(rig.listener.named("funding")) == 2)
    await eventually(lambda: len(rig.listener.named("position")) == 2)
    await eventually(lambda: len(rig.listener.named("unsupported")) == 2)
    assert {event[1] for event in rig.listener.named("funding")} == {"BTCUSDT", "BTCUSD"}
    assert [Terms.of(instrument).product.value for instrument in instruments] == ["linear", "inverse", "spot"]
