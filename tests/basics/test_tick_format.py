"""TickFormat: every rounding is the exact one, but for floats that all but are a multiple."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlthon import TickUnit
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.basics.tick_format import TickFormat

CALLS = [
    (TickFormat.price_up_from_float, Price, math.ceil),
    (TickFormat.price_down_from_float, Price, math.floor),
    (TickFormat.qty_up_from_float, Qty, math.ceil),
    (TickFormat.qty_down_from_float, Qty, math.floor),
]
ticks = st.one_of(
    st.sampled_from(["0.5", "0.01", "0.001", "0.1", "1", "25", "0.00000001", "1e-18"]),
    st.integers(1, 10**6).map(lambda n: str(Decimal(n).scaleb(-6))),
)


def expected_mantissa(x: float, tick: str, rounding: Callable[[Fraction], int]) -> int:
    steps = Fraction(x) / Fraction(tick)
    nearest = round(steps)
    if abs(nearest * Fraction(tick) - Fraction(x)) <= 4 * Fraction(math.ulp(x)):
        return int(nearest * Fraction(tick) * 10**18)
    return int(rounding(steps) * Fraction(tick) * 10**18)


@given(st.sampled_from(CALLS), st.floats(-1e9, 1e9), ticks)
@example(CALLS[0], 0.1 + 0.2, "0.1")
@example(CALLS[1], 0.1 * 3 * 3, "0.1")
@example(CALLS[0], 1e9, "1e-18")
def test_agrees_with_fractions(
    call: tuple[Any, type[Price], Callable[[Fraction], int]], x: float, tick: str
) -> None:
    compute, kind, rounding = call
    result = compute(x, tick_size=tick)
    assert type(result) is kind
    assert result.mantissa == expected_mantissa(x, tick, rounding)


@given(st.sampled_from(CALLS), st.integers(-(10**7), 10**7), ticks, st.integers(-4, 4))
def test_a_float_next_to_a_multiple_is_that_multiple(
    call: tuple[Any, type[Price], Callable[[Fraction], int]], count: int, tick: str, ulps: int
) -> None:
    compute, kind, _ = call
    multiple = kind(tick) * count
    x = float(multiple.to_decimal())
    for _ in range(abs(ulps) - 1):  # the conversion itself took up to half of one
        x = math.nextafter(x, math.copysign(math.inf, ulps))
    assert compute(x, tick_size=tick) == multiple


@pytest.mark.parametrize(("compute", "kind", "rounding"), CALLS)
def test_beyond_four_ulps_the_direction_counts(
    compute: Any, kind: type[Price], rounding: Callable[[Fraction], int]
) -> None:
    above = below = 100.0
    for _ in range(5):
        above, below = math.nextafter(above, math.inf), math.nextafter(below, -math.inf)
    up = rounding is math.ceil
    assert compute(above, tick_size="0.5") == kind("100.5" if up else "100")
    assert compute(below, tick_size="0.5") == kind("100" if up else "99.5")


def test_published_call_shapes_and_defaults() -> None:
    assert TickFormat.qty_down_from_float(0.0199, tick_size=0.001, tick_unit=TickUnit.Lot) == Qty("0.019")
    assert TickFormat.price_up_from_float(9226.501, tick_size=0.01, tick_unit=TickUnit.Cent) == Price(
        "9226.51"
    )
    assert TickFormat.price_down_from_float(9226.509) == Price("9226.50")
    assert TickFormat.qty_up_from_float(0.0101) == Qty("0.011")


@pytest.mark.parametrize("tick", [0.25, "0.25", Decimal("0.25"), Price("0.25"), Qty("0.25")])
def test_a_tick_size_may_be_any_number(tick: Any) -> None:
    assert TickFormat.price_up_from_float(1.1, tick_size=tick) == Price("1.25")
    assert TickFormat.qty_down_from_float(1.1, tick_size=tick) == Qty("1")


@pytest.mark.parametrize("compute", [call[0] for call in CALLS])
class TestRefusals:
    @pytest.mark.parametrize("x", [math.nan, math.inf, -math.inf])
    def test_no_finite_number(self, compute: Any, x: float) -> None:
        with pytest.raises(ValueError, match=r"TickFormat: expected a finite number, got -?(nan|inf)"):
            compute(x)

    @pytest.mark.parametrize("x", ["1.5", None, True, Price("1")])
    def test_no_float(self, compute: Any, x: Any) -> None:
        with pytest.raises(TypeError, match="TickFormat: expected a float, got"):
            compute(x)

    @pytest.mark.parametrize("tick", [0.0, -0.01, "0", Price("-1"), math.nan, math.inf, "x"])
    def test_no_tick_size(self, compute: Any, tick: Any) -> None:
        with pytest.raises(ValueError, match="tick_size: expected a positive number, got "):
            compute(1.0, tick_size=tick)

    @pytest.mark.parametrize("tick", [None, True, []])
    def test_no_number_as_tick_size(self, compute: Any, tick: Any) -> None:
        with pytest.raises(TypeError, match="tick_size: expected a number, got "):
            compute(1.0, tick_size=tick)

    def test_no_tick_unit(self, compute: Any) -> None:
        with pytest.raises(TypeError, match="tick_unit: expected a TickUnit, got 'Cent'"):
            compute(1.0, tick_unit="Cent")

    def test_out_of_range(self, compute: Any) -> None:
        with pytest.raises(OverflowError):
            compute(1e21)
