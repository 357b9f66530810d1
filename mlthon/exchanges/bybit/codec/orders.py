"""Orders and executions: the rows that the private stream and the REST answers have in common."""

from __future__ import annotations

from collections.abc import Mapping

from mlthon.basics.defs import (
    TIF,
    CancelCode,
    ExecInstructions,
    GtwRejectCode,
    OrderStatus,
    OrderType,
    Side,
)
from mlthon.engine.ports import FillReport, OrderReport
from mlthon.exchanges.bybit.categories import CATEGORIES, SPOT, category_of, settle_coin
from mlthon.exchanges.bybit.codec.fields import (
    Json,
    choice,
    decimal,
    flag,
    price,
    qty,
    refuse,
    stamp_ms,
    text,
    text_or_empty,
)
from mlthon.exchanges.bybit.reject_codes import stream_reject_code
from mlthon.instruments.instrument import Instrument

__all__ = ["Symbols", "decode_fill", "decode_order", "is_fill", "listed"]

Symbols = Mapping[tuple[str, str], Instrument]
"""The instruments we trade, by category and the venue's symbol."""

SIDES = {"Buy": Side.Buy, "Sell": Side.Sell}

_STATUSES = {
    "New": OrderStatus.New,
    "Created": OrderStatus.New,
    "Untriggered": OrderStatus.New,
    "Triggered": OrderStatus.New,
    "PartiallyFilled": OrderStatus.PartiallyFilled,
    "Filled": OrderStatus.Filled,
    "Cancelled": OrderStatus.Cancelled,
    "PartiallyFilledCanceled": OrderStatus.Cancelled,
    "Deactivated": OrderStatus.Cancelled,
    "Rejected": OrderStatus.Rejected,
}
_OPEN = (OrderStatus.New, OrderStatus.PartiallyFilled)

_ORDER_TYPES = {"Limit": OrderType.Limit, "Market": OrderType.Market}

_TIMES_IN_FORCE = {
    "GTC": (TIF.GTC, ExecInstructions.Unset),
    "IOC": (TIF.IOC, ExecInstructions.Unset),
    "FOK": (TIF.FOK, ExecInstructions.Unset),
    "PostOnly": (TIF.GTC, ExecInstructions.PostOnly),
    "RPI": (TIF.GTC, ExecInstructions.PostOnly),  # retail price improvement: rests, never takes
}
_NO_TIME_IN_FORCE = (TIF.Unset, ExecInstructions.Unset)

_NO_REASON = frozenset({"", "UNKNOWN", "EC_NoError"})
_POST_ONLY_CROSSED = "EC_PostOnlyWillTakeLiquidity"
_SELF_MATCH = frozenset({"EC_BySelfMatch", "EC_StopBySelfMatch"})

# Executions that change a position. Funding is a payment: it names an order, a quantity and a price all the same.
_PAYMENTS = frozenset({"Funding"})
_FILLS = frozenset(
    {
        "Trade",
        "AdlTrade",
        "BustTrade",
        "Delivery",
        "Settle",
        "BlockTrade",
        "MovePosition",
        "FutureSpread",
        "CorporateAction",
        "ForwardSplitSettle",
        "ReverseSplitSettle",
    }
)


def listed(row: Json, symbols: Symbols, where: str, category: str = "") -> Instrument | None:
    """The instrument a row is about; None where it is of a category or symbol that is not ours.

    `category` is that of the message or of the request it answers, for rows that do not name theirs.
    """
    of = text_or_empty(row, "category", where) or category or refuse(f"{where}.category", "text", None)
    if of not in CATEGORIES:
        return None
    return symbols.get((of, text(row, "symbol", where)))


def is_fill(row: Json, where: str) -> bool:
    """Tell whether an execution row is a fill, as opposed to a payment.

    One of a kind that the venue has added is a fill where it says what was traded for an order that was sent with an
    id: whoever sent that waits for it. Without such an order it is taken for a payment, as dividends are.
    """
    kind = text(row, "execType", where)
    if kind in _FILLS or kind in _PAYMENTS:
        return kind in _FILLS
    has_order = bool(text_or_empty(row, "orderLinkId", where))
    return has_order and not (
        qty(row, "execQty", where).is_zero() or price(row, "execPrice", where).is_zero()
    )


