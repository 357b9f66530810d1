"""A running venue and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from bybit_client import OTHER_KEY, OTHER_SECRET, Client, Stage


@pytest.fixture
async def stage() -> Stage:
    return Stage()


@pytest.fixture
async def client(stage: Stage) -> AsyncIterator[Client]:
    endpoints = await stage.venue.start()
    async with aiohttp.ClientSession() as http:
        yield Client(http, endpoints)
    await stage.venue.close()


@pytest.fixture
async def other(client: Client) -> Client:
    """A second user, with an account of his own."""
    return Client(client.http, client.endpoints, OTHER_KEY, OTHER_SECRET)


@pytest.fixture
async def bystander(client: Client) -> AsyncIterator[None]:
    """Somebody else on each socket, who must notice nothing."""
    async with client.public() as public, client.private("order") as private, client.trading() as trading:
        await public.ask({"op": "subscribe", "args": ["orderbook.50.BTCUSDT"]})
        before = await public.receive()
        yield
        answer = await client.place(orderLinkId="bystander", price="58000.0")
        assert answer["retCode"] == 0
        delta = await public.receive()
        assert delta["data"]["u"] == before["data"]["u"] + 1
        assert (await private.receive())["data"][0]["orderLinkId"] == "bystander"
        assert (await trading.ask({"op": "ping"}))["op"] == "pong"
