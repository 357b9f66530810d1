"""Malformed, oversized, unknown and odd REST requests: each gets an answer, and the venue goes on."""

from __future__ import annotations

import asyncio
import random

import aiohttp
import pytest
from bybit_client import DEADLINE_S, KEY, Client, Json, Stage

from mlthon.venues.bybit import VenueLimits


@pytest.mark.usefixtures("bystander")
async def test_bodies_that_are_not_requests(client: Client) -> None:
    for body in ("", "{", "[]", "null", "7", '{"category":"linear"', "{" * 10_000):
        answer, _ = await client.signed("POST", "/v5/order/create", body)
        assert answer["retCode"] == 10001
        assert "body" in answer["retMsg"]
    for body in ('{"category":7}', '{"category":"linear","request":7}', '{"category":{"a":[]}}'):
        for path in (
            "/v5/order/create",
            "/v5/order/create-batch",
            "/v5/order/cancel-all",
            "/v5/position/switch-mode",
        ):
            answer, _ = await client.signed("POST", path, body)
            assert answer["retCode"] == 10001, (path, body)


@pytest.mark.usefixtures("bystander")
async def test_query_strings_that_are_not_requests(client: Client) -> None:
    for query in (
        "%ff%fe=%00",
        "category",
        "=&=&=",
        "category=linear&symbol=%F0%9F%92%A9",
        "&".join("abc" * 40),
    ):
        answer, _ = await client.signed("GET", "/v5/order/realtime", query)
        assert answer["retCode"] == 10001, query


ODD_VALUES: list[object] = [
    *(
        None,
        "",
        0,
        1,
        -1,
        7.5,
        1e300,
        True,
        False,
        [],
        {},
        [1],
        {"a": 1},
        "x",
        "0",
        "-0",
        "1e5",
        "1E-30",
        "1e400",
        "NaN",
    ),
    *(
        "inf",
        "9" * 30,
        "0.1",
        "60000",
        "\u0000",
        "é",
        "a" * 3000,
        "Sell",
        "Market",
        "FOK",
        "PostOnly",
        "spot",
        2**63,
    ),
]
FIELDS = (
    *(
        "category",
        "symbol",
        "side",
        "orderType",
        "qty",
        "price",
        "timeInForce",
        "orderLinkId",
        "orderId",
        "request",
    ),
    *(
        "reduceOnly",
        "closeOnTrigger",
        "positionIdx",
        "smpType",
        "triggerPrice",
        "settleCoin",
        "baseCoin",
        "mode",
    ),
    *(
        "orderFilter",
        "buyLeverage",
        "sellLeverage",
        "coin",
        "accountType",
        "limit",
        "cursor",
        "startTime",
        "openOnly",
    ),
)
ORDER: Json = {
    "category": "linear",
    "symbol": "BTCUSDT",
    "side": "Buy",
    "orderType": "Limit",
    "qty": "0.1",
    "price": "60000.1",
}
POSTS = (
    *(
        f"/v5/order/{name}"
        for name in ("create", "amend", "cancel", "cancel-all", "create-batch", "cancel-batch")
    ),
    *("/v5/position/set-leverage", "/v5/position/switch-mode"),
)
QUERIES = (
    *("/v5/order/realtime", "/v5/order/history", "/v5/execution/list", "/v5/position/list"),
    *("/v5/account/wallet-balance", "/v5/account/fee-rate", "/v5/asset/coin/query-info"),
)


@pytest.mark.parametrize("seed", range(3))
async def test_odd_parameters_get_a_code(stage: Stage, client: Client, seed: int) -> None:
    print(f"seed {seed}")
    rng = random.Random(seed)

    def odd_order() -> Json:
        return {**ORDER, **{rng.choice(FIELDS): rng.choice(ODD_VALUES) for _ in range(rng.randrange(4))}}

    codes = set()
    for _ in range(200):
        body = odd_order()
        if rng.random() < 0.3:
            body["request"] = [odd_order() for _ in range(rng.randrange(3))]
        if rng.random() < 0.7:
            answer = await client.post(rng.choice(POSTS), **body)
        else:
            answer = await client.ask(
                rng.choice(QUERIES), **{name: str(value)[:99] for name, value in body.items()}
            )
        codes.add(answer["retCode"])
        stage.exchange.check_conservation()
    assert codes >= {0, 10001}


@pytest.mark.usefixtures("bystander")
async def test_bytes_that_are_no_text(client: Client) -> None:
    """In the address and in a header, past what a polite client would send."""
    host, port = client.endpoints.rest.removeprefix("http://").split(":")
    for head in (
        b"GET /v5/market/tickers?category=\xff\xfe HTTP/1.1\r\n",
        b"GET /v5/order/realtime?x=\xff HTTP/1.1\r\n"
        b"X-BAPI-API-KEY: \xff\r\nX-BAPI-TIMESTAMP: \xfe\r\nX-BAPI-SIGN: \xfd\r\n",
        b"GET /v5/market/time\x00 HTTP/1.1\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 not HTTP at all\r\n",
    ):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(head + b"Host: x\r\nConnection: close\r\n\r\n")
        async with asyncio.timeout(DEADLINE_S):
            answer = await reader.read()
        assert b" 500 " not in answer
        assert b'"retCode":1000' in answer or b" 400 " in answer, answer
        writer.close()
        await writer.wait_closed()


async def test_wrong_paths_and_methods(client: Client) -> None:
    async with aiohttp.ClientSession(client.endpoints.rest) as http:
        for method, path, status in (
            ("GET", "/", 404),
            ("GET", "/v5/market/candles", 404),
            ("POST", "/v5/market/time", 405),
            ("GET", "/v5/order/create", 405),
            ("GET", "/v5/private", 400),  # without a websocket handshake
        ):
            async with http.request(method, path) as answer:
                assert answer.status == status, path


@pytest.mark.usefixtures("bystander")
async def test_bodies_that_are_too_large(client: Client) -> None:
    async with aiohttp.ClientSession(client.endpoints.rest) as http:
        body = "x" * (VenueLimits().body_bytes + 1)
        async with http.post("/v5/order/create", data=body, headers={"X-BAPI-API-KEY": KEY}) as answer:
            assert answer.status == 413
