"""Restarts and maintenance: numbering that starts over, lines that end, and requests that are not taken."""

from __future__ import annotations

import time

from bybit_client import Client, Json, Stage

from mlthon.basics.defs import Side
from mlthon.basics.qty import Qty

BTC = {"category": "linear", "symbol": "BTCUSDT"}
BOOK = {"op": "subscribe", "args": ["orderbook.50.BTCUSDT"]}


def order(**fields: str) -> Json:
    args = {**BTC, "side": "Buy", "orderType": "Limit", "qty": "0.5", "price": "59000.0", **fields}
    stamp = str(time.time_ns() // 1_000_000)
    return {"reqId": stamp, "op": "order.create", "header": {"X-BAPI-TIMESTAMP": stamp}, "args": [args]}


# -- restarts -------------------------------------------------------------------------------------------------------


async def test_a_restart_ends_every_line_and_counts_from_one(stage: Stage, client: Client) -> None:
    await client.place(orderLinkId="mine")
    async with client.public() as public, client.private("order") as private, client.trading() as trading:
        await public.ask(BOOK)
        stage.depth([("60000.0", "1")], [])
        assert [(await public.receive())["data"]["u"] for _ in range(2)][-1] > 1
        stage.venue.restart()
        for socket in (public, private, trading):
            assert await socket.closed() == 1006  # without a word
    async with client.public() as public:
        await public.ask(BOOK)
        snapshot = await public.receive()
        assert (snapshot["type"], snapshot["data"]["u"]) == ("snapshot", 1)
        stage.depth([("60000.0", "3")], [])
        delta = await public.receive()
        assert (delta["type"], delta["data"]["u"]) == ("delta", 2)
    listed = await client.ask("/v5/order/realtime", **BTC)
    assert [row["orderLinkId"] for row in listed["result"]["list"]] == ["mine"]


async def test_a_restart_behind_the_scenes_sends_a_snapshot_in_between(stage: Stage, client: Client) -> None:
    topics = ["orderbook.50.BTCUSDT", "orderbook.1.BTCUSDT", "publicTrade.BTCUSDT"]
    async with client.public() as socket:
        await socket.ask({"op": "subscribe", "args": topics})
        await socket.take(2)
        stage.depth([("60000.0", "1")], [])
        await socket.take(2)
        stage.venue.restart(drop_connections=False)
        again = {message["topic"]: message for message in await socket.take(2)}
        assert {message["type"] for message in again.values()} == {"snapshot"}
        assert {message["data"]["u"] for message in again.values()} == {1}
        assert again["orderbook.50.BTCUSDT"]["data"]["b"] == [["60000.0", "1.000"], ["59999.9", "5.000"]]
        stage.depth([("60000.0", "2")], [])
        assert {message["data"]["u"] for message in await socket.take(2)} == {2}


async def test_what_happens_while_the_lines_are_down_is_there_afterwards(
    stage: Stage, client: Client
) -> None:
    await client.place(price="60000.0", qty="1", orderLinkId="mine")
    stage.venue.drop_connections()
    stage.trade(Side.Sell, "60000.0", "5")
    assert stage.alice.position("BTCUSDT").size == Qty("1")
    listed = await client.ask("/v5/order/realtime", **BTC, orderLinkId="mine")
    assert listed["result"]["list"][0]["orderStatus"] == "Filled"


# -- maintenance ----------------------------------------------------------------------------------------------------


async def test_no_requests_are_taken_during_maintenance(stage: Stage, client: Client) -> None:
    resting = (await client.place(orderLinkId="mine"))["result"]["orderId"]
    async with client.trading() as trading, client.private("order", "execution") as private:
        stage.venue.begin_maintenance("Upgrade")
        answer = await trading.ask(order())
        assert (answer["retCode"], answer["op"], answer["data"]) == (10019, "order.create", {})
        for path, body in (
            ("/v5/order/create", {"side": "Buy", "orderType": "Market", "qty": "1"}),
            ("/v5/order/cancel", {"orderId": resting}),
            ("/v5/order/cancel-all", {}),
        ):
            assert (await client.post(path, **BTC, **body))["retCode"] == 10016
        assert (await client.ask("/v5/order/realtime", **BTC))["retCode"] == 10016
        # Market data and the private stream go on, and so do orders that are there already.
        assert (await client.get("/v5/market/orderbook", **BTC))["retCode"] == 0
        stage.trade(Side.Sell, "58000.0", "0.5")
        assert [message["topic"] for message in await private.take(2)] == ["execution", "order"]
        async with client.trading() as new_line:
            assert (await new_line.ask(order()))["retCode"] == 10019
        stage.venue.end_maintenance()
        assert (await trading.ask(order()))["retCode"] == 0
    assert (await client.ask("/v5/order/realtime", **BTC))["retCode"] == 0


async def test_who_is_not_logged_in_hears_that_first(stage: Stage, client: Client) -> None:
    stage.venue.begin_maintenance()
    async with client.raw(client.endpoints.ws_trade) as socket:
        assert (await socket.ask(order()))["retCode"] == 10007


async def test_maintenance_is_announced(stage: Stage, client: Client) -> None:
    assert (await client.get("/v5/system/status"))["result"] == {"list": []}
    async with client.raw(f"{client.endpoints.ws_public}/misc/status") as socket:
        assert (await socket.ask({"op": "subscribe", "args": ["system.status"], "req_id": "s"}))["success"]
        stage.venue.begin_maintenance("Upgrade", expected_s=90)
        stage.venue.begin_maintenance("another")  # one at a time
        begun = await socket.receive()
        (row,) = begun["data"]
        assert (begun["topic"], row["title"], row["state"]) == ("system.status", "Upgrade", "ongoing")
        assert int(row["end"]) - int(row["begin"]) == 90_000
        (listed,) = (await client.get("/v5/system/status", state="ongoing"))["result"]["list"]
        assert listed == row
        stage.venue.end_maintenance()
        stage.venue.end_maintenance()
        (ended,) = (await socket.receive())["data"]
        assert (ended["id"], ended["state"]) == (row["id"], "completed")
        assert (await socket.ask({"op": "ping"}))["ret_msg"] == "pong"
        assert not (await socket.ask({"op": "subscribe", "args": ["orderbook.50.BTCUSDT"]}))["success"]
    for wanted, count in (
        ({"state": "ongoing"}, 0),
        ({"state": "completed"}, 1),
        ({"id": row["id"]}, 1),
        ({"id": "x"}, 0),
    ):
        assert len((await client.get("/v5/system/status", **wanted))["result"]["list"]) == count


async def test_maintenances_are_listed_newest_first(stage: Stage, client: Client) -> None:
    for number in range(3):
        stage.venue.begin_maintenance(f"round {number}")
        stage.venue.end_maintenance()
    titles = [row["title"] for row in (await client.get("/v5/system/status"))["result"]["list"]]
    assert titles == ["round 2", "round 1", "round 0"]
