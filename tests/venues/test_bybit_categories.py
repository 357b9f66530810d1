"""Linear, inverse and spot side by side: what each lists, trades and streams, and how their messages differ."""

from __future__ import annotations

from typing import Any

import pytest
from bybit_client import UNLIMITED, Client, Json, Socket, Stage

from mlthon.basics.defs import Side
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.qty import Qty
from mlthon.sim.orders import Fees
from mlthon.venues.bybit import VenueLimits

LINEAR = {"category": "linear", "symbol": "BTCUSDT"}
INVERSE = {"category": "inverse", "symbol": "BTCUSD"}
SPOT = {"category": "spot", "symbol": "BTCUSDT"}
IDS = {"linear": LINEAR, "inverse": INVERSE, "spot": SPOT}

# An order of each category that rests, one that takes all of the best ask and more, and its quantity.
RESTING = {
    "linear": {**LINEAR, "price": "59000.0", "qty": "0.5"},
    "inverse": {**INVERSE, "price": "59000", "qty": "500"},
    "spot": {**SPOT, "price": "59000", "qty": "0.5"},
}
TAKING = {
    "linear": {**LINEAR, "price": "60000.1", "qty": "9"},
    "inverse": {**INVERSE, "price": "60000.5", "qty": "90000"},
    "spot": {**SPOT, "price": "60000", "qty": "9"},
}
AVAILABLE = {"linear": "3.000", "inverse": "60000", "spot": "0.500000"}
NOTHING = {"linear": "0.000", "inverse": "0", "spot": "0.000000"}


@pytest.fixture
async def stage() -> Stage:
    return Stage.of_all_products()


async def last_order(client: Client, category: str, answer: Json) -> Json:
    assert answer["retCode"] == 0, answer
    order_id = answer["result"]["orderId"]
    listed = await client.ask("/v5/order/realtime", **IDS[category], orderId=order_id)
    (row,) = listed["result"]["list"]
    return row


# -- what is listed -------------------------------------------------------------------------------------------------


async def test_each_category_lists_its_own(client: Client) -> None:
    for category, symbol in (("linear", "BTCUSDT"), ("inverse", "BTCUSD"), ("spot", "BTCUSDT")):
        listed = (await client.get("/v5/market/instruments-info", category=category))["result"]
        assert (listed["category"], [row["symbol"] for row in listed["list"]]) == (category, [symbol])


async def test_an_inverse_contract_is_settled_in_its_coin(client: Client) -> None:
    (row,) = (await client.get("/v5/market/instruments-info", **INVERSE))["result"]["list"]
    assert (row["contractType"], row["baseCoin"], row["quoteCoin"], row["settleCoin"]) == (
        "InversePerpetual",
        "BTC",
        "USD",
        "BTC",
    )
    assert (row["priceFilter"]["tickSize"], row["lotSizeFilter"]["qtyStep"]) == ("0.50", "1")


async def test_a_spot_pair_has_a_shape_of_its_own(client: Client) -> None:
    (row,) = (await client.get("/v5/market/instruments-info", **SPOT))["result"]["list"]
    assert row["lotSizeFilter"] == {
        "basePrecision": "0.000001",
        "quotePrecision": "0.00000001",
        "minOrderQty": "0.000048",
        "maxOrderQty": "200",
        "minOrderAmt": "1",
        "maxOrderAmt": "2000000000",
        "maxLimitOrderQty": "200",
        "maxMarketOrderQty": "200",
        "postOnlyMaxLimitOrderSize": "200",
    }
    assert row["priceFilter"] == {"tickSize": "0.01"}
    assert not {"contractType", "settleCoin", "leverageFilter", "fundingInterval"} & row.keys()


async def test_books_of_one_symbol_are_apart(stage: Stage, client: Client) -> None:
    stage.depth([("59995", "1")], [], symbol="BTC/USDT")
    linear = (await client.get("/v5/market/orderbook", **LINEAR))["result"]
    pair = (await client.get("/v5/market/orderbook", **SPOT))["result"]
    assert linear["b"] == [["60000.0", "2.000"], ["59999.9", "5.000"]]
    assert pair["b"] == [["59995.00", "1.000000"]]  # one level, unless asked for more
    deeper = (await client.get("/v5/market/orderbook", **SPOT, limit=1000))["result"]
    assert len(deeper["b"]) == 2


