"""The strategy's own books: linear and inverse contracts, and spot pairs with fees in either coin."""

from __future__ import annotations

import pytest

from mlthon.basics.defs import Exchange, InstrumentType, Side
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.engine.instrument_table import InstrumentTable
from mlthon.engine.portfolio import Portfolio
from mlthon.engine.ports import FillReport
from mlthon.instruments.instrument import Instrument, InstrumentFields
from mlthon.instruments.instrument_ids import instrument_id, instrument_name
from mlthon.instruments.perpetual import Perpetual
from mlthon.instruments.spot import Spot


def fields(kind: InstrumentType, base: str, quote: str) -> InstrumentFields:
    name = instrument_name(Exchange.Bybit, kind, f"{base}-{quote}")
    return InstrumentFields(
        instrument_id=instrument_id(Exchange.Bybit, name),
        instrument_type=kind,
        exchange=Exchange.Bybit,
        exch_instr_id=f"{base}{quote}",
        mlt_symbol=f"{base}-{quote}",
        base_currency=base,
        quote_currency=quote,
    )


LINEAR = Perpetual(settlement_method="linear", **fields(InstrumentType.Perpetual, "BTC", "USDT"))
INVERSE = Perpetual(settlement_method="inverse", **fields(InstrumentType.Perpetual, "BTC", "USD"))
SPOT = Spot(**fields(InstrumentType.Spot, "ETH", "USDT"))


@pytest.fixture
def portfolio() -> Portfolio:
    return Portfolio(InstrumentTable([LINEAR, INVERSE, SPOT]))


def fill(
    instrument: Instrument, side: Side, price: str, qty: str, fee: str = "0", coin: str = "USDT"
) -> FillReport:
    return FillReport(
        exec_id="x",
        wire_id="w",
        exchange_id="e",
        instrument_id=instrument.get_instrument_id(),
        side=side,
        price=Price(price),
        qty=Qty(qty),
        fee=MLDecimal(fee),
        fee_currency=coin,
        is_maker=False,
        exec_ms=0,
        recv_ms=0,
    )


def test_linear_contracts_are_counted_in_the_quote_currency(portfolio: Portfolio) -> None:
    portfolio.apply_fill(fill(LINEAR, Side.Buy, "100", "2", "0.1"))
    portfolio.apply_fill(fill(LINEAR, Side.Sell, "110", "1", "0.05"))
    marks = {LINEAR.get_instrument_id(): Price("120")}
    assert (portfolio.realised(), portfolio.unrealised(marks), portfolio.fees()) == (
        MLDecimal("10"),
        MLDecimal("20"),
        MLDecimal("0.15"),
    )
    assert portfolio.volume == MLDecimal("310")


def test_inverse_contracts_are_counted_in_the_coin(portfolio: Portfolio) -> None:
    portfolio.apply_fill(fill(INVERSE, Side.Buy, "50000", "100", "0.000001", "BTC"))
    marks = {INVERSE.get_instrument_id(): Price("62500")}
    assert portfolio.position(INVERSE).avg_price == Price("50000")
    assert (portfolio.unrealised(marks), portfolio.fees()) == (MLDecimal("0.0004"), MLDecimal("0.000001"))
    assert portfolio.volume == MLDecimal("100")  # one quote unit a contract


@pytest.mark.parametrize("fee", ["0.002", "-0.001"])
def test_a_spot_fee_in_the_base_coin_comes_off_what_was_bought(portfolio: Portfolio, fee: str) -> None:
    """At any mark, the profit less the fees is what the coins are worth beyond what was spent."""
    portfolio.apply_fill(fill(SPOT, Side.Buy, "2500", "2", fee, "ETH"))
    portfolio.apply_fill(fill(SPOT, Side.Sell, "2600", "1", "2.6"))
    held = Qty("1") - Qty(fee)
    assert portfolio.position(SPOT).size == held
    for mark in ("2400", "2600"):
        profit = portfolio.realised() + portfolio.unrealised({SPOT.get_instrument_id(): Price(mark)})
        assert profit - portfolio.fees() == Price(mark) * held - MLDecimal("5000") + MLDecimal(
            "2600"
        ) - MLDecimal("2.6")
    assert portfolio.fees() == MLDecimal("2500") * MLDecimal(fee) + MLDecimal("2.6")
    assert (portfolio.fills, portfolio.volume) == (2, MLDecimal("7600"))
