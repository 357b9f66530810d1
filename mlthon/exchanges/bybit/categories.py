"""The venue's product families, and which of them an instrument belongs to.

A symbol alone names nothing: BTCUSDT is a linear contract and a spot pair. Whatever is said to the venue, or by it,
about an instrument is said of a category and a symbol together.
"""

from __future__ import annotations

from mlthon.instruments.instrument import Instrument
from mlthon.instruments.perpetual import Perpetual
from mlthon.instruments.spot import Spot

__all__ = ["CATEGORIES", "INVERSE", "LINEAR", "SPOT", "category_of", "settle_coin"]

LINEAR, INVERSE, SPOT = "linear", "inverse", "spot"
CATEGORIES = (LINEAR, INVERSE, SPOT)


def category_of(instrument: Instrument) -> str:
    """The category that an instrument is traded in; raises ValueError for one of none of them.

    >>> category_of(Spot(mlt_symbol="BTC-USDT")), category_of(Perpetual(settlement_method="inverse"))
    ('spot', 'inverse')
    """
    if isinstance(instrument, Spot):
        return SPOT
    method = instrument.get_settlement_method() if isinstance(instrument, Perpetual) else None
    if method not in (LINEAR, INVERSE):
        raise ValueError(f"{instrument!r}: expected a spot pair, or a linear or inverse perpetual")
    return method


def settle_coin(contract: Instrument) -> str:
    """What a contract is settled in: a linear one in what it is quoted in, an inverse one in the base.

    >>> settle_coin(Perpetual(settlement_method="inverse", base_currency="BTC", quote_currency="USD"))
    'BTC'
    """
    is_linear = category_of(contract) == LINEAR
    return str(contract.get_quote_currency() if is_linear else contract.get_base_currency())
