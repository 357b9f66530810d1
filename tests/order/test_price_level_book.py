"""PriceLevelBook against a dict per side."""

from __future__ import annotations

import pickle
from decimal import Decimal
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlthon.basics.defs import Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.order.books.price_level_book import PriceLevel, PriceLevelBook

SMALLEST = Decimal("1e-18")
LARGEST = Decimal("1e20")
SIDES = (Side.Buy, Side.Sell)

# Few prices, so that operations meet; among them neighbours in the last decimal, extremes, zero and a negative.
PRICES = [
    *(Decimal(n) for n in range(95, 106)),
    Decimal(0),
    -SMALLEST,
    SMALLEST,
    2 * SMALLEST,
    LARGEST - SMALLEST,
    LARGEST,
]
prices = st.sampled_from(PRICES) | st.integers(1, 10**38).map(lambda n: n * SMALLEST)
qtys = st.sampled_from([Decimal(0), SMALLEST, Decimal(1), Decimal(2), LARGEST, Decimal(-1)]) | st.integers(
    1, 10**38
).map(lambda n: n * SMALLEST)
operations = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.sampled_from(SIDES), prices, qtys),
        st.tuples(st.just("modify"), st.sampled_from(SIDES), prices, qtys),
        st.tuples(st.just("delete"), st.sampled_from(SIDES), prices),
        st.tuples(st.just("best"), st.sampled_from(SIDES)),
        st.just(("clear",)),
    ),
    max_size=200,
)


class DictBook:
    """What a PriceLevelBook must do, in the plainest words."""

    def __init__(self) -> None:
        self.levels: dict[Side, dict[Decimal, Decimal]] = {Side.Buy: {}, Side.Sell: {}}
        self.touched = {Side.Buy: False, Side.Sell: False}
        self.ignored = 0

    def best(self, side: Side) -> tuple[Decimal, Decimal] | None:
        levels = self.levels[side]
        price = (max if side is Side.Buy else min)(levels, default=None)
        return None if price is None else (price, levels[price])

    def depth(self, side: Side) -> list[tuple[Decimal, Decimal]]:
        return sorted(self.levels[side].items(), reverse=side is Side.Buy)

    def set(self, side: Side, price: Decimal, qty: Decimal) -> None:
        before = self.best(side)
        if qty < 0 or (qty == 0 and price not in self.levels[side]):
            self.ignored += 1
        elif qty == 0:
            del self.levels[side][price]
        else:
            self.levels[side][price] = qty
        self.touched[side] |= self.best(side) != before

    def add(self, side: Side, price: Decimal, qty: Decimal) -> None:
        self.set(side, price, qty)

    def modify(self, side: Side, price: Decimal, qty: Decimal) -> None:
        if price in self.levels[side]:
            self.set(side, price, qty)
        else:
            self.ignored += 1

    def delete(self, side: Side, price: Decimal) -> None:
        self.set(side, price, Decimal(0))

    def clear(self) -> None:
        for side in SIDES:
            self.touched[side] |= bool(self.levels[side])
            self.levels[side].clear()

    def is_crossed(self) -> bool:
        bid, ask = self.best(Side.Buy), self.best(Side.Sell)
        return bid is not None and ask is not None and bid[0] >= ask[0]


def plain(level: PriceLevel) -> tuple[Decimal, Decimal]:
    return level.get_price().to_decimal(), level.get_qty().to_decimal()


def apply(book: PriceLevelBook, model: DictBook, name: str, *arguments) -> None:
    if name == "clear":
        book.clear()
        model.clear()
    elif name == "best":
        (side,) = arguments
        updated, level = book.get_best_bid_lvl() if side is Side.Buy else book.get_best_ask_lvl()
        assert updated is model.touched[side]
        assert (None if level is None else plain(level)) == model.best(side)
        model.touched[side] = False
    elif name == "delete":
        side, price = arguments
        book.delete_lvl(side, Price(price))
        model.delete(side, price)
    else:
        side, price, qty = arguments
        method = book.add_lvl if name == "add" else book.modify_lvl_qty
        method(side, Price(price), Qty(qty))
        getattr(model, name)(side, price, qty)


@settings(max_examples=300, deadline=None)
@given(operations)
def test_agrees_with_dicts(steps):
    book, model = PriceLevelBook(), DictBook()
    for step in steps:
        apply(book, model, *step)
        assert len(book) == sum(len(model.levels[side]) for side in SIDES)
        assert book.is_crossed() is model.is_crossed()
    assert [plain(level) for level in book.bids()] == model.depth(Side.Buy)
    assert [plain(level) for level in book.asks()] == model.depth(Side.Sell)
    assert book.get_num_ignored() == model.ignored
    for side in SIDES:
        apply(book, model, "best", side)


