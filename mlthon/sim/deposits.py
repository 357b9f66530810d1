"""What an account of the simulated exchange starts with, unless somebody says otherwise."""

from __future__ import annotations

from collections.abc import Iterable

from mlthon.basics.qty import Qty
from mlthon.instruments.instrument import Instrument
from mlthon.sim.terms import Product, Terms

__all__ = ["deposits_for"]

_QUOTE_DEPOSIT = Qty("1000000")
_BASE_DEPOSIT = Qty("100")  # where coins are sold, or inverse contracts margined in them


def deposits_for(instruments: Iterable[Instrument]) -> dict[str, Qty]:
    """What an account needs to trade instruments for a while, by coin."""
    deposits: dict[str, Qty] = {}
    for instrument in instruments:
        terms = Terms.of(instrument)
        deposits[terms.quote] = _QUOTE_DEPOSIT
        if terms.product is not Product.Linear:
            deposits.setdefault(terms.base, _BASE_DEPOSIT)
    return deposits
