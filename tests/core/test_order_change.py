"""Changes of orders and rates: values, and what is refused."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from mlthon._core.order_change import OrderChange, RateUpdate
from mlthon.basics.defs import Side
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty

CHANGE = OrderChange(
    "modify", 7, Side.Sell, "9226.5", "0.1", is_snapshot=True, is_last=False, venue_ns=1, recv_ns=2, seq=3
)
RATE = RateUpdate("funding", "-0.0001", due_ns=5, venue_ns=1, recv_ns=2)


def test_they_are_values() -> None:
    assert (CHANGE.action, CHANGE.order_id, CHANGE.side) == ("modify", 7, Side.Sell)
    assert (CHANGE.price, CHANGE.qty) == (Price("9226.5"), Qty("0.1"))
    assert (CHANGE.is_snapshot, CHANGE.is_first, CHANGE.is_last) == (True, True, False)
    assert (CHANGE.venue_ns, CHANGE.recv_ns, CHANGE.seq) == (1, 2, 3)
    assert (RATE.kind, RATE.value, RATE.due_ns) == ("funding", MLDecimal("-0.0001"), 5)
    for value, other in ((CHANGE, OrderChange("delete", 7, Side.Sell)), (RATE, RateUpdate("mark", "1"))):
        twin = pickle.loads(pickle.dumps(value))
        assert twin == value
        assert hash(twin) == hash(value)
        assert value != other
        assert value != "value"
        assert "at 0x" not in repr(value)


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: OrderChange("move", 1, Side.Buy), ValueError, "action: expected one of add, modify, delete"),
        (
            lambda: OrderChange("add", 1, Side.Buy, "1"),
            ValueError,
            "order 1: expected a price and a qty above 0",
        ),
        (
            lambda: OrderChange("add", 1, Side.Buy, "0", "1"),
            ValueError,
            "order 1: expected a price and a qty above 0",
        ),
        (lambda: OrderChange("delete", 1, Side.Buy, "-1"), ValueError, "order 1: .* of 0 or more, got -1"),
        (lambda: OrderChange("add", 1, Side.Buy, 1.5, "1"), TypeError, "float"),
        (lambda: OrderChange("add", 2**63, Side.Buy, "1", "1"), OverflowError, "too large"),
        (lambda: OrderChange("add", 1, "Buy", "1", "1"), TypeError, "Side"),
        (lambda: RateUpdate("open", "1"), ValueError, "kind: expected one of funding, mark, index"),
        (lambda: RateUpdate("mark", "0"), ValueError, "mark price: expected more than 0"),
    ],
)
def test_what_is_wrong_is_refused(make: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        make()
