from typing import Self, final

@final
class MarketSide:
    def __new__(cls, is_bid: bool) -> Self: ...
