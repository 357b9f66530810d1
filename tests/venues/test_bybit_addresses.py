"""What one address may do: requests, connections, logins."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import aiohttp
import pytest
from bybit_client import UNLIMITED, Client, Stage
from test_bybit_restarts import order

from mlthon.venues.bybit import VenueLimits
from mlthon.venues.bybit.addresses import AddressLimits

SECOND_NS = 1_000_000_000


class Clock:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.ns = 1_700_000_000 * SECOND_NS

    def __call__(self) -> int:
        return self.ns


@asynccontextmanager
async def serving(now_ns: Clock, **limits: float) -> AsyncIterator[Client]:
    stage = Stage(now_ns, limits=replace(UNLIMITED, **limits))  # type: ignore[arg-type]
    endpoints = await stage.venue.start()
    async with aiohttp.ClientSession() as http:
        yield Client(http, endpoints, now_ns=now_ns)
    await stage.venue.close()


async def status(client: Client) -> int:
    async with client.http.get(client.endpoints.rest + "/v5/market/time") as answer:
        return answer.status


async def test_too_many_requests_are_answered_403_for_ten_minutes() -> None:
    clock = Clock()
    async with serving(clock, address_requests=5) as client:
        assert [await status(client) for _ in range(5)] == [200] * 5
        clock.ns += 5 * SECOND_NS
        assert [await status(client) for _ in range(6)] == [200] * 5 + [403]
        clock.ns += 599 * SECOND_NS
        assert await status(client) == 403
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await client.http.ws_connect(client.endpoints.ws_private)
        assert refused.value.status == 403
        clock.ns += SECOND_NS
        assert await status(client) == 200


async def test_so_many_connections_may_be_open_and_so_many_opened() -> None:
    clock = Clock()
    async with serving(clock, connections=2, address_connections=4) as client:
        async with client.public(), client.private():
            with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
                await client.http.ws_connect(client.endpoints.ws_trade)
        async with client.public(), client.public():
            pass
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await client.http.ws_connect(client.endpoints.ws_trade)
        clock.ns += 300 * SECOND_NS
        async with client.public():
            pass


async def test_who_fails_to_log_in_again_and_again_may_not_try_for_a_while() -> None:
    clock = Clock()
    async with serving(clock, address_failed_logins=2) as client:
        wrong = Client(client.http, client.endpoints, secret="guessed", now_ns=clock)
        async with client.raw(client.endpoints.ws_private) as socket:
            codes = [(await socket.ask(wrong.login()))["retCode"] for _ in range(3)]
            assert codes == [10004, 10004, 10018]
            assert (await socket.ask(client.login()))["retCode"] == 10018
        async with client.raw(client.endpoints.ws_trade) as socket:
            assert (await socket.ask(client.login()))["retCode"] == 10018
            clock.ns += 300 * SECOND_NS
            assert (await socket.ask(client.login()))["retCode"] == 0
            # A request id is used once a connection.
            first, again = {**order(), "reqId": "one"}, {**order(), "reqId": "one"}
            stamp = {"X-BAPI-TIMESTAMP": str(clock.ns // 1_000_000)}
            answers = [(await socket.ask({**ask, "header": stamp}))["retCode"] for ask in (first, again)]
            assert answers == [0, 20006]


def test_addresses_are_counted_apart_and_not_for_ever() -> None:
    clock = Clock()
    limits = AddressLimits(VenueLimits(address_requests=1), clock)
    assert limits.admits_request("a") and limits.admits_request("b")
    assert not limits.admits_request("a")
    for number in range(20_000):
        limits.admits_request(f"c{number}")
    assert len(limits._requests._times_ns) == 10_000


def test_a_faster_market_raises_the_limits_with_it() -> None:
    faster = VenueLimits().faster(20.0)
    assert (faster.address_requests, faster.address_connections) == (12_000, 10_000)
