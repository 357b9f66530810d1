"""Reading JSON objects of which nothing is known: each reader returns a checked value or raises DecodeError.

Every reader takes the object, the key, and `where`: the words that say in an error which object it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from reprlib import Repr
from typing import Any, NamedTuple, NoReturn, TypeAlias, TypeVar

import orjson

from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.errors import DecodeError
from mlthon.exchanges.bybit.codec.places import around, syntax_offset

__all__ = [
    "Ack",
    "FieldError",
    "FrameError",
    "Json",
    "NotJsonError",
    "Pong",
    "Unknown",
    "choice",
    "decimal",
    "flag",
    "integer",
    "json_object",
    "mapping",
    "price",
    "qty",
    "refuse",
    "rows",
    "stamp_ms",
    "text",
    "text_or_empty",
    "topic_of",
]

Json: TypeAlias = dict[str, Any]
Choice = TypeVar("Choice")
Number = TypeVar("Number", Price, Qty, MLDecimal)

_LATEST_MS = 9_000_000_000_000  # the year 2255; in nanoseconds it still fits 64 bits
_MOST_DIGITS = 19
_LONGEST_TOPIC = 80

_clip = Repr()
_clip.maxstring = _clip.maxother = _clip.maxlong = 60
_clip.maxlist = _clip.maxdict = 3
_clip.maxlevel = 2


class FrameError(DecodeError):
    """A websocket message that could not be decoded.

    `topic` is "" where it was not even legible. `offset` is the byte that is wrong; None where that was not
    looked for.
    """

    def __init__(self, text: str, topic: str = "", offset: int | None = None) -> None:
        super().__init__(text)
        self.topic = topic
        self.offset = offset


class NotJsonError(DecodeError):
    """A message that is not JSON from byte `offset` on."""

    def __init__(self, text: str, offset: int) -> None:
        super().__init__(text)
        self.offset = offset


class FieldError(DecodeError):
    """A message with a wrong value at `where`: what the message is called, then the path in it."""

    def __init__(self, text: str, where: str) -> None:
        super().__init__(text)
        self.where = where


class Ack(NamedTuple):
    """The venue's answer to a subscribe or unsubscribe request."""

    op: str
    success: bool
    text: str
    req_id: str


class Pong(NamedTuple):
    """The answer to a ping."""


class Unknown(NamedTuple):
    """A message that is none of ours; `what` names it."""

    what: str


def json_object(data: bytes | str, where: str) -> Json:
    """Parse a message that has to be one JSON object."""
    try:
        message = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        offset = syntax_offset(data, error)
        raise NotJsonError(f"{where}: expected JSON: {error.msg} {around(data, offset)}", offset) from None
    if type(message) is not dict:
        refuse(where, "a JSON object", message)
    return message


def refuse(where: str, expected: str, got: object) -> NoReturn:
    """Raise the DecodeError that says what was expected, what came, and where."""
    raise FieldError(f"{where}: expected {expected}, got {_clip.repr(got)}", where)


def text(row: Json, key: str, where: str) -> str:
    """A string that is not empty."""
    value = row.get(key)
    if type(value) is not str or not value:
        refuse(f"{where}.{key}", "text", value)
    return value


def text_or_empty(row: Json, key: str, where: str) -> str:
    """A string; absent and null count as empty."""
    value = row.get(key)
    if value is None:
        return ""
    if type(value) is not str:
        refuse(f"{where}.{key}", "text", value)
    return value


def integer(row: Json, key: str, where: str, default: int | None = None) -> int:
    """An integer, as a JSON number or, as the venue writes many, as decimal text."""
    value = row.get(key)
    if type(value) is int:
        return value
    if default is not None and (value is None or value == ""):
        return default
    if type(value) is str and value.isascii():
        digits = value.removeprefix("-")
        if digits.isdigit() and len(digits) <= _MOST_DIGITS:
            return int(value)
    refuse(f"{where}.{key}", "an integer", value)


def stamp_ms(row: Json, key: str, where: str, default: int | None = None) -> int:
    """Milliseconds since the epoch."""
    value = integer(row, key, where, default)
    if not 0 <= value <= _LATEST_MS:
        refuse(f"{where}.{key}", "milliseconds since the epoch", value)
    return value


def flag(row: Json, key: str, where: str) -> bool:
    """A JSON boolean."""
    value = row.get(key)
    if type(value) is not bool:
        refuse(f"{where}.{key}", "true or false", value)
    return value


def choice(row: Json, key: str, where: str, choices: Mapping[str, Choice]) -> Choice:
    """One of the words in `choices`; absent and null count as the empty word."""
    value = row.get(key)
    if value is None:
        value = ""
    if type(value) is not str or value not in choices:
        refuse(f"{where}.{key}", f"one of {', '.join(word or repr('') for word in choices)}", value)
    return choices[value]


def price(row: Json, key: str, where: str) -> Price:
    """A price that is not negative; "" and null, which the venue writes for none, count as zero."""
    return _not_negative(Price, row, key, where)


def qty(row: Json, key: str, where: str) -> Qty:
    """A quantity that is not negative; "", null and absent count as zero."""
    return _not_negative(Qty, row, key, where)


def decimal(row: Json, key: str, where: str) -> MLDecimal:
    """A decimal number; "", null and absent count as zero."""
    return _number(MLDecimal, row, key, where)


def topic_of(message: Json, where: str) -> str:
    """The topic of a stream message; short, because it is going to be logged."""
    value = text(message, "topic", where)
    if len(value) > _LONGEST_TOPIC:
        refuse(f"{where}.topic", f"at most {_LONGEST_TOPIC} characters", value)
    return value


def mapping(row: Json, key: str, where: str) -> Json:
    """A JSON object."""
    value = row.get(key)
    if type(value) is not dict:
        refuse(f"{where}.{key}", "a JSON object", value)
    return value


def rows(row: Json, key: str, where: str) -> list[Json]:
    """A list of JSON objects."""
    value = row.get(key)
    if type(value) is not list:
        refuse(f"{where}.{key}", "a list", value)
    for index, item in enumerate(value):
        if type(item) is not dict:
            refuse(f"{where}.{key}[{index}]", "a JSON object", item)
    return value


def _not_negative(kind: type[Number], row: Json, key: str, where: str) -> Number:
    value = _number(kind, row, key, where)
    if value.sign() < 0:
        refuse(f"{where}.{key}", "0 or more", row.get(key))
    return value


def _number(kind: type[Number], row: Json, key: str, where: str) -> Number:
    value = row.get(key)
    if value is None or value == "":
        return kind("0")
    if type(value) is not str:
        refuse(f"{where}.{key}", "decimal text", value)
    try:
        return kind(value)
    except (ValueError, OverflowError) as error:
        raise DecodeError(f"{where}.{key}: expected decimal text, got {_clip.repr(value)}: {error}") from None
