"""What the venue lists, by category and symbol, and the ways in which requests select among it.

A category is a product family with a public stream, messages and error codes of its own. One symbol, BTCUSDT, may
be listed in two: as a linear contract and as a spot pair.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mlthon.errors import ConfigError
from mlthon.instruments.instrument import Instrument
from mlthon.venues.bybit.market import Market
from mlthon.venues.bybit.params import Params, bad_param, shorten
from mlthon.venues.bybit.wire import WireIds

CATEGORIES = ("linear", "inverse", "spot")
CONTRACTS = ("linear", "inverse")


class Listing:
    """The venue's instruments.

    `instruments` are the exchange's, by its own symbols. Raises ConfigError for an instrument that lacks what the
    protocol tells of it.
    """

    def __init__(self, instruments: Mapping[str, Instrument], ids: WireIds) -> None:
        self._traded: dict[str, Market] = {}
        self._listed: dict[str, dict[str, Market]] = {category: {} for category in CATEGORIES}
        for traded_as, instrument in instruments.items():
            _check(instrument)
            market = Market(traded_as, instrument, ids)
            self._traded[traded_as] = market
            self._listed[market.category][market.symbol] = market

    def __iter__(self) -> Iterator[Market]:
        return iter(self._traded.values())

    def traded(self, traded_as: str) -> Market:
        """The market of one of the exchange's own symbols."""
        return self._traded[traded_as]

    def of(self, category: str) -> list[Market]:
        """Everything in a category."""
        return list(self._listed[category].values())

    def is_listed(self, category: str, symbol: str) -> bool:
        return symbol in self._listed[category]

    def market(self, category: str, symbol: str) -> Market:
        """The market of a symbol; raises ApiError when it is not listed."""
        market = self._listed[category].get(symbol)
        if market is None:
            raise bad_param(f"symbol: {shorten(symbol)} is not listed in category {category}")
        return market

    def select(self, category: str, params: Params, *, all_by_default: bool) -> list[Market]:
        """The markets a request means: by symbol, else by baseCoin, else by settleCoin.

        A request that says none of them means all, or raises ApiError.
        """
        if params.is_given("symbol"):
            return [self.market(category, params.text("symbol"))]
        markets = self.of(category)
        if params.is_given("baseCoin"):
            base = params.text("baseCoin")
            return [market for market in markets if market.instrument.get_base_currency() == base]
        if params.is_given("settleCoin"):
            settle = params.text("settleCoin")
            return [market for market in markets if market.settle_coin == settle]
        if not all_by_default:
            raise bad_param("one of symbol, baseCoin and settleCoin is required")
        return markets


def category_of(params: Params, among: tuple[str, ...] = CATEGORIES) -> str:
    """The category a request is about; raises ApiError for one that is not `among` those it may be about."""
    category = params.text("category")
    if category not in among:
        raise bad_param(f"category: expected one of {', '.join(among)}, got {shorten(category)}")
    return category


def _check(instrument: Instrument) -> None:
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
