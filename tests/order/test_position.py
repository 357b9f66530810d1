"""Positions against an independent account of cash and contracts in fractions."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlthon.basics.defs import Side
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.order.position import InversePosition, Position

fills = st.lists(
    st.tuples(
        st.sampled_from(list(Side)), st.integers(1, 10**9), st.integers(1, 10**6), st.integers(-50, 500)
    ),
    max_size=40,
)


def exact(value) -> Fraction:
    return Fraction(value.mantissa, 10**18)


@given(fills)
def test_cash_and_contracts_are_conserved_after_every_fill(sequence):
    position = Position()
    cash = fees = Fraction(0)
    size = Fraction(0)
    for side, price_ticks, lots, fee in sequence:
        price, qty = Price(price_ticks) / 10, Qty(lots) / 1000
        position.apply_fill(side, price, qty, MLDecimal(fee))
        sign = 1 if side is Side.Buy else -1
        size += sign * exact(qty)
        cash -= sign * exact(price) * exact(qty)
        fees += fee
        assert exact(position.size) == size
        assert exact(position.fees) == fees
        for mark in (Price("1"), price):
            total = exact(position.realised) + exact(position.unrealised(mark))
            assert total == cash + size * exact(mark)  # exact: what rounding moves stays between the two


def test_a_fill_that_turns_the_position_opens_at_its_own_price():
    position = Position()
    position.apply_fill(Side.Sell, Price("100"), Qty("1"))
    closed = position.apply_fill(Side.Buy, Price("90"), Qty("3"))
    assert closed == (Qty("1"), MLDecimal("10"))
    assert (position.size, position.avg_price) == (Qty("2"), Price("90"))


def test_closing_in_thirds_leaves_nothing_behind():
    position = Position()
    position.apply_fill(Side.Buy, Price("0.1"), Qty("1"))
    position.apply_fill(Side.Buy, Price("0.2"), Qty("2"))
    for _ in range(3):
        position.apply_fill(Side.Sell, Price("0.2"), Qty("1"))
    assert (position.size, position.entry_value, position.realised) == (
        Qty("0"),
        MLDecimal("0"),
        MLDecimal("0.1"),
    )


@given(fills)
def test_coins_and_inverse_contracts_are_conserved_after_every_fill(sequence):
    position = InversePosition()
    coins = Fraction(0)
    size = Fraction(0)
    for side, price_ticks, lots, _ in sequence:
        price, qty = Price(price_ticks) / 10, Qty(lots)
        position.apply_fill(side, price, qty)
        sign = 1 if side is Side.Buy else -1
        size += sign * lots
        coins += sign * exact(qty.to_mldecimal() / price.to_mldecimal())  # who buys contracts sells coins
        assert exact(position.size) == size
        for mark in (Price("1"), price):
            total = exact(position.realised) + exact(position.unrealised(mark))
            assert total == coins - exact(position.size.to_mldecimal() / mark.to_mldecimal())


def test_inverse_profit_is_the_difference_of_the_reciprocals():
    position = InversePosition()
    position.apply_fill(Side.Sell, Price("40000"), Qty("1000"))
    position.apply_fill(Side.Sell, Price("50000"), Qty("1000"))
    assert (position.size, position.entry_value) == (Qty("-2000"), MLDecimal("0.045"))
    assert position.avg_price == Price("44444.44444444")
    assert position.unrealised(Price("80000")) == MLDecimal("-0.02")
    closed = position.apply_fill(Side.Buy, Price("32000"), Qty("1000"))
    assert closed == (Qty("1000"), MLDecimal("0.00875"))  # 1000 / 32000 less half of 0.045


@pytest.mark.parametrize("price", ["0.0001", "0.5", "60000.5", "99999.5"])
@pytest.mark.parametrize("qty", ["1", "7", "1000000"])
def test_the_average_price_of_one_inverse_fill_is_its_price(price, qty):
    position = InversePosition()
    position.apply_fill(Side.Buy, Price(price), Qty(qty))
    assert position.avg_price == Price(price)


@pytest.mark.parametrize("qty", ["0", "-1"])
def test_fills_are_positive(qty):
    with pytest.raises(ValueError, match="fill qty"):
        Position().apply_fill(Side.Buy, Price("1"), Qty(qty))
