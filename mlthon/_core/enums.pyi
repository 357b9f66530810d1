from enum import Enum

class MltEnum(Enum): ...  # type: ignore[misc]  # a base: it has no members

class Side(MltEnum):
    Buy = 1
    Sell = 2

class OrderType(MltEnum):
    Unset = 0
    Limit = 1
    Market = 2

class TIF(MltEnum):
    Unset = 0
    GTC = 1
    IOC = 2
    FOK = 3

class ExecInstructions(MltEnum):
    Unset = 0
    PostOnly = 1
