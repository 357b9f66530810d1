"""Construction, text, conversion, pickling and immutability of the value types."""

from __future__ import annotations

import copy
import decimal
import pickle
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlthon._core.fixed import Fixed
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty

TYPES = [Price, Qty, MLDecimal]
LEAST, MOST = -(2**127), 2**127 - 1
MOST_TEXT = "170141183460469231731.687303715884105727"
LEAST_TEXT = "-170141183460469231731.687303715884105728"

kinds = st.sampled_from(TYPES)
mantissas = st.one_of(
    st.integers(LEAST, MOST),
    st.integers(-(10**9), 10**9).map(lambda n: n * 10**12),
    st.sampled_from([LEAST, MOST, -1, 0, 1]),
)
digits = st.text("0123456789", max_size=45)


def exact(mantissa: int) -> Decimal:
    return Decimal(mantissa).scaleb(-18, decimal.Context(prec=60))


# -- text ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("9226.5", "9226.50000000"),
        ("-9226.5", "-9226.50000000"),
        ("+9226.5", "9226.50000000"),
        ("0", "0.00000000"),
        ("-0.0", "0.00000000"),
        (".5", "0.50000000"),
        ("5.", "5.00000000"),
        ("0.00000001", "0.00000001"),
        ("0.000000001", "0.000000001"),
        ("1e-18", "0.000000000000000001"),
        ("1E+2", "100.00000000"),
        ("1.5e3", "1500.00000000"),
        ("12345678901234567890123e-3", "12345678901234567890.12300000"),
        ("1.5" + "0" * 60, "1.50000000"),
        ("0" * 60 + "1.5", "1.50000000"),
        ("0." + "0" * 50 + "1e51", "1.00000000"),
        ("1" + "0" * 50 + "e-50", "1.00000000"),
        ("0e999999999999999999999", "0.00000000"),
        ("0." + "0" * 400, "0.00000000"),
        (MOST_TEXT, MOST_TEXT),
        (LEAST_TEXT, LEAST_TEXT),
    ],
)
def test_text_in_and_out(kind: type[Price], text: str, shown: str) -> None:
    for value in (kind(text), kind(text.encode())):
        assert str(value) == value.to_str() == f"{value}" == shown
        assert repr(value) == f"{kind.__name__}('{shown}')"


NOT_NUMBERS = [
    *(
        "",
        ".",
        "+",
        "-",
        "e5",
        "1e",
        "1e+",
        "1e1.5",
        "1..2",
        "1.2.3",
        "--1",
        "+-1",
        "1-",
        "0x10",
        "1,5",
        "1e5e5",
    ),
    *(" 1", "1 ", "1\n", "1\0", "1_000", "nan", "NaN", "inf", "-Infinity", "sNaN", "abc", "1e1_0", ".e1"),
]


@pytest.mark.parametrize("text", NOT_NUMBERS)
def test_what_is_not_a_number_is_refused(text: str) -> None:
    for given_text in (text, text.encode()):
        with pytest.raises(ValueError, match="not a decimal number: ") as caught:
            Price(given_text)
        assert repr(text) in str(caught.value)


@pytest.mark.parametrize("text", ["١٢", "1\N{FULLWIDTH DIGIT TWO}", "½", "\ud800", "é"])
def test_only_ascii_digits_are_digits(text: str) -> None:
    with pytest.raises(ValueError, match="not a decimal number: "):
        Price(text)
    with pytest.raises(ValueError, match="not a decimal number: "):
        Price(text.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize(
    "text", ["1e-19", "0.1234567890123456789", "1e-99999999999999999999", "0." + "0" * 90 + "1"]
)
def test_finer_than_18_decimals_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"finer than 18 decimals: '{text[:20]}"):
        Price(text)


@pytest.mark.parametrize(
    "text",
    [
        *("170141183460469231731.687303715884105728", "-170141183460469231731.687303715884105729", "1e21"),
        *("9" * 39, "1e99999999999999999999", "1" + "0" * 500, "340282366920938463463374607431768211456"),
    ],
)
def test_out_of_range_text_overflows(text: str) -> None:
    with pytest.raises(OverflowError, match=rf"range of a fixed-point number: '{text[:20]}"):
        Price(text)


def test_a_long_offending_text_is_cut() -> None:
    for text in ("x" * 10_000, "1" * 10_000, "1e-" + "9" * 10_000, "é" * 10_000):
        for given_text in (text, text.encode()):
            with pytest.raises((ValueError, OverflowError)) as caught:
                Price(given_text)
            assert len(str(caught.value)) < 250
    with pytest.raises(ValueError, match=f"'{'x' * 40}'\\.\\.\\.$"):
        Price("x" * 41)
    with pytest.raises(ValueError, match=f"'{'x' * 40}'$"):
        Price("x" * 40)


@given(kinds, mantissas)
def test_text_round_trip(kind: type[Price], mantissa: int) -> None:
    value = kind.from_mantissa(mantissa)
    text = str(value)
    assert Decimal(text) == exact(mantissa)
    assert kind(text) == kind(text.encode()) == value
    whole, _, fraction = text.partition(".")
    assert len(fraction) == 8 or (8 < len(fraction) <= 18 and fraction[-1] != "0")
    assert whole.lstrip("-") == "0" or whole.lstrip("-")[0] != "0"


