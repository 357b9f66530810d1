"""What holding a position brings: funding, maintenance margin, and liquidation, as clients are told of them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import aiohttp
import pytest
from bybit_client import OTHER_KEY, OTHER_SECRET, Client, Json, Stage

from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.qty import Qty
from mlthon.sim.funding import FundingRules

HOUR_NS = 3600 * 10**9
CONTRACTS = {
    "linear": {"category": "linear", "symbol": "BTCUSDT"},
    "inverse": {"category": "inverse", "symbol": "BTCUSD"},
}
EVERYTHING = ("order", "execution", "position", "wallet")


class Clock:
    """Stands at a moment until it is moved."""

    def __init__(self) -> None:
        self.ns = time.time_ns() // (8 * HOUR_NS) * 8 * HOUR_NS + HOUR_NS

    def __call__(self) -> int:
        return self.ns


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def stage(clock: Clock) -> Stage:
    return Stage.of_all_products(now_ns=clock, funding=FundingRules(rate=MLDecimal("0.001")))


@pytest.fixture
async def client(stage: Stage, clock: Clock) -> AsyncIterator[Client]:
    endpoints = await stage.venue.start()
    async with aiohttp.ClientSession() as http:
        yield Client(http, endpoints, now_ns=clock)
    await stage.venue.close()


@pytest.fixture
async def other(client: Client, clock: Clock) -> Client:
    return Client(client.http, client.endpoints, OTHER_KEY, OTHER_SECRET, now_ns=clock)


def rows(messages: list[Json]) -> list[tuple[str, Json]]:
    return [(message["topic"], message["data"][0]) for message in messages]


# -- funding --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("category", "qty", "value", "fee", "balance"),
    [
        ("linear", "2", "120000.1", "120.0001", ("USDT", "999813.99979")),
        ("inverse", "30000", "0.499997916675347186", "0.000499997916675347", ("BTC", None)),
    ],
)
async def test_funding_is_told_as_an_execution(
    stage: Stage,
    client: Client,
    clock: Clock,
    category: str,
    qty: str,
    value: str,
    fee: str,
    balance: tuple[str, str | None],
) -> None:
    stage.exchange.pass_time()
    await client.place(**CONTRACTS[category], orderType="Market", qty=qty)
    async with client.private(*EVERYTHING) as socket:
        clock.ns += 8 * HOUR_NS
        stage.exchange.pass_time()
        (execution, payment), (position, held), (wallet, coins) = rows(await socket.take(3))
    assert (execution, position, wallet) == ("execution", "position", "wallet")
    assert (payment["execType"], payment["orderType"], payment["orderLinkId"]) == ("Funding", "UNKNOWN", "")
    assert (payment["side"], payment["execValue"], payment["execFee"]) == ("Buy", value, fee)
    assert (payment["feeRate"], payment["leavesQty"], payment["orderQty"]) == ("0.001", "0", "0")
    assert held["size"] == ("2.000" if category == "linear" else qty)
    assert coins["coin"][0]["coin"] == balance[0]
    if balance[1] is not None:
        assert coins["coin"][0]["walletBalance"] == balance[1]


async def test_who_is_paid_sees_negative_rates(
    stage: Stage, client: Client, other: Client, clock: Clock
) -> None:
    stage.exchange.pass_time()
    await other.place(orderType="Market", side="Sell", qty="1")
    clock.ns += 8 * HOUR_NS
    stage.exchange.pass_time()
    linear = CONTRACTS["linear"]
    (payment,) = (await other.ask("/v5/execution/list", **linear, execType="Funding"))["result"]["list"]
    assert (payment["side"], payment["feeRate"]) == ("Sell", "-0.001")
    assert payment["execFee"].startswith("-60.00005")
    everything = (await other.ask("/v5/execution/list", **linear))["result"]["list"]
    assert [row["execType"] for row in everything] == ["Funding", "Trade"]
    assert len({row["execId"] for row in everything}) == 2
    trades = (await other.ask("/v5/execution/list", **linear, execType="Trade"))["result"]["list"]
    assert [row["execType"] for row in trades] == ["Trade"]
    assert (await client.ask("/v5/execution/list", **linear))["result"]["list"] == []


async def test_executions_of_an_order_have_no_funding_among_them(
    stage: Stage, client: Client, clock: Clock
) -> None:
    stage.exchange.pass_time()
    order_id = (await client.place(orderType="Market", orderLinkId="mine"))["result"]["orderId"]
    clock.ns += 8 * HOUR_NS
    stage.exchange.pass_time()
    for names in ({"orderId": order_id}, {"orderLinkId": "mine"}):
        listed = await client.ask("/v5/execution/list", category="linear", **names)
        assert [row["execType"] for row in listed["result"]["list"]] == ["Trade"]


async def test_tickers_and_history_tell_of_funding(stage: Stage, client: Client, clock: Clock) -> None:
    linear = CONTRACTS["linear"]
    due_ms = (clock.ns - HOUR_NS) // 10**6 + 8 * 3_600_000
    await client.place(orderType="Market", qty="1.5")
    (row,) = (await client.get("/v5/market/tickers", **linear))["result"]["list"]
    assert (row["fundingRate"], int(row["nextFundingTime"])) == ("0.001", due_ms)
    assert (row["openInterest"], row["openInterestValue"]) == ("1.500", "90000.075")
    (info,) = (await client.get("/v5/market/instruments-info", **linear))["result"]["list"]
    assert (info["fundingInterval"], info["upperFundingRate"], info["lowerFundingRate"]) == (
        480,
        "0.00375",
        "-0.00375",
    )
    stage.exchange.pass_time()
    for _ in range(3):
        clock.ns += 8 * HOUR_NS
        stage.exchange.pass_time()
    history = (await client.get("/v5/market/funding/history", **linear, limit=2))["result"]["list"]
    assert history == [
        {"symbol": "BTCUSDT", "fundingRate": "0.001", "fundingRateTimestamp": str(due_ms + 16 * 3_600_000)},
        {"symbol": "BTCUSDT", "fundingRate": "0.001", "fundingRateTimestamp": str(due_ms + 8 * 3_600_000)},
    ]
    window = {"startTime": due_ms, "endTime": due_ms + 1}
    assert len((await client.get("/v5/market/funding/history", **linear, **window))["result"]["list"]) == 1


async def test_the_venues_clock_pays_funding(clock: Clock) -> None:
    """Nobody has to ask for it: a running venue lets its exchange look at the clock."""
    rules = FundingRules(rate=MLDecimal("0.001"), interval_ns=10**6)
    stage = Stage(funding=rules)
    endpoints = await stage.venue.start()
    try:
        async with aiohttp.ClientSession() as http:
            user = Client(http, endpoints)
            async with user.private("execution") as socket:
                await user.place(orderType="Market")
                messages = await socket.until(lambda message: message["data"][0]["execType"] == "Funding")
        assert len(messages) >= 2
    finally:
        await stage.venue.close()


# -- margin and liquidation -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("category", list(CONTRACTS))
async def test_positions_tell_where_they_are_liquidated(stage: Stage, client: Client, category: str) -> None:
    qty = {"linear": "100", "inverse": "50000"}[category]
    stage.depth([], [("60000.1", "100")])
    await client.post("/v5/position/set-leverage", **CONTRACTS[category], buyLeverage="50", sellLeverage="50")
    await client.place(**CONTRACTS[category], orderType="Market", qty=qty, side="Buy")
    (row,) = (await client.ask("/v5/position/list", **CONTRACTS[category]))["result"]["list"]
    expected = {
        # (100 * 60000.1 - 1,000,000 + 3300 of fees) / (100 * 0.995)
        "linear": ("30000.05", "50284.5"),
        # 50000 / ((50000 / 60000.5 + 10 - fees) / 1.005)
        "inverse": ("0.004166", "4638.66"),
    }[category]
    assert row["positionMM"].startswith(expected[0])
    assert row["liqPrice"] == expected[1]
    assert row["bustPrice"] == ""
    (account,) = (await client.ask("/v5/account/wallet-balance", accountType="UNIFIED"))["result"]["list"]
    coins = {coin["coin"]: coin for coin in account["coin"]}
    assert coins[{"linear": "USDT", "inverse": "BTC"}[category]]["totalPositionMM"] == row["positionMM"]
    assert float(account["accountMMRate"]) > 0
    assert float(account["totalMaintenanceMargin"]) > 0


async def test_a_flat_position_has_no_liquidation_price(client: Client) -> None:
    (row,) = (await client.ask("/v5/position/list", **CONTRACTS["linear"]))["result"]["list"]
    assert (row["liqPrice"], row["positionMM"]) == ("", "0")


@pytest.mark.parametrize("category", list(CONTRACTS))
async def test_a_liquidation_is_told_as_an_order_nobody_sent(
    stage: Stage, client: Client, category: str
) -> None:
    contract, symbol = CONTRACTS[category], CONTRACTS[category]["symbol"]
    qty = {"linear": "100", "inverse": "600000"}[category]
    stage.depth([("30000", "100")], [("60000.1", "100")])
    stage.depth([], [("60000.5", "900000")], symbol="BTCUSD")
    await client.place(**contract, orderType="Market", qty=qty)
    await client.place(**contract, side="Sell", price="90000", qty=qty, reduceOnly=True, orderLinkId="tp")
    async with client.private(*EVERYTHING) as socket, client.public(category) as public:
        await public.ask({"op": "subscribe", "args": [f"allLiquidation.{symbol}"]})
        stage.depth([("30000", "1")], [("30001", "1")], is_snapshot=True, symbol=symbol)
        told = rows(await socket.take(6))
        (announced,) = (await public.receive())["data"]
    assert [topic for topic, _ in told] == ["order", "position", "execution", "order", "position", "wallet"]
    cancelled, _, execution, order, position, wallet = [row for _, row in told]
    assert (cancelled["orderLinkId"], cancelled["orderStatus"], cancelled["cancelType"]) == (
        "tp",
        "Cancelled",
        "CancelAllBeforeLiq",
    )
    assert (execution["execType"], execution["orderLinkId"], execution["createType"]) == (
        "BustTrade",
        "",
        "CreateByTakeOver_PassThrough",
    )
    assert (order["orderStatus"], order["orderLinkId"], order["createType"]) == (
        "Filled",
        "",
        "CreateByTakeOver_PassThrough",
    )
    assert order["orderId"] == execution["orderId"]
    assert (order["side"], order["orderType"], execution["execFee"]) == ("Sell", "Market", "0")
    assert order["avgPrice"] == execution["execPrice"].rstrip("0").rstrip(".")
    assert (position["size"], position["side"]) == ("0", "")
    assert (announced["s"], announced["S"], announced["p"]) == (symbol, "Buy", execution["execPrice"])
    assert float(wallet["coin"][0]["walletBalance"]) < 0.01 * float(
        {"linear": "1000000", "inverse": "10"}[category]
    )
    listed = await client.ask("/v5/order/history", category=category, orderId=order["orderId"])
    assert listed["result"]["list"][0]["orderStatus"] == "Filled"
    assert stage.alice.position(symbol).size == Qty("0")
    stage.exchange.check_conservation()
