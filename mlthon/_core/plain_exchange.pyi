from collections.abc import Callable
from typing import Any

from typing_extensions import disjoint_base

from mlthon._core.enums import TIF, OrderType, Side
from mlthon._core.fixed import Price, Qty
from mlthon._core.funds import Funds
from mlthon._core.matching import MatchingEngine
from mlthon._core.order_archive import KeptOrders
from mlthon._core.order_entry import OrderRules
from mlthon._core.outbox import Outbox
from mlthon._core.sim_order import EndReason, OrderState, Origin, SimOrder

# Requests for orders are those of a higher layer.

@disjoint_base
class PlainMarket:
    def __init__(self, symbol: str, engine: MatchingEngine, rules: OrderRules, *, is_spot: bool) -> None: ...
    @property
    def symbol(self) -> str: ...
    @property
    def engine(self) -> MatchingEngine: ...
    @property
    def is_spot(self) -> bool: ...

@disjoint_base
class OrderKeeper:
    def __init__(self, outbox: Outbox, now_ns: Callable[[], int]) -> None: ...
    @property
    def outbox(self) -> Outbox: ...
    @property
    def now_ns(self) -> Callable[[], int]: ...
    @property
    def orders(self) -> KeptOrders: ...
    def owner(self, order_id: int) -> Any: ...
    def is_open(self, order_id: int) -> bool: ...
    def new_order(self, account: Funds, order: Any, origin: Origin = ...) -> SimOrder: ...
    def put(self, account: Funds, order: SimOrder) -> None: ...
    def end(
        self, account: Funds, order: SimOrder, state: OrderState, reason: EndReason, met_id: int = 0
    ) -> SimOrder: ...
    def tell_quiet(self, market: PlainMarket, order: SimOrder) -> None: ...
    def tell_depth(self, market: PlainMarket) -> None: ...

@disjoint_base
class PlainExchange:
    def __init__(self, keeper: OrderKeeper, markets: dict[str, Any], max_open_orders: int) -> None: ...
    def place_plain(
        self,
        account: Funds,
        symbol: str,
        link_id: str,
        side: Side,
        price: Price | None,
        qty: Qty,
        *,
        order_type: OrderType = ...,
        tif: TIF = ...,
        post_only: bool = False,
    ) -> SimOrder | None: ...
    def cancel_plain(self, account: Funds, symbol: str, link_id: str) -> SimOrder | None: ...
