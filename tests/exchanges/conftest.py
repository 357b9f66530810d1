"""Fixtures of the connector tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from fake_bybit import FakeBybit


@pytest.fixture
async def venue() -> AsyncIterator[FakeBybit]:
    """A Bybit made to misbehave, listening on a free port."""
    async with FakeBybit() as fake:
        yield fake