async def test_spot_lists_fewer_trades(stage: Stage, client: Client) -> None:
    for _ in range(70):
        stage.trade(Side.Buy, "60000", "0.001", "BTC/USDT")
    assert len((await client.get("/v5/market/recent-trade", **SPOT))["result"]["list"]) == 60
    assert (await client.get("/v5/market/recent-trade", **SPOT, limit=61))["retCode"] == 10001


async def test_tickers(stage: Stage, client: Client) -> None:
    stage.trade(Side.Buy, "60000.5", "1200", "BTCUSD")
    stage.trade(Side.Buy, "60000", "0.002", "BTC/USDT")
    (coins,) = (await client.get("/v5/market/tickers", **INVERSE))["result"]["list"]
    assert (coins["volume24h"], coins["turnover24h"][:9]) == ("1200", "0.0199998")
    assert coins["fundingIntervalHour"] == "8"
    (pair,) = (await client.get("/v5/market/tickers", category="spot"))["result"]["list"]
    assert pair == {
        "symbol": "BTCUSDT",
        "bid1Price": "59990.00",
        "bid1Size": "2.000000",
        "ask1Price": "60000.00",
        "ask1Size": "0.500000",
        "lastPrice": "60000.00",
        "prevPrice24h": "60000.00",
        "price24hPcnt": "0.000000",
        "highPrice24h": "60000.00",
        "lowPrice24h": "60000.00",
        "turnover24h": "120",
        "volume24h": "0.002000",
        "usdIndexPrice": "59995",
    }


# -- public streams -------------------------------------------------------------------------------------------------


async def test_each_category_streams_its_own(stage: Stage, client: Client) -> None:
    async with client.public("linear") as linear, client.public("spot") as pair:
        for socket, price in ((linear, "60000.0"), (pair, "59990.00")):
            assert (await socket.ask({"op": "subscribe", "args": ["orderbook.50.BTCUSDT"]}))["success"]
            assert (await socket.receive())["data"]["b"][0][0] == price
        stage.depth([("59990", "1")], [], symbol="BTC/USDT")
        assert (await pair.receive())["data"]["b"] == [["59990.00", "1.000000"]]
        assert (await linear.ask({"op": "ping"}))["ret_msg"] == "pong"


async def test_the_inverse_stream(stage: Stage, client: Client) -> None:
    topics = ["orderbook.1.BTCUSD", "publicTrade.BTCUSD"]
    async with client.public("inverse") as socket:
        assert (await socket.ask({"op": "subscribe", "args": topics}))["success"]
        top = await socket.receive()
        assert (top["data"]["b"], top["data"]["a"]) == ([["60000.00", "50000"]], [["60000.50", "60000"]])
        stage.trade(Side.Sell, "60000", "7", "BTCUSD")
        (trade,) = (await socket.receive())["data"]
        assert (trade["p"], trade["v"], trade["L"]) == ("60000.00", "7", "ZeroPlusTick")
        unknown = await socket.ask({"op": "subscribe", "args": ["orderbook.50.BTCUSDT"]})
        assert "handler not found" in unknown["ret_msg"]


@pytest.mark.parametrize(
    ("category", "topic", "keys"),
    [
        ("linear", "orderbook.50.BTCUSDT", ["topic", "type", "ts", "data", "cts"]),
        ("linear", "orderbook.1.BTCUSDT", ["topic", "ts", "type", "data", "cts"]),
        ("spot", "orderbook.50.BTCUSDT", ["topic", "ts", "type", "data", "cts"]),
        ("linear", "tickers.BTCUSDT", ["topic", "type", "data", "cs", "ts"]),
        ("spot", "tickers.BTCUSDT", ["topic", "ts", "type", "data", "cs"]),
    ],
)
async def test_messages_differ_in_the_order_of_their_keys(
    client: Client, category: str, topic: str, keys: list[str]
) -> None:
    async with client.public(category) as socket:
        await socket.ask({"op": "subscribe", "args": [topic]})
        assert list(await socket.receive()) == keys


