from decimal import Decimal
from typing import Literal, final

from mlthon._core.enums import Side
from mlthon._core.fixed import MLDecimal, Price, Qty

ACTIONS: tuple[str, ...]
RATES: tuple[str, ...]

@final
class OrderChange:
    def __init__(
        self,
        action: Literal["add", "modify", "delete"],
        order_id: int,
        side: Side,
        price: Price | str | Decimal | int = "0",
        qty: Qty | str | Decimal | int = "0",
        *,
        is_snapshot: bool = False,
        is_first: bool = True,
        is_last: bool = True,
        venue_ns: int = 0,
        recv_ns: int = 0,
        seq: int = 0,
    ) -> None: ...
    @property
    def action(self) -> str: ...
    @property
    def order_id(self) -> int: ...
    @property
    def side(self) -> Side: ...
    @property
    def price(self) -> Price: ...
    @property
    def qty(self) -> Qty: ...
    @property
    def is_snapshot(self) -> bool: ...
    @property
    def is_first(self) -> bool: ...
    @property
    def is_last(self) -> bool: ...
    @property
    def venue_ns(self) -> int: ...
    @property
    def recv_ns(self) -> int: ...
    @property
    def seq(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class RateUpdate:
    def __init__(
        self,
        kind: Literal["funding", "mark", "index"],
        value: MLDecimal | str | Decimal | int,
        *,
        due_ns: int = 0,
        venue_ns: int = 0,
        recv_ns: int = 0,
    ) -> None: ...
    @property
    def kind(self) -> str: ...
    @property
    def value(self) -> MLDecimal: ...
    @property
    def due_ns(self) -> int: ...
    @property
    def venue_ns(self) -> int: ...
    @property
    def recv_ns(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

def restore_order_change(
    action: Literal["add", "modify", "delete"],
    order_id: int,
    side: Side,
    price: Price,
    qty: Qty,
    is_snapshot: bool,
    is_first: bool,
    is_last: bool,
    venue_ns: int,
    recv_ns: int,
    seq: int,
) -> OrderChange: ...
def restore_rate_update(
    kind: Literal["funding", "mark", "index"], value: MLDecimal, due_ns: int, venue_ns: int, recv_ns: int
) -> RateUpdate: ...
