"""Public market data: order book and trade messages, and the requests that ask for them.

The order of keys differs from product to product, and so nothing here depends on it. `mlthon._core.bybit_frames`
reads the books and trades that are written plainly, and has to read them just as this module does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import orjson

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon.basics.defs import Side
from mlthon.exchanges.bybit.codec.fields import (
    Ack,
    FieldError,
    FrameError,
    Json,
    NotJsonError,
    Pong,
    Unknown,
    choice,
    flag,
    integer,
    json_object,
    mapping,
    refuse,
    rows,
    stamp_ms,
    text,
    text_or_empty,
    topic_of,
)
from mlthon.exchanges.bybit.codec.places import around, value_offset

__all__ = [
    "PING",
    "BookFrame",
    "PublicFrame",
    "TradesFrame",
    "book_topic",
    "decode_public",
    "encode_subscribe",
    "encode_unsubscribe",
    "ticker_topic",
    "trades_topic",
]

PING = orjson.dumps({"op": "ping"})

_MESSAGE, _ANSWER = "public message", "answer"  # what errors call them
_NS_PER_MS = 1_000_000
_INT64_MAX = 2**63 - 1
_SIDES = {"Buy": Side.Buy, "Sell": Side.Sell}
_IS_SNAPSHOT = {"snapshot": True, "delta": False}
_LEVEL = re.compile(r"(bids|asks)(\[\d+\])?(?:: (price|qty))?")
_KEYS = {"bids": "b", "asks": "a", "price": "[0]", "qty": "[1]", "": ""}  # what the venue writes for them


class BookFrame(NamedTuple):
    """One order book message. `update_id` counts up by one per message of the topic."""

    topic: str
    update_id: int
    sent_ms: int
    update: DepthUpdate


class TradesFrame(NamedTuple):
    """Public trades, in the venue's order."""

    topic: str
    sent_ms: int
    trades: list[PublicTrade]


PublicFrame: TypeAlias = BookFrame | TradesFrame | Ack | Pong | Unknown


def book_topic(depth: int, symbol: str) -> str:
    """The topic of an order book."""
    return f"orderbook.{depth}.{symbol}"


def trades_topic(symbol: str) -> str:
    """The topic of public trades."""
    return f"publicTrade.{symbol}"


def ticker_topic(symbol: str) -> str:
    """The topic of funding, mark and index prices, and statistics of the day; not decoded here."""
    return f"tickers.{symbol}"


def encode_subscribe(req_id: str, topics: Sequence[str]) -> bytes:
    """A subscribe request; its `Ack` carries the same id."""
    return orjson.dumps({"req_id": req_id, "op": "subscribe", "args": list(topics)})


def encode_unsubscribe(req_id: str, topics: Sequence[str]) -> bytes:
    """An unsubscribe request."""
    return orjson.dumps({"req_id": req_id, "op": "unsubscribe", "args": list(topics)})


def decode_public(data: bytes | str, recv_ns: int) -> PublicFrame:
    """Decode one message of the public stream, received at `recv_ns`.

    Raises FrameError; its `topic` tells whose data is lost, "" where the message does not say.
    """
    topic = ""
    try:
        message = json_object(data, _MESSAGE)
        if "topic" not in message:
            return _decode_answer(message)
        topic = topic_of(message, _MESSAGE)
        kind, _, rest = topic.partition(".")
        if kind == "orderbook":
            return _decode_book(message, topic, rest.partition(".")[2], recv_ns)
        if kind == "publicTrade":
            return _decode_trades(message, topic, rest, recv_ns)
        return Unknown(topic)
    except NotJsonError as error:
        raise FrameError(str(error), topic, error.offset) from None
    except FieldError as error:
        offset = value_offset(data, _path_of(error, topic))
        raise FrameError(f"{error} ({around(data, offset)})", topic, offset) from None


def _path_of(error: FieldError, topic: str) -> str:
    """The path of a wrong value, without the words for the message it is in."""
    for words in (topic, _MESSAGE, _ANSWER):
        if words and error.where.startswith(words):
            return error.where.removeprefix(words)
    return ""


def _decode_book(message: Json, topic: str, symbol: str, recv_ns: int) -> BookFrame:
    data = mapping(message, "data", topic)
    if data.get("s") != symbol:
        refuse(f"{topic}.data.s", f"{symbol!r}", data.get("s"))
    update_id = _counter(data, "u", topic)
    sent_ms = stamp_ms(message, "ts", topic)
    # A restarted service numbers from 1 again: such a message is a whole book, whatever it is labelled.
    is_snapshot = choice(message, "type", topic, _IS_SNAPSHOT) or update_id == 1
    bids: Any = data.get("b")  # DepthUpdate says what is wrong with them
    asks: Any = data.get("a")
    try:
        update = DepthUpdate(
            bids,
            asks,
            is_snapshot=is_snapshot,
            venue_ns=stamp_ms(message, "cts", topic, default=sent_ms) * _NS_PER_MS,
            recv_ns=recv_ns,
            seq=_counter(data, "seq", topic),
        )
    except (TypeError, ValueError) as error:
        raise FieldError(f"{topic}: {error}", topic + _level_path(str(error))) from None
    return BookFrame(topic, update_id, sent_ms, update)


def _level_path(words: str) -> str:
    """Where in the message is what `DepthUpdate` says is wrong.

    >>> _level_path("bids[3]: price: expected more than 0, got '0'"), _level_path("asks: expected a list")
    ('.data.b[3][0]', '.data.a')
    """
    match = _LEVEL.match(words)
    if match is None:
        return ".data"
    side, index, part = match.groups("")
    return f".data.{_KEYS[side]}{index}{_KEYS[part]}"


def _counter(row: Json, key: str, topic: str) -> int:
    value = integer(row, key, f"{topic}.data")
    if not 0 <= value <= _INT64_MAX:
        refuse(f"{topic}.data.{key}", "an unsigned 63-bit number", value)
    return value


def _decode_trades(message: Json, topic: str, symbol: str, recv_ns: int) -> TradesFrame:
    sent_ms = stamp_ms(message, "ts", topic)
    trades = [
        _decode_trade(row, f"{topic}.data[{index}]", symbol, recv_ns)
        for index, row in enumerate(rows(message, "data", topic))
    ]
    return TradesFrame(topic, sent_ms, trades)


def _decode_trade(row: Json, where: str, symbol: str, recv_ns: int) -> PublicTrade:
    if row.get("s") != symbol:
        refuse(f"{where}.s", f"{symbol!r}", row.get("s"))
    try:
        return PublicTrade(
            choice(row, "S", where, _SIDES),
            text(row, "p", where),
            text(row, "v", where),
            venue_ns=stamp_ms(row, "T", where) * _NS_PER_MS,
            recv_ns=recv_ns,
            trade_id=text_or_empty(row, "i", where),
        )
    except (TypeError, ValueError) as error:
        raise FieldError(f"{where}: {error}", where) from None


def _decode_answer(message: Json) -> Ack | Pong | Unknown:
    where = _ANSWER
    op = text_or_empty(message, "op", where)
    if op == "pong" or (op == "ping" and message.get("ret_msg") == "pong"):
        return Pong()
    if op in ("subscribe", "unsubscribe"):
        return Ack(
            op,
            flag(message, "success", where),
            text_or_empty(message, "ret_msg", where),
            text_or_empty(message, "req_id", where),
        )
    return Unknown(f"op {op[:40]!r}")
