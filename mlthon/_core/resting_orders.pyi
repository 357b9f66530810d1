from typing import Self, final

@final
class RestingSide:
    def __new__(cls, is_bid: bool) -> Self: ...
