"""What a call on a book costs from Python, on each of the three books.

Each has 200 levels a side, with three orders at a price where orders are told apart. A call that changes a book is
timed with the one that changes it back.
"""

from __future__ import annotations

import pytest

from mlthon.basics.defs import Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.order.books.level_book import LevelBook
from mlthon.order.books.order_book import OrderBook
from mlthon.order.books.price_level_book import PriceLevelBook

BUY, SELL = Side.Buy, Side.Sell  # looked up once: that costs more than a call on a book
LEVELS = 200  # a side, as deep as the books that venues send
ORDERS = 3  # a price
TICK = Price("0.1")
BID, ASK = Price("60000.0"), Price("60000.1")
LESS, MORE = Qty("1.5"), Qty("2.5")
DEEP = LEVELS // 2

Book = PriceLevelBook | LevelBook | OrderBook


def price_level_book() -> PriceLevelBook:
    book = PriceLevelBook()
    for depth in range(LEVELS):
        book.add_lvl(BUY, BID - TICK * depth, LESS)
        book.add_lvl(SELL, ASK + TICK * depth, LESS)
    return book


def level_book() -> LevelBook:
    book = LevelBook()
    for depth in range(LEVELS):
        for n in range(ORDERS):
            book.add_lvl(2 * (ORDERS * depth + n), BUY, BID - TICK * depth, LESS)
            book.add_lvl(2 * (ORDERS * depth + n) + 1, SELL, ASK + TICK * depth, LESS)
    return book


def order_book() -> OrderBook:
    book = OrderBook()
    for depth in range(LEVELS):
        for n in range(ORDERS):
            book.add_order(2 * (ORDERS * depth + n), BUY, BID - TICK * depth, LESS)
            book.add_order(2 * (ORDERS * depth + n) + 1, SELL, ASK + TICK * depth, LESS)
    return book


MAKERS = {"price": price_level_book, "level": level_book, "order": order_book}


@pytest.fixture(params=MAKERS)
def book(request: pytest.FixtureRequest) -> Book:
    return MAKERS[request.param]()


@pytest.mark.parametrize("depth", [0, DEEP], ids=["top", "middle"])
def test_change_a_quantity_and_change_it_back(benchmark, book, depth):
    price, bid_id = BID - TICK * depth, 2 * ORDERS * depth

    def by_price() -> None:
        book.modify_lvl_qty(BUY, price, MORE)
        book.modify_lvl_qty(BUY, price, LESS)

    def by_id() -> None:
        modify(bid_id, MORE)
        modify(bid_id, LESS)

    modify = book.modify_order_qty if isinstance(book, OrderBook) else book.modify_lvl_qty
    benchmark(by_price if isinstance(book, PriceLevelBook) else by_id)
    assert book.get_num_ignored() == 0


@pytest.mark.parametrize("depth", [-1, DEEP], ids=["above the top", "in the middle"])
def test_add_a_price_and_delete_it(benchmark, book, depth):
    price = BID - TICK * depth + Price("0.05")

    def by_price() -> None:
        book.add_lvl(BUY, price, MORE)
        book.delete_lvl(BUY, price)

    def by_id() -> None:
        add(-1, BUY, price, MORE)
        delete(-1)

    add, delete = (
        (book.add_order, book.delete_order)
        if isinstance(book, OrderBook)
        else (book.add_lvl, book.delete_lvl)
    )
    benchmark(by_price if isinstance(book, PriceLevelBook) else by_id)
    assert book.get_best_bid_lvl()[1].get_price() == BID
    assert book.get_num_ignored() == 0


def test_ask_for_the_best_bid(benchmark, book):
    assert benchmark(book.get_best_bid_lvl)[1].get_price() == BID


def test_list_ten_levels(benchmark, book):
    assert len(benchmark(book.get_lvls, SELL, 10)) == 10


@pytest.mark.parametrize("levels", [1, 10, LEVELS])
def test_sum_the_volume_to_a_price(benchmark, book, levels):
    volume = benchmark(book.get_volume_to, SELL, ASK + TICK * (levels - 1))
    assert volume == LESS * levels * (1 if isinstance(book, PriceLevelBook) else ORDERS)


@pytest.mark.parametrize("levels", [1, 10, LEVELS])
def test_average_the_price_of_a_quantity(benchmark, book, levels):
    qty = book.get_volume_to(SELL, ASK + TICK * (levels - 1))
    assert benchmark(book.get_avg_price, SELL, qty) == ASK + Price("0.05") * (levels - 1)


def test_micro_price(benchmark, book):
    assert BID < benchmark(book.get_micro_price) < ASK


def test_imbalance_of_five_prices(benchmark, book):
    assert benchmark(book.get_imbalance, 5).is_zero()
