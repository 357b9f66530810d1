"""The connector against the simulated venue, through a proxy that cuts the lines: two ledgers that must agree."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from book_keeper import BookKeeper
from fake_bybit import eventually
from gateway_client import Listener

from mlthon._core.price_book import PriceLevelBook
from mlthon.api.istrat_env import MDSub
from mlthon.basics.defs import TIF, ExecInstructions, GtwRejectCode, GtwStatus, OrderStatus, OrderType, Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.engine.ports import CancelOrderRequest, ModifyOrderRequest, NewOrderRequest
from mlthon.exchanges.bybit import BybitConfig, BybitConnector
from mlthon.exchanges.socket import SocketLimits
from mlthon.instruments.instrument import Instrument
from mlthon.sim.account import Account
from mlthon.sim.exchange import SimExchange
from mlthon.sim.orders import OrderState
from mlthon.sim.synthetic import SyntheticMarket
from mlthon.venues.bybit import BybitVenue
from mlthon.venues.player import play

SEED = int(os.environ.get("MLTHON_TEST_SEED", "20240808"))
ORDERS = 80


class CuttingProxy:
    """Passes bytes both ways, until it is told to cut all lines, wherever in a message they are."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._host, self._port = parts.hostname, parts.port
        self._server: asyncio.Server | None = None
        self._lines: set[asyncio.StreamWriter] = set()
        self._scheme_and_path = parts.scheme, parts.path

    async def start(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        scheme, path = self._scheme_and_path
        return f"{scheme}://127.0.0.1:{port}{path}"

    def cut(self) -> None:
        for writer in list(self._lines):
            writer.transport.abort()

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await eventually(lambda: not self._lines)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        venue_reader, venue_writer = await asyncio.open_connection(self._host, self._port)
        self._lines |= {writer, venue_writer}
        try:
            await asyncio.gather(self._pass(reader, venue_writer), self._pass(venue_reader, writer))
        finally:
            self._lines -= {writer, venue_writer}

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(4_096):
                sink.write(data)
                await sink.drain()
        sink.transport.abort()


@dataclass
class Rig:
    """A market being played, its exchange, its venue, and a connector behind proxies."""

    exchange: SimExchange
    account: Account
    player: asyncio.Task[None]
    connector: BybitConnector
    proxies: list[CuttingProxy]
    listener: Listener = field(default_factory=Listener)
    books: BookKeeper = field(default_factory=BookKeeper)

    async def ready(self) -> None:
        """Wait until orders can be sent."""
        await eventually(
            lambda: self.connector.gateway.status is GtwStatus.ReadyToTrade, f"ready, seed {SEED}", 15
        )

    def fills_agree(self) -> bool:
        """Whether the fills that were told are the fills that were booked, to the last digit."""
        told = [
            (fill.wire_id, fill.side, fill.price, fill.qty, fill.fee, fill.is_maker)
            for fill in self.listener.fills.values()
        ]
        booked = [
            (fill.link_id, fill.side, fill.price, fill.qty, fill.fee, fill.is_maker)
            for fill in self.exchange.fills(self.account)
        ]
        return sorted(map(repr, told)) == sorted(map(repr, booked))

    def orders_agree(self) -> bool:
        """Whether the last report of every order is the exchange's last word."""
        told = {wire_id: (r.status, r.cum_qty, r.price, r.qty) for wire_id, r in self.listener.orders.items()}
        booked = {
            order.link_id: (STATUSES[order.state], order.cum_qty, order.price or NO_PRICE, order.qty)
            for order in self.exchange.recent_orders(self.account) + self.exchange.open_orders(self.account)
        }
        return told == booked

    def position_agrees(self, symbol: str) -> bool:
        """Whether the position that was told is the one that was booked."""
        size = self.account.position(symbol).size
        return self.listener.named("position")[-1][2] == size


NO_PRICE = Price("0")  # of market orders
STATUSES = {
    OrderState.New: OrderStatus.New,
    OrderState.PartiallyFilled: OrderStatus.PartiallyFilled,
    OrderState.Filled: OrderStatus.Filled,
    OrderState.Cancelled: OrderStatus.Cancelled,
    OrderState.Rejected: OrderStatus.Rejected,
}


@pytest.fixture
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    """A rig that sends as fast as it likes; or as the parameter, a way of order entry and a rate, says."""
    order_entry, rate_scale = getattr(request, "param", ("websocket", 100.0))
    market = SyntheticMarket(SEED)
    exchange = SimExchange([market.instrument], time.time_ns)
    account = exchange.add_account("test", {"USDT": Qty("10000000")})
    venue = BybitVenue(exchange, time.time_ns, api_keys={"k": ("s", account)}, rate_scale=rate_scale)
    endpoints = await venue.start()
    player = asyncio.create_task(play(market, exchange, market.instrument.get_exch_instr_id(), 20.0))
    proxies = [
        CuttingProxy(url)
        for url in (endpoints.rest, endpoints.ws_public, endpoints.ws_private, endpoints.ws_trade)
    ]
    config = BybitConfig(
        *[await proxy.start() for proxy in proxies],
        api_key="k",
        api_secret="s",
        recv_window_ms=500,
        request_timeout_ms=500,
        retry_first_ms=10,
        retry_longest_ms=50,
        order_entry=order_entry,
        socket=SocketLimits(first_pause_ms=5, longest_pause_ms=50, stable_after_ms=60_000),
    )
    rig = Rig(exchange, account, player, BybitConnector(config, time.time_ns), proxies)
    rig.connector.gateway.attach(rig.listener)
    rig.connector.feed.attach(rig.books)
    try:
        yield rig
    finally:
        await rig.connector.close()
        player.cancel()
        await asyncio.gather(player, return_exceptions=True)
        for proxy in proxies:
            await proxy.close()
        await venue.close()


@pytest.mark.parametrize(
    "rig", [("websocket", 100.0), ("rest", 100.0)], indirect=True, ids=["websocket", "rest"]
)
async def test_the_ledgers_agree_whatever_happens_to_the_lines(rig: Rig) -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    (instrument,) = await rig.connector.load_instruments()
    await rig.connector.gateway.connect()
    await rig.connector.feed.connect()
    rig.connector.feed.subscribe(instrument, frozenset({MDSub.PriceLevelBook, MDSub.PublicTrades}))
    requests = await trade(rig, instrument, rng)
    await eventually(lambda: rig.listener.answers.total() >= requests, f"all answers, seed {SEED}", 15)
    await rig.ready()
    rig.connector.gateway.send_cancel_all(instrument)
    await eventually(lambda: rig.listener.named("cancel-all accepted"), f"cancel-all, seed {SEED}", 15)
    rig.player.cancel()
    symbol = instrument.get_exch_instr_id()
    await eventually(lambda: rig.fills_agree() and rig.orders_agree(), f"agreement, seed {SEED}", 15)
    await eventually(lambda: rig.position_agrees(symbol), f"position, seed {SEED}", 15)
    assert rig.listener.answers.total() == requests
    assert rig.exchange.open_orders(rig.account) == []
    assert len(rig.listener.fills) > 10
    await eventually(
        lambda: top_of(rig, instrument) == shown_top(rig.exchange.book(symbol)), "the same book", 15
    )


@pytest.mark.parametrize("rig", [("websocket", 1.0), ("rest", 1.0)], indirect=True, ids=["websocket", "rest"])
async def test_whoever_wants_too_much_is_held_back_here_and_never_by_the_venue(rig: Rig) -> None:
    (instrument,) = await rig.connector.load_instruments()
    gateway, listener = rig.connector.gateway, rig.listener
    await gateway.connect()
    loop = asyncio.get_running_loop()
    began, number = loop.time(), 0
    while loop.time() - began < 2.5:
        order = (f"w{number}", instrument, Side.Buy, Price("1000"), Qty("0.01"), OrderType.Limit, TIF.GTC)
        gateway.send_new(NewOrderRequest(*order, ExecInstructions.Unset, close_position=False))
        number += 1
        await eventually(lambda number=number: listener.answers.total() == number, "an answer")
    refused = listener.named("refused")
    assert {event[3] for event in refused} == {GtwRejectCode.RateLimited}
    assert all(event[4].startswith("not sent: all 10 requests a second") for event in refused)
    resting = [order.link_id for order in rig.exchange.open_orders(rig.account)]
    assert 20 < len(resting) <= 30  # ten at once, and ten in each of the next two seconds
    gateway.send_cancels([CancelOrderRequest(each, "", instrument) for each in resting])
    await eventually(lambda: not rig.exchange.open_orders(rig.account), "all cancelled")
    await eventually(lambda: listener.answers.total() == number + len(resting), "all answered")
    assert len(listener.named("refused")) == len(refused)
    limits = [event[1:3] for event in listener.named("rate limit")]
    assert {(10, 5), (10, 1), (10, 0)} <= set(limits)


async def trade(rig: Rig, instrument: Instrument, rng: random.Random) -> int:
    """Send orders, modifies and cancels around the market, cutting lines; returns the number of requests."""
    gateway, tick = rig.connector.gateway, instrument.get_price_tick_rules()
    symbol = instrument.get_exch_instr_id()
    await eventually(lambda: rig.exchange.mark_price(symbol) is not None)
    requests = 0
    for number in range(ORDERS):
        await rig.ready()
        price = rig.exchange.mark_price(symbol).round_nearest(tick) + tick * rng.randint(-4, 4)
        side, qty = rng.choice([Side.Buy, Side.Sell]), Qty("0.01") * rng.randint(1, 20)
        tif = rng.choice([TIF.GTC, TIF.GTC, TIF.IOC])
        order = (f"w{number}", instrument, side, price, qty, OrderType.Limit, tif)
        gateway.send_new(NewOrderRequest(*order, ExecInstructions.Unset, close_position=False))
        requests += 1
        other = f"w{rng.randint(0, number)}"
        if rng.random() < 0.3:
            gateway.send_modify(ModifyOrderRequest(other, "", instrument, price - tick, None))
            requests += 1
        if rng.random() < 0.3:
            gateway.send_cancel(CancelOrderRequest(other, "", instrument))
            requests += 1
        if rng.random() < 0.15:
            rng.choice(rig.proxies).cut()
        events = len(rig.books.events)
        await eventually(lambda events=events: len(rig.books.events) > events, "the market goes on", 15)
    return requests


def top_of(rig: Rig, instrument: Instrument) -> tuple[list[tuple[Price, Qty]], list[tuple[Price, Qty]]]:
    """The best ten levels of each side as the connector told them."""
    bids, asks = rig.books.books[instrument.get_instrument_id()]
    return sorted(bids.items(), reverse=True)[:10], sorted(asks.items())[:10]


def shown_top(book: PriceLevelBook) -> tuple[list[tuple[Price, Qty]], list[tuple[Price, Qty]]]:
    """The best ten levels of each side as the exchange shows them."""
    sides = [[(level.get_price(), level.get_qty()) for level in side] for side in (book.bids(), book.asks())]
    return sides[0][:10], sides[1][:10]
