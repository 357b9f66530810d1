"""ccxt.pro, pointed at the venue: a trader's day on linear and inverse contracts and on spot.

It is asyncio, and runs on the venue's own loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from bybit_client import DEADLINE_S, KEY, SECRET, Json, Stage

from mlthon.basics.defs import Side
from mlthon.venues.bybit import Endpoints

ccxt_pro = pytest.importorskip("ccxt.pro", reason="ccxt is not installed: pip install ccxt")


@dataclass(frozen=True)
class Market:
    """What the scenario trades: names here and there, a price far below the market, and a quantity."""

    symbol: str
    listed: str  # as the simulated exchange calls it
    best_bid: float
    far_bid: float
    qty: float

    @property
    def is_contract(self) -> bool:
        return ":" in self.symbol

    def __str__(self) -> str:
        return self.symbol


MARKETS = [
    Market("BTC/USDT:USDT", "BTCUSDT", 60000.0, 59000.0, 0.5),
    Market("BTC/USD:BTC", "BTCUSD", 60000.0, 59000.0, 300),
    Market("BTC/USDT", "BTC/USDT", 59990.0, 59000.0, 0.25),
]


class Watch:
    """What one of the client's ``watch_...`` calls returns, again and again."""

    def __init__(self, watch: Callable[[], Awaitable[Any]]) -> None:
        self._watch = watch
        self._results: asyncio.Queue[Any] = asyncio.Queue()
        self._task = asyncio.create_task(self._run())

    async def until(self, fits: Callable[[Any], bool]) -> Any:
        """The next row that fits, or raise what stopped the client, or TimeoutError."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                row = await self._results.get()
                if isinstance(row, Exception):
                    raise row
                if fits(row):
                    return row

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        try:
            while True:
                result = await self._watch()
                for row in result if isinstance(result, list) else [result]:
                    self._results.put_nowait(row)
        except Exception as error:  # whoever waits for results is to know
            self._results.put_nowait(error)


class Trader:
    """A client of the venue, and all that it watches."""

    def __init__(self, endpoints: Endpoints, key: str, secret: str) -> None:
        trader = self

        class Bybit(ccxt_pro.bybit):  # type: ignore[misc, name-defined]
            def handle_subscription_status(self, client: Any, message: Json) -> Json:
                trader._acks.put_nowait(message)
                return super().handle_subscription_status(client, message)

        self._acks: asyncio.Queue[Json] = asyncio.Queue()
        self._watches: list[Watch] = []
        types = {"fetchMarkets": {"types": ["linear", "inverse", "spot"]}}
        self.client = Bybit({"apiKey": key, "secret": secret, "enableRateLimit": False, "options": types})
        point_at(self.client, endpoints)

    async def watch(self, method: str, *arguments: object) -> Watch:
        """Watch something, once the venue has confirmed the subscription."""
        watch = Watch(lambda: getattr(self.client, method)(*arguments))
        self._watches.append(watch)
        async with asyncio.timeout(DEADLINE_S):
            assert (await self._acks.get())["success"]
        return watch

    async def close(self) -> None:
        for watch in self._watches:
            await watch.close()
        await self.client.close()


def point_at(client: Any, endpoints: Endpoints) -> None:
    """Replace every address that the client knows by the venue's."""

    def private(urls: Json) -> Json:
        return {
            name: private(url)
            if isinstance(url, dict)
            else endpoints.ws_trade
            if name == "trade"
            else endpoints.ws_private
            for name, url in urls.items()
        }

    urls = client.urls["api"]
    public = {category: f"{endpoints.ws_public}/{category}" for category in urls["ws"]["public"]}
    sockets = {"public": public, "private": private(urls["ws"]["private"])}
    client.urls["api"] = dict.fromkeys(urls, endpoints.rest) | {"ws": sockets}


@pytest.fixture
async def stage() -> Stage:
    return Stage.of_all_products()


