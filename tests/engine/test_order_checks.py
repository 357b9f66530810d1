"""Rules for orders: what is refused, by which name, and what would have done instead."""

from __future__ import annotations

from random import Random

import pytest

from mlthon.basics.defs import Exchange, GtwRejectCode, InstrumentType
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.engine.order_checks import broken_rule, why_closed
from mlthon.instruments.instrument import Instrument
from mlthon.instruments.perpetual import Perpetual
from mlthon.instruments.spot import Spot

RULES = {
    "exchange": Exchange.Bybit,
    "price_tick_rules": "0.5",
    "quantity_tick_rules": "0.02",
    "min_quantity": "0.05",
    "max_quantity": "10.01",
    "min_notional": "5",
}
LINEAR = Perpetual(
    instrument_type=InstrumentType.Perpetual, mlt_symbol="BTC-USDT", settlement_method="linear", **RULES
)
SPOT = Spot(instrument_type=InstrumentType.Spot, mlt_symbol="BTC-USDT", **RULES)
INVERSE = Perpetual(
    instrument_type=InstrumentType.Perpetual,
    mlt_symbol="BTC-USD",
    settlement_method="inverse",
    **RULES | {"quantity_tick_rules": "1", "min_quantity": "1", "max_quantity": "1000000"},
)


@pytest.mark.parametrize(
    ("instrument", "price", "qty", "code", "rule", "nearest"),
    [
        (LINEAR, "100.2", "1", GtwRejectCode.InvalidPrice, "off its tick 0.5", "100"),
        (LINEAR, "0.1", "1", GtwRejectCode.InvalidPrice, "off its tick 0.5", "0.5"),
        (LINEAR, "-3", "1", GtwRejectCode.InvalidPrice, "not above 0", "0.5"),
        (LINEAR, "100", "0", GtwRejectCode.InvalidQty, "not above 0", "0.06"),
        (LINEAR, "100", "1.01", GtwRejectCode.InvalidQty, "off its lot 0.02", "1"),
        (LINEAR, "100", "0.01", GtwRejectCode.InvalidQty, "off its lot 0.02", "0.06"),
        (LINEAR, "100", "0.04", GtwRejectCode.InvalidQty, "below its minimum 0.05", "0.06"),
        (LINEAR, "100", "11", GtwRejectCode.InvalidQty, "above its maximum 10.01", "10"),
        (LINEAR, "3", "1", GtwRejectCode.InvalidNotional, "below its minimum notional 5", "1.68"),
        (SPOT, "3", "1", GtwRejectCode.InvalidNotional, "below its minimum notional 5", "1.68"),
        (INVERSE, "50000", "4", GtwRejectCode.InvalidNotional, "below its minimum notional 5", "5"),
    ],
)
def test_a_broken_rule_is_named_with_the_nearest_value_that_keeps_it(
    instrument: Instrument, price: str, qty: str, code: GtwRejectCode, rule: str, nearest: str
) -> None:
    broken = broken_rule(instrument, Price(price), Qty(qty))
    assert broken is not None
    assert broken.code is code
    assert rule in broken.reason
    assert instrument.get_instrument_name() in broken.reason
    assert Qty(broken.reason.split()[-1]) == Qty(nearest)


def test_values_that_keep_the_rules_pass() -> None:
    assert broken_rule(LINEAR, Price("100"), Qty("0.06")) is None
    assert broken_rule(INVERSE, Price("50000.5"), Qty("5")) is None
    assert broken_rule(LINEAR, None, Qty("0.06")) is None  # a market order
    assert broken_rule(LINEAR, Price("3"), Qty("1")) is not None
    assert broken_rule(LINEAR, Price("3"), Qty("1"), closes=True) is None  # the rest of a position has to go
    assert broken_rule(Perpetual(), Price("0.123"), Qty("0.456")) is None  # without rules


def test_the_value_that_is_proposed_is_always_accepted() -> None:
    rng = Random(5)
    proposed = 0
    for _ in range(2_000):
        instrument = rng.choice([LINEAR, SPOT, INVERSE])
        price = Price("0.5") * rng.randint(1, 300)
        qty = Qty.from_mantissa(rng.randint(1, 13 * 10**18))
        broken = broken_rule(instrument, price, qty)
        if broken is not None and broken.code is not GtwRejectCode.InvalidPrice:
            better = Qty(broken.reason.split()[-1])
            again = broken_rule(instrument, price, better)
            # The nearest quantity may be worth too little, which is said next, and is then the last word.
            if again is not None:
                assert again.code is GtwRejectCode.InvalidNotional
                better = Qty(again.reason.split()[-1])
                again = broken_rule(instrument, price, better)
            assert again is None or better > instrument.get_max_quantity()
            proposed += 1
    assert proposed > 1_000


def test_what_is_not_traded_is_closed() -> None:
    assert why_closed(LINEAR) is None
    assert why_closed(Spot(status="Trading")) is None
    closed = why_closed(Spot(status="Delisted", mlt_symbol="A-B", exchange=Exchange.Bybit))
    assert closed is not None
    assert closed.code is GtwRejectCode.MarketClosed
    assert "its status is Delisted" in closed.reason
