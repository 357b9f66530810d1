"""What the venue lists: its contracts by symbol, and the ways in which requests select among them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mlthon.errors import ConfigError
from mlthon.instruments.instrument import Instrument
from mlthon.instruments.perpetual import Perpetual
from mlthon.venues.bybit.market import Market
from mlthon.venues.bybit.params import Params, bad_param, shorten
from mlthon.venues.bybit.wire import WireIds


class Listing:
    """The venue's contracts, all of category linear.

    Raises ConfigError for an instrument of another kind, or one that lacks what the protocol tells of it.
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
        raise ConfigError(f"the Bybit venue lists linear perpetuals only, got {instrument!r}")
    needed = {
        "exch_instr_id": instrument.get_exch_instr_id(),
        "base_currency": instrument.get_base_currency(),
        "quote_currency": instrument.get_quote_currency(),
        "price_tick_rules": instrument.get_price_tick_rules(),
        "quantity_tick_rules": instrument.get_quantity_tick_rules(),
        "min_quantity": instrument.get_min_quantity(),
        "price_precision": instrument.get_price_precision(),
        "quantity_precision": instrument.get_quantity_precision(),
    }
    absent = [name for name, value in needed.items() if value is None]
    if absent:
        raise ConfigError(
            f"{instrument!r}: expected {', '.join(absent)} to be set, to list it on the Bybit venue"
        )
    return "linear"
