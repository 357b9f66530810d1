"""What Price, Qty and MLDecimal cost beside the standard library's decimal, which is written in C, too.

One question each: the same operation on the same numbers, in the same loop.
"""

from __future__ import annotations

from decimal import Decimal

import pytest
from interleave import loop

from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty

DECIMAL = "decimal.Decimal"
TEXT = "9226.5"


@pytest.mark.parametrize(
    ("what", "statement", "at_most"),
    [
        ("add", "a + b", 0.55),
        ("subtract", "a - b", 0.55),
        ("compare: a < b", "a < b", 0.7),
        ("compare: a == b", "a == b", 0.7),
        ("negate", "-a", None),
        ("hash", "hash(a)", None),
        ("to text", "str(a)", None),
    ],
)
def test_price_beside_decimal(compare, what, statement, at_most):
    compare(
        f"Price {what}",
        ours=loop(statement, a=Price(TEXT), b=Price("0.5")),
        theirs=loop(statement, a=Decimal(TEXT), b=Decimal("0.5")),
        beside=DECIMAL,
        at_most=at_most,
    )


@pytest.mark.parametrize("text", [TEXT, "0.00000001", "61234.56789"])
def test_price_from_text(compare, text):
    compare(
        f"Price from {text!r}",
        ours=loop("make(text)", make=Price, text=text),
        theirs=loop("make(text)", make=Decimal, text=text),
        beside=DECIMAL,
        at_most=0.5,
    )


def test_price_times_qty(compare):
    compare(
        "Price x Qty",
        ours=loop("a * b", a=Price(TEXT), b=Qty("0.125")),
        theirs=loop("a * b", a=Decimal(TEXT), b=Decimal("0.125")),
        beside=DECIMAL,
    )


def test_notional_by_price(compare):
    compare(
        "MLDecimal / Price",
        ours=loop("a / b", a=MLDecimal("1153.3125"), b=Price(TEXT)),
        theirs=loop("a / b", a=Decimal("1153.3125"), b=Decimal(TEXT)),
        beside=DECIMAL,
    )


def test_round_to_a_tick(compare):
    compare(
        "Price.round_down",
        ours=loop("a.round_down(tick)", a=Price("9226.74"), tick=Price("0.5")),
        theirs=loop("a // tick * tick", a=Decimal("9226.74"), tick=Decimal("0.5")),
        beside=DECIMAL,
    )


def test_parse_a_price(benchmark):
    assert benchmark(Price, TEXT) == Price("9226.50000000")


def test_add_two_prices(benchmark):
    one, other = Price(TEXT), Price("0.5")
    assert benchmark(one.__add__, other) == Price("9227")


def test_price_to_text(benchmark):
    assert benchmark(str, Price(TEXT)) == "9226.50000000"
