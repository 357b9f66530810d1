"""The private stream: login, orders, executions, positions, balances."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import orjson

from mlthon.engine.ports import FillReport, OrderReport
from mlthon.errors import DecodeError
from mlthon.exchanges.bybit.categories import CATEGORIES
from mlthon.exchanges.bybit.codec.account import Balance, PositionRow, decode_balances, decode_position
from mlthon.exchanges.bybit.codec.fields import (
    Ack,
    FrameError,
    Json,
    Pong,
    Unknown,
    flag,
    integer,
    json_object,
    rows,
    text_or_empty,
    topic_of,
)
from mlthon.exchanges.bybit.codec.orders import Symbols, decode_fill, decode_order, is_fill, listed

__all__ = [
    "PRIVATE_TOPICS",
    "Fills",
    "Login",
    "Orders",
    "Positions",
    "PrivateFrame",
    "Wallets",
    "decode_login",
    "decode_private",
    "encode_private_subscribe",
]

PRIVATE_TOPICS = ("order", "execution", "position", "wallet")

_NS_PER_MS = 1_000_000


class Login(NamedTuple):
    """The answer to a login; `code` is 0 where it succeeded."""

    success: bool
    code: int
    text: str


class Orders(NamedTuple):
    """Order states. `foreign` counts rows of instruments that are not ours."""

    reports: list[OrderReport]
    foreign: int


class Fills(NamedTuple):
    """Executions. `payments` counts those that are not fills: funding, mostly.

    `forced` names those that nobody's order caused: liquidation, deleveraging, settlement.
    """

    fills: list[FillReport]
    foreign: int
    payments: int
    forced: list[str]


class Positions(NamedTuple):
    positions: list[PositionRow]
    foreign: int


class Wallets(NamedTuple):
    balances: list[Balance]


PrivateFrame: TypeAlias = Orders | Fills | Positions | Wallets | Login | Ack | Pong | Unknown


def encode_private_subscribe(req_id: str) -> bytes:
    """Ask for everything that concerns the account."""
    return orjson.dumps({"req_id": req_id, "op": "subscribe", "args": PRIVATE_TOPICS})


def decode_private(data: bytes | str, recv_ns: int, symbols: Symbols) -> PrivateFrame:
    """Decode one message of the private stream, received at `recv_ns`.

    Raises FrameError: whatever it reported is then unknown, and has to be asked for.
    """
    topic = ""
    try:
        message = json_object(data, "private message")
        if "topic" not in message:
            return _decode_answer(message)
        topic = topic_of(message, "private message")
        return _decode_topic(message, topic, recv_ns // _NS_PER_MS, symbols)
    except DecodeError as error:
        raise FrameError(str(error), topic) from None


def decode_login(message: Json, where: str) -> Login:
    """Decode the answer to a login; the two private sockets spell it differently."""
    if "success" in message:
        success = flag(message, "success", where)
        code = integer(message, "retCode", where, default=0)
    else:
        code = integer(message, "retCode", where)
        success = code == 0
    words = text_or_empty(message, "retMsg", where) or text_or_empty(message, "ret_msg", where)
    return Login(success, code, words)


def _decode_topic(message: Json, topic: str, recv_ms: int, symbols: Symbols) -> PrivateFrame:
    kind, _, category = topic.partition(".")
    if category not in ("", *CATEGORIES):  # of options, say, or the abridged executions
        return Unknown(topic)
    if kind == "wallet":
        return Wallets(decode_balances(rows(message, "data", topic), f"{topic}.data"))
    if kind not in PRIVATE_TOPICS:
        return Unknown(topic)
    ours, foreign = [], 0
    for index, row in enumerate(rows(message, "data", topic)):
        where = f"{topic}.data[{index}]"
        instrument = listed(row, symbols, where, category)
        if instrument is None:
            foreign += 1
        else:
            ours.append((row, instrument, where))
    if kind == "order":
        return Orders([decode_order(row, instr, recv_ms, where) for row, instr, where in ours], foreign)
    if kind == "position":
        return Positions([decode_position(row, instr, where) for row, instr, where in ours], foreign)
    traded = [each for each in ours if is_fill(each[0], each[2])]
    fills = [decode_fill(row, instr, recv_ms, where) for row, instr, where in traded]
    forced = [
        f"{row['execType']}: {fill.side.name} {fill.qty} {instr.get_exch_instr_id()} at {fill.price}"
        for (row, instr, _), fill in zip(traded, fills, strict=True)
        if row["execType"] != "Trade"
    ]
    return Fills(fills, foreign, len(ours) - len(fills), forced)


def _decode_answer(message: Json) -> Login | Ack | Pong | Unknown:
    where = "private answer"
    op = text_or_empty(message, "op", where)
    if op == "auth":
        return decode_login(message, where)
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
