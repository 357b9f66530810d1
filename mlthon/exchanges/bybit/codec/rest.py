"""REST answers: the envelope around every result."""

from __future__ import annotations

from typing import NamedTuple

from mlthon.exchanges.bybit.codec.fields import (
    Json,
    integer,
    json_object,
    mapping,
    refuse,
    text_or_empty,
)

__all__ = ["Envelope", "decode_envelope", "decode_server_time_ns", "next_cursor"]

_LATEST_NS = 9 * 10**18


class Envelope(NamedTuple):
    """`result` is empty where `code` is not 0. `extra` is what some answers say of their parts."""

    code: int
    text: str
    result: Json
    extra: Json


def decode_envelope(data: bytes, where: str) -> Envelope:
    """Decode the body of an answer."""
    message = json_object(data, where)
    code = integer(message, "retCode", where)
    words = text_or_empty(message, "retMsg", where)
    extra = message.get("retExtInfo")
    return Envelope(
        code,
        words,
        mapping(message, "result", where) if code == 0 else {},
        extra if type(extra) is dict else {},
    )


def next_cursor(result: Json, where: str) -> str:
    """Where the next page begins; "" after the last."""
    return text_or_empty(result, "nextPageCursor", where)


def decode_server_time_ns(result: Json, where: str) -> int:
    """The venue's clock, in nanoseconds since the epoch."""
    nanoseconds = integer(result, "timeNano", where)
    if not 0 < nanoseconds < _LATEST_NS:
        refuse(f"{where}.timeNano", "nanoseconds since the epoch", nanoseconds)
    return nanoseconds
