"""OrderBook against queues of dicts, and what needs no model."""

from __future__ import annotations

import pickle

import pytest
from book_models import LARGEST, ONE, SIDES, OrderTrial
from hypothesis import given, settings
from hypothesis import strategies as st

from mlthon.basics.defs import Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.order.books.order_book import BookOrder, OrderBook, OrderBookLevel
from mlthon.order.books.price_level_book import PriceLevel

order_ids = st.integers(0, 12) | st.sampled_from(["a", "b", ("a", 1), -1, 2**63])
prices = st.sampled_from([99 * ONE, 100 * ONE, 101 * ONE, 1, LARGEST])
qtys = st.sampled_from([0, 1, ONE, 2 * ONE, LARGEST // 2, LARGEST, -ONE])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), order_ids, st.sampled_from(SIDES), prices, qtys),
        st.tuples(st.just("modify"), order_ids, qtys),
        st.tuples(st.just("delete"), order_ids),
        st.tuples(st.just("best"), st.sampled_from(SIDES)),
        st.just(("clear",)),
    ),
    max_size=200,
)


@settings(max_examples=300, deadline=None)
@given(steps)
def test_agrees_with_queues_of_dicts(steps):
    OrderTrial().run(steps)


def queued_book(*quantities: int) -> OrderBook:
    book = OrderBook()
    for order_id, qty in enumerate(quantities):
        book.add_order(order_id, Side.Buy, Price(100), Qty(qty))
    return book


def ids_at(book: OrderBook, price: int) -> list[object]:
    return [order.get_order_id() for order in book.orders(Side.Buy, Price(price))]


def test_less_keeps_its_place_and_more_goes_to_the_back():
    book = queued_book(5, 5, 5)
    book.modify_order_qty(0, Qty(4))
    assert ids_at(book, 100) == [0, 1, 2]
    book.modify_order_qty(0, Qty(6))
    assert ids_at(book, 100) == [1, 2, 0]
    assert [book.get_qty_ahead(order_id) for order_id in range(3)] == [Qty(10), Qty(0), Qty(5)]
    assert book.get_best_bid_lvl()[1] == OrderBookLevel(Side.Buy, Price(100), Qty(16), 3)


def test_an_id_added_again_is_the_same_order():
    book = queued_book(5, 5)
    book.add_order(0, Side.Buy, Price(100), Qty(3))
    assert ids_at(book, 100) == [0, 1]
    book.add_order(0, Side.Buy, Price(101), Qty(3))
    book.add_order(0, Side.Buy, Price(100), Qty(3))
    assert ids_at(book, 100) == [1, 0]
    book.add_order(0, Side.Sell, Price(100), Qty(3))
    assert book.get_order(0) == BookOrder(0, Side.Sell, Price(100), Qty(3))
    assert book.is_crossed()
    assert len(book) == 2


def test_a_price_that_would_hold_too_much_stays_as_it_is():
    book = OrderBook()
    book.add_order("a", Side.Buy, Price(100), Qty("1e20"))
    book.add_order("b", Side.Buy, Price(100), Qty(1))
    for call in (
        lambda: book.add_order("c", Side.Buy, Price(100), Qty("1e20")),
        lambda: book.modify_order_qty("b", Qty("1e20")),
    ):
        with pytest.raises(OverflowError, match="quantities of one price add up beyond the range"):
            call()
    assert ids_at(book, 100) == ["a", "b"]
    assert book.get_order("b").get_qty() == Qty(1)
    assert "c" not in book


def test_what_is_not_there():
    book = queued_book(1)
    book.modify_order_qty(7, Qty(1))
    book.delete_order("seven")
    book.add_order(7, Side.Buy, Price(100), Qty(0))
    book.add_order(0, Side.Buy, Price(100), Qty(-1))
    assert book.get_num_ignored() == 4
    assert (book.get_order(7), book.get_qty_ahead(7), list(book.orders(Side.Sell, Price(100)))) == (
        None,
        None,
        [],
    )
    assert len(book) == 1


def test_iteration_notices_that_orders_come_and_go():
    book = queued_book(1, 2, 3)
    for change in (
        lambda: book.add_order(9, Side.Sell, Price(101), Qty(1)),
        lambda: book.modify_order_qty(0, Qty(9)),
        lambda: book.delete_order(0),
        book.clear,
    ):
        walk = book.orders(Side.Buy, Price(100))
        next(walk)
        change()
        with pytest.raises(RuntimeError, match="during iteration"):
            next(walk)


def test_iteration_keeps_its_book_alive():
    walk = queued_book(1, 2).orders(Side.Buy, Price(100))
    assert [order.get_qty() for order in walk] == [Qty(1), Qty(2)]


def test_snapshots_are_values():
    book = queued_book(1, 2)
    order, level = book.get_order(0), book.get_best_bid_lvl()[1]
    book.clear()
    assert order == BookOrder(0, Side.Buy, Price(100), Qty(1)) != BookOrder(1, Side.Buy, Price(100), Qty(1))
    assert (
        level
        == OrderBookLevel(Side.Buy, Price(100), Qty(3), 2)
        != OrderBookLevel(Side.Buy, Price(100), Qty(3), 1)
    )
    assert level != PriceLevel(Side.Buy, Price(100), Qty(3)) != level
    assert pickle.loads(pickle.dumps((order, level))) == (order, level)
    assert len({order, BookOrder(0, Side.Buy, Price(100), Qty(1))}) == 1
    assert len({level, OrderBookLevel(Side.Buy, Price(100), Qty(3), 2)}) == 1
    assert repr(order) == "BookOrder(0, Side.Buy, Price('100.00000000'), Qty('1.00000000'))"
    assert repr(level) == "OrderBookLevel(Side.Buy, Price('100.00000000'), Qty('3.00000000'), 2)"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda book: book.add_order([], Side.Buy, Price(1), Qty(1)), "unhashable type: 'list'"),
        (
            lambda book: book.add_order(2, 1, Price(1), Qty(1)),
            r"side: expected Side\.Buy or Side\.Sell, got 1",
        ),
        (lambda book: book.add_order(2, Side.Buy, 1.0, Qty(1)), "'price'.*expected mlthon.*Price, got float"),
        (lambda book: book.modify_order_qty(1, "2"), "'new_qty'.*expected mlthon.*Qty, got str"),
        (lambda book: book.delete_order({}), "unhashable type: 'dict'"),
        (lambda book: book.get_qty_ahead([]), "unhashable type: 'list'"),
        (lambda book: book.orders("Buy", Price(1)), r"side: expected Side\.Buy or Side\.Sell, got 'Buy'"),
    ],
)
def test_a_wrong_type_is_named_and_changes_nothing(call, message):
    book = queued_book(1)
    with pytest.raises(TypeError, match=message):
        call(book)
    assert list(book.bids()) == [OrderBookLevel(Side.Buy, Price(100), Qty(1), 1)]
    assert book.get_num_ignored() == 0


def test_a_book_cannot_be_pickled_by_accident():
    with pytest.raises(TypeError, match="cannot pickle"):
        pickle.dumps(queued_book(1))
