"""Announcements of maintenance: the status stream, and the rows it shares with a REST answer."""

from __future__ import annotations

from typing import NamedTuple

from mlthon.errors import DecodeError
from mlthon.exchanges.bybit.codec.fields import FrameError, Json, integer, json_object, refuse, rows, text

__all__ = ["STATUS_TOPIC", "Window", "decode_status", "decode_window"]

STATUS_TOPIC = "system.status"

_ONGOING = "ongoing"
_LONGEST_TITLE = 200


class Window(NamedTuple):
    """One maintenance. Services, products and `env` are the venue's numbers of them."""

    id: str
    title: str
    is_ongoing: bool
    services: frozenset[int]
    products: frozenset[int]
    is_for_some: bool  # only accounts of certain numbers are concerned
    env: int

    @classmethod
    def over(cls, window_id: str) -> Window:
        """One that is no longer listed."""
        return cls(window_id, "", False, frozenset(), frozenset(), False, 0)


def decode_status(data: bytes | str) -> list[Window]:
    """Decode one message of the status stream; empty for an answer to a request. Raises FrameError."""
    try:
        message = json_object(data, "status message")
        if message.get("topic") != STATUS_TOPIC:
            return []
        return [
            decode_window(row, f"{STATUS_TOPIC}.data[{index}]")
            for index, row in enumerate(rows(message, "data", STATUS_TOPIC))
        ]
    except DecodeError as error:
        raise FrameError(str(error), STATUS_TOPIC) from None


def decode_window(row: Json, where: str) -> Window:
    """Decode one announcement."""
    return Window(
        id=text(row, "id", where),
        title=str(row.get("title") or "untitled")[:_LONGEST_TITLE],
        is_ongoing=text(row, "state", where) == _ONGOING,
        services=_numbers(row, "serviceTypes", where),
        products=_numbers(row, "product", where),
        is_for_some=bool(row.get("uidSuffix")),
        env=integer(row, "env", where),
    )


def _numbers(row: Json, key: str, where: str) -> frozenset[int]:
    value = row.get(key)
    if type(value) is not list or any(type(number) is not int for number in value):
        refuse(f"{where}.{key}", "a list of numbers", value)
    return frozenset(value)
