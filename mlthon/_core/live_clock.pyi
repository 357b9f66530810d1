from typing import final

@final
class LiveClock:
    def now_ns(self) -> int: ...
