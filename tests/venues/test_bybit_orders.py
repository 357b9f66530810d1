"""Orders and account queries by REST."""

from __future__ import annotations

import pytest
from bybit_client import Client, Stage

from mlthon.basics.defs import Side
from mlthon.basics.qty import Qty

BTC = {"category": "linear", "symbol": "BTCUSDT"}


async def open_orders(client: Client, **params: str) -> list[dict[str, str]]:
    return (await client.ask("/v5/order/realtime", **{**BTC, **params}))["result"]["list"]


async def closed_order(client: Client, order_id: str) -> dict[str, str]:
    (row,) = (await client.ask("/v5/order/history", category="linear", orderId=order_id))["result"]["list"]
    return row


# -- create, amend, cancel -------------------------------------------------------------------------------------


async def test_an_order_rests(stage: Stage, client: Client) -> None:
    answer = await client.place(orderLinkId="mine-1", price="60000.0", qty="0.25")
    assert answer["retCode"] == 0
    assert answer["result"]["orderLinkId"] == "mine-1"
    (row,) = await open_orders(client)
    assert row["orderId"] == answer["result"]["orderId"]
    assert (row["side"], row["price"], row["qty"], row["leavesQty"]) == ("Buy", "60000.0", "0.250", "0.250")
    assert (row["orderStatus"], row["timeInForce"], row["tpslMode"]) == ("New", "GTC", "")
    book = (await client.get("/v5/market/orderbook", **BTC))["result"]
    assert book["b"][0] == ["60000.0", "2.250"]


async def test_an_order_fills(stage: Stage, client: Client) -> None:
    order_id = (await client.place(price="60000.1", qty="1"))["result"]["orderId"]
    assert await open_orders(client) == []
    row = await closed_order(client, order_id)
    assert (row["orderStatus"], row["cumExecQty"], row["avgPrice"]) == ("Filled", "1.000", "60000.1")
    assert (row["cumExecValue"], row["cumExecFee"]) == ("60000.1", "33.000055")
    (fill,) = (await client.ask("/v5/execution/list", **BTC))["result"]["list"]
    assert (fill["orderId"], fill["execQty"], fill["execFee"]) == (order_id, "1.000", "33.000055")
    assert (fill["feeRate"], fill["isMaker"], fill["leavesQty"]) == ("0.00055", False, "0.000")


async def test_amend_and_cancel_by_either_id(client: Client) -> None:
    order_id = (await client.place(orderLinkId="a"))["result"]["orderId"]
    amended = await client.post("/v5/order/amend", **BTC, orderLinkId="a", price="59001.0")
    assert amended["result"] == {"orderId": order_id, "orderLinkId": "a"}
    amended = await client.post("/v5/order/amend", **BTC, orderId=order_id, qty="0.7")
    assert amended["retCode"] == 0
    (row,) = await open_orders(client, orderLinkId="a")
    assert (row["price"], row["qty"]) == ("59001.0", "0.700")
    cancelled = await client.post("/v5/order/cancel", **BTC, orderId=order_id, orderLinkId="ignored")
    assert cancelled["result"]["orderId"] == order_id
    row = await closed_order(client, order_id)
    assert (row["orderStatus"], row["cancelType"], row["rejectReason"]) == (
        "Cancelled",
        "CancelByUser",
        "EC_PerCancelRequest",
    )
    assert row["leavesQty"] == ""
    again = await client.post("/v5/order/cancel", **BTC, orderId=order_id)
    assert again["retCode"] == 110008


async def test_accepting_is_not_deciding(client: Client) -> None:
    """A post-only order that would take, and what cannot fill at once, are accepted, and then end."""
    post_only = await client.place(price="60001.0", timeInForce="PostOnly")
    fok = await client.place(price="60000.1", qty="50", timeInForce="FOK")
    ioc = await client.place(price="60000.1", qty="5", timeInForce="IOC")
    ends = []
    for answer in (post_only, fok, ioc):
        assert answer["retCode"] == 0
        row = await closed_order(client, answer["result"]["orderId"])
        ends.append((row["orderStatus"], row["rejectReason"], row["cumExecQty"]))
    assert ends == [
        ("Cancelled", "EC_PostOnlyWillTakeLiquidity", "0.000"),
        ("Cancelled", "EC_CancelForNoFullFill", "0.000"),
        ("Cancelled", "EC_NoImmediateQtyToFill", "3.000"),
    ]


async def test_market_order(client: Client) -> None:
    order_id = (await client.place(orderType="Market", price="1", qty="3.5"))["result"]["orderId"]
    row = await closed_order(client, order_id)
    assert (row["orderType"], row["timeInForce"], row["orderStatus"]) == ("Market", "IOC", "Filled")
    assert row["cumExecValue"] == "210000.4"


