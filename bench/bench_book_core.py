"""What a level costs inside the core, in books of different depths: the way of a decoded message into its book.

Timed is `InstrumentFeed.apply`, which the connector calls, on messages decoded ahead and without callbacks; one call
a message and the check for a crossed book are in it. Prices and ranks are a recorded market's: its own depth, what a
subscriber to 50 levels is sent of it, and the same changes at ten times the rank in books of 50,000 levels a side.

A market is timed in stretches of some messages; a stretch costs the median of its rounds, the market the sum of its
stretches. The limits are for a machine of today, and for reading: on a busy one the caches are shared.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Sequence

import pytest
from book_updates import deepened, narrowed
from recorded_market import CAPTURES, MARKETS, SYNTHETIC

from mlthon._core.dispatch import Dispatcher
from mlthon._core.instrument_feed import InstrumentFeed
from mlthon._core.market_event import DepthUpdate
from mlthon.basics.defs import Exchange

MARKET = "BTCUSDT" if CAPTURES.is_dir() else SYNTHETIC
ROUNDS = 15
STRETCH = 100  # messages

Updates = Sequence[DepthUpdate]
Depth = tuple[Callable[[Iterator[DepthUpdate]], Iterator[DepthUpdate]], int]

DEPTHS: dict[str, Depth] = {
    "50 levels a side": (lambda updates: narrowed(updates, 50), 40),
    "its own depth": (lambda updates: updates, 50),
    "50,000 levels a side": (lambda updates: deepened(updates, 10, 50_000), 60),
}


class Deaf:
    """A strategy that does not want to know."""


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_level_in_the_core(note: Callable[..., None], depth: str) -> None:
    make, limit = DEPTHS[depth]
    updates = list(make(MARKETS[MARKET].updates()))
    feed = InstrumentFeed(Dispatcher(Deaf()), Exchange.Bybit, 30000000001)
    rounds = [ns_of_stretches(feed, updates) for _ in range(ROUNDS)]
    side, levels = len(feed.book) // 2, sum(map(len, updates[1:]))
    assert levels > 1000
    assert side > 1
    ns = sum(map(statistics.median, zip(*rounds, strict=True))) / levels
    what = f"a level in the core, {MARKET}, {depth} ({side:,} at the end)"
    note(
        what, f"{ns:.1f} ns", f"{levels:,} levels", "met" if ns <= limit else "not met", f"at most {limit} ns"
    )


def ns_of_stretches(feed: InstrumentFeed, updates: Updates) -> list[int]:
    """Apply a market from its snapshot on; the snapshot, which clears the book first, is not timed."""
    feed.apply(updates[0], False)
    apply, spent = feed.apply, []
    collecting = gc.isenabled()
    gc.disable()
    try:
        for stretch in batched(updates[1:], STRETCH):
            began = time.perf_counter_ns()
            for update in stretch:
                apply(update, False)
            spent.append(time.perf_counter_ns() - began)
    finally:
        if collecting:
            gc.enable()
    return spent


def batched(updates: Updates, size: int) -> Iterator[Updates]:
    return (updates[start : start + size] for start in range(0, len(updates), size))
