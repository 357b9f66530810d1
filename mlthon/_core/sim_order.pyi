from collections.abc import Mapping
from enum import Enum, IntEnum
from typing import Any, NamedTuple

from mlthon._core.enums import TIF, OrderType, Side
from mlthon._core.fixed import MLDecimal, Price, Qty

# Requests are those of a higher layer.

class SelfTrade(IntEnum):
    Allow = 0
    CancelMaker = 1
    CancelTaker = 2
    CancelBoth = 3

class OrderState(Enum):
    New = 1
    PartiallyFilled = 2
    Filled = 3
    Cancelled = 4
    Rejected = 5

    is_open: bool
    def __init__(self, number: int) -> None: ...

class EndReason(Enum):
    NotEnded = -1
    ByUser = 0
    PostOnlyWouldCross = 1
    NoImmediateLiquidity = 2
    NotFillableWhole = 3
    ReduceOnly = 4
    SelfTrade = 5
    ValueSpent = 6
    FundsSpent = 7
    BeforeLiquidation = 8

class Origin(Enum):
    Client = 1
    Liquidation = 2

class SimOrder(NamedTuple):
    order_id: int
    link_id: str
    account: str
    symbol: str
    origin: Origin
    side: Side
    order_type: OrderType
    tif: TIF
    post_only: bool
    reduce_only: bool
    self_trade: SelfTrade
    by_value: bool
    price: Price | None
    qty: Qty
    created_ns: int
    cum_qty: Qty
    cum_value: MLDecimal
    avg_price: Price | None
    cum_fees: Mapping[str, MLDecimal]
    realised_pnl: MLDecimal
    leaves_qty: Qty
    state: OrderState
    end_reason: EndReason
    met_order_id: int
    updated_ns: int
    @classmethod
    def begin(cls, order_id: int, account: str, origin: Origin, request: Any, now_ns: int) -> SimOrder: ...
    @property
    def is_open(self) -> bool: ...
    def ended(
        self, state: OrderState, end_reason: EndReason, met_order_id: int, updated_ns: int
    ) -> SimOrder: ...
    @property
    def unfilled_qty(self) -> Qty: ...