@pytest.fixture
async def endpoints(stage: Stage) -> AsyncIterator[Endpoints]:
    yield await stage.venue.start()
    await stage.venue.close()


@pytest.fixture
async def trader(endpoints: Endpoints) -> AsyncIterator[Trader]:
    trader = Trader(endpoints, KEY, SECRET)
    yield trader
    await trader.close()


@pytest.fixture(params=MARKETS, ids=str)
def market(request: pytest.FixtureRequest) -> Market:
    return request.param


async def test_markets(trader: Trader) -> None:
    markets = await trader.client.load_markets()
    assert sorted(markets) == ["BTC/USD:BTC", "BTC/USDT", "BTC/USDT:USDT"]
    linear, inverse, spot = (markets[name] for name in ("BTC/USDT:USDT", "BTC/USD:BTC", "BTC/USDT"))
    assert (linear["linear"], inverse["inverse"], spot["spot"]) == (True, True, True)
    assert [m["precision"]["price"] for m in (linear, inverse, spot)] == [0.1, 0.5, 0.01]
    assert [m["precision"]["amount"] for m in (linear, inverse, spot)] == [0.001, 1.0, 0.000001]
    assert linear["limits"]["amount"] == {"min": 0.001, "max": 100.0}
    assert (linear["settle"], inverse["settle"], spot["settle"]) == ("USDT", "BTC", None)
    assert all(m["active"] for m in markets.values())


async def test_market_data(trader: Trader, stage: Stage, market: Market) -> None:
    book = await trader.client.fetch_order_book(market.symbol)
    assert book["bids"][0][0] == market.best_bid
    books = await trader.watch("watch_order_book", market.symbol, 50)
    trades = await trader.watch("watch_trades", market.symbol)
    tickers = await trader.watch("watch_ticker", market.symbol)
    assert (await books.until(lambda row: row["bids"]))["bids"][0][0] == market.best_bid
    bid = str(market.best_bid)
    stage.depth([(bid, "7")], [], symbol=market.listed)
    await books.until(lambda row: row["bids"][0] == [market.best_bid, 7.0])
    stage.trade(Side.Sell, bid, "2", symbol=market.listed)
    seen = await trades.until(lambda row: True)
    assert (seen["side"], seen["price"], seen["amount"]) == ("sell", market.best_bid, 2.0)
    await tickers.until(lambda row: float(row["info"]["volume24h"]) == 2.0 and row["last"] == market.best_bid)
    (asked,) = await trader.client.fetch_trades(market.symbol)
    assert asked["id"] == seen["id"]
    assert (await trader.client.fetch_ticker(market.symbol))["last"] == market.best_bid


async def test_an_order_is_placed_amended_and_cancelled(trader: Trader, market: Market) -> None:
    client, name = trader.client, market.symbol
    orders = await trader.watch("watch_orders")
    placed = await client.create_order(
        name, "limit", "buy", market.qty, market.far_bid, {"clientOrderId": "one"}
    )
    seen = await orders.until(lambda row: row["status"] == "open")
    assert (seen["id"], seen["clientOrderId"], seen["symbol"]) == (placed["id"], "one", name)
    await client.edit_order(placed["id"], name, "limit", "buy", market.qty * 2, market.far_bid - 1)
    seen = await orders.until(lambda row: row["price"] == market.far_bid - 1)
    assert (seen["amount"], seen["remaining"], seen["filled"]) == (market.qty * 2, market.qty * 2, 0.0)
    (open_order,) = await client.fetch_open_orders(name)
    assert (open_order["id"], open_order["price"]) == (placed["id"], market.far_bid - 1)
    await client.cancel_order(placed["id"], name)
    assert (await orders.until(lambda row: row["status"] == "canceled"))["id"] == placed["id"]
    assert await client.fetch_open_orders(name) == []
    (ended,) = await client.fetch_canceled_orders(name)
    assert ended["id"] == placed["id"]


