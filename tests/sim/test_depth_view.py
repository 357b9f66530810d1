"""DepthView: whoever applies its changes holds the best levels of the book, and nothing else."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

from mlthon._core.depth_view import DepthView
from mlthon._core.price_book import PriceLevelBook
from mlthon.basics.defs import Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty


def best(book: PriceLevelBook, depth: int) -> tuple[list[list[str]], list[list[str]]]:
    """The best levels, by sorting."""
    sides = []
    for levels in (book.bids(), book.asks()):
        texts = [
            [f"{lvl.get_price().to_decimal():.2f}", f"{lvl.get_qty().to_decimal():.3f}"] for lvl in levels
        ]
        sides.append(texts[:depth])
    return sides[0], sides[1]


@pytest.mark.parametrize("seed", range(20))
def test_applying_the_changes_gives_the_best_levels(seed: int) -> None:
    rng = random.Random(seed)
    book, view = PriceLevelBook(), DepthView(depth := rng.randint(1, 6), 2, 3)
    held: tuple[dict[str, str], dict[str, str]] = ({}, {})
    for _ in range(300):
        for _ in range(rng.randint(0, 4)):
            index = rng.randint(0, 1)
            price = Price(Decimal(rng.randint(1, 20)) / 4)
            book.add_lvl((Side.Buy, Side.Sell)[index], price, Qty(Decimal(rng.randint(0, 3)) / 8))
        for side, entries in zip(held, view.changes(book), strict=True):
            assert len({price for price, _ in entries}) == len(entries), "a price stands once"
            for price, qty in entries:
                assert side.get(price) != qty, "an entry says something new"
                if qty == "0":
                    del side[price]
                else:
                    side[price] = qty
            assert len(side) <= depth
        assert view.snapshot() == best(book, depth)
        bids, asks = best(book, depth)
        assert held == (dict(bids), dict(asks)), f"seed {seed}"


def test_an_unchanged_book_has_no_changes() -> None:
    book, view = PriceLevelBook(), DepthView(50, 2, 3)
    book.add_lvl(Side.Sell, Price("61800.2"), Qty("0.014"))
    assert view.changes(book) == ([], [["61800.20", "0.014"]])
    assert view.changes(book) == ([], [])


def test_changes_below_the_depth_are_not_told() -> None:
    book, view = PriceLevelBook(), DepthView(1, 0, 0)
    book.add_lvl(Side.Buy, Price("10"), Qty("1"))
    view.changes(book)
    book.add_lvl(Side.Buy, Price("9"), Qty("1"))
    assert view.changes(book) == ([], [])


def test_a_level_that_moves_up_into_view_is_told() -> None:
    book, view = PriceLevelBook(), DepthView(1, 0, 0)
    book.add_lvl(Side.Buy, Price("10"), Qty("1"))
    book.add_lvl(Side.Buy, Price("9"), Qty("2"))
    view.changes(book)
    book.delete_lvl(Side.Buy, Price("10"))
    assert view.changes(book) == ([["10", "0"], ["9", "2"]], [])


def test_text_never_rounds() -> None:
    book, view = PriceLevelBook(), DepthView(1, 1, 0)
    book.add_lvl(Side.Buy, Price("0.123"), Qty("1.5"))
    assert view.changes(book) == ([["0.123", "1.5"]], [])


@pytest.mark.parametrize("arguments", [(0, 2, 3), (-1, 2, 3), (10**6, 2, 3), (1, -1, 3), (1, 2, 19)])
def test_impossible_depths_and_decimals_are_refused(arguments: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="expected"):
        DepthView(*arguments)
