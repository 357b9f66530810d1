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
from mlthon.instruments.instrument_utils import InstrumentUtils
from mlthon.instruments.perpetual import Perpetual
from mlthon.instruments.spot import Spot
from mlthon.tape.recording import TapeEvent

__all__ = ["Listing", "instrument_of", "joined", "listed_at", "origin_of", "split_symbol"]


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


def listed_at(exchange: Exchange, instrument: Instrument) -> Instrument:
    """The same instrument as another exchange lists it: with the name and the id that it has there.

    >>> from mlthon.sim.synthetic import SyntheticMarket
    >>> listed_at(Exchange.Binance, SyntheticMarket(1).instrument).get_instrument_name()
    'bin:perp:BTC-USDT'
    """
    if instrument.get_exchange() is exchange:
        return instrument
    written = InstrumentUtils.get_json_from_instrument(instrument)
    kind = instrument.get_instrument_type()
    assert kind is not None, "written above"
    name = instrument_name(exchange, kind, written["mlt_symbol"])
    written |= {
        "exchange_id": exchange.exchange_code,
        "instrument_name": name,
        "instrument_id": instrument_id(exchange, name),
    }
    return InstrumentUtils.get_instrument_from_json(written)


def origin_of(exchange: Exchange | None) -> str:
    """What recordings of an exchange have as their origin; "" for none."""
    return "" if exchange is None else exchange.name.lower()


def joined(first: Instrument, second: Instrument) -> Instrument | None:
    """One instrument for two recordings of a market; None where they are of different ones.

    Steps that were worked out from what was recorded may differ from day to day: what fits both is taken.
    """
    written, other = (InstrumentUtils.get_json_from_instrument(each) for each in (first, second))
    tick, lot, least = (
        gcd_of(getter(first), getter(second))
        for getter in (
            Instrument.get_price_tick_rules,
            Instrument.get_quantity_tick_rules,
            Instrument.get_min_quantity,
        )
    )
    steps = {
        "price_tick_rules": tick,
        "quantity_tick_rules": lot,
        "min_quantity": least,
        "price_precision": max(written.get("price_precision", 0), other.get("price_precision", 0)),
        "quantity_precision": max(written.get("quantity_precision", 0), other.get("quantity_precision", 0)),
    }
    if written | steps != other | steps:
        return None
    return InstrumentUtils.get_instrument_from_json(written | steps)


def gcd_of(one: Price | Qty | None, other: Price | Qty | None) -> str | None:
    """The greatest step that both are multiples of, as text; the one that there is."""
    if one is None or other is None:
        there = one or other
        return None if there is None else there.to_str()
    return type(one).from_mantissa(gcd(one.mantissa, other.mantissa)).to_str()


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
