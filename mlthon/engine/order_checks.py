"""An instrument's rules for orders, checked before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass

from mlthon.basics.defs import GtwRejectCode
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.instruments.instrument import Instrument

__all__ = ["BrokenRule", "broken_rule"]


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """Why an order would be refused, and what would do instead."""

    code: GtwRejectCode
    reason: str


def broken_rule(instrument: Instrument, price: Price | None, qty: Qty | None) -> BrokenRule | None:
    """Return the first of the instrument's rules that the values break; None: they are fine.

    A price or a qty of None is not checked (a market order, an unchanged value).
    """
    if price is not None and (rule := _broken_price_rule(instrument, price)) is not None:
        return rule
    if qty is not None and (rule := _broken_qty_rule(instrument, qty)) is not None:
        return rule
    minimum = instrument.get_min_notional()
    if minimum is not None and price is not None and qty is not None and price * qty < minimum:
        return BrokenRule(
            GtwRejectCode.InvalidNotional,
            f"{price} x {qty} is below the minimum notional {minimum} of {instrument.get_instrument_name()}",
        )
    return None


def _broken_price_rule(instrument: Instrument, price: Price) -> BrokenRule | None:
    name = instrument.get_instrument_name()
    if price.sign() <= 0:
        return BrokenRule(GtwRejectCode.InvalidPrice, f"price {price} of {name} is not above 0")
    tick = instrument.get_price_tick_rules()
    if tick is not None and (nearest := price.round_nearest(tick)) != price:
        return BrokenRule(
            GtwRejectCode.InvalidPrice,
            f"price {price} of {name} is off its tick {tick}; nearest is {nearest}",
        )
    return None


def _broken_qty_rule(instrument: Instrument, qty: Qty) -> BrokenRule | None:
    name = instrument.get_instrument_name()
    if qty.sign() <= 0:
        return BrokenRule(GtwRejectCode.InvalidQty, f"qty {qty} of {name} is not above 0")
    lot = instrument.get_quantity_tick_rules()
    if lot is not None and (nearest := qty.round_nearest(lot)) != qty:
        return BrokenRule(
            GtwRejectCode.InvalidQty, f"qty {qty} of {name} is off its lot {lot}; nearest is {nearest}"
        )
    minimum = instrument.get_min_quantity()
    if minimum is not None and qty < minimum:
        return BrokenRule(GtwRejectCode.InvalidQty, f"qty {qty} of {name} is below its minimum {minimum}")
    maximum = instrument.get_max_quantity()
    if maximum is not None and qty > maximum:
        return BrokenRule(GtwRejectCode.InvalidQty, f"qty {qty} of {name} is above its maximum {maximum}")
    return None
