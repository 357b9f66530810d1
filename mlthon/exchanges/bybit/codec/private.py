"""The private stream: login, orders, executions, positions, balances."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias, TypeVar

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
from mlthon.instruments.instrument import Instrument

__all__ = [
    "PRIVATE_TOPICS",
    "Fills",
    "Login",
    "Odd",
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

Row = TypeVar("Row")


class Login(NamedTuple):
    """The answer to a login; `code` is 0 where it succeeded."""

    success: bool
    code: int
    text: str


class Odd(NamedTuple):
    """A row that makes no sense: what it says of whom it is about, and what is wrong with it."""

    instrument: Instrument | None  # None: not legible
    wire_id: object
    exchange_id: object
    error: str


class Orders(NamedTuple):
    """Order states. `foreign` counts rows of instruments that are not ours."""

    reports: list[OrderReport]
    foreign: int
    odd: list[Odd]


class Fills(NamedTuple):
    """Executions. `payments` counts those that are not fills: funding, mostly.

    `forced` names those that nobody's order caused: liquidation, deleveraging, settlement.
    """

    fills: list[FillReport]
    foreign: int
    payments: int
    forced: list[str]
    odd: list[Odd]


class Positions(NamedTuple):
    """Positions. `foreign` counts rows of instruments that are not ours."""

    positions: list[PositionRow]
    foreign: int
    odd: list[Odd]


class Wallets(NamedTuple):
    """Balances. `odd` says what is wrong with those that make no sense."""

    balances: list[Balance]
    odd: list[str]


PrivateFrame: TypeAlias = Orders | Fills | Positions | Wallets | Login | Ack | Pong | Unknown


def encode_private_subscribe(req_id: str) -> bytes:
    """Ask for everything that concerns the account."""
    return orjson.dumps({"req_id": req_id, "op": "subscribe", "args": PRIVATE_TOPICS})


def decode_private(data: bytes | str, recv_ns: int, symbols: Symbols) -> PrivateFrame:
    """Decode one message of the private stream, received at `recv_ns`.

    Rows that make no sense are among what the others say, as `odd`. Raises FrameError for a message that is not even
    a list of rows: whatever it reported is then unknown, and has to be asked for.
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
        return Wallets(*decode_balances(rows(message, "data", topic), f"{topic}.data"))
    if kind not in PRIVATE_TOPICS:
        return Unknown(topic)
    found = rows(message, "data", topic)
    if kind == "order":
        return Orders(
            *_decode_rows(
                found, topic, category, symbols, lambda row, instr, at: decode_order(row, instr, recv_ms, at)
            )
        )
    if kind == "position":
        return Positions(*_decode_rows(found, topic, category, symbols, decode_position))
    executions, foreign, odd = _decode_rows(
        found, topic, category, symbols, lambda row, instr, at: _decode_execution(row, instr, recv_ms, at)
    )
    fills = [fill for fill, _ in executions if fill is not None]
    forced = [line for _, line in executions if line]
    return Fills(fills, foreign, len(executions) - len(fills), forced, odd)


def _decode_rows(
    found: list[Json],
    topic: str,
    category: str,
    symbols: Symbols,
    decode: Callable[[Json, Instrument, str], Row],
) -> tuple[list[Row], int, list[Odd]]:
    """Decode the rows of our instruments one by one: one that makes no sense takes nothing from the others."""
    decoded: list[Row] = []
    odd: list[Odd] = []
    foreign = 0
    for index, row in enumerate(found):
        where, instrument = f"{topic}.data[{index}]", None
        try:
            instrument = listed(row, symbols, where, category)
            if instrument is None:
                foreign += 1
            else:
                decoded.append(decode(row, instrument, where))
        except DecodeError as error:
            odd.append(Odd(instrument, row.get("orderLinkId"), row.get("orderId"), str(error)))
    return decoded, foreign, odd


def _decode_execution(
    row: Json, instrument: Instrument, recv_ms: int, where: str
) -> tuple[FillReport | None, str]:
    """Decode a fill, and say in words what it is if no order asked for it; None for a payment."""
    if not is_fill(row, where):
        return None, ""
    fill = decode_fill(row, instrument, recv_ms, where)
    if row["execType"] == "Trade":
        return fill, ""
    symbol = instrument.get_exch_instr_id()
    return fill, f"{row['execType']}: {fill.side.name} {fill.qty} {symbol} at {fill.price}"


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