@given(
    kinds, st.sampled_from(["", "-", "+"]), digits, st.sampled_from(["", "."]), digits, st.integers(-80, 80)
)
@example(
    Price, "", "340282366920938463463374607431768211456", "", "", -18
)  # 2**128 at 18 decimals: wraps to 0
@example(Price, "", "0", ".", "1" + "0" * 40, 0)
def test_parsing_agrees_with_decimal(
    kind: type[Price], sign: str, whole: str, point: str, fraction: str, exponent: int
) -> None:
    number = sign + whole + point + fraction
    for text in (number, f"{number}e{exponent}", f"{number}E{exponent:+}"):
        try:
            expected = Decimal(text)
        except decimal.InvalidOperation:
            with pytest.raises(ValueError, match="not a decimal number"):
                kind(text)
            continue
        mantissa = expected.scaleb(18, decimal.Context(prec=200))
        if mantissa != mantissa.to_integral_value():
            with pytest.raises(ValueError, match="finer than 18 decimals"):
                kind(text)
        elif not LEAST <= mantissa <= MOST:
            with pytest.raises(OverflowError):
                kind(text)
        else:
            assert kind(text).mantissa == mantissa


@given(st.text("0123456789+-.eE _x", max_size=12))
def test_arbitrary_text_is_parsed_as_decimal_does_or_refused(text: str) -> None:
    try:
        value = Price(text)
    except (ValueError, OverflowError):
        return
    assert exact(value.mantissa) == Decimal(text)
    assert "_" not in text
    assert " " not in text


# -- other sources ---------------------------------------------------------------------------------------------


@given(kinds, mantissas)
def test_from_decimal_and_back(kind: type[Price], mantissa: int) -> None:
    value = kind(exact(mantissa))
    assert value.mantissa == mantissa
    assert value.to_decimal() == exact(mantissa)


def test_to_decimal_ignores_the_callers_context() -> None:
    with decimal.localcontext() as context:
        context.prec = 3
        assert str(Price("9226.512345").to_decimal()) == "9226.512345"
        assert Price(Decimal("9226.512345")) == Price("9226.512345")
        assert f"{Price('9226.512345'):.4f}" == "9226.5123"


@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_decimals_that_are_no_numbers_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a decimal number"):
        Price(Decimal(text))


def test_decimals_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="finer than 18 decimals"):
        Price(Decimal("1e-19"))
    with pytest.raises(OverflowError):
        Price(Decimal("1e+999999"))


@given(kinds, st.one_of(st.integers(-(10**21), 10**21), st.integers()))
@example(Price, 2**67)
@example(Price, 170141183460469231731)
@example(Price, 170141183460469231732)
@example(Price, -170141183460469231731)
@example(Price, -170141183460469231732)
def test_from_int(kind: type[Price], whole: int) -> None:
    if LEAST <= whole * 10**18 <= MOST:
        assert kind(whole).mantissa == whole * 10**18
    else:
        with pytest.raises(OverflowError):
            kind(whole)


@given(kinds, st.one_of(mantissas, st.integers(-(2**200), 2**200)))
@example(Price, 2**63)
@example(Price, -(2**63) - 1)
@example(Price, 2**64)
@example(Price, MOST + 1)
@example(Price, LEAST - 1)
def test_mantissa_round_trip(kind: type[Price], mantissa: int) -> None:
    if LEAST <= mantissa <= MOST:
        value = kind.from_mantissa(mantissa)
        assert type(value) is kind
        assert value.mantissa == mantissa
    else:
        with pytest.raises(OverflowError):
            kind.from_mantissa(mantissa)


@pytest.mark.parametrize("mantissa", ["1", 1.0, True, None, Decimal(1)])
def test_a_mantissa_is_an_int(mantissa: Any) -> None:
    with pytest.raises(TypeError, match="expected an int, got"):
        Price.from_mantissa(mantissa)


@pytest.mark.parametrize("kind", TYPES)
def test_a_float_is_refused_by_name_of_the_remedy(kind: type[Price]) -> None:
    with pytest.raises(TypeError, match=rf"use {kind.__name__}\.from_float\(1\.5, tick\)"):
        kind(1.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [None, True, [], object(), bytearray(b"1"), 1j, Qty("1"), MLDecimal("1")])
def test_other_types_are_refused(value: Any) -> None:
    with pytest.raises(
        TypeError, match=f"expected str, bytes, int, Decimal or Price, got {type(value).__name__}"
    ):
        Price(value)


def test_values_of_other_types_convert_by_name() -> None:
    with pytest.raises(TypeError, match=r"use to_mldecimal\(\)"):
        MLDecimal(Price("1"))  # type: ignore[arg-type]
    assert Price("1.5").to_mldecimal() == MLDecimal("1.5") == Qty("1.5").to_mldecimal()


