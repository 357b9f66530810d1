"""Trading desks for the spec cards."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from bybit_client import Stage
from trading_desk import Desk


@pytest.fixture
async def open_desk() -> AsyncIterator[Callable[..., Awaitable[Desk]]]:
    """Open a desk with settings of its own; closed at the end."""
    opened: list[Desk] = []

    async def open_(stage: Stage | None = None, **settings: Any) -> Desk:
        desk = Desk(stage or Stage.of_all_products(), **settings)
        opened.append(desk)
        return await desk.open()

    yield open_
    for desk in opened:
        await desk.close()


@pytest.fixture
async def desk(open_desk: Callable[..., Awaitable[Desk]]) -> Desk:
    """All products, ready to trade, no market data."""
    return await open_desk()
