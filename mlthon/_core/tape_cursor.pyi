from collections.abc import Iterable, Sequence
from typing import Any, final

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon._core.order_change import OrderChange, RateUpdate

COLUMN_NAMES: tuple[str, ...]
SMALL_COLUMNS: frozenset[str]

@final
class TapeCursor:
    def __new__(
        cls,
        source: Iterable[Sequence[Any]],
        *,
        price_decimals: int,
        qty_decimals: int,
        correction_ns: int = 0,
        name: str = "tape",
    ) -> TapeCursor: ...
    def __iter__(self) -> TapeCursor: ...
    def read_through(self) -> tuple[int, int]: ...
    def skip_until(self, ns: int) -> int: ...
    def __next__(self) -> tuple[int, DepthUpdate | PublicTrade | OrderChange | RateUpdate]: ...