async def test_cancel_all_takes_only_what_was_asked_for(client: Client, other: Client) -> None:
    for link in "ab":
        await client.place(orderLinkId=link)
    await other.place(orderLinkId="a")
    nothing = await client.post("/v5/order/cancel-all", category="linear", symbol="ETHUSDT")
    assert nothing["result"] == {"list": [], "success": "1"}
    conditional = await client.post("/v5/order/cancel-all", **BTC, orderFilter="StopOrder")
    assert conditional["result"]["list"] == []
    cancelled = await client.post("/v5/order/cancel-all", category="linear", settleCoin="USDT")
    assert [row["orderLinkId"] for row in cancelled["result"]["list"]] == ["a", "b"]
    assert await open_orders(client) == []
    assert len(await open_orders(other)) == 1
    bare = await client.post("/v5/order/cancel-all", category="linear")
    assert bare["retCode"] == 10001


async def test_batches(client: Client) -> None:
    rows = [
        {
            "symbol": "BTCUSDT",
            "side": "Buy",
            "orderType": "Limit",
            "qty": "0.1",
            "price": "59000",
            "orderLinkId": "a",
        },
        {
            "symbol": "BTCUSDT",
            "side": "Buy",
            "orderType": "Limit",
            "qty": "0.1",
            "price": "-1",
            "orderLinkId": "b",
        },
        {"symbol": "BTCUSDT", "side": "Sell", "orderType": "Limit", "qty": "0.1", "price": "61000"},
    ]
    created = await client.post("/v5/order/create-batch", category="linear", request=rows)
    assert created["retCode"] == 0
    assert [fate["code"] for fate in created["retExtInfo"]["list"]] == [0, 110003, 0]
    assert [row["orderLinkId"] for row in created["result"]["list"]] == ["a", "b", ""]
    ids = [row["orderId"] for row in created["result"]["list"]]
    assert ids[0] and not ids[1] and ids[2]
    amended = await client.post(
        "/v5/order/amend-batch",
        category="linear",
        request=[{"symbol": "BTCUSDT", "orderId": ids[0], "qty": "0.2"}],
    )
    assert amended["retExtInfo"]["list"] == [{"code": 0, "msg": "OK"}]
    cancelled = await client.post(
        "/v5/order/cancel-batch",
        category="linear",
        request=[{"symbol": "BTCUSDT", "orderId": ids[0]}, {"symbol": "BTCUSDT", "orderId": ids[2]}],
    )
    assert [fate["code"] for fate in cancelled["retExtInfo"]["list"]] == [0, 0]
    assert await open_orders(client) == []
    assert (await client.post("/v5/order/create-batch", category="linear", request=rows * 7))[
        "retCode"
    ] == 10001


async def test_close_position(stage: Stage, client: Client) -> None:
    await client.place(orderType="Market", qty="2")
    closing = {"orderType": "Market", "side": "Sell", "qty": "0", "reduceOnly": True, "closeOnTrigger": True}
    assert (await client.place(**closing))["retCode"] == 0
    assert stage.alice.position("BTCUSDT").size == Qty("0")


# -- refusals --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "code", "named"),
    [
        ({"category": "inverse"}, 10001, "category"),
        ({"category": None}, 10001, "category"),
        ({"symbol": "DOGEUSDT"}, 10001, "DOGEUSDT"),
        ({"symbol": None}, 10001, "symbol"),
        ({"side": "buy"}, 10001, "side"),
        ({"orderType": "Stop"}, 10001, "orderType"),
        ({"timeInForce": "RPI"}, 10001, "timeInForce"),
        ({"qty": 0.5}, 10001, "qty"),
        ({"qty": "half"}, 10001, "qty"),
        ({"qty": "0.0005"}, 10001, "qty"),
        ({"qty": "0"}, 10001, "qty"),
        ({"qty": "101"}, 10001, "qty"),
        ({"qty": "1e30"}, 10001, "qty"),
        ({"qty": None}, 10001, "qty"),
        ({"price": None}, 10001, "price"),
        ({"price": "59000.05"}, 110003, "price"),
        ({"price": "-1"}, 110003, "price"),
        ({"price": "100000000.1"}, 110003, "price"),
        ({"price": "59000.0", "qty": "0.000"}, 10001, "qty"),
        ({"price": "10.0", "qty": "0.001"}, 110094, "order value"),
        ({"side": "Sell", "price": "99000000", "qty": "100"}, 110007, "funds"),
        ({"reduceOnly": True}, 110017, "reduce"),
        ({"reduceOnly": "yes"}, 10001, "reduceOnly"),
        ({"positionIdx": 1}, 10001, "position idx"),
        ({"orderLinkId": "x" * 37}, 10001, "orderLinkId"),
        ({"orderLinkId": "white space"}, 10001, "orderLinkId"),
        ({"orderLinkId": 7}, 10001, "orderLinkId"),
        ({"smpType": "Whatever"}, 10001, "smpType"),
        ({"triggerPrice": "60000"}, 10001, "triggerPrice"),
        ({"takeProfit": "61000"}, 10001, "takeProfit"),
    ],
)
async def test_refused_orders(
    stage: Stage, client: Client, fields: dict[str, object], code: int, named: str
) -> None:
    answer = await client.place(**fields)
    assert answer["retCode"] == code, answer
    assert named in answer["retMsg"]
    assert answer["result"] == {}
    assert stage.exchange.open_orders(stage.alice) == []


