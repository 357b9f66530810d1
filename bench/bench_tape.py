"""What reading a tape costs: the compiled cursor over the recorded perpetual, and Python's loop over the same.

The whole tape is read each time, from the memory of its columns (no file): its levels, and its trades.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from recorded_market import CAPTURES

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon._core.tape_columns import TapeColumns
from mlthon._core.tape_cursor import TapeCursor
from mlthon.sim.synthetic import SyntheticMarket
from mlthon.tape.binance import BinanceCapture

PERPETUAL = CAPTURES / "binance" / "usdm_btcusdt_20240808.gz"
SYNTHETIC_EVENTS = 100_000


@pytest.fixture(scope="module")
def events() -> list[DepthUpdate | PublicTrade]:
    """The recorded market, or one made up where there is no recording."""
    source = BinanceCapture(PERPETUAL) if PERPETUAL.exists() else islice(SyntheticMarket(1), SYNTHETIC_EVENTS)
    return [event for _, event in source]


def batch_of(events: list[Any]) -> list[Any]:
    columns = TapeColumns(price_decimals=1, qty_decimals=3)
    for event in events:
        columns.append(event)
    return columns.take()


def cursor(batch: list[Any]) -> TapeCursor:
    return TapeCursor([batch], price_decimals=1, qty_decimals=3)


@pytest.mark.parametrize("kind", [DepthUpdate, PublicTrade], ids=["levels", "trades"])
def test_read_through(
    benchmark: BenchmarkFixture, events: list[DepthUpdate | PublicTrade], kind: type
) -> None:
    batch = batch_of([event for event in events if isinstance(event, kind)])
    benchmark.extra_info["rows"] = batch[0]
    _, read = benchmark(lambda: cursor(batch).read_through())
    assert read == sum(isinstance(event, kind) for event in events)


def test_python_loop(benchmark: BenchmarkFixture, events: list[DepthUpdate | PublicTrade]) -> None:
    batch = batch_of(events)
    benchmark.extra_info["rows"] = batch[0]
    ((_, last),) = benchmark(lambda: deque(cursor(batch), maxlen=1))
    assert last == events[-1]
