"""Public REST requests of the Bybit venue."""

from __future__ import annotations

import time

import pytest
from bybit_client import Client, Stage

from mlthon.basics.defs import Side

LINEAR = {"category": "linear"}
BTC = {**LINEAR, "symbol": "BTCUSDT"}


async def test_time(client: Client) -> None:
    before = time.time_ns()
    answer = await client.get("/v5/market/time")
    assert before <= int(answer["result"]["timeNano"]) <= time.time_ns()
    assert answer["result"]["timeSecond"] == answer["result"]["timeNano"][:-9]
    assert answer.keys() == {"retCode", "retMsg", "result", "retExtInfo", "time"}
    assert answer["retCode"] == 0


async def test_instruments_come_in_pages(client: Client) -> None:
    first = (await client.get("/v5/market/instruments-info", **LINEAR, limit=1))["result"]
    assert [row["symbol"] for row in first["list"]] == ["BTCUSDT"]
    second = (
        await client.get("/v5/market/instruments-info", **LINEAR, limit=1, cursor=first["nextPageCursor"])
    )["result"]
    assert [row["symbol"] for row in second["list"]] == ["ETHUSDT"]
    assert second["nextPageCursor"] == ""


async def test_instrument_tells_the_rules_of_its_contract(client: Client) -> None:
    (row,) = (await client.get("/v5/market/instruments-info", **BTC))["result"]["list"]
    assert row["contractType"] == "LinearPerpetual"
    assert (row["baseCoin"], row["quoteCoin"], row["settleCoin"]) == ("BTC", "USDT", "USDT")
    assert row["priceFilter"]["tickSize"] == "0.1"
    assert row["lotSizeFilter"] == {
        "minOrderQty": "0.001",
        "maxOrderQty": "100",
        "maxMktOrderQty": "100",
        "postOnlyMaxOrderQty": "100",
        "qtyStep": "0.001",
        "minNotionalValue": "5",
    }


async def test_instruments_by_coin_and_status(client: Client) -> None:
    by_coin = await client.get("/v5/market/instruments-info", **LINEAR, baseCoin="ETH")
    assert [row["symbol"] for row in by_coin["result"]["list"]] == ["ETHUSDT"]
    unlisted = await client.get("/v5/market/instruments-info", **LINEAR, status="PreLaunch", limit=1000)
    assert unlisted["result"]["list"] == []


async def test_order_book(stage: Stage, client: Client) -> None:
    book = (await client.get("/v5/market/orderbook", **BTC, limit=1))["result"]
    assert (book["s"], book["b"], book["a"]) == ("BTCUSDT", [["60000.0", "2.000"]], [["60000.1", "3.000"]])
    assert book["seq"] == 1
    stage.depth([("60000.0", "1.5")], [])
    later = (await client.get("/v5/market/orderbook", **BTC))["result"]
    assert later["b"] == [["60000.0", "1.500"], ["59999.9", "5.000"]]
    assert (later["u"], later["seq"]) == (book["u"] + 1, 2)


async def test_book_of_a_symbol_without_a_market_is_empty(client: Client) -> None:
    book = (await client.get("/v5/market/orderbook", category="linear", symbol="ETHUSDT"))["result"]
    assert (book["b"], book["a"]) == ([], [])


async def test_recent_trades_newest_first(stage: Stage, client: Client) -> None:
    stage.trade(Side.Buy, "60000.1", "0.4")
    stage.trade(Side.Sell, "60000.0", "0.3")
    rows = (await client.get("/v5/market/recent-trade", **BTC, limit=5))["result"]["list"]
    assert [(row["side"], row["price"], row["size"]) for row in rows] == [
        ("Sell", "60000.0", "0.300"),
        ("Buy", "60000.1", "0.400"),
    ]
    assert len({row["execId"] for row in rows}) == 2


