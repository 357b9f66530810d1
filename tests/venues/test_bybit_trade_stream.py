"""The trade websocket of the Bybit venue."""

from __future__ import annotations

import time

import aiohttp
import pytest
from bybit_client import Client, Json, Stage

from mlthon.venues.bybit import VenueLimits

ORDER = {
    "category": "linear",
    "symbol": "BTCUSDT",
    "side": "Buy",
    "orderType": "Limit",
    "qty": "0.5",
    "price": "59000.0",
}
BTC = {"category": "linear", "symbol": "BTCUSDT"}


def request(op: str, body: Json, req_id: str = "", **header: object) -> Json:
    now_ms = time.time_ns() // 1_000_000
    return {"reqId": req_id, "header": {"X-BAPI-TIMESTAMP": str(now_ms), **header}, "op": op, "args": [body]}


async def test_create_amend_cancel(stage: Stage, client: Client) -> None:
    async with client.trading() as socket:
        created = await socket.ask(request("order.create", {**ORDER, "orderLinkId": "mine"}, "r1"))
        assert (created["reqId"], created["retCode"], created["retMsg"]) == ("r1", 0, "OK")
        assert created["op"] == "order.create"
        assert created["data"]["orderLinkId"] == "mine"
        assert created.keys() == {
            "reqId",
            "retCode",
            "retMsg",
            "op",
            "data",
            "retExtInfo",
            "header",
            "connId",
        }
        header = created["header"]
        assert (header["X-Bapi-Limit"], header["X-Bapi-Limit-Status"]) == ("10000", "9999")
        assert int(header["Timenow"]) >= int(header["X-Bapi-Limit-Reset-Timestamp"]) - 1
        amended = await socket.ask(request("order.amend", {**BTC, "orderLinkId": "mine", "qty": "0.7"}, "r2"))
        assert amended["data"] == created["data"]
        (order,) = stage.exchange.open_orders(stage.alice)
        assert f"{order.qty:.1f}" == "0.7"
        cancelled = await socket.ask(
            request("order.cancel", {**BTC, "orderId": created["data"]["orderId"]}, "r3")
        )
        assert (cancelled["reqId"], cancelled["retCode"]) == ("r3", 0)
        assert stage.exchange.open_orders(stage.alice) == []


async def test_answers_come_in_order(client: Client) -> None:
    async with client.trading() as socket:
        for number in range(50):
            await socket.send(request("order.create", {**ORDER, "orderLinkId": f"o{number}"}, str(number)))
        answers = await socket.take(50)
        assert [answer["reqId"] for answer in answers] == [str(number) for number in range(50)]


async def test_orders_outlive_the_connection(stage: Stage, client: Client) -> None:
    async with client.trading() as socket:
        await socket.ask(request("order.create", ORDER))
    async with client.trading() as socket:
        assert len(stage.exchange.open_orders(stage.alice)) == 1


async def test_batches(client: Client) -> None:
    async with client.trading() as socket:
        rows = [{**ORDER, "orderLinkId": "a"}, {**ORDER, "orderLinkId": "b", "qty": "oops"}]
        created = await socket.ask(request("order.create-batch", {"category": "linear", "request": rows}))
        assert created["retCode"] == 0
        assert [fate["code"] for fate in created["retExtInfo"]["list"]] == [0, 10001]
        assert [bool(row["orderId"]) for row in created["data"]["list"]] == [True, False]
        body = {"category": "linear", "request": [{"symbol": "BTCUSDT", "orderLinkId": "a"}]}
        cancelled = await socket.ask(request("order.cancel-batch", body))
        assert cancelled["retExtInfo"]["list"] == [{"code": 0, "msg": "OK"}]


