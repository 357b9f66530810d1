"""What it costs to call a strategy: from the core, with values made for the call, beside the same call in Python.

The core's side is `InstrumentFeed.replay`: a walk over a book of 50 levels a side that makes one callback of six
arguments for each, so that what is timed is the way a snapshot reaches a strategy.
"""

from __future__ import annotations

import pytest
from interleave import Piece, loop

from mlthon._core.dispatch import Dispatcher
from mlthon._core.instrument_feed import InstrumentFeed
from mlthon._core.market_event import DepthUpdate
from mlthon.basics.defs import Exchange, Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty

INSTRUMENT_ID = 30000000001
LEVELS = 50  # a side
RECV_MS = 1_723_100_000_000


class Listener:
    """A strategy that does nothing about its book."""

    def on_add_price_level(self, exchange, instrument_id, side, price, qty, recv_ts): ...


class Deaf:
    """A strategy that does not want to know."""


@pytest.fixture
def make_feed():
    def make(strategy: object, **options: object) -> InstrumentFeed:
        feed = InstrumentFeed(Dispatcher(strategy, **options), Exchange.Bybit, INSTRUMENT_ID)
        feed.price_levels = True
        bids = [(f"{50_000 - depth}.5", "1.25") for depth in range(LEVELS)]
        asks = [(f"{50_001 + depth}.5", "0.75") for depth in range(LEVELS)]
        feed.apply(DepthUpdate(bids, asks, is_snapshot=True), False)
        return feed

    return make


def call_in_python(strategy: object) -> Piece:
    """The same call, made by Python code that has all six arguments at hand."""
    return loop(
        "strategy.on_add_price_level(exchange, instrument_id, side, price, qty, recv_ts)",
        strategy=strategy,
        exchange=Exchange.Bybit,
        instrument_id=INSTRUMENT_ID,
        side=Side.Buy,
        price=Price("50000.5"),
        qty=Qty("1.25"),
        recv_ts=RECV_MS,
    )


def replay(feed: InstrumentFeed) -> Piece:
    return loop("feed.replay(recv_ms)", feed=feed, recv_ms=RECV_MS, operations=2 * LEVELS)


def test_a_callback_of_six_arguments(compare, make_feed):
    compare(
        "callback of six arguments, fresh Price and Qty",
        ours=replay(make_feed(Listener())),
        theirs=call_in_python(Listener()),
        beside="called from Python, ready-made",
        at_most=1.1,
    )


def test_a_callback_whose_values_are_kept(compare, make_feed):
    """A strategy that keeps its price and qty gets others the next time."""

    class Keeper(Listener):
        def on_add_price_level(self, exchange, instrument_id, side, price, qty, recv_ts):
            self.price, self.qty = price, qty

    compare(
        "callback whose Price and Qty are kept",
        ours=replay(make_feed(Keeper())),
        theirs=call_in_python(Keeper()),
        beside="called from Python, ready-made",
    )


def test_a_callback_that_is_not_defined(compare, make_feed):
    compare(
        "callback that is not defined",
        ours=replay(make_feed(Deaf())),
        theirs=call_in_python(Listener()),
        beside="called from Python, ready-made",
        at_most=0.05,
    )


def test_a_callback_that_is_journaled(compare, make_feed):
    compare(
        "callback written to a journal that drops it",
        ours=replay(make_feed(Listener(), journal=lambda _name, _args: None)),
        theirs=call_in_python(Listener()),
        beside="called from Python, ready-made",
    )


def test_replay_of_a_book(benchmark, make_feed):
    benchmark(make_feed(Listener()).replay, RECV_MS)
