"""A position at average cost: what fills leave behind.

One implementation for everybody who counts fills: the engine (what the strategy was told) and the simulated
exchange (what it booked), whose results are compared with each other.
"""

from __future__ import annotations

from mlthon.basics.defs import Side
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty

__all__ = ["Position"]

_NOTHING = MLDecimal("0")
_FLAT = Qty("0")


class Position:
    """Signed size and average entry price of one linear contract, with what it has earned and cost.

    Quantities are in the instrument's quantity unit, money in its quote currency. Entry cost is kept as an exact
    sum; only the share of it that a partial close releases is rounded, half-even at the 18th decimal, and the rest
    stays with the position, so that nothing is ever lost: once flat, ``realised`` is exactly the cash that came in
    less the cash that went out.

    >>> position = Position()
    >>> position.apply_fill(Side.Buy, Price("100"), Qty("3"))
    MLDecimal('0.00000000')
    >>> position.apply_fill(Side.Sell, Price("110"), Qty("1"))
    MLDecimal('10.00000000')
    >>> position.size, position.avg_price
    (Qty('2.00000000'), Price('100.00000000'))
    >>> position.unrealised(Price("105"))
    MLDecimal('10.00000000')
    """

    __slots__ = ("_entry_cost", "fees", "realised", "size")

    def __init__(self) -> None:
        self.size = _FLAT  #: positive long, negative short
        self.realised = _NOTHING  #: profit of what was closed, before fees
        self.fees = _NOTHING  #: paid so far; negative: rebates outweigh
        self._entry_cost = _NOTHING  # what the open size was entered for, always >= 0

    @property
    def avg_price(self) -> Price | None:
        """Average entry price of the open size, rounded half-even at the 18th decimal; None when flat."""
        if self.size.is_zero():
            return None
        return Price((self._entry_cost / abs(self.size).to_mldecimal()).to_decimal())

    def apply_fill(self, side: Side, price: Price, qty: Qty, fee: MLDecimal = _NOTHING) -> MLDecimal:
        """Count a fill and return the profit it realised, before fees.

        Raises ValueError unless ``qty`` is positive.
        """
        if qty.sign() <= 0:
            raise ValueError(f"fill qty: expected more than 0, got {qty}")
        self.fees += fee
        signed = qty if side is Side.Buy else -qty
        if self.size.sign() * signed.sign() >= 0:
            self._entry_cost += price * qty
            self.size += signed
            return _NOTHING
        closed = min(qty, abs(self.size))
        realised = self._close(closed, price)
        self.size += signed
        if qty > closed:
            self._entry_cost = price * (qty - closed)
        self.realised += realised
        return realised

    def unrealised(self, mark: Price) -> MLDecimal:
        """Profit of the open size if it were closed at ``mark``, before fees."""
        value = mark * abs(self.size)
        return value - self._entry_cost if self.size.sign() >= 0 else self._entry_cost - value

    def _close(self, qty: Qty, price: Price) -> MLDecimal:
        """Release the closed share of the entry cost and return the profit against it."""
        open_qty = abs(self.size)
        released = self._entry_cost
        if qty < open_qty:
            released = _share(self._entry_cost, qty, open_qty)
        self._entry_cost -= released
        proceeds = price * qty
        return proceeds - released if self.size.sign() > 0 else released - proceeds


def _share(total: MLDecimal, part: Qty, whole: Qty) -> MLDecimal:
    """``total * part / whole`` with one rounding, half-even, and no intermediate that could overflow."""
    quotient, rest = divmod(total.mantissa * part.mantissa, whole.mantissa)
    if 2 * rest > whole.mantissa or (2 * rest == whole.mantissa and quotient % 2 == 1):
        quotient += 1
    return MLDecimal.from_mantissa(quotient)
