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
from mlthon.order.position import Position

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


@pytest.mark.parametrize("qty", ["0", "-1"])
def test_fills_are_positive(qty):
    with pytest.raises(ValueError, match="fill qty"):
        Position().apply_fill(Side.Buy, Price("1"), Qty(qty))
