"""Keys, signatures, timestamps and rate limits of the Bybit venue."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest
from bybit_client import KEY, SECRET, Client, Stage, signature

from mlthon.venues.bybit import VenueLimits
from mlthon.venues.bybit.addresses import AddressLimits
from mlthon.venues.bybit.auth import KeyRing, check_timestamp
from mlthon.venues.bybit.errors import ApiError
from mlthon.venues.bybit.rate_limits import Endpoint, RateLimiter

QUERY = "category=linear&symbol=BTCUSDT"
REALTIME = "/v5/order/realtime"


async def test_the_exact_query_string_is_signed(client: Client) -> None:
    for query in (QUERY, "symbol=BTCUSDT&category=linear", f"{QUERY}&cursor=", f"{QUERY}&orderLinkId=a%2Db"):
        answer, _ = await client.signed("GET", REALTIME, query)
        assert answer["retCode"] == 0, query


async def test_the_exact_body_is_signed(client: Client) -> None:
    body = '{ "category":"linear" , "symbol":"BTCUSDT",\n"orderId":"none" }'
    answer, _ = await client.signed("POST", "/v5/order/cancel", body)
    assert answer["retCode"] == 110001  # understood, and no such order


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"X-BAPI-API-KEY": "nobody"}, 10003),
        ({"X-BAPI-API-KEY": ""}, 10001),
        ({"X-BAPI-SIGN": "0" * 64}, 10004),
        ({"X-BAPI-SIGN": "ä"}, 10004),
        ({"X-BAPI-SIGN": ""}, 10001),
        ({"X-BAPI-TIMESTAMP": ""}, 10001),
        ({"X-BAPI-TIMESTAMP": "soon"}, 10001),
        ({"X-BAPI-TIMESTAMP": "9" * 5000}, 10001),
        ({"X-BAPI-TIMESTAMP": "1700000000000"}, 10002),
        ({"X-BAPI-RECV-WINDOW": "wide"}, 10001),
        ({"X-BAPI-RECV-WINDOW": "6000"}, 10004),
    ],
)
async def test_wrong_headers(client: Client, headers: dict[str, str], code: int) -> None:
    answer, _ = await client.signed("GET", REALTIME, QUERY, headers)
    assert answer["retCode"] == code
    assert answer["result"] == {}
    assert SECRET not in answer["retMsg"]


@pytest.mark.parametrize(
    ("stamp", "window", "fits"),
    [
        ("100000", "5000", True),
        ("95000", "5000", True),
        ("94999", "5000", False),
        ("100999", "5000", True),
        ("101000", "5000", False),
        (95_000, "", True),
        (94_999, None, False),
        ("90000", 10_000, True),
    ],
)
def test_timestamps_fit_the_window(stamp: object, window: object, fits: bool) -> None:
    if fits:
        check_timestamp(stamp, window, 100_000)
    else:
        with pytest.raises(ApiError) as refused:
            check_timestamp(stamp, window, 100_000)
        assert refused.value.code == 10002


def test_signatures_are_those_of_a_public_client() -> None:
    manager = pytest.importorskip("pybit._http_manager")
    stage = Stage()
    ring = KeyRing({KEY: (SECRET, stage.alice)}, AddressLimits(VenueLimits(), time.time_ns))
    payload = '{"category": "linear", "qty": "0.1"}'
    headers = {
        "X-BAPI-API-KEY": KEY,
        "X-BAPI-TIMESTAMP": "100000",
        "X-BAPI-RECV-WINDOW": "5000",
        "X-BAPI-SIGN": manager.generate_signature(False, SECRET, f"100000{KEY}5000{payload}"),
    }
    assert ring.check_request(headers, payload.encode(), 100_000).account is stage.alice
    expires = 101_000
    login = [KEY, expires, manager.generate_signature(False, SECRET, f"GET/realtime{expires}")]
    assert ring.check_login(login, 100_000, "127.0.0.1").account is stage.alice
    assert ring.check_login([KEY, str(expires), login[2]], 100_000, "127.0.0.1").account is stage.alice


def test_a_key_does_not_show_its_secret() -> None:
    stage = Stage()
    ring = KeyRing({KEY: (SECRET, stage.alice)}, AddressLimits(VenueLimits(), time.time_ns))
    key = ring.check_login([KEY, 2, signature(SECRET, "GET/realtime2")], 1, "127.0.0.1")
    assert SECRET not in repr(key)


# -- rates -----------------------------------------------------------------------------------------------------


@pytest.fixture
async def limited() -> AsyncIterator[Client]:
    """A client of a venue with Bybit's own rates."""
    stage = Stage(limits=VenueLimits())
    endpoints = await stage.venue.start()
    async with aiohttp.ClientSession() as http:
        yield Client(http, endpoints)
    await stage.venue.close()