async def test_spot_trades_and_tickers_are_told_the_spot_way(stage: Stage, client: Client) -> None:
    async with client.public("spot") as socket:
        await socket.ask({"op": "subscribe", "args": ["publicTrade.BTCUSDT", "tickers.BTCUSDT"]})
        before = await socket.receive()
        stage.trade(Side.Buy, "60000", "0.25", "BTC/USDT")
        trade, ticker = await socket.take(2)
        assert "L" not in trade["data"][0]
        assert ticker["type"] == "snapshot"
        assert ticker["data"].keys() == before["data"].keys()
        assert "bid1Price" not in ticker["data"]
        assert ticker["data"]["volume24h"] == "0.250000"


async def test_spot_takes_ten_topics_a_request(client: Client) -> None:
    topics = [f"orderbook.{depth}.BTCUSDT" for depth in (1, 50, 200, 500, 1000)]
    async with client.public("spot") as pair, client.public("linear") as linear:
        refused = await pair.ask({"op": "subscribe", "args": [*topics, *(f"x{n}" for n in range(6))]})
        assert (refused["success"], "args size >10" in refused["ret_msg"]) == (False, True)
        assert (await pair.ask({"op": "subscribe", "args": topics}))["success"]
        elsewhere = await linear.ask({"op": "subscribe", "args": [*topics, *(f"x{n}" for n in range(6))]})
        assert "handler not found" in elsewhere["ret_msg"]


# -- inverse orders -------------------------------------------------------------------------------------------------


async def test_an_inverse_order_from_its_placing_to_the_wallet(client: Client) -> None:
    async with client.private("order.inverse", "execution.inverse", "position.inverse", "wallet") as socket:
        answer = await client.place(**INVERSE, side="Sell", price="60000.0", qty="30000")
        execution, order, position, wallet = [message["data"][0] for message in await socket.take(4)]
    assert (execution["category"], execution["symbol"]) == ("inverse", "BTCUSD")
    assert (execution["execValue"], execution["execFee"], execution["feeCurrency"]) == (
        "0.5",
        "0.000275",
        "BTC",
    )
    assert (order["orderId"], order["orderStatus"]) == (answer["result"]["orderId"], "Filled")
    assert (order["cumExecValue"], order["cumFeeDetail"], order["tpslMode"]) == (
        "0.5",
        {"BTC": "0.000275"},
        "",
    )
    assert (position["side"], position["size"], position["entryPrice"]) == ("Sell", "30000", "60000")
    assert (position["positionValue"], position["positionIM"]) == ("0.5", "0.05")
    assert [(coin["coin"], coin["walletBalance"]) for coin in wallet["coin"]] == [("BTC", "9.999725")]


async def test_inverse_queries(client: Client) -> None:
    await client.place(**INVERSE, price="59000.0", qty="300", orderLinkId="mine")
    await client.place(**INVERSE, orderType="Market", qty="600")
    await client.place(qty="0.5")
    orders = await client.ask("/v5/order/realtime", category="inverse")  # need not be narrowed down
    assert [row["orderLinkId"] for row in orders["result"]["list"]] == ["mine"]
    assert orders["result"]["list"][0]["leavesValue"].startswith("0.00508474576")
    positions = await client.ask("/v5/position/list", category="inverse")
    assert [row["symbol"] for row in positions["result"]["list"]] == ["BTCUSD"]
    fills = await client.ask("/v5/execution/list", category="inverse")
    assert [row["symbol"] for row in fills["result"]["list"]] == ["BTCUSD"]
    answer = await client.post("/v5/position/set-leverage", **INVERSE, buyLeverage="5", sellLeverage="5")
    assert answer["retCode"] == 0
    nothing = await client.post("/v5/order/cancel-all", category="inverse", settleCoin="USDT")
    assert nothing["result"]["list"] == []
    cancelled = await client.post("/v5/order/cancel-all", category="inverse", settleCoin="BTC")
    assert [row["orderLinkId"] for row in cancelled["result"]["list"]] == ["mine"]


# -- spot orders ----------------------------------------------------------------------------------------------------


