"""Strategies that misbehave, and what is left of the run."""

from __future__ import annotations

import pytest
from scripted import LINEAR, Scripted, Tape, book, order

from mlthon.backtest.backtest import Backtest, Settings
from mlthon.basics.defs import Side
from mlthon.errors import ConfigError, NotLoggedInError, StrategyError, TapeError, UsageError
from mlthon.sim.synthetic import SyntheticMarket

QUIET = Tape(book(0, [("100.0", "5")], [("100.1", "3")], whole=True), book(1000, [("99.9", "1")], []))


def test_one_that_raises_ends_the_run_and_its_orders():
    strategy = Scripted((10, order("a1", Side.Buy, "99.0", "1")), (100, lambda env: 1 / 0))
    backtest = Backtest([QUIET], strategy)
    with pytest.raises(StrategyError, match="ZeroDivisionError") as raised:
        backtest.run()
    assert isinstance(raised.value.__cause__, ZeroDivisionError)
    assert backtest.left_open == []
    assert strategy.told[-1][0] == "on_framework_disconnected"
    assert backtest.replay.messages == 1


def test_one_that_never_acknowledges_a_stop_is_stopped_without_it(caplog):
    strategy = Scripted((10, order("a1", Side.Buy, "99.0", "1")))
    strategy.on_stop = lambda params: None
    backtest = Backtest([QUIET], strategy)
    backtest.run()
    assert "no send_stop_ack" in caplog.text
    assert strategy.names("on_order_cancelled", "on_framework_disconnected") == [
        "on_order_cancelled",
        "on_framework_disconnected",
    ]
    assert backtest.trace.ended_ns - backtest.trace.started_ns >= 6_000_000_000


def test_one_that_sends_from_every_callback_is_held_by_the_limits():
    class Eager:
        sent = 0

        def on_framework_connected(self, env) -> None:
            self.env = env
            env.login("eager")

        def on_best_bid_level_update(self, *_: object) -> None:
            self.sent += 1
            order(f"e{self.sent}", Side.Buy, "59000.0", "0.001")(self.env)

        on_new_order_ack = on_order_cancelled = on_best_bid_level_update

    result = Backtest([SyntheticMarket(3)], Eager(), settings=Settings(duration_s=3)).run()
    assert result.orders["acked"] <= 40
    assert result.orders["rejected"] > 10


def test_one_that_answers_its_rejects_without_end_is_stopped():
    class Endless:
        def on_framework_connected(self, env) -> None:
            self.env = env
            env.login("endless")

        def on_start(self, params: str) -> None:
            self.on_new_order_reject()

        def on_new_order_reject(self, *_: object) -> None:
            order("x", Side.Buy, "-1", "1")(self.env)

    with pytest.raises(StrategyError, match="RecursionError"):
        Backtest([QUIET], Endless()).run()


def test_one_that_answers_refusals_for_want_of_room_without_end_is_stopped():
    class Endless:
        sent = 0

        def on_framework_connected(self, env) -> None:
            self.env = env
            env.login("endless")

        def on_start(self, params: str) -> None:
            self.env.request_execution_connection(LINEAR.get_exchange(), [LINEAR.get_instrument_id()])
            self.env.setup_timer(100, self.send)

        def send(self, *_: object) -> bool:
            self.sent += 1
            order(f"x{self.sent}", Side.Buy, "99.0", "1")(self.env)
            return True

        on_new_order_reject = send

        def on_new_order_ack(self, *_: object) -> None:
            for _ in range(11):  # more than fit into a second
                self.send()

    strategy = Endless()
    with pytest.raises(StrategyError, match="answers its own rejects without end"):
        Backtest([QUIET], strategy).run()
    assert strategy.sent > 10_000


def test_one_that_does_not_log_in_is_not_started():
    class Stranger:
        def on_framework_connected(self, env) -> None:
            pass

    with pytest.raises(NotLoggedInError):
        Backtest([QUIET], Stranger()).run()


def test_a_run_is_run_once_and_needs_a_tape():
    backtest = Backtest([QUIET], Scripted())
    backtest.run()
    with pytest.raises(UsageError, match="already"):
        backtest.run()
    with pytest.raises(ConfigError, match="at least one tape"):
        Backtest([], Scripted())


def test_a_market_without_events_ends_at_once():
    strategy = Scripted()
    result = Backtest([Tape()], strategy).run()
    assert result.facts.messages == 0
    assert strategy.names("on_framework_disconnected") == ["on_framework_disconnected"]


@pytest.mark.parametrize("tapes", ["capture.gz", [None], [[1, 2]], [object()]])
def test_what_is_no_market_is_refused(tapes):
    with pytest.raises(ConfigError, match="backtest: expected"):
        Backtest(tapes, Scripted())


class Yields:
    """A market of whatever the test says."""

    instrument = LINEAR

    def __init__(self, *pairs: object) -> None:
        self.pairs = pairs

    def __iter__(self):
        return iter(self.pairs)


LATER = QUIET.events[1][1]


@pytest.mark.parametrize(
    "pair",
    [None, 7, (1,), (1, None), (1, "trade"), (1.5, LATER), (True, LATER), (-1, LATER), (2**63 - 1, LATER)],
)
def test_a_market_that_yields_something_else_is_an_error_that_shows_it(pair):
    first = (0, QUIET.events[0][1])
    with pytest.raises(TapeError, match="market: expected") as caught:
        Backtest([Yields(first, pair)], Scripted()).run()
    assert repr(pair)[:40] in str(caught.value)


def test_the_first_that_a_market_yields_is_checked_too():
    with pytest.raises(TapeError, match="market: expected"):
        Backtest([Yields((0, "book"))], Scripted()).run()


def test_a_quantity_beyond_what_can_be_traded_is_an_error_of_the_market():
    tape = Tape(book(0, [("100", "5")], [("101", "3")], whole=True), book(9, [("100", "9" * 16)], []))
    with pytest.raises(TapeError, match=r"market: at 1700000000009000000: depth: qty: .* is beyond"):
        Backtest([tape], Scripted()).run()
