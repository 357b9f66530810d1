from collections.abc import Callable
from typing import Protocol, final

class _Clock(Protocol):
    @property
    def offset_ns(self) -> int: ...

@final
class ScannedMessages:
    def __init__(
        self, scan: Callable[[bytes, int, int], bool], clock: _Clock, rest: Callable[[bytes, int], None]
    ) -> None: ...
    def on_message(self, data: bytes, recv_ns: int) -> None: ...
