"""LevelBook against a list of levels in the order they came."""

from __future__ import annotations

import pickle
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlthon.basics.defs import Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.order.books.level_book import BookLevel, LevelBook
from mlthon.order.books.price_level_book import PriceLevel

SIDES = (Side.Buy, Side.Sell)
SMALLEST = Decimal("1e-18")

level_ids = st.integers(0, 12) | st.sampled_from([-1, 2**63, 10**40])
prices = st.sampled_from([Decimal(99), Decimal(100), Decimal(101), SMALLEST, Decimal("1e20")])
qtys = st.sampled_from([Decimal(0), SMALLEST, Decimal(1), Decimal(2), Decimal("1e20"), Decimal(-1)])
operations = st.lists(
    st.one_of(
        st.tuples(st.just("add"), level_ids, st.sampled_from(SIDES), prices, qtys),
        st.tuples(st.just("modify"), level_ids, qtys),
        st.tuples(st.just("delete"), level_ids),
        st.tuples(st.just("best"), st.sampled_from(SIDES)),
        st.just(("clear",)),
    ),
    max_size=200,
)

Row = tuple[int, Side, Decimal, Decimal]


class ListBook:
    """What a LevelBook must do, in the plainest words: rows in the order they came."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.touched = {Side.Buy: False, Side.Sell: False}
        self.ignored = 0

    def depth(self, side: Side) -> list[Row]:
        rows = [row for row in self.rows if row[1] is side]
        return sorted(
            rows, key=lambda row: -row[2] if side is Side.Buy else row[2]
        )  # stable: first come first

    def best(self, side: Side) -> Row | None:
        return next(iter(self.depth(side)), None)

    def apply(self, name: str, *arguments) -> None:
        before = {side: self.best(side) for side in SIDES}
        getattr(self, name)(*arguments)
        for side in SIDES:
            self.touched[side] |= self.best(side) != before[side]

    def add(self, level_id: int, side: Side, price: Decimal, qty: Decimal) -> None:
        index = self.index_of(level_id)
        if qty < 0 or (index is None and qty == 0):
            self.ignored += 1
        elif index is not None and (qty == 0 or self.rows[index][1:3] == (side, price)):
            self.modify(level_id, qty)
        else:
            self.rows = [row for row in self.rows if row[0] != level_id]
            self.rows.append((level_id, side, price, qty))

    def modify(self, level_id: int, qty: Decimal) -> None:
        index = self.index_of(level_id)
        if index is None or qty < 0:
            self.ignored += 1
        elif qty == 0:
            del self.rows[index]
        else:
            self.rows[index] = (*self.rows[index][:3], qty)

    def delete(self, level_id: int) -> None:
        self.modify(level_id, Decimal(0))

    def clear(self) -> None:
        self.rows.clear()

    def index_of(self, level_id: int) -> int | None:
        return next((index for index, row in enumerate(self.rows) if row[0] == level_id), None)


def plain(level: BookLevel) -> Row:
    return (
        level.get_level_id(),
        level.get_side(),
        level.get_price().to_decimal(),
        level.get_qty().to_decimal(),
    )


def ask_best(book: LevelBook, model: ListBook, side: Side) -> None:
    updated, level = book.get_best_bid_lvl() if side is Side.Buy else book.get_best_ask_lvl()
    assert (None if level is None else plain(level)) == model.best(side)
    assert updated is model.touched[side]
    model.touched[side] = False


@settings(max_examples=300, deadline=None)
@given(operations)
def test_agrees_with_a_list(steps):
    book, model = LevelBook(), ListBook()
    for name, *arguments in steps:
        if name == "best":
            ask_best(book, model, *arguments)
            continue
        model.apply(name, *arguments)
        if name == "add":
            level_id, side, price, qty = arguments
            book.add_lvl(level_id, side, Price(price), Qty(qty))
        elif name == "modify":
            level_id, qty = arguments
            book.modify_lvl_qty(level_id, Qty(qty))
        elif name == "delete":
            book.delete_lvl(*arguments)
        else:
            book.clear()
        assert len(book) == len(model.rows)
    assert [plain(level) for level in book.bids()] == model.depth(Side.Buy)
    assert [plain(level) for level in book.asks()] == model.depth(Side.Sell)
    assert book.get_num_ignored() == model.ignored
    for side in SIDES:
        ask_best(book, model, side)


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
