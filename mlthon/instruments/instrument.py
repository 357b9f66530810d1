"""Instrument: what can be traded, and by which rules."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, TypeAlias, TypedDict, TypeVar, Unpack

from mlthon.basics.defs import Exchange, InstrumentType
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.instruments.instrument_ids import instrument_name as build_name

__all__ = ["Instrument"]

DecimalText: TypeAlias = str | Decimal | int
Field = TypeVar("Field")
Number = TypeVar("Number", Price, Qty, MLDecimal)

# Every constructor argument may be left out, and its accessor then returns None. An instrument that comes
# from a venue has nearly all, and checking each for None would help nobody: those accessors are typed
# ``X | Any``, as in typeshed. The ones typed ``X | None`` are missing on real venues too.


class AddedFields(TypedDict, total=False):
    """Rules beyond the published parameters, taken through ``**kwargs``."""

    max_quantity: Qty | DecimalText | None
    min_notional: MLDecimal | DecimalText | None
    status: str | None


class InstrumentFields(AddedFields, total=False):
    """Everything `Instrument` takes, for subclasses that hand it on."""

    instrument_id: int | None
    instrument_type: InstrumentType | None
    instrument_group_id: int | None
    exch_instr_id: str | None
    exchange: Exchange | None
    mlt_symbol: str | None
    price_tick_rules: Price | DecimalText | None
    quantity_tick_rules: Qty | DecimalText | None
    multiplier: MLDecimal | DecimalText | None
    min_quantity: Qty | DecimalText | None
    base_currency: str | None
    quote_currency: str | None
    quantification: str | None
    price_precision: int | None
    quantity_precision: int | None
    valid_start_ts: int | None
    valid_end_ts: int | None
    instrument_name: str | None


class Instrument:
    """One tradable contract or pair: its names, its steps, its limits. Never changes after construction.

    * `instrument_id`: MLThon's number for it, stable across runs; `instrument_name`: ``"byt:perp:BTC-USDT"``,
      built from exchange, type and symbol when it is not given; `mlt_symbol`: ``"BTC-USDT"``, put in upper
      case; `exch_instr_id`: the venue's own name, ``"BTCUSDT"``, left as it is.
    * `price_tick_rules`: the tick size; prices are multiples of it. `quantity_tick_rules`: the lot step;
      quantities are multiples of it, and at least `min_quantity`. `price_precision`, `quantity_precision`:
      decimals to print.
    * `multiplier`: base currency in one unit of quantity (linear contracts and spot: 1); of inverse contracts, quote
      currency in one contract.
    * `quantification`: what quantities count, ``"base"`` (coins) or ``"contracts"``.
    * `valid_start_ts`, `valid_end_ts`: when it can be traded, milliseconds since the epoch.
    * Added to the published ones: `max_quantity` of one order, `min_notional` (price x qty) in the quote
      currency, and `status`, ``"Trading"`` or what else the venue calls it. Other keywords are accepted and
      ignored, as published.

    Steps and limits may be given as text, Decimal or int; a float is a TypeError. Two instruments are equal
    when they are of one class and agree in everything.

    >>> from mlthon.basics.defs import Exchange, InstrumentType
    >>> btc = Instrument(exchange=Exchange.Bybit, instrument_type=InstrumentType.Spot, mlt_symbol="btc-usdt",
    ...                  price_tick_rules="0.01", quantity_tick_rules="0.000001")
    >>> btc.get_instrument_name(), btc.get_price_tick_rules()
    ('byt:spot:BTC-USDT', Price('0.01000000'))
    """

    def __init__(
        self,
        instrument_id: int | None = None,
        instrument_type: InstrumentType | None = None,
        instrument_group_id: int | None = None,
        exch_instr_id: str | None = None,
        exchange: Exchange | None = None,
        mlt_symbol: str | None = None,
        price_tick_rules: Price | DecimalText | None = None,
        quantity_tick_rules: Qty | DecimalText | None = None,
        multiplier: MLDecimal | DecimalText | None = None,
        min_quantity: Qty | DecimalText | None = None,
        base_currency: str | None = None,
        quote_currency: str | None = None,
        quantification: str | None = None,
        price_precision: int | None = None,
        quantity_precision: int | None = None,
        valid_start_ts: int | None = None,
        valid_end_ts: int | None = None,
        instrument_name: str | None = None,
        **kwargs: Unpack[AddedFields],
    ) -> None:
        self._instrument_id_ = checked("instrument_id", int, instrument_id)
        self._instrument_type_ = checked("instrument_type", InstrumentType, instrument_type)
        self._instrument_group_id_ = checked("instrument_group_id", int, instrument_group_id)
        self._exch_instr_id_ = checked("exch_instr_id", str, exch_instr_id)
        self._exchange_ = checked("exchange", Exchange, exchange)
        mlt_symbol = checked("mlt_symbol", str, mlt_symbol)
        self._mlt_symbol_ = None if mlt_symbol is None else mlt_symbol.upper()
        self._price_tick_rules_ = positive("price_tick_rules", Price, price_tick_rules)
        self._quantity_tick_rules_ = positive("quantity_tick_rules", Qty, quantity_tick_rules)
        self._multiplier_ = positive("multiplier", MLDecimal, multiplier)
        self._min_quantity_ = not_negative("min_quantity", Qty, min_quantity)
        self._max_quantity_ = positive("max_quantity", Qty, kwargs.get("max_quantity"))
        self._min_notional_ = not_negative("min_notional", MLDecimal, kwargs.get("min_notional"))
        self._status_ = checked("status", str, kwargs.get("status"))
        self._base_currency_ = checked("base_currency", str, base_currency)
        self._quote_currency_ = checked("quote_currency", str, quote_currency)
        self._quantification_ = checked("quantification", str, quantification)
        self._price_precision_ = checked("price_precision", int, price_precision)
        self._quantity_precision_ = checked("quantity_precision", int, quantity_precision)
        self._valid_start_ts_ = checked("valid_start_ts", int, valid_start_ts)
        self._valid_end_ts_ = checked("valid_end_ts", int, valid_end_ts)
        if instrument_name is None and exchange and instrument_type and mlt_symbol:
            instrument_name = build_name(exchange, instrument_type, mlt_symbol)
        self._instrument_name_ = checked("instrument_name", str, instrument_name)

    # -- what it is ------------------------------------------------------------------------------------------

    def get_instrument_id(self) -> int | Any:
        """MLThon's number for it."""
        return self._instrument_id_

    def get_instrument_name(self) -> str | Any:
        """Its full name, ``"byt:perp:BTC-USDT"``."""
        return self._instrument_name_

    def get_instrument_type(self) -> InstrumentType | Any:
        """Spot, Perpetual or Future."""
        return self._instrument_type_

    def get_instrument_group_id(self) -> int | None:
        """A number shared by instruments that belong together, where the venue has one."""
        return self._instrument_group_id_

    def get_exchange(self) -> Exchange | Any:
        """Where it is traded."""
        return self._exchange_

    def get_exch_instr_id(self) -> str | Any:
        """The venue's own name for it, ``"BTCUSDT"``."""
        return self._exch_instr_id_

    def get_mlt_symbol(self) -> str | Any:
        """MLThon's symbol, ``"BTC-USDT"``: the same on every exchange."""
        return self._mlt_symbol_

    def get_base_currency(self) -> str | Any:
        """What is bought and sold."""
        return self._base_currency_

    def get_quote_currency(self) -> str | Any:
        """What prices are counted in."""
        return self._quote_currency_

    # -- by which rules --------------------------------------------------------------------------------------

    def get_price_tick_rules(self) -> Price | Any:
        """The tick size: prices are multiples of it."""
        return self._price_tick_rules_

    def get_quantity_tick_rules(self) -> Qty | Any:
        """The lot step: quantities are multiples of it."""
        return self._quantity_tick_rules_

    def get_min_quantity(self) -> Qty | Any:
        """The smallest quantity of an order."""
        return self._min_quantity_

    def get_max_quantity(self) -> Qty | None:
        """The largest quantity of an order, where the venue has one. (Not among the published accessors.)"""
        return self._max_quantity_

    def get_min_notional(self) -> MLDecimal | None:
        """The least price x qty of an order, in the quote currency. (Not among the published accessors.)"""
        return self._min_notional_

    def get_status(self) -> str | None:
        """What the venue says of trading in it: ``"Trading"``, ``"Closed"``... (Not published.)"""
        return self._status_

    def get_multiplier(self) -> MLDecimal | Any:
        """How much of the base currency one unit of quantity is."""
        return self._multiplier_

    def get_quantification(self) -> str | Any:
        """What quantities count: ``"base"`` or ``"contracts"``."""
        return self._quantification_

    def get_price_precision(self) -> int | Any:
        """Decimals of a price."""
        return self._price_precision_

    def get_quantity_precision(self) -> int | Any:
        """Decimals of a quantity."""
        return self._quantity_precision_

    def get_valid_start_ts(self) -> int | None:
        """When trading began, milliseconds since the epoch."""
        return self._valid_start_ts_

    def get_valid_end_ts(self) -> int | None:
        """When trading ends, milliseconds since the epoch; None where no end is set."""
        return self._valid_end_ts_

    # -- as a value ------------------------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((self._instrument_id_, self._instrument_name_))

    def __repr__(self) -> str:
        kind = type(self).__name__
        return f"{kind}(instrument_id={self._instrument_id_}, instrument_name={self._instrument_name_!r})"


def checked(parameter: str, kind: type[Field], value: Field | None) -> Field | None:
    """Pass on a value of that type, or None; anything else is a TypeError that names the parameter."""
    if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
        raise TypeError(f"{parameter}: expected {kind.__name__}, got {value!r}")
    return value


def exact(parameter: str, kind: type[Number], value: Number | DecimalText | None) -> Number | None:
    """Make an exact number, or pass on None; the error of a bad one names the parameter."""
    if value is None:
        return None
    try:
        return kind(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise type(error)(f"{parameter}: {error}") from error


def positive(parameter: str, kind: type[Number], value: Number | DecimalText | None) -> Number | None:
    """Make an exact number that must be above zero."""
    number = exact(parameter, kind, value)
    if number is not None and number.sign() <= 0:
        raise ValueError(f"{parameter}: expected more than 0, got {number}")
    return number


def not_negative(parameter: str, kind: type[Number], value: Number | DecimalText | None) -> Number | None:
    """Make an exact number that must be zero or above."""
    number = exact(parameter, kind, value)
    if number is not None and number.sign() < 0:
        raise ValueError(f"{parameter}: expected 0 or more, got {number}")
    return number
