"""What a recording's market is called and how it is counted here: an instrument, as the simulated venue lists it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from math import gcd
from pathlib import Path

from mlthon._core.market_event import DepthUpdate
from mlthon._core.order_change import RateUpdate
from mlthon.basics.defs import Exchange, InstrumentType
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.errors import TapeError
from mlthon.instruments.instrument import Instrument, InstrumentFields
from mlthon.instruments.instrument_ids import instrument_id, instrument_name
from mlthon.instruments.perpetual import Perpetual
from mlthon.instruments.spot import Spot
from mlthon.tape.recording import TapeEvent

__all__ = ["Listing", "instrument_of", "split_symbol"]


QUOTE_CURRENCIES = ("USDT", "USDC", "FDUSD", "USD", "BTC")  # the first that ends a symbol counts
FEW_VALUES = 4
PROBED_EVENTS = 500  # read, besides a snapshot, to find the tick and the lot


@dataclass(frozen=True, slots=True)
class Listing:
    """A market's own symbol, the pair, and what is traded: ``"spot"``, ``"linear"`` or ``"inverse"``."""

    symbol: str
    base: str
    quote: str
    product: str


def split_symbol(symbol: str) -> tuple[str, str]:
    """Split ``BTCUSDT`` into ``BTC`` and ``USDT``; ValueError where the quote currency is not a known one."""
    for quote in QUOTE_CURRENCIES:
        base = symbol.removesuffix(quote)
        if base and base != symbol:
            return base, quote
    raise ValueError(
        f"expected a symbol that ends in one of {', '.join(QUOTE_CURRENCIES)}, got {symbol[:40]!r}"
    )


def instrument_of(listing: Listing, events: Iterable[TapeEvent], path: Path) -> Instrument:
    """Make the instrument of a market from its first events; raises TapeError when they do not tell enough.

    Tick and lot are the greatest steps that fit the prices and quantities seen. Recordings do not name them.
    """
    tick, lot = steps_of(islice(events, PROBED_EVENTS))
    if tick == 0:
        raise TapeError(
            f"{path}: expected prices in the first messages, got none: the tick and lot are unknown"
        )
    return listed(listing, Price.from_mantissa(tick), Qty.from_mantissa(lot or 10**18))


def steps_of(events: Iterable[TapeEvent]) -> tuple[int, int]:
    """The steps of prices and quantities, as mantissas; 0: there were none."""
    prices: set[int] = set()
    qtys: set[int] = set()
    for event in events:
        if isinstance(event, DepthUpdate):
            levels = event.bids() + event.asks()
        elif isinstance(event, RateUpdate):
            levels = [] if event.kind == "funding" else [(Price(str(event.value)), Qty(0))]
        else:
            levels = [(event.price, event.qty)]
        prices.update(price.mantissa for price, _ in levels)
        qtys.update(qty.mantissa for _, qty in levels)
    return step_of(prices), step_of(qtys)


def step_of(mantissas: set[int]) -> int:
    """The greatest step that all are multiples of; of a few values, which prove little, the last decimal."""
    step = gcd(*mantissas)
    if step > 0 and len(mantissas) < FEW_VALUES:
        return int(10 ** (18 - decimals(Price.from_mantissa(step))))
    return step


def listed(listing: Listing, tick: Price, lot: Qty) -> Instrument:
    is_spot, is_inverse = listing.product == "spot", listing.product == "inverse"
    kind = InstrumentType.Spot if is_spot else InstrumentType.Perpetual
    symbol = f"{listing.base}-{listing.quote}"
    name = instrument_name(Exchange.Bybit, kind, symbol)
    fields = InstrumentFields(
        instrument_id=instrument_id(Exchange.Bybit, name),
        instrument_type=kind,
        instrument_name=name,
        exch_instr_id=listing.symbol,
        exchange=Exchange.Bybit,
        mlt_symbol=symbol,
        price_tick_rules=tick,
        quantity_tick_rules=lot,
        multiplier=MLDecimal(1),
        min_quantity=lot,
        base_currency=listing.base,
        quote_currency=listing.quote,
        quantification="contracts" if is_inverse else "base",
        price_precision=decimals(tick),
        quantity_precision=decimals(lot),
    )
    return Spot(**fields) if is_spot else Perpetual(settlement_method=listing.product, **fields)


def decimals(step: Price | Qty) -> int:
    exponent = step.to_decimal().as_tuple().exponent
    return max(0, -int(exponent))
