"""PriceLevelBook against a dict per side, and what needs no model."""

from __future__ import annotations

import pickle

import pytest
from book_models import LARGEST, ONE, SIDES, PriceTrial
from hypothesis import given, settings
from hypothesis import strategies as st

from mlthon.basics.defs import Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.order.books.price_level_book import PriceLevel, PriceLevelBook

# Few prices, so that operations meet; among them neighbours in the last decimal, extremes, zero and a negative.
PRICES = [*(n * ONE for n in range(95, 106)), 0, -1, 1, 2, LARGEST - 1, LARGEST]
prices = st.sampled_from(PRICES) | st.integers(-LARGEST, LARGEST)
qtys = st.sampled_from([0, 1, ONE, 2 * ONE, LARGEST, -ONE]) | st.integers(1, LARGEST)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.sampled_from(SIDES), prices, qtys),
        st.tuples(st.just("modify"), st.sampled_from(SIDES), prices, qtys),
        st.tuples(st.just("delete"), st.sampled_from(SIDES), prices),
        st.tuples(st.just("best"), st.sampled_from(SIDES)),
        st.just(("clear",)),
    ),
    max_size=200,
)


@settings(max_examples=300, deadline=None)
@given(steps)
def test_agrees_with_dicts(steps):
    PriceTrial().run(steps)


def filled_book(levels: int) -> PriceLevelBook:
    book = PriceLevelBook()
    for n in range(levels):
        book.add_lvl(Side.Buy, Price(1000 - n), Qty(n + 1))
        book.add_lvl(Side.Sell, Price(1001 + n), Qty(n + 1))
    return book


def test_sides_grow_beyond_their_first_size():
    book = filled_book(1000)
    assert len(book) == 2000
    assert [level.get_price() for level in book.bids()] == [Price(1000 - n) for n in range(1000)]
    assert [level.get_price() for level in book.asks()] == [Price(1001 + n) for n in range(1000)]


def test_a_change_below_the_top_is_no_update_of_it():
    book = filled_book(3)
    assert book.get_best_ask_lvl()[0] and book.get_best_bid_lvl()[0]
    book.modify_lvl_qty(Side.Buy, Price(999), Qty(7))
    book.add_lvl(Side.Sell, Price(1001), Qty(1))  # the quantity it already has
    book.modify_lvl_qty(Side.Buy, Price(1000), Qty(1))
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
    for change in (
        lambda book: book.delete_lvl(Side.Buy, Price(996)),
        lambda book: book.add_lvl(Side.Buy, Price(1), Qty(1)),
        lambda book: book.clear(),
    ):
        book = filled_book(5)
        walk, other = book.bids(), book.asks()
        next(walk)
        change(book)
        with pytest.raises(RuntimeError, match="during iteration"):
            next(walk)
        if len(book):
            assert len(list(other)) == 5


def test_levels_can_be_listed():
    book = filled_book(5)
    assert [level.get_price() for level in book.get_lvls(Side.Buy, 2)] == [Price(1000), Price(999)]
    assert len(book.get_lvls(Side.Sell, 9)) == 5
    with pytest.raises(ValueError, match="n: expected 0 or more, got -1"):
        book.get_lvls(Side.Sell, -1)


def test_questions_that_make_no_sense():
    book = filled_book(1)
    with pytest.raises(ValueError, match=r"qty: expected more than 0, got 0\.0"):
        book.get_avg_price(Side.Buy, Qty(0))
    with pytest.raises(ValueError, match="n: expected 1 or more, got 0"):
        book.get_imbalance(0)
    with pytest.raises(TypeError, match=r"side: expected Side\.Buy or Side\.Sell, got 1"):
        book.get_volume_to(1, Price(1))


def test_iteration_keeps_its_book_alive():
    walk = filled_book(2).asks()
    assert [level.get_price() for level in walk] == [Price(1001), Price(1002)]


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
