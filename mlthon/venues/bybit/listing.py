"""What the venue lists: its contracts by symbol, and the ways in which requests select among them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mlthon.instruments.instrument import Instrument
from mlthon.instruments.perpetual import Perpetual
from mlthon.venues.bybit.market import Market
from mlthon.venues.bybit.params import Params, bad_param, shorten
from mlthon.venues.bybit.wire import WireIds


class Listing:
    """The venue's contracts, all of category linear.

    Raises ValueError for an instrument of another kind.
    """

    def __init__(self, instruments: Iterable[Instrument], ids: WireIds) -> None:
        self._markets = {
            instrument.get_exch_instr_id(): Market(_category(instrument), instrument, ids)
            for instrument in instruments
        }

    def __iter__(self) -> Iterator[Market]:
        return iter(self._markets.values())

    def find(self, symbol: str) -> Market | None:
        return self._markets.get(symbol)

    def market(self, symbol: str) -> Market:
        """The market of a symbol; raises ApiError when it is not listed."""
        market = self._markets.get(symbol)
        if market is None:
            raise bad_param(f"symbol: {shorten(symbol)} is not listed")
        return market

    def select(self, params: Params) -> list[Market]:
        """The markets a request means: by symbol, else by baseCoin, else by settleCoin; one of them is required."""
        if params.is_given("symbol"):
            return [self.market(params.text("symbol"))]
        if params.is_given("baseCoin"):
            base = params.text("baseCoin")
            return [market for market in self if market.instrument.get_base_currency() == base]
        if params.is_given("settleCoin"):
            settle = params.text("settleCoin")
            return [market for market in self if market.settle_coin == settle]
        raise bad_param("one of symbol, baseCoin and settleCoin is required")


def _category(instrument: Instrument) -> str:
    if not isinstance(instrument, Perpetual) or instrument.get_settlement_method() != "linear":
        raise ValueError(f"the Bybit venue lists linear perpetuals only, got {instrument!r}")
    return "linear"
