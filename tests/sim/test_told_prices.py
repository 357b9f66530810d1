"""What a recording tells of a contract: the venue's mark and index, and the funding rate with its time."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from sim_scene import SimScene, inverse, perpetual, spot

from mlthon._core.order_change import RateUpdate
from mlthon.basics.defs import OrderType
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.sim.funding import FundingRules
from mlthon.sim.orders import Fees

NOTHING = MLDecimal("0")
FREE = Fees(maker=NOTHING, taker=NOTHING, spot_maker=NOTHING, spot_taker=NOTHING)
FINE = {"price_tick_rules": "0.01"}
SECOND_NS = 10**9
HOUR_NS = 3600 * SECOND_NS


class Scene(SimScene):
    """A market around 100, and a recording that tells rates."""

    deposits = {"USDT": Qty("1000"), "BTC": Qty("1")}  # noqa: RUF012

    def __init__(self, instrument: Any = None, *, fixed: str | None = None) -> None:
        rules = FundingRules(rate=None if fixed is None else MLDecimal(fixed))
        super().__init__(instrument or perpetual(**FINE), fees=FREE, funding=rules)
        self.book_around("100")
        self.exchange.pass_time()

    def now_ns(self) -> int:
        return self.now

    def book_around(self, price: str) -> None:
        low, high = Decimal(price) - Decimal("0.01"), Decimal(price) + Decimal("0.01")
        self.depth([(str(low), "1000000")], [(str(high), "1000000")], is_snapshot=True)

    def rate(self, kind: str, value: str, due_ns: int = 0) -> None:
        self.exchange.apply_rate(self.symbol, RateUpdate(kind, value, due_ns=due_ns))

    def pass_to(self, now_ns: int) -> None:
        self.now = now_ns
        self.exchange.pass_time()

    def hold(self, qty: str) -> None:
        """Alice buys at 100.01."""
        self.buy(self.alice, qty, None, order_type=OrderType.Market)

    @property
    def held(self) -> Qty:
        return self.alice.position(self.symbol).size

    def paid(self) -> list[tuple[int, MLDecimal, MLDecimal]]:
        """When, at which rate and how much Alice has paid."""
        return [(each.exec_ns, each.rate, each.amount) for each in self.exchange.payments(self.alice)]


# -- the mark ------------------------------------------------------------------------------------------------------


def test_a_linear_position_goes_by_the_told_mark() -> None:
    """1000 + 50 (m - 100.01) < 0.005 x 50 m, that is m < 4000.5 / 49.75 = 80.412...; nothing is left at 80.01."""
    scene = Scene()
    scene.hold("50")
    scene.rate("mark", "110")
    position = scene.alice.position(scene.symbol)
    assert (position.mark_price, position.unrealised_pnl) == (Price("110"), MLDecimal("499.5"))
    assert position.maintenance_margin == MLDecimal("27.5")
    scene.book_around("60")  # by its mid, all would be lost
    assert scene.held == Qty("50")
    scene.book_around("100")
    scene.rate("mark", "80.42")
    assert scene.held == Qty("50")
    scene.rate("mark", "80.41")
    assert scene.held == Qty("0")
    [taken] = [fill for fill in scene.exchange.fills(scene.alice) if fill.price != Price("100.01")]
    assert (taken.price, taken.qty) == (Price("80.01"), Qty("50"))
    assert scene.alice.wallet("USDT").balance == NOTHING
    scene.exchange.check_conservation()


def test_an_inverse_position_goes_by_the_told_mark() -> None:
    """1 + 500 / 100.01 - 500 / m < 0.005 x 500 / m, that is m < 502.5 / (1 + 500 / 100.01) = 83.757."""
    scene = Scene(inverse(**FINE))
    scene.hold("500")
    scene.rate("mark", "125")
    gained = 500 / Decimal("100.01") - 500 / Decimal(125)
    told = scene.alice.position(scene.symbol).unrealised_pnl.to_decimal()
    assert abs(told - gained) < Decimal("1e-15")
    scene.rate("mark", "83.76")
    assert scene.held == Qty("500")
    scene.rate("mark", "83.75")
    assert scene.held == Qty("0")
    taken = scene.exchange.fills(scene.alice)[-1]
    assert taken.price == Price("83.35")  # 500 / (1 + 500 / 100.01) = 83.340..., on the tick
    left = 1 + 500 / Decimal("100.01") - 500 / Decimal("83.35")
    assert abs(scene.alice.wallet("BTC").balance.to_decimal() - left) < Decimal("1e-15")
    scene.exchange.check_conservation()


def test_a_mark_that_is_no_longer_told_gives_way_to_the_mid() -> None:
    scene = Scene()
    scene.hold("50")
    scene.rate("mark", "100")
    scene.book_around("70")
    scene.pass_to(300 * SECOND_NS)
    assert (scene.held, scene.exchange.mark_price(scene.symbol)) == (Qty("50"), Price("100"))
    scene.pass_to(301 * SECOND_NS)
    assert scene.exchange.engine(scene.symbol).told_mark_price() is None
    assert (scene.held, scene.exchange.mark_price(scene.symbol)) == (Qty("0"), Price("70"))


def test_the_told_index_counts_and_of_spot_nothing_does() -> None:
    scene = Scene()
    scene.rate("index", "99.5")
    assert scene.exchange.index_price(scene.symbol) == Price("99.5")
    scene.pass_to(300 * SECOND_NS)
    assert scene.exchange.index_price(scene.symbol) == Price("99.5")
    scene.pass_to(
        600 * SECOND_NS
    )  # no longer told: from where it was, half the way to the mark in five minutes
    assert scene.exchange.index_price(scene.symbol) == Price("99.75")
    pair = Scene(spot(**FINE))
    for kind in ("mark", "index", "funding"):
        pair.rate(kind, "0.5")
    assert pair.exchange.mark_price(pair.symbol) == Price("100")


# -- funding -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("instrument", "qty", "mark", "amount"),
    [
        (perpetual(**FINE), "10", "90", "0.9"),
        (inverse(**FINE), "50", "80", "0.000625"),
    ],  # 10 x 90 x r; 50 / 80 x r
)
def test_funding_is_paid_at_its_time_by_the_told_mark(
    instrument: Any, qty: str, mark: str, amount: str
) -> None:
    scene = Scene(instrument)
    scene.hold(qty)
    scene.rate("funding", "0.001", 3 * HOUR_NS)
    assert scene.exchange.funding_due_ns(scene.symbol) == 3 * HOUR_NS
    for now_ns in range(0, 3 * HOUR_NS, 60 * SECOND_NS):
        scene.pass_to(now_ns)
        scene.rate("mark", mark)
    assert scene.paid() == []
    scene.pass_to(3 * HOUR_NS)
    assert scene.paid() == [(3 * HOUR_NS, MLDecimal("0.001"), MLDecimal(amount))]
    assert scene.exchange.funding_due_ns(scene.symbol) == 11 * HOUR_NS  # until the tape tells another
    scene.exchange.check_conservation()


def test_a_rate_for_the_next_payment_does_not_change_the_one_that_is_due() -> None:
    scene = Scene()
    scene.hold("10")
    scene.rate("funding", "0.001", HOUR_NS)
    scene.now = HOUR_NS + SECOND_NS // 2  # nobody has looked at the clock since it was due
    scene.rate("funding", "0.002", 2 * HOUR_NS)
    assert [(rate, amount) for _, rate, amount in scene.paid()] == [(MLDecimal("0.001"), MLDecimal("1"))]
    scene.pass_to(2 * HOUR_NS)
    assert scene.paid()[-1] == (2 * HOUR_NS, MLDecimal("0.002"), MLDecimal("2"))


def test_a_clock_that_is_ahead_skips_no_payment() -> None:
    scene = Scene()
    scene.hold("10")
    scene.rate("funding", "0.001", HOUR_NS)
    scene.now = HOUR_NS - SECOND_NS
    scene.rate("funding", "0.002", 2 * HOUR_NS)
    assert scene.exchange.funding_rate(scene.symbol) == MLDecimal("0.001")
    scene.pass_to(HOUR_NS)
    scene.rate("funding", "0.003", HOUR_NS)  # late: still of the payment that was made
    assert scene.exchange.funding_due_ns(scene.symbol) == 2 * HOUR_NS
    scene.rate("funding", "0.002", 2 * HOUR_NS)
    scene.pass_to(2 * HOUR_NS)
    assert [rate for _, rate, _ in scene.paid()] == [MLDecimal("0.001"), MLDecimal("0.002")]


def test_a_venue_may_put_its_next_payment_elsewhere() -> None:
    scene = Scene()
    scene.hold("10")
    scene.rate("funding", "0.001", 4 * HOUR_NS)
    scene.rate("funding", "0.001", 5 * HOUR_NS)
    scene.pass_to(4 * HOUR_NS)
    assert scene.paid() == []
    scene.pass_to(5 * HOUR_NS)
    assert len(scene.paid()) == 1


def test_a_fixed_rate_counts_more_than_a_told_one_but_not_its_time() -> None:
    scene = Scene(fixed="0.01")
    scene.hold("10")
    scene.rate("funding", "0.001", HOUR_NS)
    scene.pass_to(HOUR_NS)
    assert scene.paid() == [(HOUR_NS, MLDecimal("0.01"), MLDecimal("10"))]


def test_a_payment_can_be_the_last_straw() -> None:
    """Equity 1000 - 50 x 19.59 = 20.5, maintenance 20.105; a payment of 4021 x 0.0002 = 0.8042 takes it below."""
    scene = Scene()
    scene.hold("50")
    scene.rate("mark", "80.42")
    scene.rate("funding", "0.0002", SECOND_NS)
    assert scene.held == Qty("50")
    scene.pass_to(SECOND_NS)
    assert scene.held == Qty("0")
    scene.exchange.check_conservation()
