"""Random steps for the trials of `book_models`: long runs on prices of every kind, from a seeded generator."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from random import Random

from book_models import LARGEST, ONE, SIDES, Step

__all__ = ["PRICE_KINDS", "price_steps", "queue_steps", "random_prices"]

PRICE_KINDS = ("ticks", "neighbours", "anything", "magnitudes")


def random_prices(rnd: Random, kind: str, count: int) -> list[int]:
    """Up to ``count`` different prices, sorted.

    Ticks are what a venue lists; neighbours differ by the last decimal of a large number, so that keys shorter than
    prices cannot tell them apart; magnitudes are of every size and both signs.
    """
    if kind == "ticks":
        tick = 10 ** rnd.randint(6, 18)
        first = rnd.randint(1, 10**6)
        return [(first + n) * tick for n in range(count)]
    if kind == "neighbours":
        first = rnd.choice((10**38, -(10**38), 6 * 10**22, LARGEST - count, -LARGEST - 1))
        return [first + n for n in range(count)]
    if kind == "anything":
        return sorted({rnd.randint(-LARGEST - 1, LARGEST) for _ in range(count)})
    return sorted({rnd.choice((1, -1)) * (rnd.randint(0, 99) << rnd.randint(0, 120)) for _ in range(count)})


def price_steps(rnd: Random, prices: list[int], count: int) -> Iterator[Step]:
    """Steps of a book by price, in phases that fill it and phases that empty it."""
    for place, leave in _phases(rnd, count):
        side = rnd.choice(SIDES)
        draw = rnd.random()
        if draw < leave:
            yield "delete", side, prices[place(len(prices))]
        elif draw < 0.95:
            name = "add" if draw < 0.75 else "modify"
            yield name, side, prices[place(len(prices))], _random_qty(rnd)
        elif draw < 0.9999:
            yield "best", side
        else:
            yield ("clear",)


def queue_steps(rnd: Random, prices: list[int], ids: list[Hashable], count: int) -> Iterator[Step]:
    """Steps of a book by id, in phases that fill it and phases that empty it."""
    for place, leave in _phases(rnd, count):
        order_id = rnd.choice(ids)
        draw = rnd.random()
        if draw < leave:
            yield "delete", order_id
        elif draw < 0.75:
            yield "add", order_id, rnd.choice(SIDES), prices[place(len(prices))], _random_qty(rnd)
        elif draw < 0.95:
            yield "modify", order_id, _random_qty(rnd)
        elif draw < 0.9999:
            yield "best", rnd.choice(SIDES)
        else:
            yield ("clear",)


def _phases(rnd: Random, count: int):
    """For each step, a way to pick an index and the share of deletions; both change every few hundred steps."""
    while count > 0:
        length = min(rnd.randint(100, 3000), count)
        count -= length
        leave = rnd.choice((0.1, 0.4, 0.7))
        skew = rnd.choice((1, 3))
        low, high = sorted((rnd.random(), rnd.random())) if rnd.random() < 0.3 else (0.0, 1.0)

        def place(size: int, skew: int = skew, low: float = low, high: float = high) -> int:
            return int(size * (low + (high - low) * rnd.random() ** skew))

        for _ in range(length):
            yield place, leave


def _random_qty(rnd: Random) -> int:
    draw = rnd.random()
    if draw < 0.97:
        return rnd.randint(1, 1000) * ONE // 1000
    return rnd.choice((0, -1, -ONE, 1, LARGEST, LARGEST // 2, rnd.randint(1, LARGEST)))
