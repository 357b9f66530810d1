"""TickUnit: what a tick size is counted in."""

from mlthon._core.enums import MltEnum

__all__ = ["TickUnit"]


class TickUnit(MltEnum):
    """What a tick size belongs to: `Lot` for quantities, `Cent` for prices.

    A label, not a factor: a tick size of 0.01 is 0.01 with either member.

    >>> from mlthon import TickUnit
    >>> TickUnit.Cent.name
    'Cent'
    """

    Lot = 1
    Cent = 2