async def test_ping(client: Client) -> None:
    async with client.trading() as socket:
        pong = await socket.ask({"op": "ping"})
        assert (pong["op"], pong["retCode"], pong["retMsg"]) == ("pong", 0, "OK")
        assert abs(int(pong["data"][0]) - time.time_ns() // 1_000_000) < 60_000
        assert pong["connId"]


async def test_login(client: Client) -> None:
    async with client.raw(client.endpoints.ws_trade) as socket:
        refused = await socket.ask(request("order.create", ORDER, "early"))
        assert (refused["retCode"], refused["reqId"]) == (10007, "early")
        wrong = client.login()
        wrong["args"][2] = "0" * 64
        assert (await socket.ask(wrong))["retCode"] == 10004
        answer = await socket.ask(client.login())
        assert (answer["op"], answer["retCode"], answer["retMsg"]) == ("auth", 0, "OK")
        assert (await socket.ask(client.login()))["retCode"] == 20001
        assert (await socket.ask(request("order.create", ORDER)))["retCode"] == 0


@pytest.mark.parametrize(
    ("change", "code", "named"),
    [
        ({"op": "order.teleport"}, 10404, "order.teleport"),
        ({"op": None}, 10404, "op"),
        ({"op": "order.cancel-all"}, 10404, "order.cancel-all"),
        ({"header": None}, 10001, "X-BAPI-TIMESTAMP"),
        ({"header": {}}, 10001, "X-BAPI-TIMESTAMP"),
        ({"header": {"X-BAPI-TIMESTAMP": "now"}}, 10001, "X-BAPI-TIMESTAMP"),
        ({"header": {"X-BAPI-TIMESTAMP": 1_700_000_000_000}}, 10002, "server_timestamp"),
        ({"args": []}, 10001, "args"),
        ({"args": [ORDER, ORDER]}, 10001, "args"),
        ({"args": ["order"]}, 10001, "args"),
        ({"args": ORDER}, 10001, "args"),
        ({"args": [{**ORDER, "category": "option"}]}, 10001, "category"),
        ({"args": [{**ORDER, "category": "spot"}]}, 170121, "symbol"),
        ({"args": [{**ORDER, "qty": "-1"}]}, 10001, "qty"),
        ({"reqId": "x" * 37}, 10001, "reqId"),
        ({"reqId": ["x"]}, 10001, "reqId"),
    ],
)
async def test_refused_requests(stage: Stage, client: Client, change: Json, code: int, named: str) -> None:
    async with client.trading() as socket:
        answer = await socket.ask({**request("order.create", ORDER, "r"), **change})
        assert answer["retCode"] == code, answer
        assert named in answer["retMsg"]
        assert stage.exchange.open_orders(stage.alice) == []
        assert (await socket.ask(request("order.create", ORDER)))["retCode"] == 0


async def test_timestamps_may_be_numbers(client: Client) -> None:
    async with client.trading() as socket:
        now_ms = time.time_ns() // 1_000_000
        header = {"X-BAPI-TIMESTAMP": now_ms, "X-BAPI-RECV-WINDOW": 8000}
        answer = await socket.ask({"reqId": "n", "header": header, "op": "order.create", "args": [ORDER]})
        assert answer["retCode"] == 0


async def test_a_request_id_is_used_once(stage: Stage, client: Client) -> None:
    async with client.trading() as socket:
        assert (await socket.ask(request("order.create", ORDER, "same")))["retCode"] == 0
        assert (await socket.ask(request("order.create", ORDER, "same")))["retCode"] == 20006
        assert len(stage.exchange.open_orders(stage.alice)) == 1


async def test_rest_and_websocket_share_their_rates() -> None:
    def now_ns() -> int:
        return 1_700_000_000_000_000_000

    stage = Stage(now_ns, VenueLimits(orders_per_s=2))
    endpoints = await stage.venue.start()
    header = {"X-BAPI-TIMESTAMP": now_ns() // 1_000_000}
    async with aiohttp.ClientSession() as http:
        client = Client(http, endpoints, now_ns=now_ns)
        async with client.trading() as socket:
            assert (await client.place())["retCode"] == 0
            left = []
            for _ in range(2):
                answer = await socket.ask(request("order.create", ORDER, **header))
                left.append((answer["retCode"], answer["header"]["X-Bapi-Limit-Status"]))
            assert left == [(0, "0"), (10006, "0")]
            assert answer["header"]["X-Bapi-Limit-Reset-Timestamp"] == "1700000001000"
            body = {"category": "linear", "request": [{"symbol": "BTCUSDT", "orderId": "x"}] * 3}
            batch = await socket.ask(request("order.cancel-batch", body, **header))
            assert [fate["code"] for fate in batch["retExtInfo"]["list"]] == [110001, 110001, 10006]
    await stage.venue.close()
