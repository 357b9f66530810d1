"""LevelBook against queues of quantities, and what needs no model."""

from __future__ import annotations

import pickle

import pytest
from book_models import LARGEST, ONE, SIDES, LevelTrial
from hypothesis import given, settings
from hypothesis import strategies as st

from mlthon.basics.defs import Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.order.books.level_book import BookLevel, LevelBook
from mlthon.order.books.price_level_book import PriceLevel

level_ids = st.integers(0, 12) | st.sampled_from([-1, 2**63, 10**40])
prices = st.sampled_from([99 * ONE, 100 * ONE, 101 * ONE, 1, LARGEST])
qtys = st.sampled_from([0, 1, ONE, 2 * ONE, LARGEST // 2, LARGEST, -ONE])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), level_ids, st.sampled_from(SIDES), prices, qtys),
        st.tuples(st.just("modify"), level_ids, qtys),
        st.tuples(st.just("delete"), level_ids),
        st.tuples(st.just("best"), st.sampled_from(SIDES)),
        st.just(("clear",)),
    ),
    max_size=200,
)


@settings(max_examples=300, deadline=None)
@given(steps)
def test_agrees_with_queues_of_dicts(steps):
    LevelTrial().run(steps)


def test_one_price_holds_many_levels_in_their_order():
    book = LevelBook()
    for level_id in range(500):
        book.add_lvl(level_id, Side.Sell, Price(100), Qty(1))
    for level_id in range(0, 500, 2):
        book.delete_lvl(level_id)
    assert [level.get_level_id() for level in book.asks()] == list(range(1, 500, 2))
    assert book.get_best_ask_lvl()[1].get_level_id() == 1


def test_a_change_behind_the_first_of_the_best_price_is_no_update():
    book = LevelBook()
    book.add_lvl(1, Side.Buy, Price(100), Qty(1))
    book.add_lvl(2, Side.Buy, Price(100), Qty(1))
    assert book.get_best_bid_lvl()[0]
    book.modify_lvl_qty(2, Qty(5))
    book.delete_lvl(2)
    book.add_lvl(1, Side.Buy, Price(100), Qty(1))  # as it is
    assert not book.get_best_bid_lvl()[0]


def test_another_first_of_the_best_price_is_an_update_though_it_looks_the_same():
    book = LevelBook()
    book.add_lvl(1, Side.Buy, Price(100), Qty(1))
    book.add_lvl(2, Side.Buy, Price(100), Qty(1))
    book.get_best_bid_lvl()
    book.delete_lvl(1)
    assert book.get_best_bid_lvl() == (True, BookLevel(2, Side.Buy, Price(100), Qty(1)))


def test_an_id_added_again_elsewhere_moves():
    book = LevelBook()
    book.add_lvl(1, Side.Buy, Price(100), Qty(1))
    book.add_lvl(1, Side.Sell, Price(101), Qty(2))
    assert list(book.bids()) == []
    assert list(book.asks()) == [BookLevel(1, Side.Sell, Price(101), Qty(2))]
    assert len(book) == 1


def test_a_crossed_book_is_held():
    book = LevelBook()
    book.add_lvl(1, Side.Buy, Price(101), Qty(1))
    book.add_lvl(2, Side.Sell, Price(100), Qty(1))
    assert book.is_crossed()
    assert book.get_best_bid_lvl()[1].get_price() == Price(101)


def test_a_price_that_would_hold_too_much_stays_as_it_is():
    book = LevelBook()
    book.add_lvl(1, Side.Buy, Price(100), Qty("1e20"))
    with pytest.raises(OverflowError, match="quantities of one price add up beyond the range"):
        book.add_lvl(2, Side.Buy, Price(100), Qty("1e20"))
    book.add_lvl(2, Side.Buy, Price(99), Qty("1e20"))
    with pytest.raises(OverflowError, match="quantities of one price add up beyond the range"):
        book.add_lvl(2, Side.Buy, Price(100), Qty("1e20"))
    assert [level.get_level_id() for level in book.bids()] == [1, 2]
    assert book.get_num_ignored() == 0


def test_levels_are_values():
    level = BookLevel(7, Side.Buy, Price(100), Qty(1))
    assert level == BookLevel(7, Side.Buy, Price(100), Qty(1))
    assert level != BookLevel(8, Side.Buy, Price(100), Qty(1))
    assert level != PriceLevel(Side.Buy, Price(100), Qty(1))
    assert PriceLevel(Side.Buy, Price(100), Qty(1)) != level
    assert pickle.loads(pickle.dumps(level)) == level
    assert len({level, BookLevel(7, Side.Buy, Price(100), Qty(1))}) == 1
    assert repr(level) == "BookLevel(7, Side.Buy, Price('100.00000000'), Qty('1.00000000'))"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda book: book.add_lvl("1", Side.Buy, Price(1), Qty(1)), "level_id: expected an int, got '1'"),
        (lambda book: book.add_lvl(2, 1, Price(1), Qty(1)), r"side: expected Side\.Buy or Side\.Sell, got 1"),
        (lambda book: book.add_lvl(2, Side.Buy, 1.0, Qty(1)), "'price'.*expected mlthon.*Price, got float"),
        (lambda book: book.modify_lvl_qty(1, "2"), "'new_qty'.*expected mlthon.*Qty, got str"),
        (lambda book: book.modify_lvl_qty(1.0, Qty(2)), "level_id: expected an int, got 1.0"),
        (lambda book: book.delete_lvl(None), "level_id: expected an int, got None"),
    ],
)
def test_a_wrong_type_is_named_and_changes_nothing(call, message):
    book = LevelBook()
    book.add_lvl(1, Side.Buy, Price(100), Qty(1))
    with pytest.raises(TypeError, match=message):
        call(book)
    assert list(book.bids()) == [BookLevel(1, Side.Buy, Price(100), Qty(1))]
    assert book.get_num_ignored() == 0