async def test_every_private_answer_tells_what_is_left(limited: Client) -> None:
    left = []
    for _ in range(3):
        before_ms = time.time_ns() // 1_000_000
        answer, headers = await limited.signed("GET", REALTIME, QUERY)
        assert answer["retCode"] == 0
        assert headers["X-Bapi-Limit"] == "50"
        assert int(headers["X-Bapi-Limit-Reset-Timestamp"]) >= before_ms
        left.append(int(headers["X-Bapi-Limit-Status"]))
    assert left == [49, 48, 47]


async def test_a_refused_request_keeps_its_headers(limited: Client) -> None:
    answer, headers = await limited.signed("POST", "/v5/order/cancel", '{"category":"linear"}')
    assert answer["retCode"] == 10001
    assert headers["X-Bapi-Limit-Status"] == "9"


async def test_too_many_requests(limited: Client) -> None:
    """Deterministic however slow the machine: it asks until the limit is hit, and one more is refused with it."""
    body = '{"category":"linear","symbol":"BTCUSDT","orderId":"x"}'
    for _ in range(1000):
        answer, headers = await limited.signed("POST", "/v5/order/cancel", body)
        if answer["retCode"] == 10006:
            break
        assert answer["retCode"] == 110001
    assert answer["retCode"] == 10006
    assert headers["X-Bapi-Limit-Status"] == "0"
    assert int(headers["X-Bapi-Limit-Reset-Timestamp"]) > answer["time"] - 1
    elsewhere = await limited.post(
        "/v5/order/amend", category="linear", symbol="BTCUSDT", orderId="x", qty="1"
    )
    assert elsewhere["retCode"] == 110001


async def test_a_batch_counts_each_order(limited: Client) -> None:
    orders = [{"symbol": "BTCUSDT", "orderId": "x"}] * 12
    answer = await limited.post("/v5/order/cancel-batch", category="linear", request=orders)
    codes = [fate["code"] for fate in answer["retExtInfo"]["list"]]
    assert codes == [110001] * 10 + [10006] * 2
    assert len(answer["result"]["list"]) == 12


def test_the_second_rolls() -> None:
    now = [5_000_000_000]
    limiter = RateLimiter(VenueLimits(orders_per_s=2), lambda: now[0])
    assert [limiter.take("a", Endpoint.CREATE).granted for _ in range(3)] == [1, 1, 0]
    assert limiter.take("b", Endpoint.CREATE).granted == 1
    assert limiter.take("a", Endpoint.CANCEL).granted == 1
    now[0] += 400_000_000
    refused = limiter.take("a", Endpoint.CREATE)
    assert (refused.granted, refused.remaining, refused.reset_ms) == (0, 0, 6000)
    now[0] += 600_000_000
    quota = limiter.take("a", Endpoint.CREATE)
    assert (quota.granted, quota.remaining, quota.reset_ms) == (1, 1, 6000)


def test_rates_follow_the_speed_of_the_market() -> None:
    limits = VenueLimits(orders_per_s=10, queries_per_s=50)
    assert limits.faster(1.0) == limits
    assert (limits.faster(2.55).orders_per_s, limits.faster(2.55).queries_per_s) == (26, 128)
    assert limits.faster(math.inf).orders_per_s >= 1_000_000
    assert limits.faster(20).message_bytes == limits.message_bytes
