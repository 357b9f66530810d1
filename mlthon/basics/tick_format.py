"""TickFormat: floats to prices and quantities that a venue takes, rounded to a tick in a stated direction."""

from __future__ import annotations

import math
from decimal import Decimal

from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.basics.tick_unit import TickUnit

__all__ = ["TickFormat"]

ONE = 10**18  # the mantissa of one
SLACK_ULPS = 4  # what a short computation on floats may be off


class TickFormat:
    """Round floats to tick multiples, up or down.

    In all four calls:

    * ``tick_size`` is a positive number in the value's own unit; a float is read as it prints, so 0.01 is one
      hundredth. `Price`, `Qty`, Decimal, int and str are taken as well.
    * ``tick_unit`` says what the tick belongs to and scales nothing.
    * a float within 4 units in the last place of a multiple counts as that multiple, so that 0.1 + 0.2 on a tick
      of 0.1 is 0.3 in either direction.
    * raises ValueError for NaN, infinities and a tick size that is not positive, OverflowError beyond the range of
      the result, TypeError for anything that is not a number.
    """

    @staticmethod
    def price_up_from_float(
        price_float: float, tick_size: TickSize = 0.01, tick_unit: TickUnit = TickUnit.Cent
    ) -> Price:
        """Return the least multiple of the tick that is not below the price.

        >>> TickFormat.price_up_from_float(9226.51, tick_size=0.5)
        Price('9227.00000000')
        """
        step = _step_mantissa(tick_size, tick_unit)
        return Price.from_mantissa(step * _ticks_up(price_float, step))

    @staticmethod
    def price_down_from_float(
        price_float: float, tick_size: TickSize = 0.01, tick_unit: TickUnit = TickUnit.Cent
    ) -> Price:
        """Return the greatest multiple of the tick that is not above the price.

        >>> TickFormat.price_down_from_float(9226.519)
        Price('9226.51000000')
        """
        step = _step_mantissa(tick_size, tick_unit)
        return Price.from_mantissa(step * _ticks_down(price_float, step))

    @staticmethod
    def qty_up_from_float(
        qty_float: float, tick_size: TickSize = 0.001, tick_unit: TickUnit = TickUnit.Lot
    ) -> Qty:
        """Return the least multiple of the lot that is not below the quantity.

        >>> TickFormat.qty_up_from_float(0.0101)
        Qty('0.01100000')
        """
        step = _step_mantissa(tick_size, tick_unit)
        return Qty.from_mantissa(step * _ticks_up(qty_float, step))

    @staticmethod
    def qty_down_from_float(
        qty_float: float, tick_size: TickSize = 0.001, tick_unit: TickUnit = TickUnit.Lot
    ) -> Qty:
        """Return the greatest multiple of the lot that is not above the quantity.

        >>> TickFormat.qty_down_from_float(0.1 + 0.2, tick_size=0.1)
        Qty('0.30000000')
        """
        step = _step_mantissa(tick_size, tick_unit)
        return Qty.from_mantissa(step * _ticks_down(qty_float, step))


TickSize = float | int | str | Decimal | Price | Qty


def _step_mantissa(tick_size: TickSize, tick_unit: TickUnit) -> int:
    if not isinstance(tick_unit, TickUnit):
        raise TypeError(f"tick_unit: expected a TickUnit, got {tick_unit!r}")
    number = repr(float(tick_size)) if isinstance(tick_size, float) else tick_size
    try:
        mantissa = number.mantissa if isinstance(number, Price | Qty) else Qty(number).mantissa
    except TypeError:
        raise TypeError(f"tick_size: expected a number, got {tick_size!r}") from None
    except ValueError as error:
        raise ValueError(f"tick_size: expected a positive number, got {tick_size!r} ({error})") from None
    if mantissa <= 0:
        raise ValueError(f"tick_size: expected a positive number, got {tick_size!r}")
    return mantissa


def _ticks_up(x: float, step: int) -> int:
    return -_ticks_down(-_finite(x), step)


def _ticks_down(x: float, step: int) -> int:
    """Count the steps below a float, exactly: no rounding but the one asked for."""
    top, bottom = _finite(x).as_integer_ratio()
    count, rest = divmod(top * ONE, bottom * step)
    # The nearest multiple is `short` away, in units of 1 / (bottom * ONE).
    nearest, short = (count, rest) if 2 * rest <= bottom * step else (count + 1, bottom * step - rest)
    ulp_top, ulp_bottom = math.ulp(x).as_integer_ratio()
    if short * ulp_bottom <= SLACK_ULPS * ulp_top * bottom * ONE:
        return nearest
    return count


def _finite(x: float) -> float:
    if isinstance(x, bool) or not isinstance(x, float | int):
        raise TypeError(f"TickFormat: expected a float, got {type(x).__name__}")
    if not math.isfinite(x):
        raise ValueError(f"TickFormat: expected a finite number, got {x!r}")
    return float(x)
