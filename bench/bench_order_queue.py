"""Whether an order book stays fast when many orders stand at one price: long queues beside one of ten orders.

To ask what is ahead of an order, and to let one come and go, takes steps by the logarithm of the queue's length.
"""

from __future__ import annotations

import pytest
from interleave import loop

from mlthon.basics.defs import Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.order.books.order_book import OrderBook

SHORT = 10
PRICE, QTY = Price("60000"), Qty("1.5")


def queue_of(orders: int) -> OrderBook:
    book = OrderBook()
    for order_id in range(orders):
        book.add_order(order_id, Side.Buy, PRICE, QTY)
    assert book.get_qty_ahead(orders - 1) == QTY * (orders - 1)
    return book


@pytest.mark.parametrize("orders", [1_000, 100_000])
@pytest.mark.parametrize(
    ("what", "statement"),
    [
        ("what is ahead of the last order", "book.get_qty_ahead(last)"),
        ("an order comes and goes", "book.add_order(-1, side, price, qty); book.delete_order(-1)"),
    ],
)
def test_a_long_queue_beside_a_short_one(compare, what, statement, orders):
    common = {"side": Side.Buy, "price": PRICE, "qty": QTY}
    compare(
        f"{what}, {orders:,} orders at its price",
        ours=loop(statement, book=queue_of(orders), last=orders - 1, **common),
        theirs=loop(statement, book=queue_of(SHORT), last=SHORT - 1, **common),
        beside=f"with {SHORT}",
        at_most=3,
    )
