"""InstrumentUtils: instrument names, and instruments as JSON.

The JSON form is one object. Its keys are the constructor's parameters, but for ``exchange_id``, which stands
for `exchange`:

* ``instrument_type`` (``"perp"``; ``"PERPETUAL"`` is read too), ``exchange_id`` (``"BYT"``) and
  ``mlt_symbol`` must be there; upper and lower case are the same in them;
* ticks, limits and the multiplier are text, so that they stay exact; in JSON text plain numbers are read too;
* ``expiration_date_utc`` is ISO 8601 with a zone, ``"2024-12-27T08:00:00+00:00"``; ``valid_*_ts`` are
  milliseconds;
* what is null or left out is None; unknown keys are ignored, so that a newer writer can be read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias, TypeVar

from mlthon.basics.defs import Exchange, InstrumentType
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.instruments.future import Future
from mlthon.instruments.instrument import Instrument
from mlthon.instruments.instrument_ids import instrument_name
from mlthon.instruments.perpetual import Perpetual
from mlthon.instruments.spot import Spot

__all__ = ["InstrumentUtils"]

Json: TypeAlias = dict[str, Any]
Member = TypeVar("Member")


class InstrumentUtils:
    """Static functions only; there is nothing to construct."""

    @staticmethod
    def exch_type_sym_to_instr_name(exchange: Exchange, instr_type: InstrumentType, symbol: str) -> str:
        """Build an instrument's name; the symbol is put in upper case.

        >>> InstrumentUtils.exch_type_sym_to_instr_name(Exchange.Bybit, InstrumentType.Perpetual, "btc-usd")
        'byt:perp:BTC-USD'
        """
        return instrument_name(exchange, instr_type, symbol)

    @staticmethod
    def exch_syms_types_to_instr_names(
        exchange: Exchange, type_by_symbol: Mapping[str, InstrumentType]
    ) -> list[str]:
        """Build the names of many instruments of one exchange, in the mapping's order.

        >>> InstrumentUtils.exch_syms_types_to_instr_names(
        ...     Exchange.Bybit, {"btc-usd": InstrumentType.Perpetual, "eth-usdt": InstrumentType.Spot})
        ['byt:perp:BTC-USD', 'byt:spot:ETH-USDT']
        """
        return [instrument_name(exchange, kind, symbol) for symbol, kind in type_by_symbol.items()]

    @staticmethod
    def get_instrument_from_raw_msg(raw_msg: str) -> Instrument | Future | Perpetual:
        """Read an instrument from JSON text.

        Raises ValueError, naming the key, when the text is not an instrument.

        >>> spot = InstrumentUtils.get_instrument_from_raw_msg(
        ...     '{"instrument_type": "SPOT", "exchange_id": "BLN", "mlt_symbol": "BTC-USD", "multiplier": 1}'
        ... )
        >>> spot.get_instrument_name(), spot.get_multiplier()
        ('bln:spot:BTC-USD', MLDecimal('1.00000000'))
        """
        try:
            message = json.loads(raw_msg, parse_float=Decimal)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"instrument: expected JSON text, got {shortened(raw_msg)}: {error}") from error
        return InstrumentUtils.get_instrument_from_json(message)

    @staticmethod
    def get_instrument_from_json(json_object: Json) -> Instrument | Future | Perpetual:
        """Read an instrument from a JSON object; the counterpart of `get_json_from_instrument`.

        Raises ValueError, naming the key, when the object is not an instrument.
        """
        if not isinstance(json_object, dict):
            raise ValueError(  # noqa: TRY004  # the message is at fault, not the caller
                f"instrument: expected a JSON object, got {shortened(json_object)}"
            )
        for key in ("instrument_type", "exchange_id", "mlt_symbol"):
            if json_object.get(key) is None:
                raise ValueError(f"instrument: key {key!r} is missing in {shortened(json_object)}")
        kind = read_member("instrument_type", TYPES, json_object["instrument_type"])
        exchange = read_member("exchange_id", EXCHANGES, json_object["exchange_id"])
        cls = CLASSES[kind]
        fields: Json = {key: json_object[key] for key in keys_of(cls) if key in json_object}
        if fields.get("expiration_date_utc") is not None:
            fields["expiration_date_utc"] = read_datetime(
                "expiration_date_utc", fields["expiration_date_utc"]
            )
        try:
            return cls(instrument_type=kind, exchange=exchange, **fields)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"instrument {shortened(json_object['mlt_symbol'])}: {error}") from error

    @staticmethod
    def get_json_from_instrument(instrument: Instrument) -> Json:
        """Write an instrument as a JSON object; what is None is left out. (Not among the published ones.)

        >>> spot = Spot(instrument_type=InstrumentType.Spot, exchange=Exchange.Bybit, mlt_symbol="BTC-USDT",
        ...             price_tick_rules="0.01")
        >>> written = InstrumentUtils.get_json_from_instrument(spot)
        >>> written["instrument_type"], written["exchange_id"], written["price_tick_rules"]
        ('spot', 'BYT', '0.01000000')
        >>> InstrumentUtils.get_instrument_from_json(written) == spot
        True
        """
        kind, exchange = instrument.get_instrument_type(), instrument.get_exchange()
        if kind is None or exchange is None or instrument.get_mlt_symbol() is None:
            raise ValueError(f"{instrument!r}: expected one with a type, an exchange and a symbol")
        written: Json = {"instrument_type": kind.type_id, "exchange_id": exchange.exchange_code.upper()}
        for key in keys_of(type(instrument)):
            value = getattr(instrument, f"get_{key}")()
            if isinstance(value, Price | Qty | MLDecimal):
                value = value.to_str()
            elif isinstance(value, datetime):
                value = value.isoformat()
            if value is not None:
                written[key] = value
        return written


COMMON_KEYS = (
    "instrument_id",
    "instrument_group_id",
    "exch_instr_id",
    "mlt_symbol",
    "price_tick_rules",
    "quantity_tick_rules",
    "multiplier",
    "min_quantity",
    "max_quantity",
    "min_notional",
    "status",
    "base_currency",
    "quote_currency",
    "quantification",
    "price_precision",
    "quantity_precision",
    "valid_start_ts",
    "valid_end_ts",
    "instrument_name",
)
PERPETUAL_KEYS = ("underlying_ins_id", "settlement_method")
FUTURE_KEYS = (*PERPETUAL_KEYS, "expiration_date_utc")

CLASSES: dict[InstrumentType, type[Spot | Perpetual | Future]] = {
    InstrumentType.Spot: Spot,
    InstrumentType.Perpetual: Perpetual,
    InstrumentType.Future: Future,
}
TYPES = {kind.name.lower(): kind for kind in InstrumentType} | {kind.type_id: kind for kind in InstrumentType}
EXCHANGES = {exchange.exchange_code: exchange for exchange in Exchange}


def keys_of(cls: type[Instrument]) -> tuple[str, ...]:
    """The keys of a kind of instrument, but for its type and exchange, which are spelled otherwise."""
    if issubclass(cls, Future):
        return COMMON_KEYS + FUTURE_KEYS
    if issubclass(cls, Perpetual):
        return COMMON_KEYS + PERPETUAL_KEYS
    return COMMON_KEYS


def read_member(key: str, members: Mapping[str, Member], value: object) -> Member:
    """Find an enum member by one of its names, in any case."""
    member = members.get(value.lower()) if isinstance(value, str) else None
    if member is None:
        names = ", ".join(sorted(members))
        raise ValueError(f"instrument: key {key!r}: expected one of {names}, got {shortened(value)}")
    return member


def read_datetime(key: str, value: object) -> datetime:
    """Read a moment; `Future` sees to it that it has a zone."""
    try:
        return datetime.fromisoformat(value)  # type: ignore[arg-type]  # a TypeError is answered below
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"instrument: key {key!r}: expected ISO 8601 text, got {shortened(value)}"
        ) from error


def shortened(value: object) -> str:
    """Show a value in an error line without letting it run on."""
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."
