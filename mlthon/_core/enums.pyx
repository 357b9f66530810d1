"""The base of the published enums, and those that compiled code tells apart: an order's.

Everything else that is published as an enum lives in `mlthon.basics.defs`, in plain Python.
"""

from enum import Enum


class MltEnum(Enum):
    """Base of all MLThon enums: compare members, never values.

    >>> from mlthon.basics.defs import Side
    >>> Side.Buy is Side["Buy"], str(Side.Buy)
    (True, 'Side.Buy')
    """

    __module__ = "mlthon.basics.mlt_enum"


class Side(MltEnum):
    """Which side of the market an order or a level is on.

    >>> Side.Buy.name
    'Buy'
    """

    __module__ = "mlthon.basics.defs"

    Buy = 1
    Sell = 2


class OrderType(MltEnum):
    """How an order is priced."""

    __module__ = "mlthon.basics.defs"

    Unset = 0
    Limit = 1
    Market = 2


class TIF(MltEnum):
    """Time in force: how long an order may rest."""

    __module__ = "mlthon.basics.defs"

    Unset = 0
    GTC = 1  #: until cancelled
    IOC = 2  #: fills what it can at once, the rest is cancelled
    FOK = 3  #: fills whole at once, or not at all


class ExecInstructions(MltEnum):
    """What an order must or must not do when it arrives."""

    __module__ = "mlthon.basics.defs"

    Unset = 0
    PostOnly = 1  #: never takes liquidity; refused if it would cross


cdef object BUY = Side.Buy
cdef object SELL = Side.Sell


cdef int side_index(object side) except -1:
    if side is BUY:
        return 0
    if side is SELL:
        return 1
    raise TypeError(f"side: expected Side.Buy or Side.Sell, got {side!r}")


cdef object side_from(int index):
    return BUY if index == 0 else SELL