async def test_the_same_over_the_trade_socket_and_cancel_all(trader: Trader, market: Market) -> None:
    client, name = trader.client, market.symbol
    orders = await trader.watch("watch_orders", name)
    placed = await client.create_order_ws(name, "limit", "buy", market.qty, market.far_bid)
    assert (await orders.until(lambda row: row["status"] == "open"))["id"] == placed["id"]
    await client.edit_order_ws(placed["id"], name, "limit", "buy", market.qty * 2, market.far_bid)
    await orders.until(lambda row: row["amount"] == market.qty * 2)
    await client.cancel_order_ws(placed["id"], name)
    await orders.until(lambda row: row["status"] == "canceled")
    first, second = [
        (await client.create_order_ws(name, "limit", "buy", market.qty, market.far_bid - n))["id"]
        for n in (1, 2)
    ]
    ended = await client.cancel_all_orders(name)
    assert {row["id"] for row in ended} == {first, second}
    for order_id in (first, second):
        await orders.until(
            lambda row, order_id=order_id: (row["id"], row["status"]) == (order_id, "canceled")
        )


async def test_many_orders_in_one_request(trader: Trader, market: Market) -> None:
    client, name = trader.client, market.symbol
    order = {"symbol": name, "type": "limit", "side": "buy", "amount": market.qty}
    placed = await client.create_orders([order | {"price": market.far_bid - n} for n in range(3)])
    ids = [row["id"] for row in placed]
    await client.edit_orders([order | {"id": ids[0], "price": market.far_bid - 9}])
    found = {row["id"]: row["price"] for row in await client.fetch_open_orders(name)}
    assert found == {ids[0]: market.far_bid - 9, ids[1]: market.far_bid - 1, ids[2]: market.far_bid - 2}
    if market.symbol != "BTC/USD:BTC":  # where this client does not cancel in batches
        await client.cancel_orders(ids, name)
        assert await client.fetch_open_orders(name) == []


@pytest.mark.parametrize("tif", ["IOC", "FOK", "PO"])
async def test_what_does_not_rest(trader: Trader, market: Market, tif: str) -> None:
    client, name = trader.client, market.symbol
    orders = await trader.watch("watch_orders", name)
    best_ask = {"BTC/USDT:USDT": 60000.1, "BTC/USD:BTC": 60000.5, "BTC/USDT": 60000.0}[name]
    more_than_there_is = {"BTC/USDT:USDT": 5, "BTC/USD:BTC": 70_000, "BTC/USDT": 1}[name]
    placed = await client.create_order(
        name, "limit", "buy", more_than_there_is, best_ask, {"timeInForce": tif}
    )
    ended = await orders.until(lambda row: row["status"] != "open")  # spot: closed, where it has traded
    there_is = {"BTC/USDT:USDT": 3.0, "BTC/USD:BTC": 60_000.0, "BTC/USDT": 0.5}[name]
    assert (ended["id"], ended["filled"]) == (placed["id"], there_is if tif == "IOC" else 0.0)


async def test_a_resting_order_is_filled(trader: Trader, stage: Stage, market: Market) -> None:
    client, name = trader.client, market.symbol
    fills = await trader.watch("watch_my_trades")
    orders = await trader.watch("watch_orders")
    price = market.best_bid
    stage.depth([(str(price), "0")], [], symbol=market.listed)  # so that nothing is ahead of us
    await client.create_order(name, "limit", "buy", market.qty, price)
    part = str(market.qty * 0.4)
    stage.trade(Side.Sell, str(price), part, symbol=market.listed)
    fill = await fills.until(lambda row: True)
    assert (fill["side"], fill["takerOrMaker"], fill["price"]) == ("buy", "maker", price)
    assert fill["amount"] == float(part)
    seen = await orders.until(lambda row: row["filled"] == float(part))
    assert (seen["status"], seen["remaining"]) == ("open", pytest.approx(market.qty - float(part)))
    stage.trade(Side.Sell, str(price), str(market.qty), symbol=market.listed)
    await orders.until(lambda row: row["status"] == "closed")
    rows = await client.fetch_my_trades(name)
    assert sum(row["amount"] for row in rows) == pytest.approx(market.qty)
    assert (await client.fetch_closed_orders(name))[0]["filled"] == market.qty


