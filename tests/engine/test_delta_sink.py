"""The short way of a book's changes tells the strategy what the long way tells it, and refuses the rest."""

from __future__ import annotations

import os
import random

import pytest

from mlthon._core.market_event import DepthUpdate
from mlthon.api.istrat_env import MDSub
from mlthon.basics.defs import Exchange, GtwRejectCode

BYBIT = Exchange.Bybit
SEED = int(os.environ.get("MLTHON_TEST_SEED", "20240808"))
SUBS = [MDSub.PriceLevelBook, MDSub.LevelBook, MDSub.BBO]


class Books:
    """The market data of two instruments, told by the long way or, where that takes them, by the short one."""

    def __init__(self, make_bench, make_recorder, short: bool, symbols=("BTC-USDT", "ETH-USDT")) -> None:
        self.recorder = make_recorder()
        self.bench = make_bench(self.recorder, symbols)
        self.bench.env.subscribe_to_market_data(BYBIT, list(symbols), SUBS)
        self.bench.start()
        self.ids = [instrument.get_instrument_id() for instrument in self.bench.instruments]
        self.listener = self.bench.feed.listener
        self.short = short
        self.taken = 0
        for instrument_id in self.ids:
            self.listener.on_stream_ready(instrument_id)
        self.recorder.seen.clear()

    def tell(self, instrument_id: int, update: DepthUpdate) -> bool:
        """What a feed does with a message; returns whether the book is sound."""
        sink = self.listener.delta_sink(instrument_id)
        if self.short and sink is not None and sink(update):
            self.taken += 1
            return True
        return self.listener.on_depth(instrument_id, update)

    def go_live(self) -> None:
        for instrument_id in self.ids:
            self.tell(instrument_id, DepthUpdate([("100", "1")], [("101", "1")], is_snapshot=True))


@pytest.fixture
def books(make_bench, make_recorder) -> Books:
    return Books(make_bench, make_recorder, short=True)


def change(*bids: tuple[str, str]) -> DepthUpdate:
    return DepthUpdate(bids, [])


def test_it_is_open_while_the_books_are_live(books):
    first, second = books.ids
    books.tell(first, DepthUpdate([("100", "1")], [("101", "1")], is_snapshot=True))
    sink = books.listener.delta_sink(first)
    assert not sink(change(("99", "5")))  # the second book is awaited
    assert books.recorder.seen == []
    books.tell(second, DepthUpdate([], [], is_snapshot=True))
    books.recorder.seen.clear()
    assert sink(change(("99", "5")))
    assert books.recorder.names() == ["on_add_price_level", "on_add_level"]
    books.listener.on_book_lost(second, "gap")
    assert not sink(change(("98", "5")))


def test_it_refuses_a_whole_book_and_a_crossing_change(books):
    first, _ = books.ids
    books.go_live()
    sink = books.listener.delta_sink(first)
    told = len(books.recorder.seen)
    assert not sink(DepthUpdate([("90", "1")], [], is_snapshot=True))
    assert not sink(change(("101", "1")))
    assert len(books.recorder.seen) == told
    assert books.listener.on_depth(first, change(("101", "1"))) is False
    assert not sink(change(("99", "1")))


def test_it_closes_with_the_connection_and_with_a_refusal(books):
    first, _ = books.ids
    books.go_live()
    sinks = [books.listener.delta_sink(instrument_id) for instrument_id in books.ids]
    books.listener.on_subscribe_refused(first, GtwRejectCode.InvalidRequest, "no")
    assert not sinks[0](change(("99", "1")))
    assert books.listener.delta_sink(first) is None
    assert sinks[1](change(("99", "1")))
    books.listener.on_feed_lost("gone")
    assert not sinks[1](change(("98", "1")))
    assert books.listener.delta_sink(30099999999) is None


def test_messages_are_counted_whichever_way_they_come(books):
    first, _ = books.ids
    market_data = books.listener
    before = market_data.events
    books.go_live()
    books.tell(first, change(("99", "1")))
    books.tell(first, change(("101", "1")))  # crosses: refused by the sink, and then counted once
    assert books.taken == 1
    assert market_data.events == before + 4
    books.listener.on_subscribe_refused(first, GtwRejectCode.InvalidRequest, "no")
    assert market_data.events == before + 4


def test_both_ways_tell_the_same(make_bench, make_recorder):
    rng = random.Random(SEED)
    long, short = (Books(make_bench, make_recorder, short=way) for way in (False, True))
    for _ in range(3_000):
        instrument_id = rng.choice(long.ids)
        happening = rng.random()
        if happening < 0.02:
            for books in (long, short):
                books.listener.on_book_lost(instrument_id, "gap")
            continue
        low, high = (90, 97) if happening < 0.97 else (96, 100)  # the latter may cross
        bids = [(str(rng.randint(low, high)), str(rng.choice((0, 1, 2)))) for _ in range(rng.randint(0, 4))]
        asks = [(str(rng.randint(98, 105)), str(rng.choice((0, 1, 2)))) for _ in range(rng.randint(0, 4))]
        update = DepthUpdate(bids, asks, is_snapshot=rng.random() < 0.05, recv_ns=rng.randrange(10**9))
        assert long.tell(instrument_id, update) == short.tell(instrument_id, update)
    assert long.recorder.seen == short.recorder.seen, f"seed {SEED}"
    assert long.listener.events == short.listener.events
    assert short.taken > 500
    assert long.taken == 0
