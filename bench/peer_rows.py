"""The rows of the peers' table. Run by `peers.py`, in the environment that it makes.

Each function of `ROWS` measures one question and returns its row, or several.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from decimal import Decimal
from importlib.metadata import version
from itertools import islice
from pathlib import Path

import order_book
from bybit_to_callback import frames_to_callback, orjson_alone
from interleave import Costs, loop, measure
from nautilus_trader.model.book import OrderBook as NautilusBook
from nautilus_trader.model.data import BookOrder, OrderBookDelta
from nautilus_trader.model.enums import BookAction, BookType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.model.objects import Price as NautilusPrice
from nautilus_trader.model.objects import Quantity
from recorded_market import CAPTURES, MARKETS, SYNTHETIC, changes, frames_of
from rich.console import Console
from rich.table import Table

from mlthon._core import buildinfo
from mlthon._core.dispatch import Dispatcher
from mlthon._core.instrument_feed import InstrumentFeed
from mlthon._core.market_event import DepthUpdate
from mlthon.basics.defs import Exchange, Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.order.books.price_level_book import PriceLevelBook

NAUTILUS = "nautilus_trader"
HOT_LEVELS = 100  # the most changed ones of a capture
HOT_CHANGES = 5_000
SORTED_LEVELS = 200  # what a venue's book has; order-book sorts all of them when one is new
BOOK_ROUNDS = 15
STARTS = 11
PAGE_KIB = 4

Change = tuple[Side, Price, Qty]


@dataclass(frozen=True, slots=True)
class Row:
    """One question: what ours costs, what theirs does, and what the ratio (or the difference) may be at most."""

    what: str
    ours: float
    theirs: float
    beside: str
    unit: str = "ns"
    at_most: float | None = None
    by: str = "ratio"  # or "difference"

    @property
    def result(self) -> float:
        return self.ours / self.theirs if self.by == "ratio" else self.ours - self.theirs

    @property
    def met(self) -> bool | None:
        return None if self.at_most is None else self.result <= self.at_most


def row_of(costs: Costs, what: str, beside: str, at_most: float | None = None) -> Row:
    return Row(what, costs.ns["ours"], costs.ns["theirs"], beside, at_most=at_most)


# -- values ----------------------------------------------------------------------------------------------------


def values() -> Iterator[Row]:
    ours = {"a": Price("9226.5"), "b": Price("0.5"), "make": Price}
    theirs = {"a": Decimal("9226.5"), "b": Decimal("0.5"), "make": Decimal}
    for what, statement, at_most in (
        ("Price add", "a + b", 0.55),
        ("Price compare", "a < b", 0.7),
        ("Price from str", "make('9226.5')", 0.5),
    ):
        costs = measure({"ours": loop(statement, **ours), "theirs": loop(statement, **theirs)})
        yield row_of(costs, what, "decimal.Decimal", at_most)


# -- books -----------------------------------------------------------------------------------------------------


def books() -> Iterator[Row]:
    market = SYNTHETIC if not CAPTURES.is_dir() else "BTCUSDT"
    every = dense(changes(market))
    yield beside_nautilus(f"PriceLevelBook set, {market}, all {len(every):,} levels", every, every, 0.4)
    counted = Counter((side, price) for side, price, _ in every)
    hot = dict(counted.most_common(HOT_LEVELS))
    often = dense(islice((change for change in every if change[:2] in hot), HOT_CHANGES))
    yield beside_nautilus(f"PriceLevelBook set, {market}, its {HOT_LEVELS} most changed levels", every, often)
    yield beside_order_book(market, every)


def dense(picked: Iterable[Change]) -> list[Change]:
    """The same changes in values that lie beside each other, as the peer's deltas do: else each is a cache miss."""
    numbers = [(side, price.mantissa, qty.mantissa) for side, price, qty in picked]
    return [(side, Price.from_mantissa(price), Qty.from_mantissa(qty)) for side, price, qty in numbers]


