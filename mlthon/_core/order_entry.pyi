from typing import Any, final

from typing_extensions import disjoint_base

from mlthon._core.enums import TIF, ExecInstructions, OrderType, Side
from mlthon._core.fixed import MLDecimal, Price, Qty
from mlthon._core.order_story import OrderStory
from mlthon._core.wire_ids import WireIds

# Sessions, instruments and exchanges are those of higher layers.

@final
class OrderRules:
    def __init__(
        self,
        instrument: Any,
        *,
        tick: Price | None = None,
        lot: Qty | None = None,
        min_qty: Qty | None = None,
        max_qty: Qty | None = None,
        min_notional: MLDecimal | None = None,
        worth_qty: bool = False,
    ) -> None: ...
    def are_kept(self, price: Price, qty: Qty, *, closes: bool = False) -> bool: ...

@disjoint_base
class SendPermit:
    may_send: bool

@disjoint_base
class Versioned:
    version: int

@final
class Route: ...

@disjoint_base
class PlainRequests:
    requests: int
    @property
    def wire_ids(self) -> WireIds: ...
    def __init__(
        self,
        session: SendPermit,
        desks: dict[Any, Any],
        instruments: Versioned,
        wire_ids: WireIds,
        ready: Any,
        record: Any,
        *,
        is_recorded: bool,
    ) -> None: ...
    def learn(self, exchange: Any, ref: Any, desk: OrderStory, rules: OrderRules) -> None: ...
    def number_in(self, client_id: str) -> int: ...

@disjoint_base
class OrderRequests:
    orders: Any
    def send_new_order(
        self,
        client_id: str | int | None,
        exchange: Any,
        instrument_id: int | str | None = None,
        side: Side | None = None,
        price: Any = None,
        qty: Any = None,
        exec_instr: ExecInstructions | None = None,
        ord_type: OrderType | None = None,
        time_in_force: TIF | None = None,
        close_position: bool = False,
        *,
        symbol: str | None = None,
    ) -> int: ...
    def send_cancel_order(
        self, exchange: Any, instrument_id: int | str, client_ord_id: str | int
    ) -> None: ...
