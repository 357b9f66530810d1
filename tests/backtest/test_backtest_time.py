"""Timers, daily callbacks, several tapes, and what is due at the same moment."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from scripted import LINEAR, MS_NS, START_NS, Scripted, Tape, book, order, trade

from mlthon._core.market_event import DepthUpdate
from mlthon.backtest.backtest import Backtest, Settings
from mlthon.backtest.latency import Latency
from mlthon.basics.defs import Side
from mlthon.errors import ConfigError
from mlthon.sim.synthetic import SyntheticMarket
from mlthon.sim.terms import Product

AT_ONCE = Latency.constant_ms(0, 0, 0)


def test_timers_fire_at_their_time_between_events():
    tape = Tape(book(0, [("100.0", "5")], [("100.1", "3")], whole=True), book(1000, [("99.9", "1")], []))
    strategy = Scripted()
    backtest = Backtest([tape], strategy, settings=Settings(latency=AT_ONCE))
    fired: list[int] = []

    def tick() -> bool:
        fired.append(backtest.clock.now_ns() - START_NS)
        return True

    strategy.on_start = lambda params: strategy.env.setup_timer(250, tick)
    backtest.run()
    assert fired == [n * 250 * MS_NS for n in range(1, 5)]


def test_daily_callbacks_follow_the_time_zone_over_the_change_of_the_clocks():
    berlin = ZoneInfo("Europe/Berlin")
    start_ns = int(datetime(2024, 3, 30, 12, tzinfo=berlin).timestamp()) * 10**9
    days = 39 * 3_600 * 1000

    def at(ms: int) -> DepthUpdate:
        ns = start_ns + ms * MS_NS
        return DepthUpdate([("100", "1")], [("101", "1")], is_snapshot=ms == 0, venue_ns=ns, recv_ns=ns)

    strategy = Scripted()
    tape = Tape((0, at(0)), (days, at(days)))
    backtest = Backtest([tape], strategy, settings=Settings(latency=AT_ONCE, time_zone=berlin))
    fired: list[datetime] = []

    def daily() -> bool:
        fired.append(datetime.fromtimestamp(backtest.clock.now_ns() / 10**9, berlin))
        return True

    strategy.on_start = lambda params: strategy.env.setup_daily_callback("02:30:00", daily)
    backtest.run()
    assert [(day.day, day.hour, day.minute) for day in fired] == [(31, 3, 30), (1, 2, 30)]


def test_tapes_of_several_instruments_are_merged_by_time():
    inverse = SyntheticMarket(1, product=Product.Inverse).instrument
    first = Tape(
        book(0, [("100.0", "5")], [("100.1", "3")], whole=True),
        trade(10, Side.Buy, "100.1", "1"),
        trade(30, Side.Buy, "100.1", "1"),
    )
    second = Tape(
        book(5, [("200.0", "50")], [("200.1", "50")], whole=True),
        trade(10, Side.Sell, "200.0", "50"),
        trade(20, Side.Sell, "200.0", "50"),
        instrument=inverse,
    )
    strategy = Scripted()
    Backtest([first, second], strategy, settings=Settings(latency=AT_ONCE)).run()
    trades = [
        (args[1], args[5] - START_NS // MS_NS) for name, args in strategy.told if name == "on_public_trade"
    ]
    one, two = LINEAR.get_instrument_id(), inverse.get_instrument_id()
    assert trades == [(one, 10), (two, 10), (two, 20), (one, 30)]


def test_two_tapes_of_one_instrument_make_one_market():
    books = Tape(book(0, [("100.0", "5")], [("100.1", "3")], whole=True), book(100, [("100.0", "4")], []))
    trades = Tape(trade(50, Side.Sell, "100.0", "6"))
    strategy = Scripted((10, order("a1", Side.Buy, "100.0", "1")))
    backtest = Backtest([books, trades], strategy, settings=Settings(latency=AT_ONCE))
    backtest.run()
    assert strategy.names("on_order_execution", "on_public_trade") == [
        "on_order_execution",
        "on_public_trade",
    ]


def test_at_one_moment_timers_come_before_private_news_and_that_before_the_market():
    tape = Tape(
        book(0, [("100.0", "5")], [("100.1", "3")], whole=True),
        trade(100, Side.Sell, "99.9", "9"),
        book(200, [("99.9", "1")], []),
    )
    strategy = Scripted((50, order("a1", Side.Buy, "100.0", "1")))
    backtest = Backtest([tape], strategy, settings=Settings(latency=Latency.constant_ms(50, 0, 50)))
    original = strategy.on_start
    strategy.on_start = lambda params: (
        original(params),
        strategy.env.setup_timer(150, lambda: strategy.told.append(("timer", ())) and None),
    )
    backtest.run()
    assert strategy.names("timer", "on_order_execution", "on_public_trade") == [
        "timer",
        "on_order_execution",
        "on_public_trade",
    ]


def test_two_recordings_that_tell_one_book_at_one_time_are_refused(captures):
    tape = captures / "bybit" / "2024-12-01_XRPUSDT_ob500.jsonl"
    with pytest.raises(ConfigError, match=r"XRPUSDT.*tell the book of byt:perp:XRP-USDT at the same time"):
        Backtest([tape, tape], Scripted())