def filled_book(levels: int) -> PriceLevelBook:
    book = PriceLevelBook()
    for n in range(levels):
        book.add_lvl(Side.Buy, Price(1000 - n), Qty(n + 1))
        book.add_lvl(Side.Sell, Price(1001 + n), Qty(n + 1))
    return book


def test_sides_grow_beyond_their_first_size():
    book = filled_book(1000)
    assert len(book) == 2000
    assert [plain(level)[0] for level in book.bids()] == [1000 - n for n in range(1000)]
    assert [plain(level)[0] for level in book.asks()] == [1001 + n for n in range(1000)]


def test_a_change_below_the_top_is_no_update_of_it():
    book = filled_book(3)
    assert book.get_best_ask_lvl()[0] and book.get_best_bid_lvl()[0]
    book.modify_lvl_qty(Side.Buy, Price(999), Qty(7))
    book.add_lvl(Side.Sell, Price(1001), Qty(1))  # the quantity it already has
    assert not book.get_best_bid_lvl()[0]
    assert not book.get_best_ask_lvl()[0]


def test_a_change_that_was_undone_is_an_update():
    book = filled_book(1)
    book.get_best_bid_lvl()
    book.modify_lvl_qty(Side.Buy, Price(1000), Qty(9))
    book.modify_lvl_qty(Side.Buy, Price(1000), Qty(1))
    updated, level = book.get_best_bid_lvl()
    assert updated
    assert level == PriceLevel(Side.Buy, Price(1000), Qty(1))


def test_levels_are_values():
    book = filled_book(1)
    _, level = book.get_best_bid_lvl()
    book.modify_lvl_qty(Side.Buy, Price(1000), Qty(9))
    assert level.get_qty() == Qty(1)
    assert level == PriceLevel(Side.Buy, Price(1000), Qty(1))
    assert level != PriceLevel(Side.Sell, Price(1000), Qty(1))
    assert level != book.get_best_bid_lvl()[1]
    assert len({level, PriceLevel(Side.Buy, Price(1000), Qty(1))}) == 1
    assert pickle.loads(pickle.dumps(level)) == level
    assert str(level) == "Buy 1.00000000 @ 1000.00000000"
    assert repr(level) == "PriceLevel(Side.Buy, Price('1000.00000000'), Qty('1.00000000'))"


def test_iteration_notices_that_levels_come_and_go():
    book = filled_book(5)
    walk = book.bids()
    next(walk)
    book.delete_lvl(Side.Buy, Price(996))
    with pytest.raises(RuntimeError, match="during iteration"):
        next(walk)
    assert len(list(islice(book.asks(), 2))) == 2


def test_iteration_keeps_its_book_alive():
    walk = filled_book(2).asks()
    assert [plain(level) for level in walk] == [(1001, 1), (1002, 2)]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda book: book.add_lvl("Buy", Price(1), Qty(1)),
            r"side: expected Side\.Buy or Side\.Sell, got 'Buy'",
        ),
        (lambda book: book.add_lvl(Side.Buy, 1.5, Qty(1)), "'price'.*expected mlthon.*Price, got float"),
        (lambda book: book.add_lvl(Side.Buy, Price(1), "1"), "'qty'.*expected mlthon.*Qty, got str"),
        (
            lambda book: book.add_lvl(Side.Buy, Qty(1), Qty(1)),
            "'price'.*expected mlthon.*Price, got mlthon.*Qty",
        ),
        (lambda book: book.add_lvl(Side.Buy, None, Qty(1)), "'price'.*expected mlthon.*Price, got NoneType"),
        (lambda book: book.modify_lvl_qty(Side.Buy, Price(1), 2), "'new_qty'.*expected mlthon.*Qty, got int"),
        (lambda book: book.delete_lvl(Side.Sell, "1"), "'price'.*expected mlthon.*Price, got str"),
    ],
)
def test_a_wrong_type_is_named_and_changes_nothing(call, message):
    book = filled_book(1)
    with pytest.raises(TypeError, match=message):
        call(book)
    assert len(book) == 2
    assert book.get_num_ignored() == 0


def test_a_book_cannot_be_pickled_by_accident():
    with pytest.raises(TypeError, match="cannot pickle"):
        pickle.dumps(filled_book(1))