async def test_a_spot_order_from_its_placing_to_the_wallet(stage: Stage, client: Client) -> None:
    async with client.private("order.spot", "execution.spot", "wallet") as socket:
        await client.place(**RESTING["spot"], orderLinkId="mine")
        stage.trade(Side.Sell, "59000", "0.2", "BTC/USDT")
        new, execution, order, wallet = [message["data"][0] for message in await socket.take(4)]
    assert (new["orderStatus"], new["leavesQty"], new["leavesValue"]) == ("New", "0.500000", "29500")
    assert (execution["execQty"], execution["execFee"], execution["feeCurrency"]) == (
        "0.200000",
        "0.0002",
        "BTC",
    )
    assert (execution["closedSize"], execution["isMaker"]) == ("", True)
    assert (order["orderStatus"], order["feeCurrency"], order["cumFeeDetail"]) == (
        "PartiallyFilled",
        "BTC",
        {"BTC": "0.0002"},
    )
    assert [(row["coin"], row["walletBalance"], row["locked"]) for row in wallet["coin"]] == [
        ("BTC", "10.1998", "0"),
        ("USDT", "988200", "17700"),
    ]


async def test_a_spot_purchase_at_the_market_goes_by_value_unless_told_otherwise(client: Client) -> None:
    """As in a recorded message: what does not buy a lot is cancelled, and is told in the quote coin."""
    market = {**SPOT, "orderType": "Market", "price": ""}
    row = await last_order(client, "spot", await client.place(**market, qty="10.00001"))
    assert (row["orderStatus"], row["cancelType"], row["rejectReason"]) == (
        "PartiallyFilledCanceled",
        "UNKNOWN",
        "EC_CancelForNoFullFill",
    )
    assert (row["qty"], row["leavesQty"], row["leavesValue"]) == ("10.00001", "0.000000", "0.04001")
    assert (row["cumExecQty"], row["cumExecValue"], row["marketUnit"]) == ("0.000166", "9.96", "quoteCoin")
    (fill,) = (await client.ask("/v5/execution/list", **SPOT))["result"]["list"]
    assert (fill["orderQty"], fill["leavesQty"], fill["orderPrice"]) == ("0.000000", "0.000000", "0")
    whole = await last_order(client, "spot", await client.place(**market, qty="12000"))
    assert (whole["orderStatus"], whole["cumExecQty"]) == ("Filled", "0.200000")
    by_base = await last_order(client, "spot", await client.place(**market, qty="0.1", marketUnit="baseCoin"))
    assert (by_base["orderStatus"], by_base["qty"], by_base["marketUnit"]) == (
        "Filled",
        "0.100000",
        "baseCoin",
    )
    sale = await last_order(client, "spot", await client.place(**market, side="Sell", qty="0.1"))
    assert (sale["orderStatus"], sale["cumExecValue"], sale["cumFeeDetail"]) == (
        "Filled",
        "5999",
        {"USDT": "5.999"},
    )
    earned = {**market, "side": "Sell", "qty": "5999", "marketUnit": "quoteCoin"}
    assert (await last_order(client, "spot", await client.place(**earned)))["orderStatus"] == "Filled"


async def test_a_spot_order_that_runs_out_of_funds_is_rejected_after_its_fills(
    stage: Stage, client: Client
) -> None:
    stage.depth([], [("60000", "1"), ("60010", "0"), ("900000", "50")], symbol="BTC/USDT")
    big = {**SPOT, "orderType": "Market", "qty": "3", "marketUnit": "baseCoin"}
    row = await last_order(client, "spot", await client.place(**big))
    assert (row["orderStatus"], row["cumExecQty"], row["leavesQty"]) == ("Rejected", "2.044444", "0.955556")


