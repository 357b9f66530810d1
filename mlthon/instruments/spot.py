"""Spot: a pair of currencies, exchanged at once."""

from __future__ import annotations

from mlthon.instruments.instrument import Instrument

__all__ = ["Spot"]


class Spot(Instrument):
    """A pair that is delivered on trading; it leaves balances, not a position.

    >>> Spot(base_currency="BTC", quote_currency="USDT").get_quote_currency()
    'USDT'
    """
