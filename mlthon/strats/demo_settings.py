"""The settings of `mlthon.strats.demo_strat.DemoStrat`, read from configuration values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from mlthon.basics.defs import Exchange
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.errors import InstrumentError
from mlthon.instruments.instrument import Instrument
from mlthon.instruments.perpetual import Perpetual

__all__ = ["DemoSettings", "find_instrument", "is_inverse"]

DEFAULTS: Mapping[str, Any] = {
    "exchange": "Bybit",
    "instrument": "byt:perp:BTC-USDT",
    "entry_qty_threshold": "0.5",
    "exit_qty_threshold": "0.3",
    "order_qty": "0.01",
    "max_position": "0.05",
    "price_tick": None,
    "qty_tick": None,
}

Number = TypeVar("Number", Price, Qty)


@dataclass(frozen=True)
class DemoSettings:
    """The keys that `DemoStrat` documents, with their values checked."""

    exchange: Exchange
    instrument: int | str
    entry_qty_threshold: Qty
    exit_qty_threshold: Qty
    order_qty: Qty
    max_position: Qty
    price_tick: Price | None
    qty_tick: Qty | None

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> DemoSettings:
        """Read settings; what is not there has its default. Raises ValueError that names the key.

        >>> DemoSettings.from_params({"order_qyt": 1})
        Traceback (most recent call last):
        ValueError: DemoStrat: unknown parameter 'order_qyt'; there are exchange, instrument, entry_qty_threshold, \
exit_qty_threshold, order_qty, max_position, price_tick, qty_tick
        """
        for key in params:
            if key not in DEFAULTS:
                raise ValueError(f"DemoStrat: unknown parameter {key!r}; there are {', '.join(DEFAULTS)}")
        given = {**DEFAULTS, **params}
        return cls(
            exchange=exchange_named(given["exchange"]),
            instrument=instrument_ref(given["instrument"]),
            entry_qty_threshold=number("entry_qty_threshold", Qty, given),
            exit_qty_threshold=number("exit_qty_threshold", Qty, given),
            order_qty=number("order_qty", Qty, given),
            max_position=number("max_position", Qty, given),
            price_tick=tick("price_tick", Price, given),
            qty_tick=tick("qty_tick", Qty, given),
        )


def find_instrument(instruments: Iterable[Instrument], exchange: Exchange, ref: int | str) -> Instrument:
    """Find an instrument by id, name or symbol; raises InstrumentError unless exactly one fits."""
    listed = [each for each in instruments if each.get_exchange() is exchange]
    fitting = [each for each in listed if str(ref).upper() in keys_of(each)]
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(each.get_instrument_name() for each in (fitting or listed)[:5])
    raise InstrumentError(
        f"DemoStrat: instrument: expected {ref!r} to fit one instrument of {exchange.name}, it fits"
        f" {len(fitting)}; there are {names or 'none'}"
    )


def is_inverse(instrument: Instrument) -> bool:
    """Tell whether an instrument is a contract settled in its base currency."""
    return isinstance(instrument, Perpetual) and instrument.get_settlement_method() == "inverse"


def keys_of(instrument: Instrument) -> set[str]:
    """What an instrument may be called, in upper case."""
    return {
        str(instrument.get_instrument_id()),
        instrument.get_instrument_name().upper(),
        instrument.get_mlt_symbol().upper(),
        instrument.get_exch_instr_id().upper(),
    }


def exchange_named(value: object) -> Exchange:
    """Read a member of Exchange by its name."""
    if isinstance(value, Exchange):
        return value
    if not isinstance(value, str) or value not in Exchange.__members__:
        names = ", ".join(Exchange.__members__)
        raise ValueError(f"DemoStrat: exchange: expected one of {names}, got {value!r}")
    return Exchange[value]


def instrument_ref(value: object) -> int | str:
    """Read what names an instrument."""
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        raise ValueError(f"DemoStrat: instrument: expected an id, a name or a symbol, got {value!r}")
    return value


def number(key: str, kind: type[Number], params: Mapping[str, Any]) -> Number:
    """Read a number, 0 or more. A float counts as what it prints, because that is what somebody typed."""
    value = params[key]
    try:
        exact = kind(str(value))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"DemoStrat: {key}: expected a number, got {value!r}: {error}") from error
    if exact.sign() < 0:
        raise ValueError(f"DemoStrat: {key}: expected 0 or more, got {value!r}")
    return exact


def tick(key: str, kind: type[Number], params: Mapping[str, Any]) -> Number | None:
    """Read a tick above 0; None stands for the instrument's own."""
    if params[key] is None:
        return None
    step = number(key, kind, params)
    if step.is_zero():
        raise ValueError(f"DemoStrat: {key}: expected more than 0, got {params[key]!r}")
    return step