async def test_spot_queries_need_not_be_narrowed_down(client: Client) -> None:
    await client.place(**RESTING["spot"], orderLinkId="mine")
    await client.place(**RESTING["linear"])
    (row,) = (await client.ask("/v5/order/realtime", category="spot"))["result"]["list"]
    assert (row["symbol"], row["orderLinkId"]) == ("BTCUSDT", "mine")
    assert (await client.ask("/v5/order/realtime", category="linear"))["retCode"] == 10001
    elsewhere = await client.ask("/v5/order/realtime", **LINEAR, orderLinkId="mine")
    assert elsewhere["result"]["list"] == []
    assert (await client.ask("/v5/position/list", category="spot"))["retCode"] == 10001
    cancelled = await client.post("/v5/order/cancel-all", category="spot")
    assert [row["orderLinkId"] for row in cancelled["result"]["list"]] == ["mine"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"symbol": "DOGEUSDT"}, 170121),
        ({"price": "59000.001"}, 170134),
        ({"price": "-1"}, 170133),
        ({"price": "10000000.01"}, 170132),
        ({"qty": "0.0000001"}, 170136),
        ({"qty": "0.1000001"}, 170137),
        ({"qty": "200.000001"}, 170135),
        ({"price": "100", "qty": "0.005"}, 170140),
        ({"qty": "20"}, 170131),
        ({"side": "Sell", "qty": "10.1"}, 170131),
        ({"orderType": "Market", "qty": "0.9"}, 170140),
        ({"orderType": "Market", "qty": "10.000000001"}, 170137),
        ({"orderType": "Market", "qty": "1000001"}, 170131),
        ({"orderType": "Market", "marketUnit": "coin"}, 10001),
        ({"reduceOnly": True}, 10001),
        ({"isLeverage": 1}, 10001),
        ({"orderFilter": "tpslOrder"}, 10001),
    ],
)
async def test_refused_spot_orders(stage: Stage, client: Client, fields: Json, code: int) -> None:
    answer = await client.place(**{**RESTING["spot"], **fields})
    assert answer["retCode"] == code, answer
    assert stage.exchange.open_orders(stage.alice) == []


async def test_spot_orders_that_are_done_or_unknown(client: Client) -> None:
    await client.place(**RESTING["spot"], orderLinkId="gone")
    await client.post("/v5/order/cancel", **SPOT, orderLinkId="gone")
    await client.place(**SPOT, price="60000", qty="0.1", orderLinkId="done")
    for link, code in (("gone", 170142), ("done", 170139), ("never", 170213)):
        for path in ("/v5/order/cancel", "/v5/order/amend"):
            assert (await client.post(path, **SPOT, orderLinkId=link, qty="0.2"))["retCode"] == code, link
    assert (await client.place(**RESTING["spot"], orderLinkId="gone"))["retCode"] == 170141
    assert (await client.post("/v5/order/cancel", **SPOT, orderId="x"))["retCode"] == 170213
    assert (await client.post("/v5/order/cancel", **LINEAR, orderLinkId="gone"))["retCode"] == 110001


# -- how the same thing is told -------------------------------------------------------------------------------------

CATEGORIES = ("linear", "inverse", "spot")


async def ended(client: Client, socket: Socket, order: Json, **more: Any) -> Json:
    """Place an order, and wait for its last message on the stream."""
    category = order["category"]
    assert (await client.place(**order, **more))["retCode"] == 0
    messages = await socket.until(
        lambda message: message["data"][0]["orderStatus"] not in ("New", "PartiallyFilled")
    )
    (row,) = messages[-1]["data"]
    assert row["category"] == category
    assert ("tpslMode" in row, "createType" in row, "closedPnl" in row) == (category != "spot",) * 3
    return row


def end_of(row: Json) -> tuple[str, str, str]:
    return row["orderStatus"], row["cancelType"], row["rejectReason"]


@pytest.mark.parametrize("category", CATEGORIES)
async def test_a_users_cancel(client: Client, category: str) -> None:
    async with client.private(f"order.{category}") as socket:
        await client.place(**RESTING[category], orderLinkId="mine")
        await client.post("/v5/order/cancel", **IDS[category], orderLinkId="mine")
        (row,) = (await socket.take(2))[-1]["data"]
    assert end_of(row) == ("Cancelled", "CancelByUser", "EC_PerCancelRequest")
    assert row["leavesQty"] == ("0.500000" if category == "spot" else "")
    assert ("tpslMode" in row) is (category != "spot")


@pytest.mark.parametrize("category", CATEGORIES)
async def test_a_post_only_order_that_would_take(client: Client, category: str) -> None:
    async with client.private("order") as socket:
        row = await ended(client, socket, TAKING[category], timeInForce="PostOnly")
    status = "Rejected" if category == "spot" else "Cancelled"
    assert end_of(row) == (status, "UNKNOWN", "EC_PostOnlyWillTakeLiquidity")
    assert row["cumExecQty"] == NOTHING[category]


