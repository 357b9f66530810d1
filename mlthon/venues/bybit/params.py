"""Reading a request's parameters: each accessor returns a checked value or raises ApiError naming the parameter."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TypeVar

from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.venues.bybit.errors import ApiError, RetCode

Number = TypeVar("Number", Price, Qty, MLDecimal)

_MAX_DIGITS = 18


class Params:
    """The parameters of one request, from its query string or its JSON body.

    An empty string counts as absent, as it does at the venue.
    """

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def is_given(self, name: str) -> bool:
        return self._values.get(name) not in (None, "")

    def value(self, name: str) -> object:
        """What came, unchecked; None when nothing did."""
        return self._values.get(name)

    def text(self, name: str, default: str | None = None) -> str:
        """A string; required unless there is a default."""
        value = self._values.get(name)
        if value is None or value == "":
            if default is None:
                raise bad_param(f"{name} is required")
            return default
        if not isinstance(value, str):
            raise bad_param(f"{name}: expected a string, got {shorten(value)}")
        return value

    def choice(self, name: str, choices: Collection[str], default: str | None = None) -> str:
        value = self.text(name, default)
        if value not in choices and value != default:
            raise bad_param(f"{name}: expected one of {', '.join(choices)}, got {shorten(value)}")
        return value

    def integer(self, name: str, low: int, high: int, default: int) -> int:
        """A whole number, or its text, from `low` to `high`."""
        value = self._values.get(name)
        if value is None or value == "":
            return default
        number = whole_number(value)
        if number is None or not low <= number <= high:
            raise bad_param(f"{name}: expected a whole number from {low} to {high}, got {shorten(value)}")
        return number

    def time_ms(self, name: str) -> int | None:
        if not self.is_given(name):
            return None
        return milliseconds(self._values[name], name)

    def flag(self, name: str) -> bool:
        value = self._values.get(name)
        if value in (None, ""):
            return False
        if not isinstance(value, bool):
            raise bad_param(f"{name}: expected true or false, got {shorten(value)}")
        return value

    def price(self, name: str) -> Price:
        return self._number(name, Price)

    def qty(self, name: str) -> Qty:
        return self._number(name, Qty)

    def decimal(self, name: str) -> MLDecimal:
        return self._number(name, MLDecimal)

    def rows(self, name: str) -> list[dict[str, object]]:
        """A list of JSON objects."""
        value = self._values.get(name)
        if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
            raise bad_param(f"{name}: expected a list of objects, got {shorten(value)}")
        return value

    def _number(self, name: str, kind: type[Number]) -> Number:
        text = self.text(name)
        try:
            return kind(text)
        except (ValueError, OverflowError) as wrong:
            raise bad_param(f"{name}: expected a decimal number, got {shorten(text)}") from wrong


def whole_number(value: object) -> int | None:
    """An int, or the int that a string of digits spells; None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS:
        return int(value)
    return None


def milliseconds(value: object, what: str) -> int:
    """A time since the epoch, as a number or as its text."""
    number = whole_number(value)
    if number is None or number < 0:
        raise bad_param(f"{what}: expected milliseconds, got {shorten(value)}")
    return number


def bad_param(text: str) -> ApiError:
    return ApiError(RetCode.BAD_REQUEST, text)


def shorten(value: object, size: int = 60) -> str:
    """What came, cut to a length that fits an error line.

    >>> shorten("x" * 100, 5)
    "'xxxx..."
    """
    text = repr(value)
    return text if len(text) <= size else f"{text[:size]}..."
