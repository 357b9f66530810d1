"""How the dispatcher calls: what callbacks may be, what they are given, and what it costs not to have one."""

from __future__ import annotations

import functools
import gc
import time
import weakref

import pytest

from mlthon._core.callbacks import CALLBACKS
from mlthon._core.dispatch import Dispatcher
from mlthon._core.instrument_feed import InstrumentFeed
from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon.basics.defs import Exchange, Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.errors import StrategyLoadError

BYBIT = Exchange.Bybit
INSTRUMENT_ID = 30000000001


def feed_of(strategy, *, levels=False, **options):
    """A feed that tells a strategy everything, levels by id included if asked for."""
    dispatcher = Dispatcher(strategy, **options)
    feed = InstrumentFeed(dispatcher, BYBIT, INSTRUMENT_ID)
    feed.price_levels = feed.bbo = feed.trades = True
    feed.levels = levels
    return dispatcher, feed


def update(bids=(), asks=(), *, recv_ms=7):
    return DepthUpdate(list(bids), list(asks), recv_ns=recv_ms * 1_000_000)


class Listener:
    """Keeps everything it is told."""

    def __init__(self):
        self.seen = []

    def __getattr__(self, name):
        if name not in CALLBACKS:
            raise AttributeError(name)
        return lambda *args: self.seen.append((name, *args))


def test_every_market_data_callback_is_given_its_arguments():
    listener = Listener()
    _dispatcher, feed = feed_of(listener, levels=True)
    feed.apply(update([("100", "1")], [("101", "2")]), True)
    feed.apply(update([("100", "3")], [("101", "0")], recv_ms=8), True)
    feed.tell_trades([PublicTrade(Side.Sell, "100", "0.5", venue_ns=5_000_000, recv_ns=9_000_000)])
    where = (BYBIT, INSTRUMENT_ID)
    assert listener.seen == [
        ("on_add_price_level", *where, Side.Buy, Price("100"), Qty("1"), 7),
        ("on_add_level", *where, Side.Buy, 1_000_000, Price("100"), Qty("1"), 7),
        ("on_add_price_level", *where, Side.Sell, Price("101"), Qty("2"), 7),
        ("on_add_level", *where, Side.Sell, 1_010_000, Price("101"), Qty("2"), 7),
        ("on_best_bid_level_update", *where, Price("100"), Qty("1"), 7),
        ("on_best_ask_level_update", *where, Price("101"), Qty("2"), 7),
        ("on_modify_price_level", *where, Side.Buy, Price("100"), Qty("3"), 8),
        ("on_modify_level", *where, Side.Buy, 1_000_000, Qty("3"), 8),
        ("on_delete_price_level", *where, Side.Sell, Price("101"), 8),
        ("on_delete_level", *where, Side.Sell, 1_010_000, 8),
        ("on_best_bid_level_update", *where, Price("100"), Qty("3"), 8),
        ("on_best_ask_level_update", *where, Price("0"), Qty("0"), 8),
        ("on_public_trade", *where, Side.Sell, Price("100"), Qty("0.5"), 5, 9),
    ]


def test_a_journal_sees_what_the_strategy_sees():
    journal, listener = [], Listener()
    _dispatcher, feed = feed_of(
        listener, levels=True, journal=lambda name, args: journal.append((name, *args))
    )
    plain = Listener()
    _dispatcher, plain_feed = feed_of(plain, levels=True)
    for each in (feed, plain_feed):
        each.apply(update([("100", "1"), ("99", "1")], [("101", "2")]), True)
        each.apply(update([("100", "3"), ("99", "0")], [("101", "0")], recv_ms=8), True)
        each.tell_trades([PublicTrade(Side.Sell, "100", "0.5", recv_ns=9_000_000)])
    assert journal == listener.seen == plain.seen


def test_level_ids_beyond_64_bits_arrive_whole():
    listener = Listener()
    dispatcher = Dispatcher(listener)
    feed = InstrumentFeed(dispatcher, BYBIT, INSTRUMENT_ID, level_id_decimals=18)
    feed.levels = True
    feed.apply(update([("9", "1")], [("123456789.000000000000000001", "1")]), True)
    assert [seen[4] for seen in listener.seen] == [9 * 10**18, 123456789 * 10**18 + 1]


