"""Funding: when it is due, at which rate, who pays whom, and that nothing is lost on the way."""

from __future__ import annotations

from typing import Any

import pytest
from sim_scene import SimScene, inverse, perpetual, spot

from mlthon.basics.defs import Side
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.errors import ConfigError
from mlthon.sim.funding import FundingMeter, FundingRules, PastFunding
from mlthon.sim.orders import Fees

HOUR_NS = 3600 * 10**9
FREE = Fees(maker=MLDecimal("0"), taker=MLDecimal("0"))


class Scene(SimScene):
    """Time stands still until the test moves it."""

    def __init__(self, instrument: Any = None, rate: str | None = "0.001") -> None:
        rules = FundingRules(rate=None if rate is None else MLDecimal(rate))
        super().__init__(instrument, fees=FREE, funding=rules)
        self.depth([("100", "1000")], [("101", "1000")], is_snapshot=True)

    def now_ns(self) -> int:
        return self.now

    def pass_time(self, hours: float) -> None:
        self.now += int(hours * HOUR_NS)
        self.exchange.pass_time()


def test_longs_pay_shorts_by_the_value_at_the_mark() -> None:
    scene = Scene()
    scene.exchange.pass_time()
    scene.buy(scene.alice, "10", "101")
    scene.sell(scene.bob, "4", "100")
    scene.listener.take()
    scene.pass_time(7.9)
    assert scene.listener.take() == []
    scene.pass_time(0.1)
    told = scene.listener.take()
    assert [what for what, *_ in told] == ["funding", "position", "wallet"] * 2
    paid, received = told[0][1], told[3][1]
    assert (paid.account, paid.side, paid.size, paid.mark_price) == (
        "alice",
        Side.Buy,
        Qty("10"),
        Price("100.5"),
    )
    assert (paid.value, paid.rate, paid.amount, paid.coin) == (
        MLDecimal("1005"),
        MLDecimal("0.001"),
        MLDecimal("1.005"),
        "USDT",
    )
    assert (received.side, received.rate, received.amount) == (
        Side.Sell,
        MLDecimal("-0.001"),
        MLDecimal("-0.402"),
    )
    assert scene.alice.wallet("USDT").balance == MLDecimal("99998.995")
    assert scene.alice.position("BTCUSDT").funding == MLDecimal("1.005")
    assert scene.exchange.payments(scene.alice) == [paid]
    scene.exchange.check_conservation()


def test_a_negative_rate_turns_it_around() -> None:
    scene = Scene(rate="-0.002")
    scene.exchange.pass_time()
    scene.buy(scene.alice, "10", "101")
    scene.pass_time(8)
    assert scene.alice.position("BTCUSDT").funding == MLDecimal("-2.01")
    [payment] = scene.exchange.payments(scene.alice)
    assert (payment.rate, payment.amount) == (MLDecimal("-0.002"), MLDecimal("-2.01"))


def test_inverse_contracts_pay_in_their_coin() -> None:
    scene = Scene(inverse(price_tick_rules="1"))
    scene.exchange.pass_time()
    scene.depth([("100", "0"), ("99", "1000")], [])
    scene.sell(scene.alice, "50", "99")
    scene.pass_time(8)
    assert scene.alice.position("BTCUSD").funding == MLDecimal("-0.0005")  # 50 / 100 * 0.001
    assert scene.alice.wallet("BTC").balance == MLDecimal("10.0005")
    scene.exchange.check_conservation()


def test_what_was_missed_is_made_up_for() -> None:
    scene = Scene()
    scene.exchange.pass_time()
    scene.buy(scene.alice, "10", "101")
    scene.pass_time(25)
    assert len(scene.exchange.payments(scene.alice)) == 3
    assert [past.due_ns for past in scene.exchange.past_funding("BTCUSDT")] == [
        8 * HOUR_NS,
        16 * HOUR_NS,
        24 * HOUR_NS,
    ]
    assert scene.exchange.funding_due_ns("BTCUSDT") == 32 * HOUR_NS


def test_without_a_mark_nobody_pays_and_spot_never_does() -> None:
    for instrument in (perpetual(), spot()):
        scene = Scene(instrument)
        scene.depth([], [], is_snapshot=True)
        scene.exchange.pass_time()
        scene.pass_time(9)
        assert scene.exchange.payments(scene.alice) == []
        assert [what for what, *_ in scene.listener.take() if what == "funding"] == []


def test_the_rate_of_a_calm_market_is_the_interest() -> None:
    scene = Scene(rate=None)
    for _ in range(100):
        scene.pass_time(0.01)
    assert scene.exchange.funding_rate("BTCUSDT") == MLDecimal("0.0001")
    assert scene.exchange.index_price("BTCUSDT") == Price("100.5")


@pytest.mark.parametrize(("price", "sign"), [("103", 1), ("98", -1)])
def test_the_rate_follows_a_market_that_moves(price: str, sign: int) -> None:
    scene = Scene(rate=None)
    scene.exchange.pass_time()
    low, high = str(int(price) - 1), price
    scene.depth([(low, "9")], [(high, "9")], is_snapshot=True)
    for _ in range(30):
        scene.pass_time(1 / 600)
    index, mark = scene.exchange.index_price("BTCUSDT"), scene.exchange.mark_price("BTCUSDT")
    assert index is not None
    assert mark is not None
    assert (mark - index).sign() == sign
    rate = scene.exchange.funding_rate("BTCUSDT")
    assert rate.sign() == sign
    assert abs(rate) <= MLDecimal("0.00375")
    for _ in range(2000):
        scene.pass_time(1 / 600)
    assert abs(mark - scene.exchange.index_price("BTCUSDT")) < Price("0.01")


def test_the_premium_starts_over_with_every_payment() -> None:
    meter = FundingMeter(FundingRules(interval_ns=1000))
    meter.look(Price("100"), 0)
    meter.look(Price("110"), 900)
    assert meter.rate == MLDecimal("0.00375")
    assert meter.due_ns(900) == 1000
    meter.paid()
    assert list(meter.past) == [PastFunding(1000, MLDecimal("0.00375"))]
    assert (meter.rate, meter.due_ns(1001)) == (MLDecimal("0.0001"), 2000)


def test_a_clock_that_stands_or_steps_back_changes_nothing() -> None:
    meter = FundingMeter(FundingRules())
    meter.look(Price("100"), 50)
    for now in (50, 10):
        meter.look(Price("200"), now)
        assert (meter.index, meter.rate) == (Price("100"), MLDecimal("0.0001"))


def test_an_interval_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="interval"):
        FundingRules(interval_ns=0)
