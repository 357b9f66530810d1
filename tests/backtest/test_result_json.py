"""The result as JSON and on the terminal: the demo's keys, exact money, and nothing where there is nothing to say."""

from __future__ import annotations

import dataclasses
import io
from decimal import Decimal

import orjson
import pytest
from rich.console import Console
from trace_run import NS_PER_S, START_NS, Run, perpetual

from mlthon.backtest.result import Result, RunFacts
from mlthon.backtest.trace import Trace
from mlthon.basics.defs import GtwRejectCode, Side
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.engine.ports import RequestKind
from mlthon.errors import ConfigError
from mlthon.run.summary import Summary, VenueBooks

CAPITAL = {"USDT": MLDecimal("10000")}


@pytest.fixture
def run():
    return Run(5, [perpetual(0)]).play(200)


def result_of(run, **facts):
    return Result.of(run.trace, RunFacts("Made up", **facts))


def test_keys_are_those_of_the_demo_and_more(run):
    nothing, flat = MLDecimal("0"), Qty("0")
    given = {field.name: nothing for field in dataclasses.fields(Summary)}
    given |= {"elapsed_s": 1.0, "venue": VenueBooks(flat, 0, nothing, nothing, None)}
    demo = Summary(**given).to_json()
    told = result_of(run, venue=demo["venue"]).to_json()
    assert set(demo) <= set(told)
    assert set(demo["pnl"]) <= set(told["pnl"])
    assert told["venue"] == demo["venue"]
    assert {"levels", "messages", "trades", "load_s"} <= set(told)
    assert orjson.loads(orjson.dumps(told)) == told


def test_money_is_exact_and_sums_up(run):
    told = result_of(run, capital=CAPITAL).to_json()
    (coin,) = told["coins"].values()
    (one,) = told["instruments"].values()
    assert coin["pnl"] == one["pnl"]
    pnl = {key: Decimal(text) for key, text in coin["pnl"].items()}
    assert pnl["net"] == pnl["realised"] + pnl["unrealised"] - pnl["fees"] + pnl["funding"]
    assert pnl["fees"] == sum(fill.fee for fill in run.fills)
    assert pnl["funding"] == sum(amount for _, _, amount in run.funding)
    assert told["pnl"]["fees"] == float(pnl["fees"])
    assert coin["return"] == pytest.approx(float(pnl["net"] / 10_000))
    assert told["position"] == float(Decimal(one["position"]))
    assert Decimal(one["volume"]) == sum(fill.price * fill.qty for fill in run.fills)


def test_a_notebook_shows_a_result_in_a_line(run):
    result = result_of(run, capital=CAPITAL)
    assert repr(result) == (
        f"<Result of {result.facts.strategy}: {result.elapsed_s:,.1f} s, {len(run.fills)} fills,"
        f" net {result.coins[0].pnl.net} USDT>"
    )
    assert len(repr(result.coins[0])) < 1_000


def test_short_runs_have_no_sharpe_and_no_return_without_capital(run):
    (coin,) = result_of(run).to_json()["coins"].values()
    assert coin["sharpe"] is coin["return"] is coin["capital"] is coin["max_drawdown"]["share"] is None


def test_a_run_in_which_nothing_happened():
    trace = Trace([perpetual(0)], lambda _: None, lambda: START_NS)
    trace.sample(START_NS)
    trace.end(START_NS)
    result = Result.of(trace, RunFacts("Quiet"))
    (one,) = result.to_json()["instruments"].values()
    making = one["market_making"]
    assert making["maker_share"] is making["fill_ratio"] is making["order_to_trade"] is None
    assert making["inventory"] is making["time_to_fill_ms"] is None
    assert making["mark_outs"]["maker"]["5s"] == {"money": "0.00000000", "bps": None, "fills": 0}
    result.print(Console(file=io.StringIO()))


def test_whatever_the_parameters_are_there_is_a_result(run, tmp_path):
    params = {"big": 1 << 70, "odd": float("inf"), "cut\udcff": "\udcff", "on": True, "none": None}
    result = result_of(run, params=params, failure="ValueError: \udcff")
    told = orjson.loads(orjson.dumps(result.to_json()))
    assert told["params"] == {"big": str(1 << 70), "odd": "inf", "cut?": "?", "on": True, "none": None}
    assert told["failure"] == "ValueError: ?"
    pytest.importorskip("plotly")
    result.write_report(tmp_path / "report.html")
    assert "<td>cut?</td>" in (tmp_path / "report.html").read_text()


def test_coins_are_not_added_up():
    run = Run(2, [perpetual(0), perpetual(1, method="inverse", symbol="BTC-USD")]).play(150)
    told = result_of(run).to_json()
    assert set(told["coins"]) == {"USDT", "BTC"}
    assert told["pnl"]["realised"] is told["volume"] is told["position"] is None
    books = run.trace.books
    assert [told["coins"][own.coin]["pnl"]["net"] for own in books] == [str(own.pnl().net) for own in books]


def test_what_the_engine_refused_counts_as_the_demo_counts_it():
    run = Run(1, [perpetual(0)])
    run.advance_to(START_NS)
    run.trace.record_refusal(RequestKind.NewOrder, GtwRejectCode.InvalidPrice)
    run.trace.record_refusal(RequestKind.CancelOrder, GtwRejectCode.UnknownOrder)
    run.trace.end(START_NS + NS_PER_S)
    told = result_of(run).to_json()
    assert told["orders"] == {"sent": 1, "acked": 0, "rejected": 1, "cancelled": 0, "filled": 0, "open": 0}
    assert told["rejects"] == {"NewOrder InvalidPrice": 1, "CancelOrder UnknownOrder": 1}


def test_liquidations_are_fills_of_no_order():
    run = Run(1, [perpetual(0)])
    run.advance_to(START_NS)
    run.move_mid(0, "100")
    order = run.send(0, True, "100", "2")
    opening = run.fill(order, "2", is_maker=False, fee="0.1", sent_ns=START_NS)
    run.advance_to(START_NS + NS_PER_S)
    taken_over = opening._replace(side=Side.Sell, price=Price("60"), fee=MLDecimal("0"))
    run.trace.record_liquidation(run.now_ns, taken_over)
    run.trace.end(run.now_ns)
    told = result_of(run).to_json()
    (one,) = told["instruments"].values()
    assert (told["liquidations"], told["fills"], told["position"]) == (1, 2, 0.0)
    assert one["pnl"]["net"] == "-80.10000000"
    assert one["market_making"]["maker_share"] == 0


def test_the_terminal_shows_the_block_of_a_market_maker(run):
    out = io.StringIO()
    result_of(run, capital=CAPITAL).print(Console(file=out, width=100))
    text = out.getvalue()
    for word in (
        "maker share",
        "fill ratio",
        "order-to-trade",
        "time to fill",
        "inventory",
        "Sharpe",
        "funding",
    ):
        assert word in text
    for when in ("at the fill", "1 s later", "5 s later", "30 s later"):
        assert when in text
    assert "NewOrder refused: PostOnlyWouldCross" in text


def test_samples_need_a_distance():
    with pytest.raises(ConfigError, match="more than 0 ns apart, got 0"):
        Trace([], lambda _: None, lambda: 0, every_ns=0)
