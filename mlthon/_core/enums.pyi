from enum import Enum

class MltEnum(Enum): ...  # type: ignore[misc]  # a base: it has no members

class Side(MltEnum):
    Buy = 1
    Sell = 2
