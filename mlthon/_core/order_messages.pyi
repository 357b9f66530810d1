from typing import Any, NamedTuple

from mlthon._core.enums import (
    TIF,
    CancelCode,
    ExecInstructions,
    GtwRejectCode,
    OrderStatus,
    OrderType,
    Side,
)
from mlthon._core.fixed import MLDecimal, Price, Qty

# Instruments are those of a higher layer.

class NewOrderRequest(NamedTuple):
    wire_id: str
    instrument: Any
    side: Side
    price: Price | None
    qty: Qty
    order_type: OrderType
    tif: TIF
    exec_instr: ExecInstructions
    close_position: bool

class ModifyOrderRequest(NamedTuple):
    wire_id: str
    exchange_id: str
    instrument: Any
    new_price: Price | None
    new_qty: Qty | None

class CancelOrderRequest(NamedTuple):
    wire_id: str
    exchange_id: str
    instrument: Any

class OrderReport(NamedTuple):
    wire_id: str
    exchange_id: str
    instrument_id: int
    side: Side
    price: Price
    qty: Qty
    cum_qty: Qty
    status: OrderStatus
    order_type: OrderType
    tif: TIF
    exec_instr: ExecInstructions
    cancel_code: CancelCode = ...
    reject_code: GtwRejectCode = ...
    reason: str = ...
    venue_ms: int = ...
    recv_ms: int = ...
    @property
    def leaves_qty(self) -> Qty: ...

class FillReport(NamedTuple):
    exec_id: str
    wire_id: str
    exchange_id: str
    instrument_id: int
    side: Side
    price: Price
    qty: Qty
    fee: MLDecimal
    fee_currency: str
    is_maker: bool
    exec_ms: int
    recv_ms: int
    order_qty: Qty | None = ...
