from __future__ import annotations

import inspect
from datetime import UTC, datetime

import pytest

from mlthon.basics.defs import Exchange, InstrumentType
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.instruments.future import Future
from mlthon.instruments.instrument import Instrument
from mlthon.instruments.perpetual import Perpetual
from mlthon.instruments.spot import Spot

PUBLISHED = [
    "instrument_id",
    "instrument_type",
    "instrument_group_id",
    "exch_instr_id",
    "exchange",
    "mlt_symbol",
    "price_tick_rules",
    "quantity_tick_rules",
    "multiplier",
    "min_quantity",
    "base_currency",
    "quote_currency",
    "quantification",
    "price_precision",
    "quantity_precision",
    "valid_start_ts",
    "valid_end_ts",
    "instrument_name",
]
PUBLISHED_FUTURE = ["underlying_ins_id", "expiration_date_utc", "settlement_method"]

VALUES = {
    "instrument_id": 30000001000,
    "instrument_type": InstrumentType.Perpetual,
    "instrument_group_id": 7,
    "exch_instr_id": "BTCUSDT",
    "exchange": Exchange.Bybit,
    "mlt_symbol": "BTC-USDT",
    "price_tick_rules": Price("0.10"),
    "quantity_tick_rules": Qty("0.001"),
    "multiplier": MLDecimal("1"),
    "min_quantity": Qty("0.001"),
    "base_currency": "BTC",
    "quote_currency": "USDT",
    "quantification": "base",
    "price_precision": 1,
    "quantity_precision": 3,
    "valid_start_ts": 1584230400000,
    "valid_end_ts": 1893456000000,
    "instrument_name": "byt:perp:BTC-USDT",
    "max_quantity": Qty("1190"),
    "min_notional": MLDecimal("5"),
    "status": "Trading",
}


@pytest.mark.parametrize(
    ("cls", "published"), [(Instrument, PUBLISHED), (Spot, PUBLISHED), (Future, PUBLISHED_FUTURE)]
)
def test_constructors_take_the_published_parameters(cls, published):
    signature = list(inspect.signature(cls).parameters.values())
    assert [parameter.name for parameter in signature] == [*published, "kwargs"]
    assert signature[-1].kind is inspect.Parameter.VAR_KEYWORD
    assert all(parameter.default is None for parameter in signature[:-1])


@pytest.mark.parametrize("name", VALUES)
def test_every_parameter_has_its_accessor(name):
    assert getattr(Instrument(**VALUES), f"get_{name}")() == VALUES[name]


@pytest.mark.parametrize("name", VALUES)
def test_what_is_not_given_is_none(name):
    assert getattr(Instrument(), f"get_{name}")() is None


def test_there_are_no_other_accessors():
    accessors = {name for name in vars(Instrument) if not name.startswith("_")}
    assert accessors == {f"get_{name}" for name in VALUES}


def test_unknown_keywords_are_accepted_as_published():
    assert Instrument(**VALUES, leverage=10) == Instrument(**VALUES)


@pytest.mark.parametrize("given", ["0.10", Price("0.1")])
def test_steps_may_be_text(given):
    tick = Instrument(price_tick_rules=given).get_price_tick_rules()
    assert isinstance(tick, Price)
    assert tick == Price("0.1")


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("price_tick_rules", 0.1, TypeError),
        ("price_tick_rules", "0", ValueError),
        ("price_tick_rules", "a tenth", ValueError),
        ("quantity_tick_rules", "-0.001", ValueError),
        ("multiplier", "0", ValueError),
        ("min_quantity", "-1", ValueError),
        ("max_quantity", 0.5, TypeError),
        ("min_notional", "-1", ValueError),
        ("instrument_id", "30000001000", TypeError),
        ("instrument_id", True, TypeError),
        ("instrument_type", "perp", TypeError),
        ("exchange", "Bybit", TypeError),
        ("mlt_symbol", 5, TypeError),
        ("instrument_name", 5, TypeError),
    ],
)
def test_bad_arguments_are_refused_by_name(field, value, error):
    with pytest.raises(error, match=f"^{field}: "):
        Instrument(**{field: value})


def test_symbols_and_names_are_in_upper_case():
    instrument = Instrument(
        exchange=Exchange.Bybit, instrument_type=InstrumentType.Perpetual, mlt_symbol="btc-usd"
    )
    assert instrument.get_mlt_symbol() == "BTC-USD"
    assert instrument.get_instrument_name() == "byt:perp:BTC-USD"


def test_a_given_name_stands():
    assert Instrument(**VALUES | {"instrument_name": "mine"}).get_instrument_name() == "mine"


def test_equality_hash_and_repr():
    one, same = Perpetual(**VALUES), Perpetual(**VALUES)
    assert one == same
    assert hash(one) == hash(same)
    assert one != Perpetual(**VALUES | {"price_tick_rules": "0.5"})
    assert one != Perpetual(**VALUES, settlement_method="inverse")
    assert one != Instrument(**VALUES)
    assert one != "byt:perp:BTC-USDT"
    assert len({one, same}) == 1
    assert repr(one) == "Perpetual(instrument_id=30000001000, instrument_name='byt:perp:BTC-USDT')"


def test_future():
    expiry = datetime(2024, 12, 27, 8, tzinfo=UTC)
    future = Future(
        underlying_ins_id=30000000000, expiration_date_utc=expiry, settlement_method="cash", **VALUES
    )
    assert future.get_underlying_ins_id() == 30000000000
    assert future.get_expiration_date_utc() == expiry
    assert future.get_settlement_method() == "cash"
    assert future.get_price_tick_rules() == Price("0.1")


def test_an_expiry_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="expiration_date_utc: expected a datetime with a time zone"):
        Future(expiration_date_utc=datetime(2024, 12, 27, 8))


def test_perpetual():
    perpetual = Perpetual(underlying_ins_id=5, settlement_method="linear", **VALUES)
    assert perpetual.get_underlying_ins_id() == 5
    assert perpetual.get_settlement_method() == "linear"
    assert not hasattr(perpetual, "get_expiration_date_utc")
