from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from mlthon.basics.defs import Exchange, InstrumentType
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.instruments.future import Future
from mlthon.instruments.instrument_utils import InstrumentUtils
from mlthon.instruments.perpetual import Perpetual
from mlthon.instruments.spot import Spot

COMMON = {
    "instrument_group_id": 7,
    "exch_instr_id": "BTCUSDT",
    "exchange": Exchange.Bybit,
    "mlt_symbol": "BTC-USDT",
    "price_tick_rules": "0.10",
    "quantity_tick_rules": "0.001",
    "multiplier": "1",
    "min_quantity": "0.001",
    "max_quantity": "1190",
    "min_notional": "5",
    "status": "Trading",
    "base_currency": "BTC",
    "quote_currency": "USDT",
    "quantification": "base",
    "price_precision": 1,
    "quantity_precision": 3,
    "valid_start_ts": 1584230400000,
    "valid_end_ts": 1893456000000,
}
INSTRUMENTS = [
    Spot(instrument_id=1, instrument_type=InstrumentType.Spot, **COMMON),
    Perpetual(
        instrument_id=2,
        instrument_type=InstrumentType.Perpetual,
        underlying_ins_id=1,
        settlement_method="linear",
        **COMMON,
    ),
    Future(
        instrument_id=3,
        instrument_type=InstrumentType.Future,
        underlying_ins_id=1,
        settlement_method="cash",
        expiration_date_utc=datetime(2024, 12, 27, 8, tzinfo=UTC),
        **COMMON,
    ),
    Spot(exchange=Exchange.Blockchain, instrument_type=InstrumentType.Spot, mlt_symbol="BTC-USD"),
]
LEAST = {"instrument_type": "perp", "exchange_id": "BYT", "mlt_symbol": "BTC-USD"}


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=repr)
def test_json_round_trip(instrument):
    written = InstrumentUtils.get_json_from_instrument(instrument)
    assert InstrumentUtils.get_instrument_from_json(written) == instrument
    assert InstrumentUtils.get_instrument_from_raw_msg(json.dumps(written)) == instrument


def test_the_whole_key_set():
    keys = set(InstrumentUtils.get_json_from_instrument(INSTRUMENTS[2]))
    expected = set(COMMON) - {"exchange"} | {
        "exchange_id",
        "instrument_id",
        "instrument_type",
        "instrument_name",
    }
    assert keys == expected | {"underlying_ins_id", "settlement_method", "expiration_date_utc"}


@pytest.mark.parametrize(
    ("text", "cls"),
    [
        ("spot", Spot),
        ("SPOT", Spot),
        ("perp", Perpetual),
        ("PERPETUAL", Perpetual),
        ("fut", Future),
        ("Future", Future),
    ],
)
def test_types_are_read_by_id_and_by_name_in_any_case(text, cls):
    assert type(InstrumentUtils.get_instrument_from_json(LEAST | {"instrument_type": text})) is cls


def test_exchange_id_is_the_code_in_any_case():
    for text in ("BLN", "bln"):
        read = InstrumentUtils.get_instrument_from_json(LEAST | {"exchange_id": text})
        assert read.get_exchange() is Exchange.Blockchain


def test_numbers_in_json_text_stay_exact():
    raw = json.dumps(LEAST)[:-1] + ', "price_tick_rules": 0.1, "min_quantity": 1}'
    read = InstrumentUtils.get_instrument_from_raw_msg(raw)
    assert read.get_price_tick_rules() == Price("0.1")
    assert read.get_min_quantity() == Qty("1")


def test_null_and_unknown_keys_are_passed_over():
    read = InstrumentUtils.get_instrument_from_json(
        LEAST | {"min_quantity": None, "from_a_newer_writer": [1]}
    )
    assert read == InstrumentUtils.get_instrument_from_json(LEAST)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"instrument_type": None}, "instrument_type"),
        ({"exchange_id": None}, "exchange_id"),
        ({"mlt_symbol": None}, "mlt_symbol"),
        ({"instrument_type": "option"}, "key 'instrument_type': expected one of fut, future, perp"),
        ({"instrument_type": 1}, "instrument_type"),
        ({"exchange_id": "NYSE"}, "key 'exchange_id': expected one of bfx, bin, bld, bln, bmx, bst, byt,"),
        ({"mlt_symbol": 5}, "mlt_symbol: expected str, got 5"),
        ({"instrument_id": "3"}, "instrument_id: expected int, got '3'"),
        ({"price_tick_rules": 0.1}, "price_tick_rules"),
        ({"price_tick_rules": "0"}, "price_tick_rules: expected more than 0"),
        ({"multiplier": "1e99"}, "multiplier"),
        ({"quantity_tick_rules": ["1"]}, "quantity_tick_rules"),
        ({"instrument_type": "fut", "expiration_date_utc": "tomorrow"}, "expiration_date_utc"),
        ({"instrument_type": "fut", "expiration_date_utc": 1735286400000}, "expiration_date_utc"),
        ({"instrument_type": "fut", "expiration_date_utc": "2024-12-27T08:00:00"}, "expiration_date_utc"),
    ],
)
def test_errors_name_the_key(change, named):
    with pytest.raises(ValueError, match=r"^instrument") as caught:
        InstrumentUtils.get_instrument_from_json(LEAST | change)
    assert named in str(caught.value)


@pytest.mark.parametrize("raw", ["", "{", "[]", "5", '"perp"', "[" * 100_000, "{}", "\ud800"])
def test_raw_text_that_is_no_instrument(raw):
    with pytest.raises(ValueError, match=r"^instrument: ") as caught:
        InstrumentUtils.get_instrument_from_raw_msg(raw)
    assert len(str(caught.value)) < 500


def test_an_instrument_without_identity_is_not_written():
    with pytest.raises(ValueError, match=r"expected one with a type, an exchange and a symbol"):
        InstrumentUtils.get_json_from_instrument(Spot())


def test_names():
    name = InstrumentUtils.exch_type_sym_to_instr_name(Exchange.Bybit, InstrumentType.Perpetual, "btc-usd")
    assert name == "byt:perp:BTC-USD"
    names = InstrumentUtils.exch_syms_types_to_instr_names(
        Exchange.Blockchain, {"eth-usd": InstrumentType.Spot, "btc-usd": InstrumentType.Spot}
    )
    assert names == ["bln:spot:ETH-USD", "bln:spot:BTC-USD"]
