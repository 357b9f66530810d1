from decimal import Decimal
from typing import Any, TypeAlias

from typing_extensions import disjoint_base

from mlthon._core.enums import TIF, ExecInstructions, OrderType, Side
from mlthon._core.fixed import Price, Qty
from mlthon._core.order import Order

_PriceLike: TypeAlias = Price | str | Decimal | int
_QtyLike: TypeAlias = Qty | str | Decimal | int
_InstrumentId: TypeAlias = int | str  # in older strategies the symbol

@disjoint_base
class OrderMgr:
    def __init__(self, client_id_prefix: str) -> None: ...
    def get_open_orders(self) -> list[Order]: ...
    def get_num_open_orders(self) -> int: ...
    def get_order_with_client_id(self, client_id: str) -> Order | None: ...
    def prepare_new_order(
        self,
        instrument_id: _InstrumentId | None = None,
        side: Side | None = None,
        price: _PriceLike | None = None,
        qty: _QtyLike | None = None,
        exec_instr: ExecInstructions = ...,
        order_type: OrderType = ...,
        tif: TIF = ...,
        nullable_attachment: Any = None,
        *,
        symbol: _InstrumentId | None = None,
    ) -> Order | None: ...
    def prepare_modify_order(
        self, client_id: str, new_price: _PriceLike | None = None, new_qty: _QtyLike | None = None
    ) -> bool: ...
    def prepare_cancel_order(self, client_id: str) -> bool: ...
    def prepare_cancel_all(self, instrument_id: _InstrumentId | None = None) -> bool: ...
    def add_open_order(
        self,
        client_id: str,
        exchange_id: str,
        instrument_id: _InstrumentId,
        side: Side,
        price: _PriceLike,
        qty: _QtyLike,
        order_type: OrderType,
        tif: TIF,
        exec_instr: ExecInstructions,
        nullable_attachment: Any = None,
    ) -> Order | None: ...
    def apply_new_order_ack(
        self,
        client_id: str,
        exchange_id: str | None = None,
        price: _PriceLike | None = None,
        leaves_qty: _QtyLike | None = None,
    ) -> bool: ...
    def apply_new_order_reject(self, client_id: str) -> bool: ...
    def apply_modify_order_ack(
        self,
        client_id: str,
        leaves_qty: _QtyLike | None = None,
        *,
        new_price: _PriceLike | None = None,
        new_qty: _QtyLike | None = None,
    ) -> bool: ...
    def apply_modify_order_reject(self, client_id: str) -> bool: ...
    def apply_cancel_order_ack(self, client_id: str) -> bool: ...
    def apply_cancel_order_reject(self, client_id: str | None) -> bool: ...
    def apply_cancel_all_ack(self, instrument_id: _InstrumentId | None = None) -> bool: ...
    def apply_cancel_all_reject(self, instrument_id: _InstrumentId | None = None) -> bool: ...
    def apply_order_execution(
        self, client_id: str, fill_qty: _QtyLike, nullable_leaves_qty: _QtyLike | None = None
    ) -> bool | None: ...
    def apply_order_cancelled(self, client_id: str) -> bool: ...
