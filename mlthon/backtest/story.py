"""What the simulated exchange says, in the words in which connectors report to the engine.

The same codes and the same reasons as those that a live connector has from a venue.
"""

from __future__ import annotations

from mlthon.basics.defs import (
    TIF,
    CancelCode,
    ExecInstructions,
    GtwRejectCode,
    OrderStatus,
    OrderType,
)
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.engine.ports import FillReport, NewOrderRequest, OrderReport
from mlthon.instruments.instrument import Instrument
from mlthon.sim.orders import EndReason, NewOrder, OrderState, Refusal, SimFill, SimOrder, Wallet

__all__ = ["available", "fill_report", "new_order", "order_report", "reject_code"]

_NS_PER_MS = 1_000_000
_NO_PRICE = Price("0")

_STATUSES = {
    OrderState.New: OrderStatus.New,
    OrderState.PartiallyFilled: OrderStatus.PartiallyFilled,
    OrderState.Filled: OrderStatus.Filled,
    OrderState.Cancelled: OrderStatus.Cancelled,
    OrderState.Rejected: OrderStatus.Rejected,
}

_REJECT_CODES = {
    Refusal.UnknownSymbol: GtwRejectCode.InvalidRequest,
    Refusal.BadPrice: GtwRejectCode.InvalidPrice,
    Refusal.BadQty: GtwRejectCode.InvalidRequest,
    Refusal.BelowMinNotional: GtwRejectCode.InvalidNotional,
    Refusal.BadCombination: GtwRejectCode.InvalidRequest,
    Refusal.DuplicateLinkId: GtwRejectCode.DuplicateClientId,
    Refusal.UnknownOrder: GtwRejectCode.UnknownOrder,
    Refusal.OrderFilled: GtwRejectCode.TooLate,
    Refusal.OrderEnded: GtwRejectCode.TooLate,
    Refusal.InsufficientFunds: GtwRejectCode.InsufficientFunds,
    Refusal.ReduceOnly: GtwRejectCode.ReduceOnlyRefused,
    Refusal.TooManyOrders: GtwRejectCode.PositionLimit,
    Refusal.NothingToChange: GtwRejectCode.InvalidRequest,
}
_SPOT_REJECT_CODES = _REJECT_CODES | {Refusal.BadQty: GtwRejectCode.InvalidQty}

_END_REASONS = {
    EndReason.NotEnded: "",
    EndReason.ByUser: "CancelByUser/EC_PerCancelRequest",
    EndReason.PostOnlyWouldCross: "EC_PostOnlyWillTakeLiquidity",
    EndReason.NoImmediateLiquidity: "EC_NoImmediateQtyToFill",
    EndReason.NotFillableWhole: "EC_CancelForNoFullFill",
    EndReason.ReduceOnly: "CancelByReduceOnly/EC_Others",
    EndReason.SelfTrade: "CancelBySmp/EC_BySelfMatch",
    EndReason.ValueSpent: "EC_CancelForNoFullFill",
    EndReason.FundsSpent: "EC_NoEnoughQtyToFill",
    EndReason.BeforeLiquidation: "CancelAllBeforeLiq/EC_Others",
}
_CANCEL_CODES = {
    EndReason.ByUser: CancelCode.CanceledByUser,
    EndReason.SelfTrade: CancelCode.SelfTradePrevention,
}


def new_order(request: NewOrderRequest, symbol: str) -> NewOrder:
    """What a request asks of the exchange. A market order never rests, whatever its time in force."""
    is_market = request.order_type is OrderType.Market
    return NewOrder(
        symbol=symbol,
        side=request.side,
        qty=request.qty,
        price=request.price,
        order_type=request.order_type,
        tif=TIF.IOC if is_market else request.tif,
        post_only=request.exec_instr is ExecInstructions.PostOnly,
        reduce_only=request.close_position,
        link_id=request.wire_id,
    )


def reject_code(refusal: Refusal, *, is_spot: bool) -> GtwRejectCode:
    """The class of a refusal, as a connector reads it from the venue's own code."""
    return (_SPOT_REJECT_CODES if is_spot else _REJECT_CODES)[refusal]


def order_report(order: SimOrder, instrument: Instrument, recv_ns: int) -> OrderReport:
    """An order's state. One that was rejected after it had traded is cancelled: a rejection has no fills."""
    status = _STATUSES[order.state]
    crossed = order.end_reason is EndReason.PostOnlyWouldCross
    if status is OrderStatus.Cancelled and crossed and order.cum_qty.is_zero():
        status = OrderStatus.Rejected
    elif status is OrderStatus.Rejected and not order.cum_qty.is_zero():
        status = OrderStatus.Cancelled
    is_cancelled = status is OrderStatus.Cancelled
    return OrderReport(
        wire_id=order.link_id,
        exchange_id=str(order.order_id),
        instrument_id=instrument.get_instrument_id(),
        side=order.side,
        price=order.price or _NO_PRICE,
        qty=order.qty,
        cum_qty=order.cum_qty,
        status=status,
        order_type=order.order_type,
        tif=TIF.GTC if order.post_only else order.tif,
        exec_instr=ExecInstructions.PostOnly if order.post_only else ExecInstructions.Unset,
        cancel_code=_CANCEL_CODES.get(order.end_reason, CancelCode.Unset)
        if is_cancelled
        else CancelCode.Unset,
        reject_code=GtwRejectCode.PostOnlyWouldCross if crossed else GtwRejectCode.Other,
        reason=_END_REASONS[order.end_reason],
        venue_ms=order.updated_ns // _NS_PER_MS,
        recv_ms=recv_ns // _NS_PER_MS,
    )


def fill_report(fill: SimFill, instrument: Instrument, recv_ns: int) -> FillReport:
    """An execution."""
    return FillReport(
        exec_id=str(fill.exec_id),
        wire_id=fill.link_id,
        exchange_id=str(fill.order_id),
        instrument_id=instrument.get_instrument_id(),
        side=fill.side,
        price=fill.price,
        qty=fill.qty,
        fee=fill.fee,
        fee_currency=fill.fee_coin,
        is_maker=fill.is_maker,
        exec_ms=fill.exec_ns // _NS_PER_MS,
        recv_ms=recv_ns // _NS_PER_MS,
        order_qty=None if fill.by_value else fill.order_qty,
    )


def available(wallet: Wallet) -> tuple[Qty, Qty]:
    """A coin's balance, and what of it neither orders nor positions hold: nothing, where they hold more."""
    held = wallet.locked + wallet.order_margin + wallet.position_margin
    total = Qty.from_mantissa(wallet.balance.mantissa)
    free = Qty.from_mantissa((wallet.balance - held).mantissa)
    return total, max(free, Qty("0"))
