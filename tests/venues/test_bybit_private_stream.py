"""The private websocket of the Bybit venue: what an account is told, and in which order."""

from __future__ import annotations

import time

import pytest
from bybit_client import KEY, SECRET, Client, Json, Stage, signature

from mlthon.basics.defs import Side

ALL = ("order", "execution", "position", "wallet")


def story(messages: list[Json]) -> list[tuple[str, ...]]:
    """What messages tell, in short."""
    lines = []
    for message in messages:
        (row,) = message["data"]
        topic = message["topic"].partition(".")[0]
        if topic == "order":
            lines.append(("order", row["orderStatus"], row["cumExecQty"]))
        elif topic == "execution":
            lines.append(("execution", row["execQty"], row["execPrice"]))
        elif topic == "position":
            lines.append(("position", row["side"], row["size"]))
        else:
            lines.append(("wallet", row["coin"][0]["walletBalance"]))
    return lines


async def test_the_story_of_a_resting_order(stage: Stage, client: Client) -> None:
    async with client.private(*ALL) as socket:
        await client.place(orderLinkId="mine", price="60000.0", qty="1")
        stage.trade(Side.Sell, "60000.0", "2.4")
        stage.trade(Side.Sell, "60000.0", "5")
        assert story(await socket.take(10)) == [
            ("order", "New", "0.000"),
            ("position", "", "0"),
            ("execution", "0.400", "60000.0"),
            ("order", "PartiallyFilled", "0.400"),
            ("position", "Buy", "0.400"),
            ("wallet", "999995.2"),
            ("execution", "0.600", "60000.0"),
            ("order", "Filled", "1.000"),
            ("position", "Buy", "1.000"),
            ("wallet", "999988"),
        ]


async def test_every_action_on_an_order_tells_the_position(stage: Stage, client: Client) -> None:
    """Even when nothing has changed about it."""
    btc = {"category": "linear", "symbol": "BTCUSDT"}
    await client.place(orderType="Market", qty="1")
    async with client.private("order", "position") as socket:
        await client.place(orderLinkId="mine")
        await client.post("/v5/order/amend", **btc, orderLinkId="mine", qty="0.7")
        await client.post("/v5/order/cancel", **btc, orderLinkId="mine")
        await client.place(price="60001.0", timeInForce="PostOnly")
        told = story(await socket.take(8))
    assert [line[0] for line in told] == ["order", "position"] * 4
    assert [line[1] for line in told[::2]] == ["New", "New", "Cancelled", "Cancelled"]
    assert set(told[1::2]) == {("position", "Buy", "1.000")}


async def test_the_story_of_a_taker(client: Client) -> None:
    async with client.private(*ALL) as socket:
        await client.place(price="60000.2", qty="4")
        assert story(await socket.take(5)) == [
            ("execution", "3.000", "60000.1"),
            ("execution", "1.000", "60000.2"),
            ("order", "Filled", "4.000"),
            ("position", "Buy", "4.000"),
            ("wallet", "999867.999725"),
        ]


async def test_messages_carry_what_clients_look_for(stage: Stage, client: Client) -> None:
    before_ms = time.time_ns() // 1_000_000
    async with client.private(*ALL) as socket:
        answer = await client.place(orderLinkId="mine", price="60000.1", qty="1")
        execution, order, position, wallet = await socket.take(4)
        assert len({message["id"] for message in (execution, order, position, wallet)}) == 4
        assert order.keys() == {"id", "topic", "creationTime", "data"}
        assert order["creationTime"] >= before_ms
        (fill,), (row,) = execution["data"], order["data"]
        assert fill["orderId"] == row["orderId"] == answer["result"]["orderId"]
        assert fill["orderLinkId"] == row["orderLinkId"] == "mine"
        assert (fill["category"], fill["execType"], fill["side"]) == ("linear", "Trade", "Buy")
        assert (fill["isMaker"], fill["execFee"], fill["feeCurrency"]) == (False, "33.000055", "USDT")
        assert (row["category"], row["tpslMode"], row["leavesQty"]) == ("linear", "", "0.000")
        assert (row["cumExecValue"], row["cumExecFee"], row["avgPrice"]) == (
            "60000.1",
            "33.000055",
            "60000.1",
        )
        assert row["cumFeeDetail"] == {"USDT": "33.000055"}
        assert position["data"][0]["entryPrice"] == "60000.1"
        assert "avgPrice" not in position["data"][0]
        assert wallet["data"][0]["coin"][0]["coin"] == "USDT"


async def test_a_users_cancel(client: Client) -> None:
    async with client.private("order") as socket:
        await client.place(orderLinkId="mine")
        assert (await socket.receive())["data"][0]["orderStatus"] == "New"
        await client.post("/v5/order/cancel", category="linear", symbol="BTCUSDT", orderLinkId="mine")
        (row,) = (await socket.receive())["data"]
        assert (row["orderStatus"], row["cancelType"]) == ("Cancelled", "CancelByUser")
        assert (row["rejectReason"], row["leavesQty"], row["tpslMode"]) == ("EC_PerCancelRequest", "", "")


@pytest.mark.parametrize(
    ("fields", "reason", "filled"),
    [
        ({"price": "60001.0", "timeInForce": "PostOnly"}, "EC_PostOnlyWillTakeLiquidity", "0.000"),
        ({"price": "60000.1", "qty": "9", "timeInForce": "FOK"}, "EC_CancelForNoFullFill", "0.000"),
        ({"price": "60000.1", "qty": "9", "timeInForce": "IOC"}, "EC_NoImmediateQtyToFill", "3.000"),
        ({"orderType": "Market", "qty": "10"}, "EC_NoImmediateQtyToFill", "7.000"),
    ],
)
async def test_orders_that_end_on_arrival(
    client: Client, fields: dict[str, str], reason: str, filled: str
) -> None:
    async with client.private("order") as socket:
        assert (await client.place(**fields))["retCode"] == 0
        (row,) = (await socket.receive())["data"]
        assert (row["orderStatus"], row["rejectReason"], row["cumExecQty"]) == ("Cancelled", reason, filled)
        assert row["cancelType"] == "UNKNOWN"