async def test_tickers(stage: Stage, client: Client) -> None:
    stage.trade(Side.Buy, "60000.1", "0.4")
    stage.trade(Side.Buy, "60000.2", "0.1")
    answer = await client.get("/v5/market/tickers", category="linear")
    rows = {row["symbol"]: row for row in answer["result"]["list"]}
    btc = rows["BTCUSDT"]
    assert (btc["bid1Price"], btc["bid1Size"]) == ("60000.0", "2.000")
    assert (btc["lastPrice"], btc["highPrice24h"], btc["lowPrice24h"]) == ("60000.2", "60000.2", "60000.1")
    assert (btc["volume24h"], btc["turnover24h"]) == ("0.500", "30000.06")
    assert btc["tickDirection"] == "PlusTick"
    assert (btc["fundingRate"], btc["fundingIntervalHour"]) == ("0.0001", "8")
    assert (btc["markPrice"], btc["indexPrice"], btc["openInterest"]) == ("60000.05", "60000.05", "0.000")
    assert int(btc["nextFundingTime"]) % (8 * 3600 * 1000) == 0
    assert int(btc["nextFundingTime"]) > answer["time"]
    assert rows["ETHUSDT"]["lastPrice"] == ""


async def test_candles_newest_first(stage: Stage, client: Client) -> None:
    for side, price, qty in (
        (Side.Buy, "60000.1", "0.4"),
        (Side.Buy, "60000.2", "0.1"),
        (Side.Sell, "60000.0", "0.3"),
    ):
        stage.trade(side, price, qty)
    for interval in ("1", "M"):
        result = (await client.get("/v5/market/kline", **BTC, interval=interval, limit=1))["result"]
        assert (result["category"], result["symbol"]) == ("linear", "BTCUSDT")
        ((start, *prices, volume, turnover),) = result["list"]
        assert int(start) % 60_000 == 0
        assert 0 <= time.time() - int(start) / 1_000 < 32 * 86_400
        assert prices == ["60000.1", "60000.2", "60000.0", "60000.0"]
        assert (volume, turnover) == ("0.800", "48000.06")
    later = await client.get(
        "/v5/market/kline", **BTC, interval="1", start=int(time.time() * 1_000) + 3_600_000
    )
    assert (later["retCode"], later["result"]["list"]) == (0, [])
    without = await client.get("/v5/market/kline", symbol="ETHUSDT", interval="W")
    assert (without["retCode"], without["result"]["list"]) == (0, [])


@pytest.mark.parametrize(
    "path", ["/v5/market/open-interest", "/v5/position/closed-pnl", "/v5/order/pre-check"]
)
async def test_what_is_not_simulated_says_so(client: Client, path: str) -> None:
    answer = await client.get(path, **BTC)
    assert (answer["retCode"], answer["retMsg"]) == (10001, f"{path} is not simulated")


async def test_no_funding_was_ever_charged(client: Client) -> None:
    answer = await client.get("/v5/market/funding/history", **BTC)
    assert (answer["retCode"], answer["result"]["list"]) == (0, [])
    lopsided = await client.get("/v5/market/funding/history", **BTC, startTime="1700000000000")
    assert lopsided["retCode"] == 10001


@pytest.mark.parametrize(
    ("path", "params", "named"),
    [
        ("/v5/market/instruments-info", {}, "category"),
        ("/v5/market/instruments-info", {"category": "option"}, "category"),
        ("/v5/market/instruments-info", {"category": "linear", "limit": "1001"}, "limit"),
        ("/v5/market/instruments-info", {"category": "linear", "cursor": "DOGEUSDT"}, "cursor"),
        ("/v5/market/instruments-info", {"category": "linear", "symbol": "DOGEUSDT"}, "DOGEUSDT"),
        ("/v5/market/orderbook", {"category": "linear"}, "symbol"),
        ("/v5/market/orderbook", {"category": "linear", "symbol": "BTCUSDT", "limit": "0"}, "limit"),
        ("/v5/market/orderbook", {"category": "spot", "symbol": "BTCUSDT"}, "category spot"),
        ("/v5/market/funding/history", {"category": "spot", "symbol": "BTCUSDT"}, "category"),
        ("/v5/market/tickers", {"category": "option", "baseCoin": "BTC"}, "category"),
        ("/v5/market/recent-trade", {"category": "linear", "symbol": "BTCUSDT", "limit": "many"}, "limit"),
        ("/v5/market/kline", {"category": "linear", "symbol": "BTCUSDT"}, "interval"),
        ("/v5/market/kline", {"category": "linear", "symbol": "BTCUSDT", "interval": "2"}, "interval"),
    ],
)
async def test_wrong_parameters_are_named(
    client: Client, path: str, params: dict[str, str], named: str
) -> None:
    answer = await client.get(path, **params)
    assert answer["retCode"] == 10001
    assert named in answer["retMsg"]
    assert answer["result"] == {}
