"""What the books must do, in the plainest words, and trials that hold a book to its model step by step.

Models count in mantissas (10**-18) and know nothing of the books' code. A step is ``(name, *arguments)``; a trial
takes it to the book and to the model and compares what both answer. `tools/soak/books.py` uses them as well.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from fractions import Fraction
from functools import lru_cache
from typing import Any

from sortedcontainers import SortedDict

from mlthon.basics.defs import Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.order.books.level_book import LevelBook
from mlthon.order.books.order_book import OrderBook
from mlthon.order.books.price_level_book import PriceLevelBook

SIDES = (Side.Buy, Side.Sell)
ONE = 10**18
LARGEST = 2**127 - 1

Pairs = list[tuple[int, int]]  # (price, qty), best first
Step = tuple[Any, ...]


# -- queries, from a side's levels ---------------------------------------------------------------------------------


def within(total: int) -> int:
    """The total, if a value can hold it."""
    if total > LARGEST:
        raise OverflowError(total)
    return total


def volume_to(side: Side, levels: Pairs, price: int) -> int:
    return within(sum(qty for at, qty in levels if (at >= price if side is Side.Buy else at <= price)))


def avg_price(levels: Pairs, qty: int) -> int | None:
    paid, left = 0, qty
    for price, there in levels:
        paid += price * min(there, left)
        left -= min(there, left)
        if left == 0:
            return round(Fraction(paid, qty))  # half-even
    return None


def mid_price(bids: Pairs, asks: Pairs) -> int | None:
    return round(Fraction(bids[0][0] + asks[0][0], 2)) if bids and asks else None


def micro_price(bids: Pairs, asks: Pairs) -> int | None:
    if not bids or not asks:
        return None
    (bid, bid_qty), (ask, ask_qty) = bids[0], asks[0]
    return round(Fraction(bid * ask_qty + ask * bid_qty, within(bid_qty + ask_qty)))


def imbalance(bids: Pairs, asks: Pairs, n: int) -> int | None:
    bid_qty = within(sum(qty for _, qty in bids[:n]))
    ask_qty = within(sum(qty for _, qty in asks[:n]))
    total = within(bid_qty + ask_qty)
    return round(Fraction((bid_qty - ask_qty) * ONE, total)) if total else None


# -- models --------------------------------------------------------------------------------------------------------


class Model:
    """What all books have in common. `front` is what must change for a side to count as updated."""

    def __init__(self) -> None:
        self.ignored = 0
        self.touched = dict.fromkeys(SIDES, False)
        self.seen: dict[Side, object] = dict.fromkeys(SIDES)

    def front(self, side: Side) -> object:
        raise NotImplementedError

    def levels(self, side: Side) -> Pairs:
        raise NotImplementedError

    def apply(self, name: str, *arguments: Any) -> None:
        getattr(self, name)(*arguments)
        for side in SIDES:
            front = self.front(side)
            if front != self.seen[side]:
                self.seen[side], self.touched[side] = front, True


class PriceModel(Model):
    """A quantity a price."""

    def __init__(self) -> None:
        super().__init__()
        self.sides = {side: SortedDict() for side in SIDES}  # by minus the price for bids

    def front(self, side: Side) -> tuple[int, int] | None:
        return self.sides[side].peekitem(0) if self.sides[side] else None

    def levels(self, side: Side) -> Pairs:
        return [(rank(side, key), qty) for key, qty in self.sides[side].items()]

    def add(self, side: Side, price: int, qty: int) -> None:
        levels, key = self.sides[side], rank(side, price)
        if qty < 0 or (qty == 0 and key not in levels):
            self.ignored += 1
        elif qty == 0:
            del levels[key]
        else:
            levels[key] = qty

    def modify(self, side: Side, price: int, qty: int) -> None:
        if rank(side, price) in self.sides[side]:
            self.add(side, price, qty)
        else:
            self.ignored += 1

    def delete(self, side: Side, price: int) -> None:
        self.add(side, price, 0)

    def clear(self) -> None:
        for levels in self.sides.values():
            levels.clear()


class QueueModel(Model):
    """A queue of quantities with ids a price: dicts, which remember in what order their keys came."""

    def __init__(self, *, more_goes_back: bool) -> None:
        super().__init__()
        self.more_goes_back = more_goes_back
        self.sides = {side: SortedDict() for side in SIDES}  # minus the price for bids -> {id: qty}
        self.places: dict[Hashable, tuple[Side, int]] = {}

    def levels(self, side: Side) -> Pairs:
        return [(rank(side, key), sum(queue.values())) for key, queue in self.sides[side].items()]

    def queue(self, side: Side, price: int) -> dict[Hashable, int]:
        return self.sides[side].get(rank(side, price), {})

    def order(self, order_id: Hashable) -> tuple[Hashable, Side, int, int] | None:
        if order_id not in self.places:
            return None
        side, price = self.places[order_id]
        return order_id, side, price, self.queue(side, price)[order_id]

    def qty_ahead(self, order_id: Hashable) -> int | None:
        if order_id not in self.places:
            return None
        ahead = 0
        for other, qty in self.queue(*self.places[order_id]).items():
            if other == order_id:
                break
            ahead += qty
        return ahead

    def add(self, order_id: Hashable, side: Side, price: int, qty: int) -> None:
        if qty <= 0 or self.places.get(order_id) == (side, price):
            self.modify(order_id, qty)
        else:
            within(sum(self.queue(side, price).values()) + qty)
            if order_id in self.places:
                self.remove(order_id)
            self.sides[side].setdefault(rank(side, price), {})[order_id] = qty
            self.places[order_id] = side, price

    def modify(self, order_id: Hashable, qty: int) -> None:
        if order_id not in self.places or qty < 0:
            self.ignored += 1
        elif qty == 0:
            self.remove(order_id)
        else:
            queue = self.queue(*self.places[order_id])
            within(sum(queue.values()) - queue[order_id] + qty)
            if qty > queue[order_id] and self.more_goes_back:
                del queue[order_id]
            queue[order_id] = qty

    def delete(self, order_id: Hashable) -> None:
        self.modify(order_id, 0)

    def remove(self, order_id: Hashable) -> None:
        side, price = self.places.pop(order_id)
        queue = self.queue(side, price)
        del queue[order_id]
        if not queue:
            del self.sides[side][rank(side, price)]

    def clear(self) -> None:
        self.places.clear()
        for queues in self.sides.values():
            queues.clear()


class LevelModel(QueueModel):
    """Every id is a level: the best one is the first of the best price, and news of it is news."""

    def __init__(self) -> None:
        super().__init__(more_goes_back=False)

    def front(self, side: Side) -> object:
        if not self.sides[side]:
            return None
        key, queue = self.sides[side].peekitem(0)
        return key, *next(iter(queue.items()))


class OrderModel(QueueModel):
    """Every price is a level: the best one with all its quantity."""

    def __init__(self) -> None:
        super().__init__(more_goes_back=True)

    def front(self, side: Side) -> object:
        if not self.sides[side]:
            return None
        key, queue = self.sides[side].peekitem(0)
        return key, sum(queue.values())


def rank(side: Side, price: int) -> int:
    """From a price to what sorts best first, and back."""
    return -price if side is Side.Buy else price


# -- trials --------------------------------------------------------------------------------------------------------


class Trial:
    """A book beside its model."""

    def __init__(self, book: Any, model: Any, what: str) -> None:
        self.book = book
        self.model = model
        self.calls = {  # what a step is called
            "add": getattr(book, f"add_{what}"),
            "modify": getattr(book, f"modify_{what}_qty"),
            "delete": getattr(book, f"delete_{what}"),
            "clear": book.clear,
        }

    def step(self, name: str, *arguments: Any) -> None:
        """Take a step with both, and compare what is quickly compared."""
        if name == "best":
            self.check_best(*arguments)
            return
        expected = outcome(self.model.apply, name, *arguments)
        came = outcome(self.calls[name], *self.values(name, arguments))
        assert came == expected, f"{name}{arguments}: expected {expected}, got {came}"
        assert len(self.book) == self.length()

    def run(self, steps: Iterable[Step]) -> None:
        for step in steps:
            self.step(*step)
        self.check()

    def check(self) -> None:
        """Compare everything there is to ask for."""
        for side in SIDES:
            self.check_side(side)
            self.check_best(side)
        assert self.book.get_num_ignored() == self.model.ignored
        bids, asks = (self.model.levels(side) for side in SIDES)
        assert self.book.is_crossed() is bool(bids and asks and bids[0][0] >= asks[0][0])
        assert outcome(self.book.get_mid_price) == outcome(mid_price, bids, asks)
        assert outcome(self.book.get_micro_price) == outcome(micro_price, bids, asks)
        for n in (1, 2, 1000):
            assert outcome(self.book.get_imbalance, n) == outcome(imbalance, bids, asks, n)
        for side, levels in zip(SIDES, (bids, asks), strict=True):
            self.check_queries(side, levels)

    def check_queries(self, side: Side, levels: Pairs) -> None:
        total, volume = 0, self.book.get_volume_to
        for price, qty in [*levels[:3], *levels[3 :: len(levels) // 20 + 1], *levels[-1:]]:
            for at in (price - 1, price, price + 1):
                if abs(at) <= LARGEST:
                    assert outcome(volume, side, price_of(at)) == outcome(volume_to, side, levels, at)
            total += qty
            for wanted in {1, qty, total - 1, total, total + 1, total // 3}:
                if 0 < wanted <= LARGEST:
                    average = outcome(self.book.get_avg_price, side, qty_of(wanted))
                    assert average == avg_price(levels, wanted), (side, wanted)

    def check_best(self, side: Side) -> None:
        ask = self.book.get_best_bid_lvl if side is Side.Buy else self.book.get_best_ask_lvl
        updated, level = ask()
        assert (level and self.plain(level)) == self.best(side)
        assert updated is self.model.touched[side]
        self.model.touched[side] = False

    def check_side(self, side: Side) -> None:
        expected = self.shown(side)
        walk = self.book.bids() if side is Side.Buy else self.book.asks()
        assert [self.plain(level) for level in walk] == expected
        for n in (0, 1, 5):
            assert [self.plain(level) for level in self.book.get_lvls(side, n)] == expected[:n]

    def best(self, side: Side) -> object:
        return next(iter(self.shown(side)), None)

    def length(self) -> int:
        raise NotImplementedError

    def values(self, name: str, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        raise NotImplementedError

    def shown(self, side: Side) -> list[Any]:
        """A side as iteration shows it, in plain values."""
        raise NotImplementedError

    def plain(self, level: Any) -> Any:
        return level.get_price().mantissa, level.get_qty().mantissa


class PriceTrial(Trial):
    def __init__(self) -> None:
        super().__init__(PriceLevelBook(), PriceModel(), "lvl")

    def length(self) -> int:
        return sum(map(len, self.model.sides.values()))

    def values(self, name: str, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        side, price, *qty = arguments or (None, None)
        return (side, price_of(price), *map(qty_of, qty)) if arguments else ()

    def shown(self, side: Side) -> Pairs:
        return self.model.levels(side)

    def best(self, side: Side) -> object:
        front = self.model.front(side)
        return front and (rank(side, front[0]), front[1])


class QueueTrial(Trial):
    def length(self) -> int:
        return len(self.model.places)

    def values(self, name: str, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        if name == "add":
            order_id, side, price, qty = arguments
            return order_id, side, price_of(price), qty_of(qty)
        return (*arguments[:1], *map(qty_of, arguments[1:]))


class LevelTrial(QueueTrial):
    def __init__(self) -> None:
        super().__init__(LevelBook(), LevelModel(), "lvl")

    def shown(self, side: Side) -> list[Any]:
        return [
            (level_id, side, rank(side, key), qty)
            for key, queue in self.model.sides[side].items()
            for level_id, qty in queue.items()
        ]

    def plain(self, level: Any) -> Any:
        return level.get_level_id(), level.get_side(), *super().plain(level)


class OrderTrial(QueueTrial):
    def __init__(self) -> None:
        super().__init__(OrderBook(), OrderModel(), "order")

    def step(self, name: str, *arguments: Any) -> None:
        super().step(name, *arguments)
        if name in ("add", "modify", "delete"):
            self.check_order(arguments[0])

    def check(self) -> None:
        super().check()
        for order_id in self.model.places:
            self.check_order(order_id)
        for side in SIDES:
            for price, _ in self.model.levels(side):
                expected = [
                    (order_id, side, price, qty) for order_id, qty in self.model.queue(side, price).items()
                ]
                assert [plain_order(order) for order in self.book.orders(side, price_of(price))] == expected

    def check_order(self, order_id: Hashable) -> None:
        order = self.book.get_order(order_id)
        assert (order and plain_order(order)) == self.model.order(order_id)
        assert outcome(self.book.get_qty_ahead, order_id) == self.model.qty_ahead(order_id)
        assert (order_id in self.book) is (order is not None)

    def shown(self, side: Side) -> list[Any]:
        return [
            (rank(side, key), sum(queue.values()), len(queue))
            for key, queue in self.model.sides[side].items()
        ]

    def best(self, side: Side) -> object:
        if not self.model.sides[side]:
            return None
        key, queue = self.model.sides[side].peekitem(0)
        return rank(side, key), sum(queue.values()), len(queue)

    def plain(self, level: Any) -> Any:
        return *super().plain(level), level.get_num_orders()


def plain_order(order: Any) -> tuple[Hashable, Side, int, int]:
    return order.get_order_id(), order.get_side(), order.get_price().mantissa, order.get_qty().mantissa


def outcome(call: Callable[..., Any], *arguments: Any) -> Any:
    """What a call answers, in plain values, or the type of what it raises."""
    try:
        answer = call(*arguments)
    except OverflowError:
        return OverflowError
    return getattr(answer, "mantissa", answer)


@lru_cache(maxsize=100_000)
def price_of(mantissa: int) -> Price:
    return Price.from_mantissa(mantissa)


@lru_cache(maxsize=100_000)
def qty_of(mantissa: int) -> Qty:
    return Qty.from_mantissa(mantissa)
