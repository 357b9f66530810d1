"""A change that the exchange's book has applied, applied again to another book, which looks where the first one did.

Whatever the first book holds, the second must do what a plain dict does: from the same book (the spots are right),
from one with other levels (they are wrong), and where prices agree in all that keys tell of them.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from mlthon._core.dispatch import Dispatcher
from mlthon._core.instrument_feed import InstrumentFeed
from mlthon._core.market_event import DepthUpdate
from mlthon._core.matching import MatchingEngine
from mlthon._core.replay import Market
from mlthon.basics.defs import Exchange, Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty

ONE = 10**18
LADDERS = {"few prices": (30, ONE // 10), "many prices": (3_000, ONE // 10), "equal keys": (400, 1)}
ROUNDS = 60

Told = list[tuple[str, Side, Price, Qty | None]]
Levels = list[tuple[Price, Qty]]
Books = dict[Side, dict[Price, Qty]]


class Recorder:
    """A strategy that writes down what it is told of levels."""

    def __init__(self) -> None:
        self.told: Told = []

    def on_add_price_level(self, _exchange, _instrument, side, price, qty, _ts):
        self.told.append(("add", side, +price, +qty))

    def on_modify_price_level(self, _exchange, _instrument, side, price, qty, _ts):
        self.told.append(("modify", side, +price, +qty))

    def on_delete_price_level(self, _exchange, _instrument, side, price, _ts):
        self.told.append(("delete", side, +price, None))


def levels(random: Random, ladder: str, side: Side, count: int) -> Levels:
    """Levels of one side, sorted or not, some of them twice, a third of them deleted."""
    prices, tick = LADDERS[ladder]
    sign = -1 if side is Side.Buy else 1
    ranks = [random.randrange(1, prices) for _ in range(count)]
    if random.random() < 0.7:
        ranks.sort(reverse=random.random() < 0.5)
    return [
        (Price.from_mantissa(60_000 * ONE + sign * rank * tick), Qty(random.choice([0, 1, 2])))
        for rank in ranks
    ]


def change(random: Random, ladder: str, count: int) -> DepthUpdate:
    return DepthUpdate(levels(random, ladder, Side.Buy, count), levels(random, ladder, Side.Sell, count))


def apply_plainly(books: Books, update: DepthUpdate) -> Told:
    told: Told = []
    for side, book, changed in (
        (Side.Buy, books[Side.Buy], update.bids()),
        (Side.Sell, books[Side.Sell], update.asks()),
    ):
        for price, qty in changed:
            before = book.pop(price, None)
            if qty > 0:
                book[price] = qty
            if qty > 0 and before != qty:
                told.append(("add" if before is None else "modify", side, price, qty))
            elif qty == 0 and before is not None:
                told.append(("delete", side, price, None))
    return told


def no_levels(_engine: MatchingEngine, _random: Random, _ladder: str) -> None:
    """The same book from the start."""


def other_levels(engine: MatchingEngine, random: Random, ladder: str) -> None:
    for _ in range(5):
        engine.apply_depth(change(random, ladder, 200))


@pytest.mark.parametrize("ladder", LADDERS)
@pytest.mark.parametrize("before", [no_levels, other_levels])
@pytest.mark.parametrize("seed", range(4))
def test_a_change_told_again_does_what_it_does_to_a_dict(
    ladder: str, before: Callable[[MatchingEngine, Random, str], None], seed: int
) -> None:
    random = Random(seed)
    engine = MatchingEngine()
    feed, recorder = recorded_feed()
    books: Books = {Side.Buy: {}, Side.Sell: {}}
    before(engine, random, ladder)
    for _ in range(ROUNDS):
        update = change(random, ladder, random.choice([0, 1, 5, 80]))
        engine.apply_depth(update)
        feed.apply(random.choice([update, update.copy()]), True)
        assert recorder.told == apply_plainly(books, update)
        recorder.told.clear()
        assert_same(feed, books)


@pytest.mark.parametrize("seed", range(3))
def test_a_whole_book_is_followed_by_spots(seed: int) -> None:
    random = Random(seed)
    engine = MatchingEngine()
    other_levels(engine, random, "many prices")
    feed, recorder = recorded_feed()
    shown = engine.displayed
    snapshot = Market(engine, None, None).whole_book()
    assert snapshot is not None
    feed.apply(snapshot, False)
    for _ in range(ROUNDS):
        update = change(random, "many prices", 40)
        engine.apply_depth(update)
        feed.apply(update, True)
        assert [*map(str, feed.book.bids())] == [*map(str, shown.bids())]
        assert [*map(str, feed.book.asks())] == [*map(str, shown.asks())]
    assert recorder.told


def recorded_feed() -> tuple[InstrumentFeed, Recorder]:
    recorder = Recorder()
    feed = InstrumentFeed(Dispatcher(recorder), Exchange.Bybit, 30000000001)
    feed.price_levels = True
    return feed, recorder


def assert_same(feed: InstrumentFeed, books: Books) -> None:
    bids = [(level.get_price(), level.get_qty()) for level in feed.book.bids()]
    asks = [(level.get_price(), level.get_qty()) for level in feed.book.asks()]
    assert bids == sorted(books[Side.Buy].items(), reverse=True)
    assert asks == sorted(books[Side.Sell].items())
