from typing import final

from mlthon._core.enums import Side
from mlthon._core.fixed import MLDecimal, Price, Qty
from mlthon._core.joined_book import JoinedBook
from mlthon._core.market_event import DepthUpdate, PublicTrade

@final
class MatchingEngine(JoinedBook):
    @property
    def crossed_updates(self) -> int: ...
    def place(
        self,
        order_id: int,
        account: int,
        side: Side,
        qty: Qty,
        price: Price | None = None,
        *,
        immediate: bool = False,
        whole: bool = False,
        post_only: bool = False,
        reduce_only: bool = False,
        self_trade: int = 0,
        max_value: MLDecimal | None = None,
        lot: Qty | None = None,
    ) -> None: ...
    def amend(self, order_id: int, price: Price, leaves_qty: Qty) -> None: ...
    def cancel(self, order_id: int) -> None: ...
    def move_position(self, account: int, change: Qty) -> None: ...
    def apply_depth(self, update: DepthUpdate) -> None: ...
    def apply_trade(self, trade: PublicTrade) -> None: ...