def test_values_that_were_kept_never_change():
    class Keeper:
        def __init__(self):
            self.kept = []

        def on_add_price_level(self, _exchange, _instrument_id, _side, price, qty, _recv_ts):
            if price.mantissa % (3 * 10**18) == 0:
                self.kept.append((price, qty))

        def on_public_trade(self, _exchange, _instrument_id, _side, price, qty, *_stamps):
            self.kept.append((price, qty))

    keeper = Keeper()
    _dispatcher, feed = feed_of(keeper)
    feed.apply(update([(str(n), str(2 * n)) for n in range(1, 100)]), True)
    feed.tell_trades([PublicTrade(Side.Buy, str(n), "7") for n in (500, 501)])
    assert [(str(price), str(qty)) for price, qty in keeper.kept] == [
        *((f"{n}.00000000", f"{2 * n}.00000000") for n in range(3, 100, 3)),
        ("500.00000000", "7.00000000"),
        ("501.00000000", "7.00000000"),
    ]


def test_stamps_hold_while_callbacks_make_numbers_of_their_own():
    """The stamps are objects that only the feed holds, and of a size that callbacks make by the dozen."""

    class Strategy:
        def __init__(self):
            self.stamps = []

        def on_add_price_level(self, *args):
            self.stamps.append(args[-1])
            self.made = [10**12 + n for n in range(50)]

        def on_public_trade(self, *args):
            self.on_add_price_level(*args[-2:])
            self.stamps.append(args[-2])

    strategy = Strategy()
    _dispatcher, feed = feed_of(strategy)
    now_ms = 1_723_100_000_000
    feed.apply(update([(str(n), "1") for n in range(1, 50)], recv_ms=now_ms), True)
    assert strategy.stamps == [now_ms] * 49
    stamps = {"venue_ns": now_ms * 10**6, "recv_ns": (now_ms + 5) * 10**6}
    strategy.stamps.clear()
    feed.tell_trades([PublicTrade(Side.Buy, "1", "1", **stamps)] * 20)
    assert strategy.stamps == [now_ms + 5, now_ms] * 20


class TestWhatACallbackMayBe:
    """Anything that can be called with the right number of arguments."""

    def told(self, callback):
        strategy = type("Strategy", (), {})()
        strategy.on_best_bid_level_update = callback
        dispatcher, feed = feed_of(strategy)
        feed.apply(update([("100", "1")]), True)
        assert dispatcher.failure is None, repr(dispatcher.failure)
        assert dispatcher.callback_counts() == {"on_best_bid_level_update": 1}

    def test_a_function(self):
        seen = []

        def callback(*args):
            seen.append(args)

        self.told(callback)
        assert seen == [(BYBIT, INSTRUMENT_ID, Price("100"), Qty("1"), 7)]

    def test_a_method_of_another_object(self):
        class Other:
            def take(self, exchange, instrument_id, price, qty, recv_ts):
                self.seen = (exchange, instrument_id, price, qty, recv_ts)

        other = Other()
        self.told(other.take)
        assert other.seen == (BYBIT, INSTRUMENT_ID, Price("100"), Qty("1"), 7)

    def test_a_builtin(self):
        self.told(print)

    def test_an_object_with_a_call_method(self):
        class Callable:
            def __call__(self, *args):
                self.seen = args

        callback = Callable()
        self.told(callback)
        assert callback.seen[2] == Price("100")

    def test_a_partial(self):
        seen = []
        self.told(functools.partial(lambda first, *rest: seen.append((first, len(rest))), "first"))
        assert seen == [("first", 5)]

    def test_static_and_class_methods(self):
        seen = []

        class Strategy:
            @staticmethod
            def on_best_bid_level_update(*args):
                seen.append(len(args))

            @classmethod
            def on_best_ask_level_update(cls, *args):
                seen.append((cls, len(args)))

        _dispatcher, feed = feed_of(Strategy())
        feed.apply(update([("100", "1")], [("101", "1")]), True)
        assert seen == [5, (Strategy, 5)]


def test_a_wrong_number_of_arguments_is_the_strategys_failure():
    class Strategy:
        def on_best_bid_level_update(self, price):
            raise AssertionError("cannot be called")

    dispatcher, feed = feed_of(Strategy())
    assert feed.apply(update([("100", "1")]), True) is True
    assert isinstance(dispatcher.failure, TypeError)
    assert dispatcher.failed_in == "on_best_bid_level_update"


def test_an_exception_stops_what_is_left_of_the_message():
    class Strategy:
        def __init__(self):
            self.calls = 0

        def on_add_price_level(self, *_args):
            self.calls += 1
            if self.calls == 3:
                raise KeyError("the third")

        def on_best_bid_level_update(self, *_args):
            self.calls += 1

    strategy = Strategy()
    dispatcher, feed = feed_of(strategy)
    assert feed.apply(update([(str(n), "1") for n in range(1, 10)]), True) is True
    feed.apply(update([("50", "1")]), True)
    assert strategy.calls == 3
    assert dispatcher.failed_in == "on_add_price_level"
    assert dispatcher.failure.__traceback__ is not None
    assert feed.book.get_best_bid_lvl()[1].get_price() == Price("50")