async def test_client_ids_never_repeat(client: Client) -> None:
    await client.place(orderLinkId="once")
    await client.post("/v5/order/cancel", **BTC, orderLinkId="once")
    assert (await client.place(orderLinkId="once"))["retCode"] == 110072


async def test_harmless_extras_are_accepted(client: Client) -> None:
    answer = await client.place(
        positionIdx="0",
        isLeverage=0,
        takeProfit="",
        stopLoss="0",
        smpType="None",
        reduceOnly=False,
        mmp=False,
    )
    assert answer["retCode"] == 0


@pytest.mark.parametrize("path", ["/v5/order/cancel", "/v5/order/amend"])
async def test_unknown_orders(client: Client, other: Client, path: str) -> None:
    theirs = (await other.place(orderLinkId="theirs"))["result"]
    for key in (
        {"orderId": theirs["orderId"]},
        {"orderLinkId": "theirs"},
        {"orderId": "no-such-id"},
        {"orderId": "9" * 500},
    ):
        assert (await client.post(path, **BTC, **key, qty="1"))["retCode"] == 110001, key
    assert (await client.post(path, **BTC, qty="1"))["retCode"] == 10001


async def test_amends_that_cannot_be(client: Client) -> None:
    order_id = (await client.place())["result"]["orderId"]
    for fields, code in (
        ({}, 10001),
        ({"qty": "0.5"}, 10001),
        ({"qty": "1000"}, 10001),
        ({"price": "59000.05"}, 110003),
        ({"qty": "0.6", "triggerPrice": "1"}, 10001),
    ):
        assert (await client.post("/v5/order/amend", **BTC, orderId=order_id, **fields))["retCode"] == code, (
            fields
        )
    (row,) = await open_orders(client)
    assert (row["qty"], row["price"]) == ("0.500", "59000.0")


# -- queries ---------------------------------------------------------------------------------------------------


async def test_open_orders_in_pages_newest_first(client: Client) -> None:
    for link in "abcde":
        await client.place(orderLinkId=link)
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await client.ask("/v5/order/realtime", **BTC, limit=2, cursor=cursor))["result"]
        seen += [row["orderLinkId"] for row in page["list"]]
        cursor = page["nextPageCursor"]
        if not cursor:
            break
    assert seen == ["e", "d", "c", "b", "a"]


async def test_closed_orders_are_found(client: Client) -> None:
    order_id = (await client.place(orderLinkId="gone"))["result"]["orderId"]
    await client.post("/v5/order/cancel", **BTC, orderId=order_id)
    assert await open_orders(client) == []
    for params in ({"openOnly": "1"}, {"orderId": order_id}, {"orderLinkId": "gone"}):
        (row,) = await open_orders(client, **params)
        assert row["orderStatus"] == "Cancelled"
    listed = await client.ask("/v5/order/history", category="linear")
    assert [row["orderId"] for row in listed["result"]["list"]] == [order_id]
    for status, count in (("Cancelled", 1), ("Filled", 0)):
        listed = await client.ask("/v5/order/history", category="linear", orderStatus=status)
        assert len(listed["result"]["list"]) == count


async def test_executions_are_filtered(client: Client) -> None:
    first = (await client.place(orderType="Market", qty="3.1", orderLinkId="x"))["result"]["orderId"]
    await client.place(orderType="Market", qty="0.1", orderLinkId="y")
    everything = (await client.ask("/v5/execution/list", category="linear"))["result"]["list"]
    assert [row["orderLinkId"] for row in everything] == ["y", "x", "x"]
    by_order = (await client.ask("/v5/execution/list", **BTC, orderId=first))["result"]["list"]
    assert [row["execPrice"] for row in by_order] == ["60000.2", "60000.1"]
    by_link = (await client.ask("/v5/execution/list", **BTC, orderLinkId="y"))["result"]["list"]
    assert len(by_link) == 1
    page = (await client.ask("/v5/execution/list", **BTC, limit=2))["result"]
    rest = (await client.ask("/v5/execution/list", **BTC, limit=2, cursor=page["nextPageCursor"]))["result"]
    assert [row["execId"] for row in page["list"] + rest["list"]] == [row["execId"] for row in everything]
    old = await client.ask("/v5/execution/list", **BTC, startTime=0, endTime=1000)
    assert old["result"]["list"] == []