@pytest.mark.parametrize("category", CATEGORIES)
async def test_what_is_left_of_an_order_that_does_not_rest(client: Client, category: str) -> None:
    partly = "PartiallyFilledCanceled" if category == "spot" else "Cancelled"
    async with client.private("order") as socket:
        fok = await ended(client, socket, TAKING[category], timeInForce="FOK")
        ioc = await ended(client, socket, TAKING[category], timeInForce="IOC")
    assert end_of(fok) == ("Cancelled", "UNKNOWN", "EC_CancelForNoFullFill")
    assert end_of(ioc) == (partly, "UNKNOWN", "EC_NoImmediateQtyToFill")
    assert (fok["cumExecQty"], ioc["cumExecQty"]) == (NOTHING[category], AVAILABLE[category])


@pytest.mark.parametrize("category", CATEGORIES)
async def test_a_cancel_after_a_partial_fill(client: Client, category: str) -> None:
    async with client.private("order") as socket:
        await client.place(**TAKING[category], orderLinkId="mine")
        await client.post("/v5/order/cancel", **IDS[category], orderLinkId="mine")
        rows = [message["data"][0] for message in await socket.take(3)]
    assert [row["orderStatus"] for row in rows] == [
        "New",
        "PartiallyFilled",
        "PartiallyFilledCanceled" if category == "spot" else "Cancelled",
    ]
    assert rows[-1]["cumExecQty"] == AVAILABLE[category]
    assert rows[-1]["leavesQty"] == ("8.500000" if category == "spot" else "")


@pytest.mark.parametrize("category", CATEGORIES)
@pytest.mark.parametrize("smp", ["CancelMaker", "CancelTaker", "CancelBoth"])
async def test_an_order_that_meets_an_own_one(client: Client, category: str, smp: str) -> None:
    opposite = {**TAKING[category], "side": "Sell", "price": RESTING[category]["price"], "smpType": smp}
    async with client.private("order") as socket:
        resting = (await client.place(**{**RESTING[category], "price": opposite["price"]}))["result"][
            "orderId"
        ]
        # Nobody else stands in between: the incoming order takes the market first.
        incoming = (await client.place(**opposite))["result"]["orderId"]
        answer = await client.place(**{**RESTING[category], "side": "Sell", "qty": RESTING[category]["qty"]})
        assert answer["retCode"] == 0
        last = answer["result"]["orderId"]
        messages = await socket.until(lambda message: message["data"][0]["orderId"] == last)
    rows = {message["data"][0]["orderId"]: message["data"][0] for message in messages}
    stopped = {"CancelMaker": [resting], "CancelTaker": [incoming], "CancelBoth": [resting, incoming]}[smp]
    for order_id in (resting, incoming):
        other = incoming if order_id == resting else resting
        if order_id in stopped:
            assert (rows[order_id]["cancelType"], rows[order_id]["rejectReason"]) == (
                "CancelBySmp",
                "EC_BySelfMatch",
            )
            assert rows[order_id]["smpOrderId"] == other
        else:
            assert rows[order_id]["smpOrderId"] == ""


@pytest.mark.parametrize("category", ["linear", "inverse"])
async def test_a_reduce_only_order_with_nothing_left_to_reduce(client: Client, category: str) -> None:
    size = {"linear": "1", "inverse": "1000"}[category]
    order = {**IDS[category], "orderType": "Market", "qty": size}
    async with client.private("order") as socket:
        await client.place(**order)
        far = {"linear": "61000.0", "inverse": "61000"}[category]
        await client.place(
            **IDS[category], side="Sell", price=far, qty=size, reduceOnly=True, orderLinkId="tp"
        )
        await client.place(**order, side="Sell")
        messages = await socket.until(
            lambda message: message["data"][0]["cancelType"] == "CancelByReduceOnly"
        )
    (row,) = messages[-1]["data"]
    assert (row["orderLinkId"], row["orderStatus"], row["reduceOnly"]) == ("tp", "Cancelled", True)