def beside_nautilus(what: str, every: list[Change], timed: list[Change], at_most: float | None = None) -> Row:
    """Apply the same changes to both, prepared ahead; each round begins with a book that has seen all of them."""
    book, their_book = PriceLevelBook(), NautilusBook(BTCUSDT, BookType.L2_MBP)
    for change in every:
        book.add_lvl(*change)
        their_book.apply_delta(delta_of(change))
    deltas = [delta_of(change) for change in timed]
    costs = measure(
        {
            "ours": loop(
                "for side, price, qty in changes: set(side, price, qty)", changes=timed, set=book.add_lvl
            ),
            "theirs": loop("for delta in deltas: apply(delta)", deltas=deltas, apply=their_book.apply_delta),
        },
        rounds=BOOK_ROUNDS,
    )
    per_change = Costs({name: ns / len(timed) for name, ns in costs.ns.items()})
    return row_of(per_change, what, f"{NAUTILUS} OrderBook.apply_delta", at_most)


BTCUSDT = InstrumentId.from_str("BTCUSDT-PERP.BINANCE")


def delta_of(change: Change) -> OrderBookDelta:
    side, price, qty = change
    order = BookOrder(
        OrderSide.BUY if side is Side.Buy else OrderSide.SELL,
        NautilusPrice.from_str(f"{price:.1f}"),
        Quantity.from_str(f"{qty:.3f}"),
        0,
    )
    return OrderBookDelta(
        BTCUSDT, BookAction.DELETE if qty.is_zero() else BookAction.UPDATE, order, 0, 0, 0, 0
    )


def beside_order_book(market: str, every: list[Change]) -> Row:
    """A level comes above the best bid and goes again, and each time the best price is read."""
    whole, book, theirs = PriceLevelBook(), PriceLevelBook(), order_book.OrderBook()
    for change in every:
        whole.add_lvl(*change)
    for level in islice(whole.bids(), SORTED_LEVELS):
        book.add_lvl(Side.Buy, level.get_price(), level.get_qty())
        theirs.bids[level.get_price().to_decimal()] = level.get_qty().to_decimal()
    _, best = book.get_best_bid_lvl()
    top = best.get_price() + Price("0.1")
    costs = measure(
        {
            "ours": loop(
                "add(buy, top, qty); best()[1].get_price(); delete(buy, top); best()[1].get_price()",
                add=book.add_lvl,
                delete=book.delete_lvl,
                best=book.get_best_bid_lvl,
                buy=Side.Buy,
                top=top,
                qty=Qty("1"),
                operations=2,
            ),
            "theirs": loop(
                "bids[top] = qty; bids.index(0)[0]; del bids[top]; bids.index(0)[0]",
                bids=theirs.bids,
                top=top.to_decimal(),
                qty=Decimal(1),
                operations=2,
            ),
        },
        rounds=BOOK_ROUNDS,
    )
    return row_of(
        costs, f"set the top and read the best, {market}, {len(theirs.bids)} bids", "order-book", 0.05
    )


# -- callbacks, frames -----------------------------------------------------------------------------------------


class Listener:
    """A strategy that does nothing about its book."""

    def on_add_price_level(self, exchange, instrument_id, side, price, qty, recv_ts): ...


def callbacks() -> Iterator[Row]:
    feed = InstrumentFeed(Dispatcher(Listener()), Exchange.Bybit, 30000000001)
    feed.price_levels = True
    bids = [(f"{50_000 - depth}.5", "1.25") for depth in range(50)]
    asks = [(f"{50_001 + depth}.5", "0.75") for depth in range(50)]
    feed.apply(DepthUpdate(bids, asks, is_snapshot=True), False)
    now_ms = 1_723_100_000_000
    call = loop(
        "strategy.on_add_price_level(exchange, instrument_id, side, price, qty, recv_ts)",
        strategy=Listener(),
        exchange=Exchange.Bybit,
        instrument_id=30000000001,
        side=Side.Buy,
        price=Price("50000.5"),
        qty=Qty("1.25"),
        recv_ts=now_ms,
    )
    ours = loop("replay(now)", replay=feed.replay, now=now_ms, operations=100)
    costs = measure({"ours": ours, "theirs": call})
    yield row_of(costs, "callback of six arguments, fresh values", "the same call in Python", 1.1)