def test_the_dispatcher_is_given_back_with_its_strategy():
    class Strategy:
        def on_public_trade(self, *_args): ...

    strategy = Strategy()
    strategy.dispatcher = Dispatcher(strategy)
    gone = weakref.ref(strategy)
    del strategy
    gc.collect()
    assert gone() is None


class TestLastInBatch:
    """Exactly the last callback of a message says that it is the last."""

    class Strategy:
        """Notes the flag in the callbacks it is made with."""

        def __init__(self, names):
            self.flags = []
            for name in names:
                setattr(self, name, functools.partial(self.note, name))

        def note(self, name, *_args):
            self.flags.append((name, self.dispatcher.last_in_batch))

    def feed(self, *names, **options):
        strategy = self.Strategy(names)
        strategy.dispatcher, feed = feed_of(strategy, **options)
        return strategy, feed

    def test_of_level_changes(self):
        strategy, feed = self.feed("on_add_price_level", "on_modify_price_level", "on_delete_price_level")
        feed.apply(update([("100", "1"), ("99", "1")], [("101", "1")]), True)
        feed.apply(update([("100", "2"), ("99", "0")], [("101", "1"), ("105", "0")]), True)
        assert strategy.flags == [
            ("on_add_price_level", False),
            ("on_add_price_level", False),
            ("on_add_price_level", True),
            ("on_modify_price_level", False),
            (
                "on_delete_price_level",
                True,
            ),  # an unchanged level and an absent one follow, without a callback
        ]

    def test_callbacks_that_are_not_defined_do_not_count(self):
        strategy, feed = self.feed("on_add_price_level")
        feed.apply(update([("100", "1"), ("99", "1")]), True)
        feed.apply(update([("98", "1"), ("99", "0"), ("100", "5")]), True)
        assert strategy.flags == [
            ("on_add_price_level", False),
            ("on_add_price_level", True),
            ("on_add_price_level", True),
        ]

    def test_of_levels_by_price_and_by_id(self):
        strategy, feed = self.feed("on_add_price_level", "on_add_level", levels=True)
        feed.apply(update([("100", "1"), ("99", "1")]), True)
        assert [last for _name, last in strategy.flags] == [False, False, False, True]

    @pytest.mark.parametrize("bids", [[("100", "1")], []])
    @pytest.mark.parametrize("asks", [[("101", "1")], []])
    def test_of_best_levels(self, bids, asks):
        strategy, feed = self.feed(
            "on_add_price_level", "on_best_bid_level_update", "on_best_ask_level_update"
        )
        feed.apply(update(bids, asks), True)
        flags = [last for _name, last in strategy.flags]
        assert flags == [False] * (len(flags) - 1) + [True] * bool(flags)
        assert len(flags) == 2 * (len(bids) + len(asks))

    def test_of_trades(self):
        strategy, feed = self.feed("on_public_trade")
        feed.tell_trades([PublicTrade(Side.Buy, str(n), "1") for n in (1, 2, 3)])
        feed.tell_trades([])
        assert [last for _name, last in strategy.flags] == [False, False, True]

    def test_of_a_replay(self):
        strategy, feed = self.feed("on_add_price_level", "on_best_ask_level_update")
        feed.apply(update([("100", "1"), ("99", "1")], [("101", "1")]), False)
        feed.replay(5)
        assert strategy.flags == [("on_add_price_level", False)] * 3 + [("on_best_ask_level_update", True)]

    def test_outside_of_batches_each_callback_stands_alone(self):
        strategy, feed = self.feed("on_add_price_level", "on_stop")
        feed.apply(update([("100", "1"), ("99", "1")]), True)
        strategy.dispatcher.call("on_stop", "")
        assert strategy.flags[-1] == ("on_stop", True)

    def test_what_a_callback_causes_belongs_to_the_batch(self):
        strategy = self.Strategy(["on_stop"])

        def cause(*args):
            strategy.note("on_add_price_level", *args)
            strategy.dispatcher.post("on_stop", "")

        strategy.on_add_price_level = cause
        strategy.dispatcher, feed = feed_of(strategy)
        feed.apply(update([("100", "1"), ("99", "1")]), True)
        assert strategy.flags == [
            ("on_add_price_level", False),
            ("on_stop", False),
            ("on_add_price_level", True),
            ("on_stop", True),
        ]

    def test_a_message_inside_a_callback_leaves_the_flag_as_it_was(self):
        """The callbacks of the inner one wait; the outer batch goes on as if nothing had been."""
        strategy = self.Strategy(["on_public_trade"])

        def nest(*args):
            strategy.note("on_add_price_level", *args)
            other.tell_trades([PublicTrade(Side.Buy, "1", "1")] * 2)
            strategy.flags.append(("after", strategy.dispatcher.last_in_batch))

        strategy.on_add_price_level = nest
        strategy.dispatcher, feed = feed_of(strategy)
        other = InstrumentFeed(strategy.dispatcher, BYBIT, INSTRUMENT_ID + 1)
        other.trades = True
        feed.apply(update([("100", "1"), ("99", "1")]), True)
        assert [flag for flag in strategy.flags if flag[0] != "on_public_trade"] == [
            ("on_add_price_level", False),
            ("after", False),
            ("on_add_price_level", True),
            ("after", True),
        ]
        assert len(strategy.flags) == 8


