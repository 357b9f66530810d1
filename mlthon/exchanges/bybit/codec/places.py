"""Where in a message something stands: for errors, which name the byte and show what is around it."""

from __future__ import annotations

import re

import orjson

__all__ = ["around", "syntax_offset", "value_offset"]

_AROUND = 40  # bytes of the message that an error repeats
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}:,]|[^\s\[\]{}:,"]+', re.DOTALL)


def around(data: bytes | str, offset: int) -> str:
    """The place in words, with the 40 bytes around it.

    >>> print(around(b'{"price":nine}', 9))
    at byte 9: b'{"price":nine}'
    """
    start = max(0, offset - _AROUND // 2)
    return f"at byte {offset}: {_as_bytes(data)[start : start + _AROUND]!r}"


def syntax_offset(data: bytes | str, error: orjson.JSONDecodeError) -> int:
    """The byte at which a message stops being JSON.

    >>> data = '{"symbol":"₿",}'.encode()
    >>> try:
    ...     orjson.loads(data)
    ... except orjson.JSONDecodeError as error:
    ...     syntax_offset(data, error), error.pos
    (15, 13)
    """
    if error.doc:
        return len(error.doc[: error.pos].encode())
    try:
        _as_bytes(data).decode()
    except UnicodeDecodeError as wrong:
        return wrong.start
    return 0


def value_offset(data: bytes | str, path: str) -> int:
    """The byte at which the value of a path like ``data.b[1]`` begins, or else that of what it is missing in.

    The data has to be JSON. Where a key stands twice, the last one counts.

    >>> value_offset(b'{"data": {"b": [7, 8], "u": 5}}', ".data.b[1]")
    19
    >>> value_offset(b'{"data": {"b": [7, 8], "u": 5}}', ".data.seq")
    9
    """
    raw = _as_bytes(data)
    match = _TOKEN.search(raw)
    offset = match.start() if match else 0
    for name, index in _STEP.findall(path):
        child = _child(raw, offset, int(index) if index else name)
        if child is None:
            break
        offset = child
    return offset


def _child(raw: bytes, start: int, step: str | int) -> int | None:
    """Where the member or the item of the value at `start` begins."""
    found: int | None = None
    place: object = 0  # the present item's index, or the present member's key
    depth = 0
    is_object = raw[start : start + 1] == b"{"
    expects_key = is_object
    for match in _TOKEN.finditer(raw, start):
        token = match.group()
        if token in b"]}":
            depth -= 1
        elif depth == 1 and token == b",":
            expects_key = is_object
            place = place + 1 if isinstance(place, int) else place
        elif depth == 1 and token != b":":
            if expects_key:
                place, expects_key = orjson.loads(token), False
            elif place == step:
                found = match.start()
        if token in b"[{":
            depth += 1
        if depth == 0:
            break
    return found


def _as_bytes(data: bytes | str) -> bytes:
    return data.encode("utf-8", "surrogatepass") if isinstance(data, str) else bytes(data)
