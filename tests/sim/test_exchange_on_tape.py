"""The exchange on a real market: never crossed, nothing lost, and repeatable."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from sim_scene import Listener

from mlthon._core.market_event import DepthUpdate
from mlthon.basics.defs import Side
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.qty import Qty
from mlthon.sim.account import Account
from mlthon.sim.exchange import SimExchange
from mlthon.sim.orders import NewOrder
from mlthon.tape.binance import BinanceCapture

CAPTURE = "binance/usdm_btcusdt_20240808.gz"
EVENTS = 12_000
SYMBOL = "BTCUSDT"


def trade_on(capture: BinanceCapture, seed: int) -> tuple[SimExchange, Account, list[tuple[Any, ...]]]:
    """Keep quoting both sides of the capture's market, crossing it now and then."""
    rng = random.Random(seed)
    exchange = SimExchange([capture.instrument], lambda: 0)
    account = exchange.add_account("quoter", {"USDT": Qty("10000000")})
    listener = Listener()
    exchange.attach(listener)
    fills: list[tuple[Any, ...]] = []
    for number, (_, event) in zip(range(EVENTS), capture, strict=False):
        if isinstance(event, DepthUpdate):
            exchange.apply_depth(SYMBOL, event)
        else:
            exchange.apply_trade(SYMBOL, event)
        assert not exchange.book(SYMBOL).is_crossed(), f"seed {seed}, event {number}"
        if number % 20 == 19:
            exchange.cancel_all(account, SYMBOL)
            quote_both_sides(exchange, account, rng)
            exchange.check_conservation()
        fills += [
            (fill.price, fill.qty, fill.side, fill.is_maker)
            for what, fill, *_ in listener.take()
            if what == "fill"
        ]
    return exchange, account, fills


def quote_both_sides(exchange: SimExchange, account: Account, rng: random.Random) -> None:
    book = exchange.book(SYMBOL)
    (_, bid), (_, ask) = book.get_best_bid_lvl(), book.get_best_ask_lvl()
    assert bid is not None
    assert ask is not None
    taking = rng.random() < 0.1
    exchange.place(account, NewOrder(SYMBOL, Side.Buy, Qty("0.05"), (ask if taking else bid).get_price()))
    exchange.place(account, NewOrder(SYMBOL, Side.Sell, Qty("0.05"), ask.get_price()))


def test_quoting_a_recorded_market_conserves_everything_and_repeats(captures: Path) -> None:
    capture = BinanceCapture(captures / CAPTURE)
    exchange, account, fills = trade_on(capture, seed=1)
    assert exchange.crossed_updates(SYMBOL) == 0
    assert {is_maker for _, _, _, is_maker in fills} == {True, False}
    assert account.position(SYMBOL).fees > MLDecimal("0")
    assert trade_on(capture, seed=1)[2] == fills


def test_without_clients_the_displayed_book_is_the_markets(captures: Path) -> None:
    capture = BinanceCapture(captures / CAPTURE)
    exchange = SimExchange([capture.instrument], lambda: 0)
    bids: dict[Any, Any] = {}
    asks: dict[Any, Any] = {}
    for _, (_, event) in zip(range(EVENTS), capture, strict=False):
        if not isinstance(event, DepthUpdate):
            exchange.apply_trade(SYMBOL, event)
            continue
        exchange.apply_depth(SYMBOL, event)
        if event.is_snapshot:
            bids.clear()
            asks.clear()
        for side, levels in ((bids, event.bids()), (asks, event.asks())):
            side.update(levels)
    book = exchange.book(SYMBOL)
    for side, shown in ((bids, book.bids()), (asks, book.asks())):
        expected = {price: qty for price, qty in side.items() if not qty.is_zero()}
        assert {level.get_price(): level.get_qty() for level in shown} == expected
