from collections.abc import Callable
from typing import final

@final
class SimClock:
    def __init__(self, now_ns: int = 0) -> None: ...
    def now_ns(self) -> int: ...

@final
class TimeSource:
    def __init__(self, now_ns: Callable[[], int]) -> None: ...
