from typing import Any, NamedTuple, final

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

@final
class NewOrderRequest:
    def __init__(
        self,
        wire_id: str,
        instrument: Any,
        side: Side,
        price: Price | None,
        qty: Qty,
        order_type: OrderType,
        tif: TIF,
        exec_instr: ExecInstructions,
        close_position: bool,
    ) -> None: ...
    @property
    def wire_id(self) -> str: ...
    @property
    def instrument(self) -> Any: ...
    @property
    def side(self) -> Side: ...
    @property
    def price(self) -> Price | None: ...
    @property
    def qty(self) -> Qty: ...
    @property
    def order_type(self) -> OrderType: ...
    @property
    def tif(self) -> TIF: ...
    @property
    def exec_instr(self) -> ExecInstructions: ...
    @property
    def close_position(self) -> bool: ...
    def replace(self, **changes: Any) -> NewOrderRequest: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

class ModifyOrderRequest(NamedTuple):
    wire_id: str
    exchange_id: str
    instrument: Any
    new_price: Price | None
    new_qty: Qty | None

@final
class CancelOrderRequest:
    def __init__(
        self,
        wire_id: str,
        exchange_id: str,
        instrument: Any,
    ) -> None: ...
    @property
    def wire_id(self) -> str: ...
    @property
    def exchange_id(self) -> str: ...
    @property
    def instrument(self) -> Any: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class OrderReport:
    def __init__(
        self,
        wire_id: str,
        exchange_id: str,
        instrument_id: int,
        side: Side,
        price: Price,
        qty: Qty,
        cum_qty: Qty,
        status: OrderStatus,
        order_type: OrderType,
        tif: TIF,
        exec_instr: ExecInstructions,
        cancel_code: CancelCode = ...,
        reject_code: GtwRejectCode = ...,
        reason: str = ...,
        venue_ms: int = ...,
        recv_ms: int = ...,
    ) -> None: ...
    @property
    def wire_id(self) -> str: ...
    @property
    def exchange_id(self) -> str: ...
    @property
    def instrument_id(self) -> int: ...
    @property
    def side(self) -> Side: ...
    @property
    def price(self) -> Price: ...
    @property
    def qty(self) -> Qty: ...
    @property
    def cum_qty(self) -> Qty: ...
    @property
    def status(self) -> OrderStatus: ...
    @property
    def order_type(self) -> OrderType: ...
    @property
    def tif(self) -> TIF: ...
    @property
    def exec_instr(self) -> ExecInstructions: ...
    @property
    def cancel_code(self) -> CancelCode: ...
    @property
    def reject_code(self) -> GtwRejectCode: ...
    @property
    def reason(self) -> str: ...
    @property
    def venue_ms(self) -> int: ...
    @property
    def recv_ms(self) -> int: ...
    @property
    def leaves_qty(self) -> Qty: ...
    def replace(self, **changes: Any) -> OrderReport: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

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
