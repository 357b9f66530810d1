"""A position at average cost: what fills leave behind.

One implementation for everybody who counts fills: the engine (what the strategy was told), the simulated exchange
(what it booked), whose results are compared with each other, and strategies.
"""

from __future__ import annotations

from typing import NamedTuple

from mlthon._core.holding import Holding
from mlthon.basics.defs import Side
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty

__all__ = ["Closed", "InversePosition", "Position"]

_NOTHING = MLDecimal("0")
_FLAT = Qty("0")
_FINEST_AVERAGE = Price("0.00000001")  # of an inverse contract: its values do not tell it finer


class Closed(NamedTuple):
    """What a fill closed of the position it met."""

    qty: Qty
    realised: MLDecimal  # before fees


class Position(Holding):
    """Signed size and cost of one linear contract or spot pair, with what it has earned and what was paid for it.

    Quantities are in the instrument's quantity unit, money in its quote currency. Closing takes a proportional part
    of the cost, rounded half-even at the 18th decimal; whatever the rounding, what was made and what is still held at
    cost sum to the same, so that nothing is ever lost. `InversePosition` is the same for inverse contracts.

    >>> position = Position()
    >>> _ = position.apply_fill(Side.Buy, Price("100"), Qty("3"))
    >>> position.apply_fill(Side.Sell, Price("110"), Qty("1"))
    Closed(qty=Qty('1.00000000'), realised=MLDecimal('10.00000000'))
    >>> position.size, position.avg_price
    (Qty('2.00000000'), Price('100.00000000'))
    >>> position.unrealised(Price("105"))
    MLDecimal('10.00000000')
    """

    __slots__ = ()

    # The figures are the base's. `size`: positive when long, negative when short; `entry_value`: what the size cost,
    # the sum of `value_of` the fills that opened it; `realised`: profit of what was closed, before fees; `fees`: paid
    # so far, less rebates.

    @property
    def avg_price(self) -> Price | None:
        """Average cost of one unit, rounded half-even at the 18th decimal; None when flat."""
        return None if self.size.is_zero() else self.entry_value / self.size

    def value_of(self, price: Price, qty: Qty) -> MLDecimal:
        """What ``qty`` (negative: sold) costs at ``price``, rounded half-even at the 18th decimal."""
        return price * qty

    def apply_fill(self, side: Side, price: Price, qty: Qty, fee: MLDecimal = _NOTHING) -> Closed:
        """Count a fill: first it closes what is held the other way, then it opens.

        Raises ValueError unless ``qty`` is positive.
        """
        if qty.sign() <= 0:
            raise ValueError(f"fill qty: expected more than 0, got {qty}")
        is_buy = side is Side.Buy
        closes = self.size.sign() == (-1 if is_buy else 1)
        closed_qty = min(qty, abs(self.size)) if closes else _FLAT
        closed_value = self.value_of(price, closed_qty)
        opened_value = self.value_of(price, qty) - closed_value
        realised = _NOTHING
        if closes:
            cost = self._cost_of(closed_qty)
            realised = (-closed_value if is_buy else closed_value) - cost
            self.entry_value -= cost
            self.realised += realised
        self.size += qty if is_buy else -qty
        self.entry_value += opened_value if is_buy else -opened_value
        self.fees += fee
        return Closed(closed_qty, realised)

    def unrealised(self, mark: Price) -> MLDecimal:
        """Profit of the open size if it were closed at ``mark``, before fees."""
        return self.value_of(mark, self.size) - self.entry_value

    def _cost_of(self, closed_qty: Qty) -> MLDecimal:
        """The part of the entry value that closing ``closed_qty`` takes."""
        held = abs(self.size).mantissa
        # The product of two mantissas needs more than 128 bits: plain ints.
        quotient, rest = divmod(self.entry_value.mantissa * closed_qty.mantissa, held)
        if 2 * rest > held or (2 * rest == held and quotient % 2 == 1):
            quotient += 1
        return MLDecimal.from_mantissa(quotient)


class InversePosition(Position):
    """Size and cost of an inverse contract: contracts of one unit of the quote currency, settled in the base coin.

    Who buys such contracts at a price has sold as many quote units' worth of the coin: ``qty / price`` of it, rounded
    half-even at the 18th decimal, once a fill and so the same for both its sides. That makes the cost of a long
    position negative. All money is in the coin; all else is as for linear contracts, and as exact.

    >>> position = InversePosition()
    >>> _ = position.apply_fill(Side.Buy, Price("50000"), Qty("100"))
    >>> position.apply_fill(Side.Sell, Price("62500"), Qty("100"))  # 100 * (1/50000 - 1/62500) of the coin
    Closed(qty=Qty('100.00000000'), realised=MLDecimal('0.00040000'))
    """

    __slots__ = ()

    @property
    def avg_price(self) -> Price | None:
        """Average entry price (the harmonic mean of the fills'), rounded to 8 decimals; None when flat."""
        if self.size.is_zero() or self.entry_value.is_zero():
            return None
        average = -(self.size.to_mldecimal() / self.entry_value)
        return Price.from_mantissa(average.mantissa).round_nearest(_FINEST_AVERAGE)

    def value_of(self, price: Price, qty: Qty) -> MLDecimal:
        """What ``qty`` (negative: sold) contracts cost in the coin: less than nothing when bought."""
        return -(qty.to_mldecimal() / price.to_mldecimal())
