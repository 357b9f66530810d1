"""Orders by template are, to the byte, what encoding each of them in full gives."""

from __future__ import annotations

import os
import random

import pytest
from bybit_messages import NOW_MS, make_instruments

from mlthon._core.order_template import OrderTemplates
from mlthon.basics.defs import TIF, ExecInstructions, OrderType, Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.engine.ports import NewOrderRequest
from mlthon.exchanges.bybit.codec.trade import CREATE, create_fields, encode_request
from mlthon.exchanges.bybit.order_lanes import OrderLane, OrderLanes
from mlthon.instruments.instrument import Instrument
from mlthon.instruments.perpetual import Perpetual
from mlthon.instruments.spot import Spot

SEED = int(os.environ.get("MLTHON_TEST_SEED", "20240808"))
WINDOW_MS = 5_000
BTC = make_instruments()["BTCUSDT"]
INVERSE = Perpetual(exch_instr_id="BTCUSD", settlement_method="inverse", instrument_id=7)
SPOT = Spot(exch_instr_id="BTCUSDT", mlt_symbol="BTC-USDT", instrument_id=8)
INSTRUMENTS: tuple[Instrument, ...] = (BTC, INVERSE, SPOT)


def in_full(request: NewOrderRequest, req_id: str, timestamp_ms: int) -> bytes | str:
    """The general way's text, or its complaint."""
    try:
        return encode_request(CREATE, req_id, str(timestamp_ms), WINDOW_MS, create_fields(request))
    except ValueError as error:
        return str(error)


def in_lane(lane: OrderLane, request: NewOrderRequest, req_id: str, timestamp_ms: int) -> bytes | str:
    try:
        return lane.encode(request, req_id, timestamp_ms)
    except ValueError as error:
        return str(error)


def an_order(rng: random.Random, instrument: Instrument) -> NewOrderRequest:
    order_type = rng.choice([OrderType.Limit, OrderType.Limit, OrderType.Limit, OrderType.Market])
    price = Price.from_mantissa(rng.randrange(10 ** rng.randrange(1, 27)))
    return NewOrderRequest(
        "".join(rng.choices("abcxyz0189", k=rng.randrange(1, 21))),
        instrument,
        rng.choice([Side.Buy, Side.Sell]),
        price if (order_type is OrderType.Limit) != (rng.random() < 0.05) else None,
        Qty.from_mantissa(rng.randrange(10 ** rng.randrange(1, 27))),
        order_type,
        rng.choice(list(TIF)),
        rng.choice(list(ExecInstructions)),
        rng.random() < 0.3,
    )


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=["linear", "inverse", "spot"])
def test_random_orders_read_the_same_either_way(instrument: Instrument) -> None:
    rng = random.Random(SEED)
    lane = OrderLane(instrument, WINDOW_MS)
    for number in range(2_000):
        request = an_order(rng, instrument)
        req_id, timestamp_ms = f"{rng.randrange(2**60):x}-{number}", NOW_MS + rng.randrange(10**9)
        expected = in_full(request, req_id, timestamp_ms)
        assert in_lane(lane, request, req_id, timestamp_ms) == expected, f"seed {SEED}: {request}"


@pytest.mark.parametrize("text", ['"', "\\", "\n", "\x00", "\x7f", "é", "\U0001f600", "{qty}", "{price}", ""])
def test_strange_ids_and_symbols_are_written_as_json_writes_them(text: str) -> None:
    rng = random.Random(SEED)
    for symbol in ("BTCUSDT", f"BTC{text}USDT"):
        instrument = Perpetual(exch_instr_id=symbol, settlement_method="linear", instrument_id=9)
        lane = OrderLane(instrument, WINDOW_MS)
        request = an_order(rng, instrument).replace(
            price=Price("1.5"), order_type=OrderType.Limit, tif=TIF.GTC, exec_instr=ExecInstructions.Unset
        )
        for wire_id in ("w1", f"w{text}2"):
            for req_id in ("r1", f"r{text}2"):
                strange = request.replace(wire_id=wire_id)
                assert lane.encode(strange, req_id, NOW_MS) == in_full(strange, req_id, NOW_MS)


def test_the_second_order_of_a_kind_is_made_of_the_first() -> None:
    request = an_order(random.Random(SEED), BTC).replace(
        price=Price("50000.50"), order_type=OrderType.Limit, tif=TIF.IOC, exec_instr=ExecInstructions.Unset
    )
    templates = OrderTemplates()
    assert templates.fill(request, "r1", 5) is None
    templates.learn(request, (b"0", b"1", b"2", b"3", b"4", b"5"))
    again = request.replace(wire_id="w", qty=Qty("0.010"), price=Price("49999"))
    assert templates.fill(again, "r1", 5) == b"0r1152" + b"0.013w4499995"
    assert templates.fill(again.replace(tif=TIF.GTC), "r1", 5) is None
    assert templates.fill(again.replace(price=None), "r1", 5) is None
    with pytest.raises(ValueError, match="expected 6 parts, got 2"):
        templates.learn(request, (b"", b""))
    with pytest.raises(TypeError, match="NewOrderRequest"):
        templates.fill(("w", "x"), "r1", 5)  # type: ignore[arg-type]


def test_a_lane_is_made_anew_for_an_instrument_that_has_changed() -> None:
    lanes = OrderLanes(WINDOW_MS)
    first = lanes.of(BTC)
    assert lanes.of(BTC) is first
    renamed = Perpetual(
        exch_instr_id="NEWUSDT", settlement_method="linear", instrument_id=BTC.get_instrument_id()
    )
    assert lanes.of(renamed) is not first
    request = an_order(random.Random(SEED), renamed).replace(price=None, order_type=OrderType.Market)
    assert b'"NEWUSDT"' in lanes.of(renamed).encode(
        request.replace(tif=TIF.Unset, exec_instr=ExecInstructions.Unset), "r1", NOW_MS
    )


def test_what_is_in_no_category_has_no_lane() -> None:
    with pytest.raises(ValueError, match="expected a spot pair"):
        OrderLanes(WINDOW_MS).of(Perpetual(exch_instr_id="X", instrument_id=3))
