"""The venue's list of instruments, and ours made from it."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import NamedTuple

from mlthon.basics.defs import Exchange, InstrumentType
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.errors import DecodeError
from mlthon.exchanges.bybit.categories import CATEGORIES, INVERSE, LINEAR, SPOT, category_of, settle_coin
from mlthon.exchanges.bybit.codec.fields import Json, mapping, stamp_ms, text, text_or_empty
from mlthon.exchanges.bybit.codec.trade import plain
from mlthon.instruments.instrument import Instrument, InstrumentFields
from mlthon.instruments.instrument_ids import instrument_id, instrument_name
from mlthon.instruments.perpetual import Perpetual
from mlthon.instruments.spot import Spot

__all__ = ["TRADING", "Instruments", "Listing", "decode_instruments"]

log = logging.getLogger("mlthon.exchanges.bybit")

_PERPETUALS = {LINEAR: "LinearPerpetual", INVERSE: "InversePerpetual"}
TRADING = "Trading"  #: the status of what can be traded
_REFUSED = "Refused"


class Listing(NamedTuple):
    """The venue's list. `refused` has a line for each instrument that cannot be represented.

    `idle` says by symbol what keeps the others from being traded: the venue's word for their status, or "Refused".
    """

    instruments: list[Instrument]
    refused: list[str]
    idle: dict[str, str]


def decode_instruments(listed: list[Json], category: str) -> Listing:
    """Make instruments of rows; one that makes no sense is refused by name and does not hinder the others.

    Futures, which expire, are passed over.
    """
    instruments: list[Instrument] = []
    refused: list[str] = []
    idle: dict[str, str] = {}
    for index, row in enumerate(listed):
        name, symbol = f"{category} list[{index}]", ""
        try:
            symbol = text(row, "symbol", name)[:40]
            name = f"instrument {symbol} ({category})"
            if category != SPOT and text(row, "contractType", name) != _PERPETUALS[category]:
                continue
            status = text(row, "status", name)
            if status != TRADING:
                idle[symbol] = status[:40]
                continue
            decode = _decode_pair if category == SPOT else _decode_perpetual
            instruments.append(decode(row, category, name))
        except (DecodeError, ValueError, OverflowError) as error:
            refused.append(f"{name} refused: {error}")
            idle[symbol] = _REFUSED
    return Listing(instruments, refused, idle)


class Instruments:
    """The instruments that were loaded, by category and the venue's symbol, and by MLThon's id."""

    def __init__(self) -> None:
        self.by_symbol: dict[tuple[str, str], Instrument] = {}
        self.by_id: dict[int, Instrument] = {}

    def add(self, instruments: Iterable[Instrument]) -> list[Instrument]:
        """Take in more of them, or their new rules; returns those that were taken.

        One whose id another symbol has is refused, with a line in the log.
        """
        taken = []
        for instrument in instruments:
            key = (category_of(instrument), instrument.get_exch_instr_id())
            number = instrument.get_instrument_id()
            other = self.by_id.get(number)
            if other is not None and (category_of(other), other.get_exch_instr_id()) != key:
                log.error(
                    "instrument %s (%s) refused: its id %d is that of %s (%s)",
                    *(key[1], key[0], number, other.get_exch_instr_id(), category_of(other)),
                )
                continue
            self.by_symbol[key] = instrument
            self.by_id[number] = instrument
            taken.append(instrument)
        return taken

    def all(self) -> list[Instrument]:
        """All of them, in the venue's order."""
        return list(self.by_symbol.values())

    def of(self, category: str) -> list[Instrument]:
        """All of one category."""
        return [instrument for (of, _), instrument in self.by_symbol.items() if of == category]

    def categories(self) -> list[str]:
        """The categories that they are of."""
        present = {category for category, _ in self.by_symbol}
        return [category for category in CATEGORIES if category in present]

    def settle_coins(self, category: str) -> list[str]:
        """What the contracts of a category are settled in."""
        return sorted({settle_coin(contract) for contract in self.of(category)})


def _decode_perpetual(row: Json, category: str, where: str) -> Perpetual:
    lots = mapping(row, "lotSizeFilter", where)
    lot = Qty(text(lots, "qtyStep", where))
    return Perpetual(
        settlement_method=category,
        **_common(row, InstrumentType.Perpetual, lot, where)
        | InstrumentFields(
            min_quantity=text(lots, "minOrderQty", where),
            max_quantity=text_or_empty(lots, "maxOrderQty", where) or None,
            min_notional=text_or_empty(lots, "minNotionalValue", where) or None,
            quantification="contracts" if category == INVERSE else "base",
            valid_start_ts=stamp_ms(row, "launchTime", where, default=0) or None,
            valid_end_ts=stamp_ms(row, "deliveryTime", where, default=0) or None,
        ),
    )


def _decode_pair(row: Json, category: str, where: str) -> Spot:
    lots = mapping(row, "lotSizeFilter", where)
    lot = Qty(text(lots, "basePrecision", where))
    largest = text_or_empty(lots, "maxLimitOrderQty", where) or text_or_empty(lots, "maxOrderQty", where)
    return Spot(
        **_common(row, InstrumentType.Spot, lot, where)
        | InstrumentFields(
            # Deprecated by the venue, in favour of the least amount: it may go.
            min_quantity=text_or_empty(lots, "minOrderQty", where) or lot,
            max_quantity=largest or None,
            min_notional=text_or_empty(lots, "minOrderAmt", where) or None,
            quantification="base",
        )
    )


def _common(row: Json, kind: InstrumentType, lot: Qty, where: str) -> InstrumentFields:
    """What all products have in common."""
    base, quote = text(row, "baseCoin", where), text(row, "quoteCoin", where)
    symbol = f"{base}-{quote}"
    tick = Price(text(mapping(row, "priceFilter", where), "tickSize", where))
    name = instrument_name(Exchange.Bybit, kind, symbol)
    return InstrumentFields(
        instrument_id=instrument_id(Exchange.Bybit, name),
        instrument_type=kind,
        exch_instr_id=text(row, "symbol", where),
        exchange=Exchange.Bybit,
        mlt_symbol=symbol,
        price_tick_rules=tick,
        quantity_tick_rules=lot,
        multiplier="1",
        base_currency=base,
        quote_currency=quote,
        price_precision=_decimals(tick),
        quantity_precision=_decimals(lot),
        status=TRADING,
    )


def _decimals(step: Price | Qty) -> int:
    """How many decimals the multiples of a step need."""
    return len(plain(step).partition(".")[2])