def decode_order(row: Json, instrument: Instrument, recv_ms: int, where: str) -> OrderReport:
    """Decode an order row.

    On linear contracts a post-only order that would have crossed comes as cancelled, not as rejected; here it
    is rejected. An order that was "rejected" after it had traded is cancelled: a rejection has no fills.
    """
    total, filled = qty(row, "qty", where), qty(row, "cumExecQty", where)
    status = choice(row, "orderStatus", where, _STATUSES)
    # What a spot market order asks for may be counted in the quote coin, what it got never is.
    comparable = category_of(instrument) != SPOT or row.get("orderType") != "Market"
    if comparable and status in _OPEN and filled > total:
        refuse(f"{where}.cumExecQty", f"at most qty {row.get('qty')}", row.get("cumExecQty"))
    cancel_type = text_or_empty(row, "cancelType", where)
    why = text_or_empty(row, "rejectReason", where)
    reject = GtwRejectCode.Other
    if status is OrderStatus.Cancelled and why == _POST_ONLY_CROSSED and filled.is_zero():
        status = OrderStatus.Rejected
    elif status is OrderStatus.Rejected and not filled.is_zero():
        status = OrderStatus.Cancelled
    if status is OrderStatus.Rejected:
        reject = stream_reject_code(why)
    # The venue adds words for these two, and anybody may use them: nothing depends on our knowing them.
    tif, exec_instr = _TIMES_IN_FORCE.get(text_or_empty(row, "timeInForce", where), _NO_TIME_IN_FORCE)
    return OrderReport(
        wire_id=text_or_empty(row, "orderLinkId", where),
        exchange_id=text(row, "orderId", where),
        instrument_id=instrument.get_instrument_id(),
        side=choice(row, "side", where, SIDES),
        price=price(row, "price", where),
        qty=total,
        cum_qty=filled,
        status=status,
        order_type=_ORDER_TYPES.get(text_or_empty(row, "orderType", where), OrderType.Unset),
        tif=tif,
        exec_instr=exec_instr,
        cancel_code=_cancel_code(cancel_type, why) if status is OrderStatus.Cancelled else CancelCode.Unset,
        reject_code=reject,
        reason="/".join(part for part in (cancel_type, why) if part not in _NO_REASON),
        venue_ms=stamp_ms(row, "updatedTime", where, default=0),
        recv_ms=recv_ms,
    )


def decode_fill(row: Json, instrument: Instrument, recv_ms: int, where: str) -> FillReport:
    """Decode an execution row for which `is_fill` holds."""
    fill_price, fill_qty = price(row, "execPrice", where), qty(row, "execQty", where)
    if fill_price.is_zero() or fill_qty.is_zero():
        refuse(where, "execPrice and execQty above 0", (row.get("execPrice"), row.get("execQty")))
    return FillReport(
        exec_id=text(row, "execId", where),
        wire_id=text_or_empty(row, "orderLinkId", where),
        exchange_id=text(row, "orderId", where),
        instrument_id=instrument.get_instrument_id(),
        side=choice(row, "side", where, SIDES),
        price=fill_price,
        qty=fill_qty,
        fee=decimal(row, "execFee", where),
        fee_currency=text_or_empty(row, "feeCurrency", where) or _fee_coin(row, instrument),
        is_maker=flag(row, "isMaker", where),
        exec_ms=stamp_ms(row, "execTime", where),
        recv_ms=recv_ms,
        order_qty=qty(row, "orderQty", where) if row.get("orderQty") else None,
    )


def _fee_coin(row: Json, instrument: Instrument) -> str:
    """The coin of a fee where a message leaves it out, as older ones do.

    Contracts charge in what they settle in, spot in what was received.
    """
    if category_of(instrument) != SPOT:
        return settle_coin(instrument)
    bought = row.get("side") == "Buy"
    return str(instrument.get_base_currency() if bought else instrument.get_quote_currency())


def _cancel_code(cancel_type: str, why: str) -> CancelCode:
    if cancel_type == "CancelBySmp" or why in _SELF_MATCH:
        return CancelCode.SelfTradePrevention
    if cancel_type == "CancelByUser":
        return CancelCode.CanceledByUser
    return CancelCode.Unset
