"""The trade stream: order requests, and the venue's answers to them.

An answer says that a request was taken, never what became of it: that is told by the private stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import orjson

from mlthon.basics.defs import TIF, ExecInstructions, OrderType, Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.engine.ports import CancelOrderRequest, ModifyOrderRequest, NewOrderRequest
from mlthon.errors import DecodeError
from mlthon.exchanges.bybit.categories import SPOT, category_of
from mlthon.exchanges.bybit.codec.fields import (
    FrameError,
    Json,
    Pong,
    Unknown,
    integer,
    json_object,
    mapping,
    refuse,
    rows,
    text_or_empty,
)
from mlthon.exchanges.bybit.codec.private import Login, decode_login

__all__ = [
    "AMEND",
    "CANCEL",
    "CANCEL_BATCH",
    "CREATE",
    "ORDER_OPS",
    "Fate",
    "RateLimit",
    "TradeAnswer",
    "TradeFrame",
    "amend_fields",
    "batch_fields",
    "cancel_fields",
    "create_fields",
    "decode_batch",
    "decode_trade",
    "encode_request",
    "plain",
    "rate_limit",
]

CREATE, AMEND, CANCEL, CANCEL_BATCH = "order.create", "order.amend", "order.cancel", "order.cancel-batch"

ORDER_OPS = frozenset({CREATE, AMEND, CANCEL, CANCEL_BATCH})
_MOST_DIGITS = 15
_SIDES = {Side.Buy: "Buy", Side.Sell: "Sell"}
_ORDER_TYPES = {OrderType.Limit: "Limit", OrderType.Market: "Market"}


class RateLimit(NamedTuple):
    """How much of a request allowance is left; `bucket` is what it is counted for."""

    bucket: str
    limit: int
    remaining: int
    reset_ms: int


class Fate(NamedTuple):
    """What the venue answered about one order; `code` is 0 where the request was taken."""

    code: int
    text: str
    exchange_id: str = ""


class TradeAnswer(NamedTuple):
    """The answer to one request; `code` is 0 where it was taken.

    A batch that was taken tells the fate of each of its orders in `fates`, in the order of the request.
    """

    req_id: str
    op: str
    code: int
    text: str
    exchange_id: str
    limits: RateLimit | None
    fates: tuple[Fate, ...] = ()

    @property
    def fate(self) -> Fate:
        """The answer as that of a single order."""
        return Fate(self.code, self.text, self.exchange_id)


TradeFrame: TypeAlias = TradeAnswer | Login | Pong | Unknown


def create_fields(order: NewOrderRequest) -> Json:
    """The parameters of a new order. Raises ValueError for a combination that the venue has no words for."""
    category = category_of(order.instrument)
    arguments: Json = {
        "category": category,
        "symbol": order.instrument.get_exch_instr_id(),
        "side": _SIDES[order.side],
        "orderType": _order_type(order),
        "qty": plain(order.qty),
        "timeInForce": _time_in_force(order),
        "orderLinkId": order.wire_id,
    }
    if order.price is not None:
        arguments["price"] = plain(order.price)
    if category != SPOT:
        arguments |= {"positionIdx": 0, "reduceOnly": order.close_position}
    elif order.close_position:
        raise ValueError("close_position: expected it of contracts only; a spot pair has no position")
    elif order.price is None:
        arguments["marketUnit"] = "baseCoin"  # else a purchase's qty would be counted in the quote coin
    return arguments


def amend_fields(order: ModifyOrderRequest) -> Json:
    """The parameters of a change of price, of total quantity, or of both."""
    arguments = _target(order)
    if order.new_price is not None:
        arguments["price"] = plain(order.new_price)
    if order.new_qty is not None:
        arguments["qty"] = plain(order.new_qty)
    return arguments


def cancel_fields(order: CancelOrderRequest) -> Json:
    """The parameters of a cancel."""
    return _target(order)


def batch_fields(items: Sequence[Json]) -> Json:
    """The parameters of a batch; its items have to be of one category.

    >>> batch_fields([{"category": "spot", "symbol": "BTCUSDT", "orderLinkId": "a"}])
    {'category': 'spot', 'request': [{'symbol': 'BTCUSDT', 'orderLinkId': 'a'}]}
    """
    requests = [{key: value for key, value in item.items() if key != "category"} for item in items]
    return {"category": items[0]["category"], "request": requests}


def encode_request(op: str, req_id: str, timestamp: str, recv_window_ms: int, fields: Json) -> bytes:
    """Encode a request for the trade stream; its answer carries `req_id`. `timestamp` counts milliseconds."""
    header = {"X-BAPI-TIMESTAMP": timestamp, "X-BAPI-RECV-WINDOW": str(recv_window_ms)}
    return orjson.dumps({"reqId": req_id, "header": header, "op": op, "args": [fields]})


def plain(value: Price | Qty) -> str:
    """The shortest exact decimal text.

    >>> plain(Price("9226.50000000")), plain(Qty("100"))
    ('9226.5', '100')
    """
    return str(value).rstrip("0").removesuffix(".")


def decode_trade(data: bytes | str) -> TradeFrame:
    """Decode one message of the trade stream.

    Raises FrameError: an answer is lost then, and whose it was is not known.
    """
    where = "trade answer"
    try:
        message = json_object(data, where)
        op = text_or_empty(message, "op", where)
        if op in ("pong", "ping"):
            return Pong()
        if op == "auth":
            return decode_login(message, where)
        if op not in ORDER_OPS and not message.get("reqId"):
            return Unknown(f"op {op[:40]!r}")
        return _decode_answer(message, op, where)
    except DecodeError as error:
        raise FrameError(str(error)) from None


def decode_batch(data: Json, extra: Json, where: str) -> tuple[Fate, ...]:
    """Decode what became of each order of a batch: the venue lists the orders and their codes side by side."""
    orders, codes = rows(data, "list", f"{where}.data"), rows(extra, "list", f"{where}.retExtInfo")
    if len(orders) != len(codes):
        refuse(f"{where}.retExtInfo.list", f"{len(orders)} rows", len(codes))
    return tuple(
        Fate(
            integer(outcome, "code", f"{where}.retExtInfo.list[{index}]"),
            text_or_empty(outcome, "msg", f"{where}.retExtInfo.list[{index}]"),
            text_or_empty(order, "orderId", f"{where}.data.list[{index}]"),
        )
        for index, (order, outcome) in enumerate(zip(orders, codes, strict=True))
    )


def rate_limit(bucket: str, limit: object, remaining: object, reset: object) -> RateLimit | None:
    """Read the three rate headers; None where they are absent or make no sense.

    They are advice. An answer about an order must not be lost because of them.
    """
    total, left, reset_ms = _counter(limit), _counter(remaining), _counter(reset)
    if not total or left is None or reset_ms is None:
        return None
    return RateLimit(bucket, total, left, reset_ms)


def _counter(value: object) -> int | None:
    if type(value) is str and value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS:
        return int(value)
    return value if type(value) is int and value >= 0 else None


def _decode_answer(message: Json, op: str, where: str) -> TradeAnswer:
    data = message.get("data")
    header = message.get("header")
    limits = None
    if type(header) is dict:
        limits = rate_limit(
            op,
            header.get("X-Bapi-Limit"),
            header.get("X-Bapi-Limit-Status"),
            header.get("X-Bapi-Limit-Reset-Timestamp"),
        )
    code = integer(message, "retCode", where)
    fates: tuple[Fate, ...] = ()
    if code == 0 and op == CANCEL_BATCH:
        extra = mapping(message, "retExtInfo", where)
        fates = decode_batch(mapping(message, "data", where), extra, where)
    return TradeAnswer(
        text_or_empty(message, "reqId", where),
        op,
        code,
        text_or_empty(message, "retMsg", where),
        text_or_empty(data, "orderId", f"{where}.data") if type(data) is dict else "",
        limits,
        fates,
    )


def _target(order: ModifyOrderRequest | CancelOrderRequest) -> Json:
    """Which order is meant: by our id, which is known from the start, else by the venue's."""
    instrument = order.instrument
    target: Json = {"category": category_of(instrument), "symbol": instrument.get_exch_instr_id()}
    if order.wire_id:
        target["orderLinkId"] = order.wire_id
    else:
        target["orderId"] = order.exchange_id
    return target


def _order_type(order: NewOrderRequest) -> str:
    if (order.order_type is OrderType.Market) != (order.price is None):
        raise ValueError(
            f"{order.order_type.name} order: expected a price if and only if it is a limit order"
        )
    if order.order_type not in _ORDER_TYPES:
        raise ValueError(f"order type: expected Limit or Market, got {order.order_type.name}")
    return _ORDER_TYPES[order.order_type]


def _time_in_force(order: NewOrderRequest) -> str:
    """The venue has one field for the time in force and for post-only."""
    if order.exec_instr is ExecInstructions.PostOnly:
        if order.tif not in (TIF.GTC, TIF.Unset) or order.order_type is OrderType.Market:
            raise ValueError(
                f"PostOnly: expected a GTC limit order, got {order.tif.name} {order.order_type.name}"
            )
        return "PostOnly"
    if order.tif is TIF.Unset:
        return "IOC" if order.order_type is OrderType.Market else "GTC"
    return order.tif.name
