"""Arithmetic, comparison and rounding of the value types against `decimal` in a context too wide to round."""

from __future__ import annotations

import operator
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty

TYPES = [Price, Qty, MLDecimal]
LEAST, MOST = -(2**127), 2**127 - 1
ONE = 10**18
WIDE = Context(prec=200, rounding=ROUND_HALF_EVEN)

kinds = st.sampled_from(TYPES)
mantissas = st.one_of(
    st.integers(LEAST, MOST),
    st.integers(-(10**24), 10**24),
    st.integers(-(10**9), 10**9).map(lambda n: n * 10**12),  # as venues quote
    st.integers(-60, 60).map(lambda n: n * ONE // 4),  # makes ties
    st.sampled_from([LEAST, LEAST + 1, MOST, -1, 0, 1]),
    # Words that make long division guess wrong.
    st.builds(
        lambda sign, high, low: sign * (high << 64 | low),
        st.sampled_from([-1, 1]),
        st.sampled_from([1, 2**32, 2**62, 2**62 + 1, 2**63 - 1]),
        st.sampled_from([0, 1, 2**63 - 1, 2**63, 2**64 - 1]),
    ),
)
integers = st.one_of(st.integers(-10, 10), st.integers(LEAST, MOST))


def exact(mantissa: int) -> Decimal:
    return WIDE.scaleb(Decimal(mantissa), -18)


def at_18_decimals(number: Decimal) -> int:
    """The mantissa of a number, rounded as the values round."""
    return int(WIDE.scaleb(WIDE.quantize(number, Decimal("1e-18")), 18))


def half_even(ratio: Fraction) -> int:
    return round(ratio)


def check(compute: Callable[[], Any], kind: type, mantissa: int) -> None:
    """The computation gives exactly this, or, where that does not fit, raises OverflowError."""
    if not LEAST <= mantissa <= MOST:
        with pytest.raises(OverflowError):
            compute()
        return
    result = compute()
    assert type(result) is kind
    assert result.mantissa == mantissa


@given(kinds, mantissas, mantissas)
@example(Price, MOST, 1)
@example(Price, LEAST, -1)
def test_add_and_subtract(kind: type[Price], a: int, b: int) -> None:
    left, right = kind.from_mantissa(a), kind.from_mantissa(b)
    check(lambda: left + right, kind, at_18_decimals(WIDE.add(exact(a), exact(b))))
    check(lambda: left - right, kind, at_18_decimals(WIDE.subtract(exact(a), exact(b))))


@given(kinds, mantissas)
@example(Qty, LEAST)
def test_unary(kind: type[Price], a: int) -> None:
    value = kind.from_mantissa(a)
    check(lambda: -value, kind, -a)
    check(lambda: abs(value), kind, abs(a))
    check(lambda: +value, kind, a)
    assert bool(value) is (a != 0)
    assert value.is_zero() is (a == 0)
    assert value.sign() == (a > 0) - (a < 0)


@given(kinds, mantissas, integers)
@example(Qty, LEAST, -1)
@example(Qty, 1, MOST)
def test_times_int(kind: type[Price], a: int, factor: int) -> None:
    value = kind.from_mantissa(a)
    check(lambda: value * factor, kind, a * factor)
    check(lambda: factor * value, kind, a * factor)


@given(kinds, mantissas, integers)
@example(Qty, LEAST, -1)
@example(Qty, LEAST, LEAST)
@example(Price, 5, 2)
@example(Price, 7, 2)
@example(Price, -5, 2)
def test_divided_by_int(kind: type[Price], a: int, divisor: int) -> None:
    value = kind.from_mantissa(a)
    if divisor == 0:
        with pytest.raises(ZeroDivisionError):
            value / divisor
    else:
        check(lambda: value / divisor, kind, half_even(Fraction(a, divisor)))


PRODUCTS = [
    (Price, Qty),
    (Qty, Price),
    (MLDecimal, MLDecimal),
    (MLDecimal, Price),
    (Price, MLDecimal),
    (MLDecimal, Qty),
    (Qty, MLDecimal),
]


@given(st.sampled_from(PRODUCTS), mantissas, mantissas)
@example((Price, Qty), ONE // 2, 1)  # a tie that goes down to 0
@example((Price, Qty), ONE // 2, 3)  # a tie that goes up to 2
@example((Price, Qty), -ONE // 2, 3)
@example((Price, Qty), LEAST, ONE)
@example((Price, Qty), LEAST, -ONE)
@example((Price, Qty), MOST, MOST)
@example((MLDecimal, MLDecimal), 3 * 10**37, 3 * 10**19)
def test_products(pair: tuple[type[Price], type[Qty]], a: int, b: int) -> None:
    left, right = pair[0].from_mantissa(a), pair[1].from_mantissa(b)
    check(lambda: left * right, MLDecimal, at_18_decimals(WIDE.multiply(exact(a), exact(b))))


QUOTIENTS = [
    (Price, Price, MLDecimal),
    (Qty, Qty, MLDecimal),
    (MLDecimal, MLDecimal, MLDecimal),
    (MLDecimal, Price, Qty),
    (MLDecimal, Qty, Price),
]


@given(st.sampled_from(QUOTIENTS), mantissas, mantissas)
@example((Price, Price, MLDecimal), 1, 2 * ONE)
@example((Price, Price, MLDecimal), 3, 2 * ONE)
@example((Price, Price, MLDecimal), LEAST, ONE)
@example((Price, Price, MLDecimal), LEAST, -ONE)
@example((Price, Price, MLDecimal), MOST, 1)
@example((Price, Price, MLDecimal), LEAST, LEAST)
@example((Price, Price, MLDecimal), MOST - 1, MOST)
def test_quotients(case: tuple[type[Price], type[Price], type], a: int, b: int) -> None:
    left, right = case[0].from_mantissa(a), case[1].from_mantissa(b)
    if b == 0:
        with pytest.raises(ZeroDivisionError):
            left / right
    else:
        check(lambda: left / right, case[2], half_even(Fraction(a * ONE, b)))


@given(kinds, mantissas, mantissas)
@example(Price, LEAST, MOST)
def test_comparisons(kind: type[Price], a: int, b: int) -> None:
    left, right = kind.from_mantissa(a), kind.from_mantissa(b)
    for compare in (operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne):
        assert compare(left, right) is compare(exact(a), exact(b))
        assert compare(left, kind.from_mantissa(a)) is compare(a, a)


@given(kinds, mantissas)
@example(Price, -ONE)
@example(Price, (2**61 - 1) * ONE)
@example(Price, -(2**61) * ONE)
def test_hash_is_the_equal_decimals(kind: type[Price], a: int) -> None:
    assert hash(kind.from_mantissa(a)) == hash(exact(a))
    assert hash(kind.from_mantissa(a // ONE * ONE if a >= 0 else 0)) == hash(max(a, 0) // ONE)


@given(kinds, mantissas, mantissas)
def test_rounding_to_a_tick(kind: type[Price], a: int, tick: int) -> None:
    assume(tick > 0)
    value, step = kind.from_mantissa(a), kind.from_mantissa(tick)
    check(lambda: value.round_down(step), kind, a // tick * tick)
    check(lambda: value.round_up(step), kind, -(-a // tick) * tick)
    check(lambda: value.round_nearest(step), kind, half_even(Fraction(a, tick)) * tick)


@pytest.mark.parametrize("tick", ["0.5", b"0.5", Decimal("0.5"), Price("0.5")])
def test_a_tick_may_be_anything_the_constructor_takes(tick: Any) -> None:
    assert Price("1.26").round_down(tick) == Price("1")
    assert Price("1.26").round_up(tick) == Price("1.5")
    assert Price("1.26").round_nearest(tick) == Price("1.5")
    assert Price.from_float(1.26, tick) == Price("1.5")


@pytest.mark.parametrize("method", ["round_down", "round_up", "round_nearest"])
def test_refused_ticks(method: str) -> None:
    rounding = getattr(Price("1"), method)
    for tick in ("0", "-0.5", Price("0")):
        with pytest.raises(ValueError, match="tick: expected a positive Price"):
            rounding(tick)
    with pytest.raises(TypeError, match=r"write it as text: Price\('0\.5'\)"):
        rounding(0.5)
    with pytest.raises(TypeError, match="got Qty"):
        rounding(Qty("1"))


@given(kinds, st.floats(allow_nan=False, allow_infinity=False), mantissas)
@example(Price, 0.1 + 0.2, ONE // 10)
@example(Price, 0.75, ONE // 2)
@example(Price, 1.25, ONE // 2)
@example(Price, 5e-324, 1)
@example(Price, 1.7976931348623157e308, 1)
def test_from_float_gives_the_nearest_multiple(kind: type[Price], x: float, tick: int) -> None:
    assume(tick > 0)
    expected = half_even(Fraction(x) * ONE / tick) * tick
    check(lambda: kind.from_float(x, kind.from_mantissa(tick)), kind, expected)


def test_from_float_takes_an_int_too() -> None:
    assert Price.from_float(7, "2") == Price("8")


@pytest.mark.parametrize("x", [float("nan"), float("inf"), float("-inf")])
def test_from_float_refuses_what_is_no_number(x: float) -> None:
    with pytest.raises(ValueError, match=r"Price\.from_float: expected a finite number, got -?(nan|inf)"):
        Price.from_float(x, "0.1")


@pytest.mark.parametrize("x", ["1.5", True, None, Decimal("1.5")])
def test_from_float_refuses_what_is_no_float(x: Any) -> None:
    with pytest.raises(TypeError, match=r"Price\.from_float: expected a float"):
        Price.from_float(x, "0.1")


# -- what must not be mixed ------------------------------------------------------------------------------------

UNITS = [
    (Price, Qty, "+-"),
    (Price, MLDecimal, "+-"),
    (Qty, MLDecimal, "+-"),
    (Price, Price, "*"),
    (Qty, Qty, "*"),
    (Price, Qty, "/"),
    (Qty, Price, "/"),
    (Price, MLDecimal, "/"),
    (Qty, MLDecimal, "/"),
]
OPERATORS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}


@pytest.mark.parametrize(("left", "right", "signs"), UNITS)
def test_units_do_not_mix(left: type[Price], right: type[Price], signs: str) -> None:
    for sign in signs:
        with pytest.raises(TypeError, match="unsupported operand"):
            OPERATORS[sign](left("1"), right("1"))


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("sign", OPERATORS)
def test_a_float_operand_names_the_remedy(kind: type[Price], sign: str) -> None:
    remedy = rf"{kind.__name__}\.from_float\(x, tick\)"
    with pytest.raises(TypeError, match=remedy):
        OPERATORS[sign](kind("1"), 1.5)
    with pytest.raises(TypeError, match=remedy):
        OPERATORS[sign](1.5, kind("1"))


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("other", [1, Decimal(1), "1", None, True])
def test_other_operands_are_not_supported(kind: type[Price], other: Any) -> None:
    signs = "+-" if type(other) is int else "+-*/"
    for sign in signs:
        with pytest.raises(TypeError):
            OPERATORS[sign](kind("1"), other)
        with pytest.raises(TypeError):
            OPERATORS[sign](other, kind("1"))


@pytest.mark.parametrize("kind", TYPES)
def test_an_int_is_not_divided_by_a_value(kind: type[Price]) -> None:
    with pytest.raises(TypeError):
        1 / kind("2")


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("factor", [2**127, -(2**127) - 1, 10**50])
def test_an_int_operand_beyond_128_bits_overflows(kind: type[Price], factor: int) -> None:
    with pytest.raises(OverflowError):
        kind("1") * factor
    with pytest.raises(OverflowError):
        factor * kind("0")
    with pytest.raises(OverflowError):
        kind("1") / factor


@pytest.mark.parametrize("kind", TYPES)
def test_other_kinds_of_value_are_never_equal(kind: type[Price]) -> None:
    value = kind("1")
    for other in ("1", None, True, *(other("1") for other in TYPES if other is not kind)):
        assert (value == other) is False
        assert (value != other) is True
        with pytest.raises(TypeError):
            value < other  # noqa: B015


@given(kinds, mantissas, st.one_of(st.integers(-(10**21), 10**21), st.decimals(allow_nan=False)))
def test_ints_and_decimals_compare_exactly(kind: type[Price], mantissa: int, other: int | Decimal) -> None:
    value, exact = kind.from_mantissa(mantissa), kind.from_mantissa(mantissa).to_decimal()
    for compare in (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge):
        assert compare(value, other) is compare(exact, other)
        assert compare(other, value) is compare(other, exact)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("compare", [operator.eq, operator.ne, operator.lt, operator.ge])
def test_a_comparison_with_a_float_names_the_remedy(kind: type[Price], compare: Any) -> None:
    with pytest.raises(TypeError, match=rf"{kind.__name__} compared with the float 0\.1: .*from_float"):
        compare(kind("0.1"), 0.1)
    with pytest.raises(TypeError, match="from_float"):
        compare(0.1, kind("0.1"))
