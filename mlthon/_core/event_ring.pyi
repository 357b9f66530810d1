from typing import final

@final
class EventRing:
    def __new__(cls, kind: type) -> EventRing: ...
