"""Binance's public messages, USD-M futures and spot, as market events.

Messages come as in a combined stream (``{"stream": ..., "data": {...}}``) or bare; a REST depth snapshot is
the one with ``lastUpdateId``. All functions here are pure: what is wrong raises TypeError or ValueError,
naming the field.
"""

from __future__ import annotations

from reprlib import repr as clipped_repr
from typing import Any

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon.basics.defs import Side

DEPTH = "depthUpdate"
TRADE = "trade"
SNAPSHOT = "snapshot"

NS_PER_MS = 1_000_000
MAX_INT64 = 2**63 - 1

Payload = dict[str, Any]


def payload_of(message: Payload) -> Payload:
    """The message itself, without the envelope of a combined stream."""
    payload = message.get("data", message)
    if not isinstance(payload, dict):
        raise TypeError(f"data: expected a JSON object, got {clipped_repr(payload)}")
    return payload


def kind_of(payload: Payload) -> str:
    """DEPTH, TRADE or SNAPSHOT; anything else is for others."""
    if "lastUpdateId" in payload:
        return SNAPSHOT
    kind = payload.get("e")
    return kind if isinstance(kind, str) else ""


def symbol_of(payload: Payload) -> str:
    """The symbol a depth message or a trade is about."""
    symbol = payload.get("s")
    if not isinstance(symbol, str) or not symbol:
        raise TypeError(f"s: expected a symbol, got {clipped_repr(symbol)}")
    return symbol


def venue_ns_of(payload: Payload) -> int | None:
    """When it happened: the matching engine's time where it is told, else the sender's, else None."""
    if "T" in payload:
        return number(payload, "T", MAX_INT64 // NS_PER_MS) * NS_PER_MS
    if "E" in payload:
        return number(payload, "E", MAX_INT64 // NS_PER_MS) * NS_PER_MS
    return None


def is_perpetual(diff: Payload) -> bool:
    """Tell USD-M from spot: only futures say which update a diff continues."""
    return "pu" in diff


def is_market_trade(trade: Payload) -> bool:
    """Whether an order took from the book; insurance-fund and deleveraging lines say otherwise."""
    if trade.get("X", "MARKET") != "MARKET":
        return False
    return not (is_zero_text(trade.get("p")) or is_zero_text(trade.get("q")))


def decode_snapshot(payload: Payload, venue_ns: int, recv_ns: int) -> DepthUpdate:
    """A REST depth snapshot; ``seq`` is its lastUpdateId."""
    return DepthUpdate(
        levels_of(payload, "bids"),
        levels_of(payload, "asks"),
        is_snapshot=True,
        venue_ns=venue_ns,
        recv_ns=recv_ns,
        seq=number(payload, "lastUpdateId"),
    )


def decode_diff(payload: Payload, venue_ns: int, recv_ns: int) -> DepthUpdate:
    """A diff depth message; ``prev_seq`` is the update id it continues."""
    first, last = number(payload, "U"), number(payload, "u")
    prev = number(payload, "pu") if is_perpetual(payload) else first - 1
    if not prev < first <= last:
        raise ValueError(f"U, u: expected ids that grow, got U={first}, u={last}, continuing {prev}")
    return DepthUpdate(
        levels_of(payload, "b"),
        levels_of(payload, "a"),
        venue_ns=venue_ns,
        recv_ns=recv_ns,
        seq=last,
        prev_seq=prev,
    )


def decode_trade(payload: Payload, venue_ns: int, recv_ns: int) -> PublicTrade:
    """A trade; the taker is on the other side of the maker that ``m`` speaks of."""
    buyer_is_maker = payload.get("m")
    if not isinstance(buyer_is_maker, bool):
        raise TypeError(f"m: expected true or false, got {clipped_repr(buyer_is_maker)}")
    return PublicTrade(
        Side.Sell if buyer_is_maker else Side.Buy,
        decimal_text(payload, "p"),
        decimal_text(payload, "q"),
        venue_ns=venue_ns,
        recv_ns=recv_ns,
        trade_id=str(number(payload, "t")),
    )


def number(payload: Payload, name: str, limit: int = MAX_INT64) -> int:
    value = payload.get(name)
    if type(value) is not int:
        raise TypeError(f"{name}: expected an integer, got {clipped_repr(value)}")
    if not 0 <= value <= limit:
        raise ValueError(f"{name}: expected an integer from 0 to {limit}, got {value}")
    return value


def levels_of(payload: Payload, name: str) -> list[Any]:
    levels = payload.get(name)
    if not isinstance(levels, list):
        raise TypeError(f"{name}: expected a list of [price, qty], got {clipped_repr(levels)}")
    return levels


def decimal_text(payload: Payload, name: str) -> str:
    text = payload.get(name)
    if not isinstance(text, str):
        raise TypeError(f"{name}: expected decimal text, got {clipped_repr(text)}")
    return text


def is_zero_text(text: object) -> bool:
    return isinstance(text, str) and "0" in text and not text.strip("0.")
