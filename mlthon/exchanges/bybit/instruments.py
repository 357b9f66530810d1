"""The venue's list of instruments, and ours made from it."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import NamedTuple

from mlthon.basics.defs import Exchange, InstrumentType
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.errors import DecodeError
from mlthon.exchanges.bybit.codec.fields import Json, mapping, stamp_ms, text, text_or_empty
from mlthon.exchanges.bybit.codec.trade import plain
from mlthon.instruments.instrument import Instrument
from mlthon.instruments.instrument_ids import instrument_id, instrument_name
from mlthon.instruments.perpetual import Perpetual

__all__ = ["Listing", "Instruments", "decode_instruments"]

log = logging.getLogger("mlthon.exchanges.bybit")

_CONTRACT = "LinearPerpetual"
_TRADING = "Trading"


class Listing(NamedTuple):
    """The venue's list. `refused` has a line for each instrument that cannot be represented."""

    instruments: list[Instrument]
    refused: list[str]
    skipped: int  # futures, and contracts that are not trading


def decode_instruments(listed: list[Json], where: str) -> Listing:
    """Make instruments of rows; one that makes no sense is refused by name and does not hinder the others."""
    instruments: list[Instrument] = []
    refused: list[str] = []
    skipped = 0
    for index, row in enumerate(listed):
        name = f"{where}.list[{index}]"
        try:
            name = f"instrument {text(row, 'symbol', name)[:40]}"
            if text(row, "contractType", name) != _CONTRACT or text(row, "status", name) != _TRADING:
                skipped += 1
                continue
            instruments.append(_decode_perpetual(row, name))
        except (DecodeError, ValueError, OverflowError) as error:
            refused.append(f"{name} refused: {error}")
    return Listing(instruments, refused, skipped)


class Instruments:
    """The instruments that were loaded, by the venue's symbol and by MLThon's id."""

    def __init__(self) -> None:
        self.by_symbol: dict[str, Instrument] = {}
        self.by_id: dict[int, Instrument] = {}

    def add(self, instruments: Iterable[Instrument]) -> None:
        """Take in more of them; one whose id another symbol has already is refused, with a log line."""
        for instrument in instruments:
            symbol = instrument.get_exch_instr_id()
            other = self.by_id.get(instrument.get_instrument_id())
            if other is not None and other.get_exch_instr_id() != symbol:
                log.warning(
                    "instrument %s refused: its id %d is that of %s",
                    symbol,
                    instrument.get_instrument_id(),
                    other.get_exch_instr_id(),
                )
                continue
            self.by_symbol[symbol] = instrument
            self.by_id[instrument.get_instrument_id()] = instrument

    def all(self) -> list[Instrument]:
        """All of them, in the venue's order."""
        return list(self.by_symbol.values())

    def settle_coins(self) -> list[str]:
        """What they are settled in: for linear contracts, the quote currency."""
        return sorted({instrument.get_quote_currency() for instrument in self.by_symbol.values()})


def _decode_perpetual(row: Json, where: str) -> Perpetual:
    prices = mapping(row, "priceFilter", where)
    lots = mapping(row, "lotSizeFilter", where)
    base, quote = text(row, "baseCoin", where), text(row, "quoteCoin", where)
    symbol = f"{base}-{quote}"
    tick, lot = Price(text(prices, "tickSize", where)), Qty(text(lots, "qtyStep", where))
    name = instrument_name(Exchange.Bybit, InstrumentType.Perpetual, symbol)
    return Perpetual(
        instrument_id=instrument_id(Exchange.Bybit, name),
        instrument_type=InstrumentType.Perpetual,
        exch_instr_id=text(row, "symbol", where),
        exchange=Exchange.Bybit,
        mlt_symbol=symbol,
        price_tick_rules=tick,
        quantity_tick_rules=lot,
        multiplier="1",
        min_quantity=text(lots, "minOrderQty", where),
        max_quantity=text_or_empty(lots, "maxOrderQty", where) or None,
        min_notional=text_or_empty(lots, "minNotionalValue", where) or None,
        base_currency=base,
        quote_currency=quote,
        quantification="base",
        price_precision=_decimals(tick),
        quantity_precision=_decimals(lot),
        valid_start_ts=stamp_ms(row, "launchTime", where, default=0) or None,
        valid_end_ts=stamp_ms(row, "deliveryTime", where, default=0) or None,
        settlement_method="linear",
    )


def _decimals(step: Price | Qty) -> int:
    """How many decimals the multiples of a step need."""
    return len(plain(step).partition(".")[2])
