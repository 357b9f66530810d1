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
    return Client(client._http, client.endpoints, OTHER_KEY, OTHER_SECRET)
