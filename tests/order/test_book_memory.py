"""Books give back what they take, and take nothing for an update; measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

PRELUDE = """
import gc, sys, tracemalloc
from mlthon.basics.defs import Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.order.books.level_book import LevelBook
from mlthon.order.books.order_book import OrderBook
from mlthon.order.books.price_level_book import PriceLevelBook

PRICES = [Price(1000 + n) for n in range(300)]
QTYS = [Qty(n + 1) for n in range(7)]

def price_level_book():
    book = PriceLevelBook()
    update_prices(book)
    return book

def update_prices(book):
    for n, price in enumerate(PRICES):
        book.add_lvl(Side.Buy, price, QTYS[n % 7])
        book.modify_lvl_qty(Side.Buy, price, QTYS[n % 5])
    for price in PRICES[::2]:
        book.delete_lvl(Side.Buy, price)
        book.delete_lvl(Side.Sell, price)

def level_book():
    book = LevelBook()
    update_levels(book)
    return book

def update_levels(book):
    for n in range(300):
        book.add_lvl(n, Side.Sell, PRICES[n % 10], QTYS[n % 7])
        book.modify_lvl_qty(n, QTYS[n % 5])
    for n in range(0, 300, 2):
        book.delete_lvl(n)
        book.delete_lvl(n)

def order_book():
    book = OrderBook()
    update_orders(book)
    return book

def update_orders(book):
    for n in range(300):
        book.add_order(n, Side.Sell, PRICES[n * n % 10], QTYS[n % 7])
        book.modify_order_qty(n, QTYS[n % 5])
    for n in range(300, 900):
        book.add_order("passing", Side.Buy, PRICES[n % 300], QTYS[n % 7])
        book.add_order(-n, Side.Sell, PRICES[0], QTYS[n % 7])
        book.delete_order(-n)
    for n in range(0, 300, 2):
        book.delete_order(n)
        book.delete_order(n)

def query(book):
    for side in (book.bids(), book.asks()):
        for level in side:
            hash(level), str(level), level == level, level.get_price(), level.get_qty()
    for side in (Side.Buy, Side.Sell):
        book.get_lvls(side, 3), book.get_volume_to(side, PRICES[7]), book.get_avg_price(side, QTYS[2])
    book.get_mid_price(), book.get_micro_price(), book.get_imbalance(3)
    book.get_best_bid_lvl(), book.get_best_ask_lvl(), repr(book)
    if isinstance(book, OrderBook):
        for order in book.orders(Side.Sell, PRICES[0]):
            hash(order), str(order), order == book.get_order(order.get_order_id())
            book.get_qty_ahead(order.get_order_id())

def traced():
    gc.collect()
    return tracemalloc.get_traced_memory()[0]

tracemalloc.start()
"""

LIVES_LEAVE_NOTHING = """
def life():
    for book, update in (
        (price_level_book(), update_prices),
        (level_book(), update_levels),
        (order_book(), update_orders),
    ):
        query(book)
        walk = book.asks()
        next(walk, None)
        book.clear()
        update(book)
        try:
            (book.add_order if isinstance(book, OrderBook) else book.add_lvl)(1, 2, 3, 4)
        except TypeError:
            pass

for _ in range(20):
    life()
counts = [sys.getrefcount(value) for value in (*PRICES, *QTYS, Side.Buy, Side.Sell)]
before = traced()
for _ in range(50):
    life()
grown = traced() - before
assert grown < 1000, f"{grown} bytes more after 50 lives"
assert [sys.getrefcount(value) for value in (*PRICES, *QTYS, Side.Buy, Side.Sell)] == counts
"""

UPDATES_TAKE_NOTHING = """
for book, update in (
    (price_level_book(), update_prices),
    (level_book(), update_levels),
    (order_book(), update_orders),
):
    for _ in range(3):
        update(book)
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(50):
        update(book)
    now, peak = tracemalloc.get_traced_memory()
    print(book, now - before, peak - before)
    # What may come and go is the dict of a book by id, made anew now and then to drop what was deleted.
    assert now - before < 500 and peak - before < (1500 if update is update_prices else 60000), book
"""


@pytest.mark.parametrize("script", [LIVES_LEAVE_NOTHING, UPDATES_TAKE_NOTHING], ids=["lives", "updates"])
def test_memory(script):
    finished = subprocess.run(
        [sys.executable, "-c", PRELUDE + script], capture_output=True, text=True, timeout=120, check=False
    )
    assert finished.returncode == 0, finished.stderr