def test_the_constructor_takes_a_value_of_its_type_and_subclasses_of_str() -> None:
    class Tick(StrEnum):
        FINE = "0.01"

    assert Price(Price("1.5")) == Price("1.5")
    assert Price(Tick.FINE) == Price("0.01")
    assert Price() == Price(0) == Price("0")


def test_the_common_base_is_not_a_value() -> None:
    assert all(issubclass(kind, Fixed) for kind in TYPES)
    with pytest.raises(TypeError, match="Fixed is not a value"):
        Fixed("1")
    with pytest.raises(TypeError, match="Fixed is not a value"):
        Fixed.from_mantissa(1)


def test_nothing_else_is_derived_from_the_common_base() -> None:
    derived = type("Derived", (Fixed,), {})
    for make in (
        lambda: derived("1"),
        lambda: derived.from_mantissa(1),
        lambda: derived.from_float(1.0, "1"),
    ):
        with pytest.raises(TypeError, match="Derived is not a value"):
            make()


def test_values_outlive_the_memory_kept_for_the_next_ones() -> None:
    # More than are kept, in an order that fills, drains and refills what is kept, the three types mixed.
    values = [TYPES[n % 3].from_mantissa(n) for n in range(3_000)]
    del values[::2]
    fresh = [-value for value in values]
    del values[1::3]
    assert [value.mantissa for value in fresh] == [-n for n in range(1, 3_000, 2)]
    assert all(type(value) is TYPES[-value.mantissa % 3] for value in fresh)
    assert all(value.mantissa % 2 == 1 for value in values)


# -- to float and by format ------------------------------------------------------------------------------------


@given(kinds, mantissas)
@example(Price, 2**53 * 10**10)
@example(Price, (2**53 + 1) * 10**10)
@example(Price, -(2**53 + 3) * 10**10)
def test_to_float_is_correctly_rounded(kind: type[Price], mantissa: int) -> None:
    assert kind.from_mantissa(mantissa).to_float() == mantissa / 10**18


@given(
    mantissas,
    st.sampled_from(["", "<", ">", "^", "=", "*>", "0<"]),
    st.sampled_from(["", "+", "-", " "]),
    st.sampled_from(["", "0"]),
    st.integers(1, 60),
    st.sampled_from(["", ","]),
    st.integers(0, 30),
)
def test_format_agrees_with_decimal(
    mantissa: int, align: str, sign: str, zero: str, width: int, comma: str, decimals: int
) -> None:
    layout = f"{align}{sign}{'' if align else zero}{width}{comma}"
    value = Price.from_mantissa(mantissa)
    with decimal.localcontext(prec=100, rounding=decimal.ROUND_HALF_EVEN):
        assert format(value, f"{layout}.{decimals}f") == format(exact(mantissa), f"{layout}.{decimals}f")
        assert (
            format(value, layout + "f") == format(value, layout) == format(Decimal(str(value)), layout + "f")
        )


@pytest.mark.parametrize(
    "spec",
    [".2", "e", ".2e", "g", "n", "%", "d", "s", "_f", "z.2f", "#f", ".f", "99999f", ".99999f", ">>>", "1٣f"],
)
def test_other_format_specs_are_refused(spec: str) -> None:
    with pytest.raises(ValueError, match="expected a format like ") as caught:
        format(Price("1"), spec)
    assert f"got {spec!r}" in str(caught.value)


# -- values are values -----------------------------------------------------------------------------------------


@given(kinds, mantissas, st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_pickle_and_copy(kind: type[Price], mantissa: int, protocol: int) -> None:
    value = kind.from_mantissa(mantissa)
    restored = pickle.loads(pickle.dumps(value, protocol))
    assert type(restored) is kind
    assert restored == value
    assert copy.copy(value) is value
    assert copy.deepcopy([value])[0] is value


@pytest.mark.parametrize("kind", TYPES)
def test_values_do_not_change(kind: type[Price]) -> None:
    value = kind("1.5")
    for name in ("mantissa", "price", "__dict__"):
        with pytest.raises(AttributeError):
            setattr(value, name, 2)
    with pytest.raises(AttributeError):
        del value.mantissa  # type: ignore[misc]
    with pytest.raises(TypeError):
        kind.round_up = None  # type: ignore[method-assign, assignment]
    value.__init__("2")  # type: ignore[misc, call-arg]
    assert value == kind("1.5")


@pytest.mark.parametrize("kind", TYPES)
def test_the_value_types_are_final(kind: type[Price]) -> None:
    with pytest.raises(TypeError, match="not an acceptable base type"):
        type("Own", (kind,), {})


def test_values_serve_as_dict_keys() -> None:
    by_price = {Price("1.10"): "a", Qty("1.1"): "b"}
    assert by_price[Price("1.1")] == "a"
    assert by_price[Qty("1.100")] == "b"
    assert MLDecimal("1.1") not in by_price


def test_released_values_leave_nothing_behind() -> None:
    # Values come from a free list: one that was used before must not show in the next.
    for text in ("1.5", "2.5"):
        values = [Price(text) for _ in range(1000)]
        assert all(str(value) == text + "0000000" for value in values)
        del values
    assert Price() == Qty() or Price().is_zero()
