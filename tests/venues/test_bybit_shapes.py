"""The venue's messages have every field of the recorded and documented ones."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import orjson
import pytest
from bybit_client import Client, Json, Stage

from mlthon.basics.defs import Side

BTC = {"category": "linear", "symbol": "BTCUSDT"}

# What the samples have and this venue does not: fields of other account types, or of how the sample was made.
NOT_SERVED = {
    "userIDInt64",
    "inviterIDInt64",
    "affiliateIDInt64",
    "kycLevel",
    "kycRegion",
    "totalPerpUpl",  # the venue's own spelling is totalPerpUPL
}


@pytest.fixture
def sample(captures: Path):
    def load(name: str) -> Json:
        message: Json = orjson.loads((captures / "bybit" / "v5-messages" / f"{name}.json").read_bytes())
        return message

    return load


def missing(ours: Json, theirs: Json) -> set[str]:
    return theirs.keys() - ours.keys() - NOT_SERVED


def types_differ(ours: Json, theirs: Json) -> set[str]:
    """Fields that are text, number, bool, list or object on one side and something else on the other."""
    return {
        name
        for name in theirs.keys() & ours.keys()
        if theirs[name] is not None and type(theirs[name]) is not type(ours[name])
    }


@pytest.mark.parametrize(
    ("name", "path", "query"),
    [
        ("http_get_instruments_linear", "/v5/market/instruments-info", BTC),
        ("http_get_trades_recent", "/v5/market/recent-trade", BTC),
        ("http_get_orders_realtime", "/v5/order/realtime", BTC),
        ("http_get_orders_history", "/v5/order/history", BTC),
        ("http_get_executions", "/v5/execution/list", BTC),
        ("http_get_positions", "/v5/position/list", BTC),
        ("http_get_fee_rate", "/v5/account/fee-rate", BTC),
        ("http_get_wallet_balance", "/v5/account/wallet-balance", {"accountType": "UNIFIED"}),
    ],
)
async def test_lists(
    stage: Stage, client: Client, sample, name: str, path: str, query: dict[str, str]
) -> None:
    await client.place()
    await client.place(orderType="Market")
    stage.trade(Side.Buy, "60000.1", "0.1")
    ours, theirs = await client.ask(path, **query), sample(name)
    assert missing(ours, theirs) == set()
    assert missing(ours["result"], theirs["result"]) - {"nextPageCursor"} == set()
    our_row, their_row = ours["result"]["list"][0], theirs["result"]["list"][0]
    assert missing(our_row, their_row) == set()
    assert types_differ(our_row, their_row) == set()
    if "coin" in their_row:
        assert missing(our_row["coin"][0], their_row["coin"][1]) == set()
        assert types_differ(our_row["coin"][0], their_row["coin"][1]) == set()
    for group in ("priceFilter", "lotSizeFilter", "leverageFilter"):
        assert missing(our_row.get(group, {}), their_row.get(group, {})) == set()


@pytest.mark.parametrize(
    ("name", "category", "symbol"),
    [
        ("http_get_instruments_inverse", "inverse", "BTCUSD"),
        ("http_get_instruments_spot", "spot", "BTCUSDT"),
    ],
)
async def test_instruments_of_other_products(sample, name: str, category: str, symbol: str) -> None:
    stage = Stage.of_all_products()
    endpoints = await stage.venue.start()
    try:
        async with aiohttp.ClientSession() as http:
            listed = await Client(http, endpoints).get("/v5/market/instruments-info", category=category)
    finally:
        await stage.venue.close()
    (ours,), theirs = listed["result"]["list"], sample(name)["result"]["list"][0]
    assert ours["symbol"] == symbol
    assert missing(ours, theirs) == set()
    assert types_differ(ours, theirs) == set()
    for group in ("priceFilter", "lotSizeFilter", "leverageFilter"):
        assert missing(ours.get(group, {}), theirs.get(group, {})) == set()


async def test_a_spot_order_that_was_rejected_after_fills(sample) -> None:
    """But for two fields: the documentation says that spot orders do not have them, and clients rely on it."""
    stage = Stage.of_all_products()
    endpoints = await stage.venue.start()
    try:
        async with aiohttp.ClientSession() as http:
            user = Client(http, endpoints)
            async with user.private("order.spot") as socket:
                stage.depth([], [("60010", "0"), ("900000", "50")], symbol="BTC/USDT")
                spot = {
                    "category": "spot",
                    "symbol": "BTCUSDT",
                    "orderType": "Market",
                    "marketUnit": "baseCoin",
                }
                await user.place(**spot, qty="3")
                (ours,) = (await socket.receive())["data"]
    finally:
        await stage.venue.close()
    theirs = sample("ws_account_order_partially_filled_rejected")["data"][0]
    assert (ours["orderStatus"], theirs["orderStatus"]) == ("Rejected", "Rejected")
    assert missing(ours, theirs) == {"tpslMode", "createType"}
    assert types_differ(ours, theirs) == set()


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("http_get_account_info", "/v5/account/info"),
        ("http_get_user_query_api", "/v5/user/query-api"),
        ("http_get_orderbook", "/v5/market/orderbook?category=linear&symbol=BTCUSDT"),
    ],
)
async def test_objects(client: Client, sample, name: str, path: str) -> None:
    ours, theirs = (
        (await client.signed("GET", *path.partition("?")[::2]))[0]["result"],
        sample(name)["result"],
    )
    assert missing(ours, theirs) == set()
    assert types_differ(ours, theirs) == set()


async def test_private_messages(client: Client, sample) -> None:
    async with client.private("order", "execution", "position", "wallet") as socket:
        await client.place(orderType="Market")
        messages = {message["topic"]: message for message in await socket.take(4)}
    for topic, name in (
        ("order", "ws_account_order_filled"),
        ("execution", "ws_account_execution"),
        ("position", "ws_account_position"),
        ("wallet", "ws_account_wallet"),
    ):
        ours, theirs = messages[topic], sample(name)
        assert missing(ours, theirs) == set()
        assert missing(ours["data"][0], theirs["data"][0]) == set(), topic
        assert types_differ(ours["data"][0], theirs["data"][0]) == set(), topic
    assert missing(messages["wallet"]["data"][0]["coin"][0], theirs["data"][0]["coin"][0]) == set()


async def test_public_messages(stage: Stage, client: Client, sample) -> None:
    async with client.public() as socket:
        await socket.ask(
            {"op": "subscribe", "args": ["orderbook.50.BTCUSDT", "tickers.BTCUSDT", "publicTrade.BTCUSDT"]}
        )
        snapshot, ticker = await socket.take(2)
        stage.trade(Side.Buy, "60000.1", "0.1")
        messages = await socket.until(lambda message: message.get("topic") == "publicTrade.BTCUSDT")
        stage.depth([("60000.0", "9")], [])
        deltas = await socket.until(lambda message: message["topic"] == "orderbook.50.BTCUSDT")
    for ours, name in (
        (snapshot, "ws_orderbook_snapshot"),
        (deltas[-1], "ws_orderbook_delta"),
        (ticker, "ws_ticker_linear"),
    ):
        theirs = sample(name)
        assert missing(ours, theirs) == set()
        assert missing(ours["data"], theirs["data"]) == set()
        assert types_differ(ours["data"], theirs["data"]) == set()
    theirs = sample("ws_public_trade")
    assert missing(messages[-1]["data"][0], theirs["data"][0]) == set()
    assert types_differ(messages[-1]["data"][0], theirs["data"][0]) == set()


async def test_answers(client: Client, sample) -> None:
    async with client.raw(client.endpoints.ws_private) as socket:
        ours = await socket.ask({"op": "auth", "args": ["nobody", 2**50, "x"]})
        assert missing(ours, sample("ws_auth_failure")) <= {"connId"}
        await socket.ask(client.login())
        ours = await socket.ask({"op": "subscribe", "args": ["order"], "req_id": "1"})
        assert missing(ours, sample("ws_subscription_ack")) == set()
        ours = await socket.ask({"op": "subscribe", "args": ["nonsense"]})
        assert missing(ours, sample("ws_subscription_failure")) == set()
    async with client.trading() as socket:
        ours = await socket.ask({"reqId": "1", "op": "order.create", "args": []})
        assert missing(ours, sample("ws_order_response")) == set()
