"""What the values and the books cost, one call at a time: ``pytest bench``.

Wall time, for reading. Compare the rows of one run with each other; a number from another machine or another day says
nothing. Each timed call includes Python's own cost of making it.
"""

from __future__ import annotations

import pytest

from mlthon._core import buildinfo
from mlthon.basics.defs import Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.order.books.price_level_book import PriceLevelBook

LEVELS = 200  # a side, as deep as the books that venues send


@pytest.fixture(autouse=True, scope="module")
def release_build():
    """Refuse to time a core that checks itself."""
    assert buildinfo.is_release(), (
        f"expected a release build, got {buildinfo.MODE}: unset MLTHON_BUILD and rebuild"
    )


@pytest.fixture
def book() -> PriceLevelBook:
    """A book of `LEVELS` levels a side, a tick of 0.1 apart."""
    filled = PriceLevelBook()
    for depth in range(LEVELS):
        filled.add_lvl(Side.Buy, Price(f"{50_000 - depth}.0") / 10, Qty("1.5"))
        filled.add_lvl(Side.Sell, Price(f"{50_001 + depth}.0") / 10, Qty("1.5"))
    assert len(filled) == 2 * LEVELS
    return filled


def test_parse_a_price(benchmark):
    assert benchmark(Price, "9226.5") == Price("9226.50000000")


def test_add_two_prices(benchmark):
    one, other = Price("9226.5"), Price("0.5")
    assert benchmark(one.__add__, other) == Price("9227")


def test_price_times_qty(benchmark):
    price, qty = Price("9226.5"), Qty("0.125")
    assert benchmark(price.__mul__, qty) == Price("9226.5").to_mldecimal() / 8


def test_change_a_quantity_at_the_top_twice(benchmark, book):
    change_twice(benchmark, book, Price("5000"))


def test_change_a_quantity_in_the_middle_twice(benchmark, book):
    change_twice(benchmark, book, Price("5000") - Price("0.1") * (LEVELS // 2))


def change_twice(benchmark, book, price):
    """Time two changes: a change to the quantity that is there already would be none."""
    less, more = Qty("1.5"), Qty("2.5")

    def there_and_back() -> None:
        book.modify_lvl_qty(Side.Buy, price, more)
        book.modify_lvl_qty(Side.Buy, price, less)

    benchmark(there_and_back)
    assert book.get_num_ignored() == 0


def test_add_and_delete_a_level_at_the_top(benchmark, book):
    price, qty = Price("5000.05"), Qty("2.5")

    def add_and_delete() -> None:
        book.add_lvl(Side.Buy, price, qty)
        book.delete_lvl(Side.Buy, price)

    benchmark(add_and_delete)
    assert len(book) == 2 * LEVELS
