from collections.abc import Callable
from typing import Any

from typing_extensions import disjoint_base

@disjoint_base
class StreamedOrders:
    @property
    def lanes(self) -> Any: ...
    def __init__(
        self,
        lanes: Any,
        limits: Any,
        stamp_ms: Callable[[], int],
        write: Callable[[bytes], bool],
        req_prefix: str,
    ) -> None: ...
    def send_new(self, request: Any) -> None: ...
    def next_req_id(self, *, is_spot: bool) -> str: ...
    def is_own_id(self, req_id: str) -> bool: ...
    @staticmethod
    def is_spot_id(req_id: str) -> bool: ...
