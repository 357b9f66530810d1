"""Recorded order-by-order feeds through OrderBook, beside a model that keeps orders in a dict and queues in lists.

Bitfinex: a snapshot of 50 orders, then 100,000 changes by id; price 0 deletes, a known id with another price moves.
Bitstamp: no snapshot, and some deletes are missing, so the book crosses and holds orders that are long gone: what
matters is that the two agree throughout.
"""

from __future__ import annotations

import gzip
import json
import lzma
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pytest

from mlthon.basics.defs import Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.order.books.order_book import OrderBook

SIDES = (Side.Buy, Side.Sell)
WHOLE_CHECKS = 200  # a tape, evenly spread

Change = tuple[str, int, Side | None, str, str]  # what, id, side, price, qty; text as recorded


@dataclass
class ListedOrders:
    """Orders by id, and for each side and price the ids in the order of the queue."""

    orders: dict[int, tuple[Side, Decimal, Decimal]] = field(default_factory=dict)
    queues: dict[tuple[Side, Decimal], list[int]] = field(default_factory=dict)
    ignored: int = 0

    def put(self, order_id: int, side: Side, price: Decimal, qty: Decimal) -> None:
        if self.orders.get(order_id, ())[:2] == (side, price):
            self.change(order_id, qty)
        else:
            if order_id in self.orders:
                self.delete(order_id)
            self.orders[order_id] = side, price, qty
            self.queues.setdefault((side, price), []).append(order_id)

    def change(self, order_id: int, qty: Decimal) -> None:
        if order_id not in self.orders:
            self.ignored += 1
            return
        side, price, before = self.orders[order_id]
        if qty > before:
            self.delete(order_id)
            self.put(order_id, side, price, qty)
        self.orders[order_id] = side, price, qty

    def delete(self, order_id: int) -> None:
        if order_id not in self.orders:
            self.ignored += 1
            return
        side, price, _ = self.orders.pop(order_id)
        queue = self.queues[side, price]
        queue.remove(order_id)
        if not queue:
            del self.queues[side, price]

    def qty_ahead(self, order_id: int) -> Decimal:
        queue = self.queues[self.orders[order_id][:2]]
        return sum((self.orders[other][2] for other in queue[: queue.index(order_id)]), Decimal(0))

    def levels(self, side: Side) -> list[tuple[Decimal, Decimal, int]]:
        return sorted(
            (
                (price, sum(self.orders[order_id][2] for order_id in queue), len(queue))
                for (at, price), queue in self.queues.items()
                if at is side
            ),
            reverse=side is Side.Buy,
        )


def bitfinex_changes(path: Path) -> Iterator[Change]:
    with gzip.open(path, "rt") as file:
        frames = json.load(file, parse_float=str, parse_int=str)
    _, _, (_, snapshot), *changes = frames
    for order_id, price, amount in [*snapshot, *(change for _, change in changes)]:
        side = Side.Sell if amount.startswith("-") else Side.Buy
        yield "delete" if price == "0" else "put", int(order_id), side, price, amount.removeprefix("-")


def bitstamp_changes(path: Path) -> Iterator[Change]:
    kinds = {"order_created": "put", "order_changed": "change", "order_deleted": "delete"}
    with lzma.open(path, "rt") as file:
        for line in file:
            _, event, content = line.split(" ", 2)
            if event in kinds:
                order = json.loads(content)
                side = Side.Sell if order["order_type"] else Side.Buy
                yield kinds[event], order["id"], side, order["price"], order["amount"]


TAPES = {
    "bitfinex/btcusd_r0_l3.json.gz": bitfinex_changes,
    "bitstamp/btcusd_20150501.log.xz": bitstamp_changes,
}


@pytest.mark.parametrize("tape", TAPES)
def test_agrees_with_lists_throughout(captures: Path, tape: str) -> None:
    book, listed = OrderBook(), ListedOrders()
    changes = list(TAPES[tape](captures / tape))
    counts: Counter[str] = Counter()
    crossed = 0
    for n, (what, order_id, side, price, qty) in enumerate(changes):
        if what == "put":
            book.add_order(order_id, side, Price(price), Qty(qty))
            listed.put(order_id, side, Decimal(price), Decimal(qty))
        elif what == "change":
            book.modify_order_qty(order_id, Qty(qty))
            listed.change(order_id, Decimal(qty))
        else:
            book.delete_order(order_id)
            listed.delete(order_id)
        counts[what] += 1
        crossed += book.is_crossed()
        check_order(book, listed, order_id)
        if n % (len(changes) // WHOLE_CHECKS) == 0:
            check_whole(book, listed)
    check_whole(book, listed)
    print(tape, dict(counts), f"crossed after {crossed}", f"{len(book)} orders left")
    assert counts.total() > 50_000
    assert counts["delete"] > 20_000


def check_order(book: OrderBook, listed: ListedOrders, order_id: int) -> None:
    order = book.get_order(order_id)
    assert (order is not None) is (order_id in listed.orders)
    if order is not None:
        side, price, qty = listed.orders[order_id]
        assert order.get_side() is side
        assert (order.get_price().to_decimal(), order.get_qty().to_decimal()) == (price, qty)
        assert book.get_qty_ahead(order_id).to_decimal() == listed.qty_ahead(order_id)


def check_whole(book: OrderBook, listed: ListedOrders) -> None:
    assert len(book) == len(listed.orders)
    assert book.get_num_ignored() == listed.ignored
    for side in SIDES:
        levels = listed.levels(side)
        came = [
            (level.get_price().to_decimal(), level.get_qty().to_decimal(), level.get_num_orders())
            for level in (book.bids() if side is Side.Buy else book.asks())
        ]
        assert came == levels
        for price, _, _ in levels[:: len(levels) // 10 + 1]:
            ids = [order.get_order_id() for order in book.orders(side, Price(price))]
            assert ids == listed.queues[side, price]
