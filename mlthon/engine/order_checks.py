"""An instrument's rules for orders, checked before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass

from mlthon._core.order_entry import OrderRules
from mlthon.basics.defs import GtwRejectCode
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.instruments.instrument import Instrument
from mlthon.instruments.perpetual import Perpetual

__all__ = ["BrokenRule", "broken_rule", "rules_of", "why_closed"]

_TRADING = "Trading"
_FINEST = Qty.from_mantissa(1)


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """Why an order would be refused, and what would do instead."""

    code: GtwRejectCode
    reason: str


def why_closed(instrument: Instrument) -> BrokenRule | None:
    """Say why no new orders for an instrument are taken at present: halted, delisted; None: they are."""
    status = instrument.get_status()
    if status in (None, _TRADING):
        return None
    return BrokenRule(
        GtwRejectCode.MarketClosed,
        f"{instrument.get_instrument_name()} is not being traded: its status is {status}",
    )


def broken_rule(
    instrument: Instrument, price: Price | None, qty: Qty | None, *, closes: bool = False
) -> BrokenRule | None:
    """Return the first of the instrument's rules that the values break; None: they are fine.

    A price or a qty of None is not checked (a market order, an unchanged value). Nor is the value of an order that
    ``closes`` a position: what is left of one may be worth less than the minimum, and has to go all the same. The
    reason names the nearest value that keeps the rule.
    """
    if price is not None and (rule := _broken_price_rule(instrument, price)) is not None:
        return rule
    if qty is not None and (rule := _broken_qty_rule(instrument, qty)) is not None:
        return rule
    if price is not None and qty is not None and not closes:
        return _broken_notional_rule(instrument, price, qty)
    return None


def rules_of(instrument: Instrument) -> OrderRules:
    """The same rules as integers: what keeps them has no `broken_rule`."""
    return OrderRules(
        instrument,
        tick=instrument.get_price_tick_rules(),
        lot=instrument.get_quantity_tick_rules(),
        min_qty=instrument.get_min_quantity(),
        max_qty=instrument.get_max_quantity(),
        min_notional=instrument.get_min_notional(),
        worth_qty=_is_inverse(instrument),
    )


def _is_inverse(instrument: Instrument) -> bool:
    return isinstance(instrument, Perpetual) and instrument.get_settlement_method() == "inverse"


def _broken_price_rule(instrument: Instrument, price: Price) -> BrokenRule | None:
    name, tick = instrument.get_instrument_name(), instrument.get_price_tick_rules()
    nearest = price if tick is None else max(price.round_nearest(tick), tick)
    if price.sign() <= 0:
        hint = "" if tick is None else f"; nearest is {tick}"
        return BrokenRule(GtwRejectCode.InvalidPrice, f"price {price} of {name} is not above 0{hint}")
    if nearest != price:
        return BrokenRule(
            GtwRejectCode.InvalidPrice,
            f"price {price} of {name} is off its tick {tick}; nearest is {nearest}",
        )
    return None


def _broken_qty_rule(instrument: Instrument, qty: Qty) -> BrokenRule | None:
    lot = instrument.get_quantity_tick_rules()
    minimum, maximum = instrument.get_min_quantity(), instrument.get_max_quantity()
    if qty.sign() <= 0:
        broken = "is not above 0"
    elif lot is not None and qty.round_nearest(lot) != qty:
        broken = f"is off its lot {lot}"
    elif minimum is not None and qty < minimum:
        broken = f"is below its minimum {minimum}"
    elif maximum is not None and qty > maximum:
        broken = f"is above its maximum {maximum}"
    else:
        return None
    nearest = _nearest_qty(qty, lot, minimum, maximum)
    reason = f"qty {qty} of {instrument.get_instrument_name()} {broken}; nearest is {nearest}"
    return BrokenRule(GtwRejectCode.InvalidQty, reason)


def _nearest_qty(qty: Qty, lot: Qty | None, minimum: Qty | None, maximum: Qty | None) -> Qty:
    step = lot or minimum or _FINEST
    least = max((minimum or step).round_up(step), step)
    nearest = max(qty.round_nearest(step), least)
    return nearest if maximum is None else min(nearest, maximum.round_down(step))


def _broken_notional_rule(instrument: Instrument, price: Price, qty: Qty) -> BrokenRule | None:
    """Check what an order is worth in the quote currency; an inverse contract is worth one unit of it."""
    least = instrument.get_min_notional()
    if least is None:
        return None
    is_inverse = _is_inverse(instrument)
    notional = qty.to_mldecimal() if is_inverse else price * qty
    if notional >= least:
        return None
    lot = instrument.get_quantity_tick_rules() or _FINEST
    needed = least if is_inverse else _rounded_up(least, price)
    return BrokenRule(
        GtwRejectCode.InvalidNotional,
        f"{price} x {qty} of {instrument.get_instrument_name()} is below its minimum notional {least}; "
        f"nearest qty at this price is {Qty.from_mantissa(needed.mantissa).round_up(lot)}",
    )


def _rounded_up(notional: MLDecimal, price: Price) -> MLDecimal:
    """The least quantity that is worth so much, at the 18th decimal: division alone rounds to the nearest."""
    quotient = notional / price.to_mldecimal()
    is_enough = Qty.from_mantissa(quotient.mantissa) * price >= notional
    return quotient if is_enough else MLDecimal.from_mantissa(quotient.mantissa + 1)
