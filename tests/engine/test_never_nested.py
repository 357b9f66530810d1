"""No callback runs inside another, or inside a call of the environment."""

from __future__ import annotations

import random

import pytest

from mlthon._core.callbacks import CALLBACKS
from mlthon._core.dispatch import Dispatcher
from mlthon.api.istrat_env import MDSub
from mlthon.basics.defs import Exchange, OrderStatus

BYBIT = Exchange.Bybit


class Watchdog:
    """Defines every callback, calls the environment back from each at random, and notices nesting."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.depth = 0
        self.inside_env_call = False
        self.calls = 0
        self.violations: list[str] = []
        self.env = None

    def __getattr__(self, name):
        if name not in CALLBACKS:
            raise AttributeError(name)

        def callback(*args):
            self.calls += 1
            if self.depth or self.inside_env_call:
                self.violations.append(name)
            self.depth += 1
            try:
                if name == "on_framework_connected":
                    self.env = args[0]
                    self.env.login("watchdog")
                elif self.rng.random() < 0.4:
                    self.make_trouble()
            finally:
                self.depth -= 1

        return callback

    def make_trouble(self) -> None:
        self.inside_env_call = True
        try:
            self.rng.choice(
                [
                    lambda: self.env.send_cancel_order(BYBIT, "BTC-USDT", "nobody"),
                    lambda: self.env.send_modify_order(BYBIT, "nobody", "1", None),
                    lambda: self.env.send_cancel_all(BYBIT, "NOT-THERE"),
                    lambda: self.env.send_new_order(
                        None, BYBIT, "BTC-USDT", self.side(), "100.05", "1", None, None, None, False
                    ),
                    lambda: self.env.fetch_wallet_info(Exchange.Blockchain, "BTC"),
                    lambda: self.env.publish_telegram("hello"),
                    lambda: self.env.subscribe_to_market_data(BYBIT, ["NOT-THERE"], [MDSub.BBO]),
                ]
            )()
        finally:
            self.inside_env_call = False

    def side(self):
        from mlthon.basics.defs import Side

        return self.rng.choice(list(Side))


@pytest.mark.parametrize("seed", range(50))
def test_trouble_from_any_callback_never_nests(seed, make_bench):
    watchdog = Watchdog(seed)
    bench = make_bench(watchdog).start()
    for n in range(30):
        bench.order(f"ok{n}")
        request = bench.gateway.last_new()
        bench.gateway.report(request, OrderStatus.New)
        bench.gateway.fill(request, f"e{n}", "1")
        bench.gateway.report(request, OrderStatus.Cancelled, cum="1")
        bench.env.setup_timer(5, watchdog.make_trouble)
        bench.advance_ms(10)
        bench.env.dispatcher.deliver_waiting()
    assert bench.env.dispatcher.failure is None, repr(bench.env.dispatcher.failure)
    assert watchdog.violations == [], f"seed {seed}"
    assert watchdog.calls > 150


def test_what_a_callback_causes_comes_before_the_next_event():
    order = []

    class Strategy:
        def on_account_info(self, _exchange, user):
            order.append(user)
            if user == "first":
                dispatcher.post("on_unsupported_op", None, "caused")
                order.append("first ends")

        def on_unsupported_op(self, _exchange, what):
            order.append(what)

    dispatcher = Dispatcher(Strategy())
    dispatcher.call("on_account_info", None, "first")
    dispatcher.call("on_account_info", None, "second")
    assert order == ["first", "first ends", "caused", "second"]


def test_posts_from_outside_a_callback_wait_for_the_loop():
    woken = []

    class Strategy:
        def on_stop(self, _params):
            woken.append("stop")

    dispatcher = Dispatcher(Strategy(), wake=lambda: woken.append("wake"))
    dispatcher.post("on_stop", "")
    assert woken == ["wake"]
    dispatcher.deliver_waiting()
    assert woken == ["wake", "stop"]


def test_a_strategy_that_answers_its_own_rejects_is_stopped():
    class Stubborn:
        def on_stop(self, _params):
            dispatcher.post("on_stop", "again")

    dispatcher = Dispatcher(Stubborn())
    dispatcher.call("on_stop", "")
    assert isinstance(dispatcher.failure, RecursionError)


def test_user_code_cannot_be_run_inside_user_code():
    class Strategy:
        def on_stop(self, _params):
            dispatcher.run("timer", lambda: None)

    dispatcher = Dispatcher(Strategy())
    dispatcher.call("on_stop", "")
    assert "must not run inside" in str(dispatcher.failure)