class TestSlowCallbacks:
    """What takes longer than the budget is named; a budget of nothing makes everything slow."""

    def slow(self, strategy, budget_ns=1, **options):
        noted = []
        dispatcher, feed = feed_of(
            strategy, slow_ns=budget_ns, on_slow=lambda what, ns: noted.append((what, ns)), **options
        )
        return dispatcher, feed, noted

    def test_calls_timers_and_commands_are_named_themselves(self):
        dispatcher, _feed, noted = self.slow(Listener())
        dispatcher.call("on_stop", "")
        dispatcher.run("timer of 5 ms", lambda: None)
        assert [what for what, _ns in noted] == ["on_stop", "timer of 5 ms"]
        assert all(took_ns > 0 for _what, took_ns in noted)
        assert dispatcher.slow_count == 2

    def test_a_batch_of_one_is_named(self):
        dispatcher, feed, noted = self.slow(Listener())
        feed.tell_trades([PublicTrade(Side.Buy, "1", "1")])
        assert [what for what, _ns in noted] == ["on_public_trade"]
        assert dispatcher.slow_count == 1

    def test_a_batch_of_many_is_summed_up_and_then_watched_one_by_one(self):
        _dispatcher, feed, noted = self.slow(Listener())
        feed.apply(update([("100", "1"), ("99", "1")]), True)
        assert [what for what, _ns in noted] == ["2 x on_add_price_level + on_best_bid_level_update"]
        noted.clear()
        feed.apply(update([("98", "1"), ("99", "2"), ("100", "2")]), True)
        assert [what for what, _ns in noted][:4] == [
            "on_add_price_level",
            "on_modify_price_level",
            "on_modify_price_level",
            "on_best_bid_level_update",
        ]

    def test_nothing_is_noted_within_the_budget(self):
        dispatcher, feed, noted = self.slow(Listener(), budget_ns=10**15)
        feed.apply(update([("100", "1"), ("99", "1")]), True)
        dispatcher.call("on_stop", "")
        dispatcher.run("timer", lambda: None)
        assert noted == []
        assert dispatcher.slow_count == 0

    def test_a_journal_is_not_blamed_on_the_strategy(self):
        dispatcher, _feed, noted = self.slow(
            Listener(), budget_ns=100_000_000, journal=lambda _name, _args: spin(0.1)
        )
        dispatcher.call("on_stop", "")
        assert noted == []

    def test_the_time_is_right(self):
        class Strategy:
            def on_public_trade(self, *_args):
                spin(0.02)

        _dispatcher, feed, noted = self.slow(Strategy(), budget_ns=10_000_000)
        feed.tell_trades([PublicTrade(Side.Buy, "1", "1")])
        ((what, took_ns),) = noted
        assert what == "on_public_trade"
        assert took_ns >= 19_900_000


class TestCallbacksThatAreNotPlain:
    async def coroutine(self, *_args):
        raise AssertionError("never awaited")

    def generator(self, *_args):
        yield

    async def asynchronous_generator(self, *_args):
        yield

    @pytest.mark.parametrize("method", [coroutine, generator, asynchronous_generator])
    def test_they_are_refused_by_name(self, method):
        strategy = type("Sleepy", (), {"on_start": lambda self, params: None, "on_public_trade": method})()
        with pytest.raises(StrategyLoadError, match=r"Sleepy\.on_public_trade: expected a plain function"):
            Dispatcher(strategy)


def spin(seconds: float) -> None:
    """Be busy for a while, as slow user code is."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass
