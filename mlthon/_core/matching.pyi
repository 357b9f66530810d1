from typing import Self, final

from mlthon._core.enums import Side
from mlthon._core.fixed import MLDecimal, Price, Qty
from mlthon._core.followed_market import FollowedMarket

@final
class MatchingEngine(FollowedMarket):
    def __new__(cls, queue_rule: int = 0, valued_at_mark: bool = True) -> Self: ...
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
