"""What `instructions.py` counts: small pieces of work, each the same every time.

Run by it under callgrind, in a process that collects only while a string is executed (PyRun_StringFlags): each
workload is executed as one, first n and then 2n times, so that what one operation takes is the difference by n, and
neither starting Python nor the section itself is in it. Nothing here reads a clock, a file or a random number.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from itertools import count

from interleave import Piece, loop

from mlthon._core.bybit_frames import FrameScanner
from mlthon._core.dispatch import Dispatcher
from mlthon._core.instrument_feed import InstrumentFeed
from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon._core.matching import MatchingEngine
from mlthon._core.timers import TimerQueue
from mlthon.basics.defs import Exchange, Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.instruments.perpetual import Perpetual
from mlthon.order.books.price_level_book import PriceLevelBook
from mlthon.sim.exchange import SimExchange
from mlthon.sim.orders import NewOrder

__all__ = ["REPETITIONS", "WORKLOADS"]

REPETITIONS = 200
WARM_UP = 50  # the interpreter has specialised its code by then, and every buffer its size
MS = 1_000_000
NOW_NS = 1_723_100_000_000 * MS
BIG = 10**18
FIRST_NUMBER = 1000  # of a book message

Levels = list[tuple[str, str]]

WORKLOADS: dict[str, Callable[[], Piece]] = {}


def workload(make: Callable[[], Piece]) -> Callable[[], Piece]:
    """Count the piece that a function makes, under the function's name."""
    WORKLOADS[make.__name__] = make
    return make


# -- values ----------------------------------------------------------------------------------------------------


@workload
def price_add() -> Piece:
    return loop("a + b", a=Price("9226.5"), b=Price("0.5"))


@workload
def price_compare() -> Piece:
    return loop("a < b", a=Price("9226.5"), b=Price("0.5"))


@workload
def price_from_text() -> Piece:
    return loop("make('9226.5')", make=Price)


@workload
def price_to_text() -> Piece:
    return loop("str(a)", str=str, a=Price("9226.5"))


@workload
def price_times_qty() -> Piece:
    return loop("a * b", a=Price("9226.5"), b=Qty("0.125"))


# -- books -----------------------------------------------------------------------------------------------------


def ladder(levels: int, *, qty: str = "1.5") -> tuple[Levels, Levels]:
    """Bids and asks of a book, a tick of 0.1 apart, best first."""
    bids = [(f"{(600_000 - depth) // 10}.{(600_000 - depth) % 10}", qty) for depth in range(levels)]
    asks = [(f"{(600_001 + depth) // 10}.{(600_001 + depth) % 10}", qty) for depth in range(levels)]
    return bids, asks


def filled_book(levels: int) -> PriceLevelBook:
    book = PriceLevelBook()
    bids, asks = ladder(levels)
    for side, ladder_side in ((Side.Buy, bids), (Side.Sell, asks)):
        for price, qty in ladder_side:
            book.add_lvl(side, Price(price), Qty(qty))
    return book


def set_levels(book: PriceLevelBook, prices: list[Price]) -> Piece:
    """Change each level's quantity and change it back."""
    return loop(
        "for price in prices: modify(buy, price, more); modify(buy, price, less)",
        modify=book.modify_lvl_qty,
        buy=Side.Buy,
        prices=prices,
        more=Qty("2.5"),
        less=Qty("1.5"),
        operations=2 * len(prices),
    )


@workload
def book_set_at_the_top() -> Piece:
    return set_levels(filled_book(50), [Price("60000.0")])


@workload
def book_set_deep() -> Piece:
    """Levels all over a side of 5,000."""
    return set_levels(
        filled_book(5_000), [Price("60000.0") - Price("0.1") * (n * 1_237 % 5_000) for n in range(20)]
    )


@workload
def book_add_and_delete_at_the_top() -> Piece:
    book = filled_book(50)
    return loop(
        "add(buy, price, qty); delete(buy, price)",
        add=book.add_lvl,
        delete=book.delete_lvl,
        buy=Side.Buy,
        price=Price("60000.05"),
        qty=Qty("1"),
        operations=2,
    )


