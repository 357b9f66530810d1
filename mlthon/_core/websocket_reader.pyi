from collections.abc import Callable
from typing import Protocol, final

class _FullReader(Protocol):
    def feed_data(self, data: bytes, /) -> tuple[bool, bytes]: ...

@final
class MessageReader:
    full: _FullReader
    @property
    def messages(self) -> int: ...
    def __init__(
        self,
        on_message: Callable[[bytes, int], None],
        on_error: Callable[[BaseException], None],
        now_ns: Callable[[], int],
        max_message_bytes: int,
    ) -> None: ...
    def hush(self) -> None: ...
    def deliver(self, data: bytes) -> None: ...
    def feed(self, data: bytes) -> None: ...