async def test_an_amended_order_is_told(client: Client) -> None:
    async with client.private("order") as socket:
        await client.place(orderLinkId="mine")
        await client.post(
            "/v5/order/amend", category="linear", symbol="BTCUSDT", orderLinkId="mine", qty="0.9"
        )
        new, amended = await socket.take(2)
        assert (new["data"][0]["qty"], amended["data"][0]["qty"]) == ("0.500", "0.900")
        assert amended["data"][0]["orderStatus"] == "New"


async def test_two_clients_trade_with_each_other(client: Client, other: Client) -> None:
    async with client.private("execution") as ours, other.private("execution") as theirs:
        await client.place(side="Sell", price="60000.1", qty="1")  # behind 3 displayed
        await client.place(side="Sell", price="60000.0", qty="0.5", timeInForce="IOC")
        assert (await ours.receive())["data"][0]["execQty"] == "0.500"
        await other.place(price="60000.1", qty="4")
        (taker_market,) = (await theirs.receive())["data"]
        (taker,) = (await theirs.receive())["data"]
        (maker,) = (await ours.receive())["data"]
        assert (taker_market["execQty"], taker["execQty"], maker["execQty"]) == ("3.000", "1.000", "1.000")
        assert (taker["isMaker"], maker["isMaker"]) == (False, True)
        assert taker["execId"] != maker["execId"]


async def test_an_account_hears_nothing_of_others(client: Client, other: Client) -> None:
    async with client.private(*ALL) as socket:
        await other.place(orderType="Market")
        assert (await socket.ask({"op": "ping"}))["op"] == "pong"


async def test_every_connection_of_an_account_is_told(client: Client) -> None:
    async with client.private("order") as one, client.private("order.linear") as two:
        await client.place()
        first, second = await one.receive(), await two.receive()
        assert (first["topic"], second["topic"]) == ("order", "order.linear")
        assert first["data"] == second["data"]


# -- login and subscriptions -----------------------------------------------------------------------------------


async def test_nothing_before_the_login(client: Client) -> None:
    async with client.raw(client.endpoints.ws_private) as socket:
        refused = await socket.ask({"op": "subscribe", "args": ["order"], "req_id": "1"})
        assert (refused["success"], refused["req_id"]) == (False, "1")
        await client.place()
        assert (await socket.ask(client.login()))["success"]
        await client.place()
        subscribed = await socket.ask({"op": "subscribe", "args": ["order"], "req_id": "2"})
        assert (subscribed["success"], subscribed["req_id"], subscribed["op"]) == (True, "2", "subscribe")
        await client.place(orderLinkId="heard")
        assert (await socket.receive())["data"][0]["orderLinkId"] == "heard"


async def test_ping(client: Client) -> None:
    async with client.private() as socket:
        pong = await socket.ask({"op": "ping", "req_id": "p"})
        assert (pong["op"], pong["req_id"]) == ("pong", "p")
        assert abs(int(pong["args"][0]) - time.time_ns() // 1_000_000) < 60_000


async def test_the_expiry_may_be_text(client: Client) -> None:
    login = client.login()
    login["args"][1] = str(login["args"][1])
    async with client.raw(client.endpoints.ws_private) as socket:
        assert (await socket.ask(login))["success"]


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["nobody", 2**52, "x"], 10003),
        ([KEY, 2**52, "x"], 10004),
        ([KEY, 1000, signature(SECRET, "GET/realtime1000")], 10004),
        ([KEY, "later", "x"], 10001),
        ([KEY, -5, "x"], 10001),
        ([KEY], 10001),
        ([1, 2, 3], 10001),
        (None, 10001),
    ],
)
async def test_wrong_logins(client: Client, args: object, code: int) -> None:
    async with client.raw(client.endpoints.ws_private) as socket:
        answer = await socket.ask({"op": "auth", "args": args})
        assert (answer["success"], answer["retCode"], answer["op"]) == (False, code, "auth")
        assert answer["retMsg"] == answer["ret_msg"] != ""
        assert (await socket.ask(client.login()))["success"]


@pytest.mark.parametrize(
    "topics",
    [
        ["order", "orders"],
        ["order.option"],
        ["position.spot"],
        ["order", "order.linear"],
        ["wallet.linear"],
        [],
        [1],
        "order",
        None,
    ],
)
async def test_wrong_topics(client: Client, topics: object) -> None:
    async with client.private() as socket:
        refused = await socket.ask({"op": "subscribe", "args": topics})
        assert not refused["success"]
        assert refused["ret_msg"]
        await client.place()
        assert (await socket.ask({"op": "ping"}))["op"] == "pong"  # and no order


async def test_unsubscribed_means_silent(client: Client) -> None:
    async with client.private("order", "execution") as socket:
        assert (await socket.ask({"op": "unsubscribe", "args": ["order"]}))["success"]
        await client.place(orderType="Market")
        assert (await socket.receive())["topic"] == "execution"
        assert (await socket.ask({"op": "ping"}))["op"] == "pong"


async def test_a_second_login_moves_to_the_other_account(client: Client, other: Client) -> None:
    async with client.private("order") as socket:
        assert (await socket.ask(other.login()))["success"]
        await client.place(orderLinkId="ours")
        await other.place(orderLinkId="theirs")
        assert (await socket.receive())["data"][0]["orderLinkId"] == "theirs"
