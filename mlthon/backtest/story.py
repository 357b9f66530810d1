"""What the simulated exchange says, in the words in which connectors report to the engine.

The same codes and the same reasons as those that a live connector has from a venue.
"""

from __future__ import annotations

from mlthon.basics.defs import (
    TIF,
    ExecInstructions,
    GtwRejectCode,
    OrderType,
)
from mlthon.basics.qty import Qty
from mlthon.engine.ports import FillReport, NewOrderRequest
from mlthon.instruments.instrument import Instrument
from mlthon.sim.orders import NewOrder, Refusal, SimFill, Wallet

__all__ = ["available", "fill_report", "new_order", "reject_code"]

_NS_PER_MS = 1_000_000

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