@pytest.mark.parametrize("market", [market for market in MARKETS if market.is_contract], ids=str)
async def test_positions(trader: Trader, market: Market) -> None:
    client, name = trader.client, market.symbol
    positions = await trader.watch("watch_positions", [name])
    await client.create_order(name, "market", "sell", market.qty)
    seen = await positions.until(lambda row: row["contracts"] == market.qty)
    assert (seen["symbol"], seen["side"], seen["entryPrice"]) == (name, "short", market.best_bid)
    (asked,) = [row for row in await client.fetch_positions([name]) if row["contracts"]]
    assert (asked["side"], asked["contracts"], asked["entryPrice"]) == ("short", market.qty, market.best_bid)
    await client.create_order(name, "market", "buy", market.qty, params={"reduceOnly": True})
    await positions.until(lambda row: not row["contracts"])


async def test_wallet(trader: Trader, stage: Stage) -> None:
    client = trader.client
    before = await client.fetch_balance()
    assert (before["USDT"]["total"], before["BTC"]["total"]) == (1_000_000.0, 10.0)
    balances = await trader.watch("watch_balance")
    await client.create_order("BTC/USDT", "market", "sell", 0.5)
    seen = await balances.until(lambda row: row["BTC"]["total"] == 9.5)
    assert seen["USDT"]["total"] == float(str(stage.alice.wallet("USDT").balance))
    await client.create_order("BTC/USDT", "limit", "sell", 1, 70_000)
    held = await client.fetch_balance()
    assert (held["BTC"]["used"], held["BTC"]["free"]) == (1.0, 8.5)


async def test_account_settings(trader: Trader) -> None:
    client = trader.client
    await client.set_leverage(5, "BTC/USDT:USDT")
    await client.create_order("BTC/USDT:USDT", "market", "buy", 0.1)
    (position,) = await client.fetch_positions(["BTC/USDT:USDT"])
    assert position["leverage"] == 5.0
    fee = await client.fetch_trading_fee("BTC/USDT:USDT")
    assert (fee["maker"], fee["taker"]) == (0.0002, 0.00055)
    assert (await client.fetch_funding_rate("BTC/USDT:USDT"))["symbol"] == "BTC/USDT:USDT"
    assert abs(await client.fetch_time() - client.milliseconds()) < 10_000


async def test_refusals_come_as_the_right_errors(trader: Trader, market: Market) -> None:
    client, name = trader.client, market.symbol
    with pytest.raises(ccxt_pro.OrderNotFound):
        await client.cancel_order("nobody's", name)
    with pytest.raises(ccxt_pro.OrderNotFound):
        await client.cancel_order_ws("nobody's", name)
    await client.create_order(name, "limit", "buy", market.qty, market.far_bid, {"clientOrderId": "twice"})
    with pytest.raises(ccxt_pro.ExchangeError, match=r"110072|170141"):
        await client.create_order(
            name, "limit", "buy", market.qty, market.far_bid, {"clientOrderId": "twice"}
        )
    too_much = {"BTCUSDT": 90, "BTCUSD": 900_000, "BTC/USDT": 150}[market.listed]
    if market.is_contract:
        await client.set_leverage(1, name)
    with pytest.raises(ccxt_pro.InsufficientFunds):
        await client.create_order(name, "limit", "buy", too_much, market.far_bid)


async def test_a_wrong_secret_is_refused(endpoints: Endpoints) -> None:
    stranger = Trader(endpoints, KEY, "not the secret")
    try:
        with pytest.raises(ccxt_pro.AuthenticationError):
            await stranger.client.fetch_balance()
        with pytest.raises(ccxt_pro.AuthenticationError):
            async with asyncio.timeout(DEADLINE_S):
                await stranger.client.watch_orders()
    finally:
        await stranger.close()