# -- market data, from text to callback ------------------------------------------------------------------------


class Listener:
    """A strategy that does nothing about what it is told."""

    def on_add_price_level(self, exchange, instrument_id, side, price, qty, recv_ts): ...

    def on_modify_price_level(self, exchange, instrument_id, side, price, new_qty, recv_ts): ...

    def on_delete_price_level(self, exchange, instrument_id, side, price, recv_ts): ...

    def on_best_bid_level_update(self, exchange, instrument_id, price, qty, recv_ts): ...

    def on_best_ask_level_update(self, exchange, instrument_id, price, qty, recv_ts): ...

    def on_public_trade(self, exchange, instrument_id, side, price, qty, exec_ts, recv_ts): ...


def feed_of(levels: int) -> InstrumentFeed:
    """A feed with a book; its budget for slow callbacks is endless, since a clock would make counts differ."""
    feed = InstrumentFeed(Dispatcher(Listener(), slow_ns=BIG), Exchange.Bybit, 30000000001)
    bids, asks = ladder(levels)
    feed.apply(DepthUpdate(bids, asks, is_snapshot=True), False)
    return feed


def updates_of(levels: int) -> tuple[DepthUpdate, DepthUpdate]:
    """Two updates that change the same levels of both sides, the top ones, there and back."""
    made = []
    for qty in ("2.5", "1.5"):
        bids, asks = ladder((levels + 1) // 2, qty=qty)
        made.append(DepthUpdate(bids[: levels // 2 + levels % 2], asks[: levels // 2], recv_ns=NOW_NS))
    return made[0], made[1]


@workload
def depth_update_from_text_25() -> Piece:
    bids, asks = ladder(13)
    return loop("make(bids, asks)", make=DepthUpdate, bids=bids, asks=asks[:12])


@workload
def callback() -> Piece:
    feed = feed_of(50)
    feed.price_levels = True
    return loop("replay(now)", replay=feed.replay, now=NOW_NS // MS, operations=100)


@workload
def feed_apply_25_untold() -> Piece:
    feed = feed_of(200)
    there, back = updates_of(25)
    return loop("apply(a, True); apply(b, True)", apply=feed.apply, a=there, b=back, operations=2)


@workload
def feed_apply_25_told() -> Piece:
    feed = feed_of(200)
    feed.price_levels = feed.bbo = True
    there, back = updates_of(25)
    return loop("apply(a, True); apply(b, True)", apply=feed.apply, a=there, b=back, operations=2)


@workload
def best_level_callback() -> Piece:
    feed = feed_of(50)
    feed.bbo = True
    there, back = updates_of(1)
    return loop("apply(a, True); apply(b, True)", apply=feed.apply, a=there, b=back, operations=2)


@workload
def trade_callback() -> Piece:
    feed = feed_of(1)
    feed.trades = True
    trade = PublicTrade(Side.Buy, "60000.1", "0.25", venue_ns=NOW_NS, recv_ns=NOW_NS)
    return loop("tell(trades)", tell=feed.tell_trades, trades=[trade])


def frames_of(levels: int) -> Iterator[bytes]:
    """Two Bybit messages that change the same levels there and back, numbered in a row."""
    for number, update in enumerate(updates_of(levels), start=FIRST_NUMBER + 1):
        sides = [
            ",".join(f'["{price.to_decimal()}","{qty.to_decimal()}"]' for price, qty in side)
            for side in (update.bids(), update.asks())
        ]
        yield (
            f'{{"topic":"orderbook.50.BTCUSDT","type":"delta","ts":{NOW_NS // MS},"data":{{"s":"BTCUSDT",'
            f'"b":[{sides[0]}],"a":[{sides[1]}],"u":{number},"seq":77}},"cts":{NOW_NS // MS}}}'
        ).encode()


def frame_to_callback(levels: int) -> Piece:
    """From the bytes of a message to the callback of the best level, a book of 50 levels between."""
    feed = feed_of(50)
    feed.bbo = feed.in_step = True
    scanner = FrameScanner()
    topic = scanner.add("orderbook.50.BTCUSDT", feed, feed.follow)
    there, back = frames_of(levels)
    topic.update_id = FIRST_NUMBER
    assert scanner.scan(there, NOW_NS)
    return loop(
        "topic.update_id = first; scan(a, now); scan(b, now)",
        scan=scanner.scan,
        topic=topic,
        first=FIRST_NUMBER,
        a=there,
        b=back,
        now=NOW_NS,
        operations=2,
    )


@workload
def frame_of_3_to_best_level_callback() -> Piece:
    return frame_to_callback(3)


@workload
def frame_of_25_to_best_level_callback() -> Piece:
    return frame_to_callback(25)


# -- timers, matching ------------------------------------------------------------------------------------------


@workload
def timer_add_and_pop() -> Piece:
    queue = TimerQueue()
    for n in range(100):
        queue.add(BIG + n * 7_919 % 1_000, None)
    return loop("add(5, None); pop(10)", add=queue.add, pop=queue.pop_due)


@workload
def match_one_taker() -> Piece:
    """A maker comes to rest inside the market's spread, and a taker takes all of it."""
    engine = MatchingEngine()
    engine.apply_depth(DepthUpdate([("59990", "5")], [("60010", "5")], is_snapshot=True))
    return loop(
        "place(next(ids), maker, sell, qty, price); place(next(ids), taker, buy, qty, price, immediate=True); "
        "fills(); ended(); changes()",
        place=engine.place,
        fills=engine.take_fills,
        ended=engine.take_ended,
        changes=engine.last_changes,
        next=next,
        ids=count(1),
        maker=engine.add_account(),
        taker=engine.add_account(),
        sell=Side.Sell,
        buy=Side.Buy,
        qty=Qty("1"),
        price=Price("60000"),
    )


def match_depth_25(own_price: str) -> Piece:
    """Messages of 25 levels to an engine in which one order rests."""
    engine = MatchingEngine()
    account = engine.add_account()
    bids, asks = ladder(200)
    engine.apply_depth(DepthUpdate(bids, asks, is_snapshot=True))
    engine.place(1, account, Side.Buy, Qty("1"), Price(own_price))
    there, back = updates_of(25)
    return loop("apply(a); apply(b)", apply=engine.apply_depth, a=there, b=back, operations=2)


@workload
def match_depth_25_elsewhere() -> Piece:
    """No level of the messages is at the order's price: they are passed on as they are."""
    return match_depth_25("59000")


@workload
def match_depth_25_at_an_order() -> Piece:
    return match_depth_25("60000.0")


@workload
def sim_place_and_cancel() -> Piece:
    """An order comes to rest in the simulated exchange, and is cancelled; nobody listens."""
    instrument = Perpetual(
        exch_instr_id="BTCUSDT",
        quote_currency="USDT",
        settlement_method="linear",
        price_tick_rules="0.10",
        quantity_tick_rules="0.001",
        min_quantity="0.001",
    )
    exchange = SimExchange([instrument], now_ns=lambda: NOW_NS)
    exchange.apply_depth("BTCUSDT", DepthUpdate(*ladder(50), is_snapshot=True))
    return loop(
        "cancel(account, 'BTCUSDT', order_id=place(account, order).order_id)",
        cancel=exchange.cancel,
        place=exchange.place,
        account=exchange.add_account("alice", {"USDT": Qty("100000")}),
        order=NewOrder("BTCUSDT", Side.Buy, Qty("1"), Price("59999")),
    )


def run(names: list[str]) -> None:
    """Execute the workloads, each first n and then 2n times."""
    gc.disable()
    pieces = [WORKLOADS[name]() for name in names]  # all of them first: making one executes a string, too
    for piece in pieces:
        piece.run(WARM_UP)
        for repetitions in (REPETITIONS, 2 * REPETITIONS):
            exec("run(n)", {"run": piece.run, "n": repetitions})


if __name__ == "__main__":
    run(sys.argv[1:])