async def test_windows_of_history(client: Client) -> None:
    week_ms = 7 * 86_400_000
    for begin, end, code in ((0, week_ms, 0), (0, week_ms + 1, 10001), (5, 4, 10001)):
        for path in ("/v5/order/history", "/v5/execution/list"):
            answer = await client.ask(path, category="linear", startTime=begin, endTime=end)
            assert answer["retCode"] == code


async def test_positions(stage: Stage, client: Client) -> None:
    (flat,) = (await client.ask("/v5/position/list", **BTC))["result"]["list"]
    assert (flat["side"], flat["size"], flat["avgPrice"]) == ("", "0", "0")
    await client.place(orderType="Market", side="Sell", qty="1.5")
    (short,) = (await client.ask("/v5/position/list", category="linear", settleCoin="USDT"))["result"]["list"]
    assert (short["symbol"], short["side"], short["size"]) == ("BTCUSDT", "Sell", "1.500")
    assert (short["avgPrice"], short["positionValue"]) == ("60000", "90000")
    assert (short["leverage"], short["positionIM"]) == ("10", "9000")
    assert short["markPrice"] == "60000.05"
    assert short["unrealisedPnl"] == "-0.075"
    assert (await client.ask("/v5/position/list", category="linear"))["retCode"] == 10001


async def test_leverage(stage: Stage, client: Client) -> None:
    for buy, sell, code in (
        ("20", "20", 0),
        ("20.00", "20", 110043),
        ("5", "6", 10001),
        ("101", "101", 10001),
    ):
        answer = await client.post("/v5/position/set-leverage", **BTC, buyLeverage=buy, sellLeverage=sell)
        assert answer["retCode"] == code, (buy, sell)
    (row,) = (await client.ask("/v5/position/list", **BTC))["result"]["list"]
    assert row["leverage"] == "20"


async def test_position_mode(client: Client) -> None:
    assert (await client.post("/v5/position/switch-mode", **BTC, mode=0))["retCode"] == 110025
    assert (await client.post("/v5/position/switch-mode", **BTC, mode=3))["retCode"] == 10001


async def test_wallet(stage: Stage, client: Client) -> None:
    await client.place(orderType="Market", qty="1")
    await client.place(qty="2", price="59000")
    (row,) = (await client.ask("/v5/account/wallet-balance", accountType="UNIFIED"))["result"]["list"]
    (coin,) = row["coin"]
    assert (coin["coin"], coin["walletBalance"]) == ("USDT", "999966.999945")
    assert (coin["unrealisedPnl"], coin["equity"]) == ("-0.05", "999966.949945")
    assert (coin["totalPositionIM"], coin["totalOrderIM"]) == ("6000.01", "11800")
    assert row["totalEquity"] == coin["equity"]
    assert row["totalAvailableBalance"] == "982166.939945"
    chosen = await client.ask("/v5/account/wallet-balance", accountType="UNIFIED", coin="BTC,USDT")
    assert [coin["coin"] for coin in chosen["result"]["list"][0]["coin"]] == ["BTC", "USDT"]
    assert (await client.ask("/v5/account/wallet-balance", accountType="SPOT"))["retCode"] == 10001


async def test_what_clients_probe_for(client: Client) -> None:
    account = (await client.ask("/v5/account/info"))["result"]
    assert account["unifiedMarginStatus"] == 5
    key = (await client.ask("/v5/user/query-api"))["result"]
    assert (key["apiKey"], key["readOnly"], key["uta"], key["secret"]) == (client.key, 0, 1, "")
    assert key["permissions"]["ContractTrade"] == ["Order", "Position"]
    fees = (await client.ask("/v5/account/fee-rate", **BTC))["result"]["list"]
    assert fees == [
        {"symbol": "BTCUSDT", "baseCoin": "", "takerFeeRate": "0.00055", "makerFeeRate": "0.0002"}
    ]
    coins = (await client.ask("/v5/asset/coin/query-info"))["result"]["rows"]
    assert [row["coin"] for row in coins] == ["USDT"]


async def test_accounts_do_not_see_each_other(stage: Stage, client: Client, other: Client) -> None:
    order = (await client.place(price="60000.0", qty="1"))["result"]
    assert await open_orders(other) == []
    assert await open_orders(other, orderId=order["orderId"]) == []
    stage.trade(Side.Sell, "60000.0", "3")
    assert (await client.ask("/v5/execution/list", **BTC))["result"]["list"] != []
    assert (await other.ask("/v5/execution/list", **BTC))["result"]["list"] == []
