"""Marks, index prices and funding rates of a tape: what a backtest makes of them, and when."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scripted import LINEAR, MS_NS, START_NS, Scripted, Tape, book, order, rate

from mlthon._core.order_change import RateUpdate
from mlthon.backtest.backtest import Backtest, Settings
from mlthon.backtest.latency import Latency
from mlthon.basics.defs import Side
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.instruments.instrument import Instrument
from mlthon.sim.orders import Fees
from mlthon.sim.synthetic import SyntheticMarket
from mlthon.sim.terms import Product

INVERSE = SyntheticMarket(1, product=Product.Inverse).instrument
NOTHING = MLDecimal("0")
AT_ONCE = Settings(latency=Latency.constant_ms(0, 0, 0), fees=Fees(maker=NOTHING, taker=NOTHING))
WHOLE = book(0, [("60000.0", "900000")], [("60000.1", "900000")], whole=True)
LATER = book(9_000, [("59999.0", "1")], [])


def ran(*events: Any, buys: str, instrument: Instrument = LINEAR, deposit: str = "100") -> tuple[Any, Any]:
    """What came of buying so much at 60000.1, 100 ms after the start, without a fee or a delay."""
    strategy = Scripted((100, order("a1", Side.Buy, "60000.1", buys, instrument=instrument)))
    settings = replace(AT_ONCE, deposits={"BTC" if instrument is INVERSE else "USDT": Qty(deposit)})
    backtest = Backtest([Tape(WHOLE, *events, LATER, instrument=instrument)], strategy, settings=settings)
    result = backtest.run()
    backtest.check_ledgers()
    return backtest, result


def liquidated_ns(backtest: Backtest) -> list[int]:
    return [backtest.trace.fills.ns[row] for row in range(1, len(backtest.trace.fills))]


def paid_ns(backtest: Backtest) -> list[int]:
    [connector] = backtest.connectors
    return [payment.exec_ns for payment in connector.sim.payments(connector.account)]


# -- profit --------------------------------------------------------------------------------------------------------


def test_what_is_open_is_valued_at_the_mark(tmp_path: Path) -> None:
    """0.01 x (61000.1 - 60000.1) = 10, whatever the mid."""
    pytest.importorskip("plotly", reason="the tearsheet needs the report extra")
    backtest, result = ran(rate(500, "mark", "61000.1"), buys="0.01")
    assert result.instruments[0].pnl.unrealised == MLDecimal("10")
    curve = result.instruments[0].books.curve
    assert Price.from_mantissa(curve["mark"][-1]) == Price("61000.1")
    assert Price.from_mantissa(curve["mid"][-1]) == Price("60000.05")
    sampled = dict(zip(curve.ns, curve["unrealised"], strict=True))
    assert sampled[START_NS + 1_000 * MS_NS] == 10 * 10**18
    result.write_report(tmp_path / "marked.html")
    assert "Unrealised, at the mark" in (tmp_path / "marked.html").read_text()
    _, without = ran(buys="0.01")
    assert without.instruments[0].pnl.unrealised == MLDecimal("-0.0005")  # at the mid
    assert backtest.connectors[0].account.position("BTCUSDT").unrealised_pnl == MLDecimal("10")


def test_an_inverse_contract_is_valued_at_the_mark() -> None:
    """600 / 60000.1 - 600 / 75000, in the coin."""
    _, result = ran(rate(500, "mark", "75000"), buys="600", instrument=INVERSE, deposit="1")
    told = result.instruments[0].pnl.unrealised.to_float()
    assert told == pytest.approx(600 / 60000.1 - 600 / 75000, abs=1e-15)


# -- liquidation ---------------------------------------------------------------------------------------------------


def test_the_mark_liquidates_at_its_time_and_not_before() -> None:
    """Of 0.01 with 100: 100 + 0.01 (m - 60000.1) < 0.005 x 0.01 m, that is m < 500.001 / 0.00995 = 50251.36."""
    alive = ran(rate(500, "mark", "50251.4"), buys="0.01")
    assert liquidated_ns(alive[0]) == []
    backtest, result = ran(rate(500, "mark", "50251.4"), rate(501, "mark", "50251.3"), buys="0.01")
    assert liquidated_ns(backtest) == [START_NS + 501 * MS_NS]
    assert result.to_json()["liquidations"] == 1
    assert (
        backtest.connectors[0].account.wallet("USDT").balance == NOTHING
    )  # 50000.1 is where nothing is left


def test_the_mid_liquidates_nobody_while_a_mark_is_told() -> None:
    crash = book(600, [("60000.0", "0"), ("40000.0", "900000")], [("60000.1", "0"), ("40000.1", "900000")])
    with_mark, _ = ran(rate(500, "mark", "60000"), crash, buys="0.01")
    assert liquidated_ns(with_mark) == []
    without, _ = ran(crash, buys="0.01")
    assert liquidated_ns(without) == [START_NS + 600 * MS_NS]


def test_an_inverse_position_is_liquidated_by_the_mark() -> None:
    """0.001 + 600 / 60000.1 - 600 / m < 0.005 x 600 / m, that is m < 603 / 0.01099998... = 54818.26."""
    backtest, _ = ran(
        *(rate(500, "mark", "54818.3"), rate(700, "mark", "54818.2")),
        buys="600",
        instrument=INVERSE,
        deposit="0.001",
    )
    assert liquidated_ns(backtest) == [START_NS + 700 * MS_NS]


# -- funding -------------------------------------------------------------------------------------------------------


def test_funding_is_paid_at_the_tapes_time_by_its_rate_and_mark() -> None:
    """0.01 x 61000 x 0.001 = 0.61, at 4 s; then nothing: the next time is hours away."""
    backtest, result = ran(
        rate(300, "mark", "60500"),
        rate(400, "funding", "0.0007", due_ms=4_000),
        rate(2_000, "funding", "0.001", due_ms=4_000),
        rate(3_000, "mark", "61000"),
        rate(4_000, "funding", "0.5", due_ms=8_000_000),  # at the moment of the payment, and after it
        rate(4_000, "mark", "70000"),
        buys="0.01",
    )
    assert paid_ns(backtest) == [START_NS + 4_000 * MS_NS]
    assert result.instruments[0].pnl.funding == MLDecimal("-0.61")


# -- nothing of what comes later -----------------------------------------------------------------------------------


class Heard:
    """A journal in memory."""

    def __init__(self) -> None:
        self.lines: list[tuple[object, ...]] = []

    def record_request(self, engine_ns: int, name: str, arguments: Any) -> None:
        self.lines.append((engine_ns, name, repr(arguments)))

    def record_callback(self, engine_ns: int, name: str, arguments: Any) -> None:
        if name != "on_framework_connected":  # which is handed the environment
            self.lines.append((engine_ns, name, repr(arguments)))


def told(*events: Any) -> list[tuple[object, ...]]:
    heard = Heard()
    strategy = Scripted(
        (100, order("a1", Side.Buy, "60000.1", "0.01")), (400, order("a2", Side.Buy, "59990.0", "0.01"))
    )
    settings = Settings(deposits={"USDT": Qty("200")})
    Backtest([Tape(WHOLE, *events)], strategy, settings=settings, journal=heard).run()
    return heard.lines


def test_rates_that_come_later_change_nothing_before_and_the_same_ones_nothing_at_all() -> None:
    first = [
        rate(300, "mark", "60100"),
        rate(350, "funding", "0.001", due_ms=1_000),
        book(1_500, [("59000", "1")], []),
    ]
    later = [
        rate(2_000, "mark", "30000"),
        rate(2_100, "funding", "0.01", due_ms=3_000),
        book(4_000, [("58000", "1")], []),
    ]
    until_ns = START_NS + 1_500 * MS_NS
    short, long = told(*first), told(*first, *later)
    before = [line for line in long if line[0] < until_ns]
    assert before == [line for line in short if line[0] < until_ns]
    assert long[len(before) :] != short[len(before) :]  # a liquidation comes there
    assert long == told(*first, *later)


# -- files ---------------------------------------------------------------------------------------------------------


def test_a_ticker_file_beside_a_book_tells_its_marks_and_no_steps(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="tapes need the data extra")
    stamp = START_NS // 1_000
    ticker, levels = tmp_path / "ticker.csv", tmp_path / "levels.csv"
    ticker.write_text(
        "exchange,symbol,timestamp,local_timestamp,funding_timestamp,funding_rate,predicted_funding_rate,"
        "open_interest,last_price,index_price,mark_price\n"
        + "".join(
            f"bybit,BTCUSDT,{stamp + n},{stamp + n},{stamp + 5_000_000},0.001,,,,60000.{n:02},6000{n % 9}.{n:02}\n"
            for n in range(90)
        )
    )
    rows = [(0, "true", side, price, "5") for side, price in (("bid", "60000.0"), ("ask", "60000.1"))]
    rows += [(n * 100_000, "false", "bid", f"{59_990 + n / 10:.1f}", f"{n}.001") for n in range(1, 60)]
    levels.write_text(
        "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n"
        + "".join(f"bybit,BTCUSDT,{stamp + at},{stamp + at},{','.join(row)}\n" for at, *row in rows)
    )
    runs = []
    for files in ((ticker, levels), (levels, ticker)):
        strategy = Scripted((100, order("a1", Side.Buy, None, "1")))
        backtest = Backtest(files, strategy, settings=AT_ONCE)
        [instrument] = backtest.instruments
        assert instrument.get_price_tick_rules() == Price("0.1")
        assert instrument.get_quantity_tick_rules() == Qty("0.001")
        result = backtest.run()
        assert paid_ns(backtest) == [START_NS + 5_000 * MS_NS]
        assert result.instruments[0].pnl.funding == MLDecimal("-60.00889")  # of the last mark, 60008.89
        runs.append(result.instruments[0].pnl)
    assert runs[0] == runs[1]


def test_a_tape_is_played_with_its_rates(tmp_path: Path) -> None:
    """What a player is given: a venue that plays a tape marks as the tape does."""
    pytest.importorskip("pyarrow", reason="tapes need the data extra")
    from mlthon.tape.tape import Tape as RecordedTape
    from mlthon.tape.writer import write_tape

    class Made:
        instrument, origin = LINEAR, "bybit"

        def events(self) -> Any:
            return iter([WHOLE[1], rate(10, "mark", "60000.05")[1], LATER[1]])

        def notes(self) -> dict[str, int]:
            return {}

    write_tape(tmp_path / "made.tape", Made(), "made")
    played = list(RecordedTape(tmp_path / "made.tape"))
    assert [gap_ns for gap_ns, _ in played] == [0, 10 * MS_NS, 8_990 * MS_NS]
    assert isinstance(played[1][1], RateUpdate)