async def test_fast_executions_are_short(stage: Stage, client: Client) -> None:
    async with client.private("execution.fast") as everything, client.private("execution.fast.spot") as pair:
        await client.place(**SPOT, price="60000", qty="0.1", orderLinkId="taker")
        await client.place(**RESTING["spot"], orderLinkId="maker")
        stage.trade(Side.Sell, "59000", "0.2", "BTC/USDT")
        for socket in (everything, pair):
            rows = [message["data"][0] for message in await socket.take(2)]
            assert [(row["orderLinkId"], row["isMaker"]) for row in rows] == [("taker", False), ("", True)]
            assert rows[0].keys() == {
                "category",
                "symbol",
                "execId",
                "execPrice",
                "execQty",
                "orderId",
                "isMaker",
                "orderLinkId",
                "side",
                "execTime",
                "seq",
            }


# -- limits ---------------------------------------------------------------------------------------------------------


async def test_spot_orders_have_buckets_of_their_own(client: Client, stage: Stage) -> None:
    await stage.venue.close()
    narrow = Stage.of_all_products(limits=VenueLimits(orders_per_s=1, spot_orders_per_s=2))
    endpoints = await narrow.venue.start()
    try:
        user = Client(client.http, endpoints)
        codes = [
            (await user.place(**RESTING[category]))["retCode"] for category in ("linear", "spot", "spot")
        ]
        assert codes == [0, 0, 0]
        for category in ("inverse", "spot"):
            assert (await user.place(**RESTING[category]))["retCode"] == 10006, category
    finally:
        await narrow.venue.close()


async def test_spot_batches_are_shorter(client: Client) -> None:
    assert (UNLIMITED.batch_orders, UNLIMITED.spot_batch_orders) == (20, 10)
    for category, most in (("linear", 20), ("spot", 10)):
        rows = [{key: value for key, value in RESTING[category].items() if key != "category"}] * (most + 1)
        rows = [{**row, "side": "Buy", "orderType": "Limit"} for row in rows]
        for count, code in ((most + 1, 10001), (most, 0)):
            answer = await client.post("/v5/order/create-batch", category=category, request=rows[:count])
            assert answer["retCode"] == code
        assert {fate["code"] for fate in answer["retExtInfo"]["list"]} == {0}


# -- accounts -------------------------------------------------------------------------------------------------------


async def test_fee_rates_by_category(client: Client) -> None:
    for category, taker in (("linear", "0.00055"), ("inverse", "0.00055"), ("spot", "0.001")):
        (row,) = (await client.ask("/v5/account/fee-rate", category=category))["result"]["list"]
        assert (row["symbol"], row["takerFeeRate"]) == (IDS[category]["symbol"], taker)


async def test_one_wallet_for_all_products(client: Client) -> None:
    await client.place(**RESTING["spot"])
    await client.place(**RESTING["linear"])
    await client.place(**{**RESTING["inverse"], "side": "Sell", "price": "61000"})
    (row,) = (await client.ask("/v5/account/wallet-balance", accountType="UNIFIED"))["result"]["list"]
    coins = {coin["coin"]: coin for coin in row["coin"]}
    assert (coins["USDT"]["locked"], coins["USDT"]["totalOrderIM"]) == ("29500", "2950")
    assert (coins["BTC"]["locked"], coins["BTC"]["totalOrderIM"][:9]) == ("0", "0.0008196")
    assert coins["BTC"]["usdValue"] == "600000.5"


async def test_a_maker_rebate_in_spot(client: Client, stage: Stage) -> None:
    await stage.venue.close()
    generous = Stage.of_all_products(fees=Fees(spot_maker=MLDecimal("-0.0001")))
    endpoints = await generous.venue.start()
    try:
        user = Client(client.http, endpoints)
        await user.place(**RESTING["spot"])
        generous.trade(Side.Sell, "59000", "0.5", "BTC/USDT")
        (fill,) = (await user.ask("/v5/execution/list", **SPOT))["result"]["list"]
        assert (fill["execFee"], fill["feeCurrency"], fill["feeRate"]) == ("-2.95", "USDT", "-0.0001")
        assert generous.alice.wallet("BTC").balance == MLDecimal("10.5")
        assert generous.alice.purse.size("BTC/USDT") == Qty("0.5")
    finally:
        await generous.venue.close()