def frames() -> Iterator[Row]:
    markets = ["XRPUSDT", "BTCUSDT"] if CAPTURES.is_dir() else [SYNTHETIC]
    for market in markets:
        for levels in (3, 25, 100):
            made, size = frames_of(market, levels)
            ours = asyncio.run(frames_to_callback(MARKETS[market].symbol, made))
            costs = measure({"ours": ours, "theirs": orjson_alone(made)})
            what = f"frame of {size:.0f} levels to book and callback, {market}"
            yield row_of(costs, what, "orjson.loads alone", 0.65)


# -- starting --------------------------------------------------------------------------------------------------


def starts() -> Iterator[Row]:
    for what in ("mlthon", NAUTILUS + ".model.book"):
        code = f"import {what}"
        spent = [(start_ms(code), start_ms("pass")) for _ in range(STARTS)]
        ours, bare = (statistics.median(column) for column in zip(*spent, strict=True))
        is_ours = what == "mlthon"
        yield Row(code, ours, bare, "bare interpreter", "ms", 80 if is_ours else None, "difference")
        if Path("/proc/self/statm").exists():
            ours_mb, bare_mb = resident_mb(code), resident_mb("pass")
            yield Row(code, ours_mb, bare_mb, "bare interpreter", "MB", 25 if is_ours else None, "difference")


def start_ms(code: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return (time.perf_counter() - began) * 1e3


def resident_mb(code: str) -> float:
    told = code + "\nprint(open('/proc/self/statm').read().split()[1])"
    done = subprocess.run([sys.executable, "-c", told], check=True, capture_output=True, text=True)
    return int(done.stdout) * PAGE_KIB / 1024


# -- the table -------------------------------------------------------------------------------------------------

ROWS: tuple[Callable[[], Iterator[Row]], ...] = (values, books, callbacks, frames, starts)


def environment() -> dict[str, str]:
    """Which versions, on which machine, with which data."""
    packages = ("mlthon-trader", "nautilus_trader", "order-book", "orjson")
    return {
        **{name: version(name) for name in packages},
        "python": f"{platform.python_implementation()} {platform.python_version()}, {platform.python_compiler()}",
        "core": f"{buildinfo.MODE}, {buildinfo.COMPILER}, Cython {buildinfo.CYTHON}",
        "machine": f"{platform.system()} {platform.machine()}, {processor()}, {os.cpu_count()} cores",
        "market": "recorded" if CAPTURES.is_dir() else f"synthetic: no recorded one at {CAPTURES}",
    }


def processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def print_table(rows: list[Row], about: dict[str, str]) -> None:
    table = Table(title="MLThon beside its peers: medians, measured in turns")
    for heading, justify in (("", "left"), ("ours", "right"), ("theirs", "right"), ("", "left")):
        table.add_column(heading, justify=justify)
    table.add_column("result", justify="right")
    table.add_column("at most", justify="right")
    for row in rows:
        sign = "x" if row.by == "ratio" else row.unit
        shown = f"{row.result:.3f} {sign}" if row.by == "ratio" else f"{row.result:+.1f} {sign}"
        limit = "" if row.at_most is None else f"{row.at_most:g} {sign}"
        style = "" if row.met in (True, None) else "bold red"
        digits = 1 if row.unit != "KB" else 0
        table.add_row(
            row.what,
            f"{row.ours:,.{digits}f} {row.unit}",
            f"{row.theirs:,.{digits}f} {row.unit}" if row.theirs else "",
            row.beside,
            shown,
            limit,
            style=style,
        )
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table)
    for name, value in about.items():
        console.print(f"{name}: {value}", highlight=False)


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the rows of the peers' table.")
    parser.add_argument("--wheel", type=Path, required=True)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not buildinfo.is_release():
        print(f"peers: expected a release build of the core, got {buildinfo.MODE!r}", file=sys.stderr)
        return 2
    rows = [row for measured in ROWS for row in measured()]
    size_mb = options.wheel.stat().st_size / 1e6
    rows.append(Row("the wheel", size_mb, 0.0, "", "MB", 3, "difference"))
    about = environment()
    if options.json:
        told = [{**asdict(row), "result": row.result, "met": row.met} for row in rows]
        print(json.dumps({"rows": told, "about": about}))
    else:
        print_table(rows, about)
    return 0


if __name__ == "__main__":
    sys.exit(main())
