"""A strategy over recorded data: its result agrees with the exchange, and becomes a tearsheet."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from decimal import Decimal

import pytest
from rich.console import Console
from scripted import SECOND_NS, START_NS, Scripted, Tape, book, order

from mlthon.backtest.backtest import Backtest, Settings
from mlthon.backtest.compare import compare_results, load_result
from mlthon.backtest.tearsheet import tearsheet
from mlthon.basics.defs import TIF, Side
from mlthon.basics.price import Price
from mlthon.errors import StrategyError
from mlthon.sim.synthetic import SyntheticMarket
from mlthon.strats.demo_strat import DemoStrat

TIMING = {"load_s", "run_s"}


def backtest_command(*words):
    command = [sys.executable, "-m", "mlthon.run", "backtest", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def run():
    backtest = Backtest([SyntheticMarket(4)], DemoStrat({}), settings=Settings(duration_s=90))
    return backtest, backtest.run()


def test_the_result_is_what_the_exchange_booked(run):
    backtest, result = run
    backtest.check_ledgers()
    told = result.to_json()
    assert told["failure"] is None
    [one] = told["instruments"].values()
    [connector] = backtest.connectors
    [symbol] = connector.sim.instruments
    booked = connector.account.purse.position(symbol)
    assert told["fills"] == connector.sim.fill_count(connector.account) > 10
    assert one["position"] == str(booked.size)
    assert one["pnl"]["realised"] == str(booked.realised)
    assert one["pnl"]["fees"] == str(booked.fees)
    fills = connector.sim.fills(connector.account)
    assert Decimal(one["volume"]) == sum(Decimal(str(fill.value)) for fill in fills)


def test_orders_and_fills_tell_one_story(run):
    backtest, result = run
    [desk] = backtest.env.desks.values()
    told = result.to_json()
    for key in ("acked", "cancelled", "filled"):
        assert told["orders"][key] == desk.counts[key]
    assert told["orders"]["open"] == 0
    assert all(wait >= 0 for wait in result.flow.times_to_fill_ns)
    trace = result.trace
    assert list(trace.fills.ns) == sorted(trace.fills.ns)
    assert all(-1 <= order < len(trace.orders.client_ids) for order in trace.fills.order)
    assert -1 not in trace.fills.order  # nobody was liquidated


def test_mark_outs_wait_for_their_time(run):
    _, result = run
    rows, ended_ns = result.trace.fills, result.trace.ended_ns
    for after_s, marks in zip((1, 5, 30), rows.marks, strict=True):
        for ns, mark in zip(rows.ns, marks, strict=True):
            assert (mark is not None) == (ns + after_s * 10**9 <= ended_ns)


def test_a_recorded_market_becomes_a_tearsheet(captures, tmp_path):
    pytest.importorskip("plotly")
    tape = captures / "binance" / "usdm_btcusdt_20240808.gz"
    words = ["--tape", tape, "--report", tmp_path / "report.html", "--save", tmp_path / "saved", "--json"]
    ran = backtest_command(*words)
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout.splitlines()[-1])
    assert told["fills"] == told["venue"]["fills"] > 100
    saved = load_result(tmp_path / "saved")
    assert [pair.key for pair in compare_results(told, saved) if pair.differs] == []
    page = (tmp_path / "report.html").read_text()
    assert "<h1>DemoStrat</h1>" in page
    charts = json.loads(re.search(r'id="charts">(.*?)</script>', page, re.DOTALL)[1])
    assert len(charts) == 5
    equity = charts["chart0"]["data"][0]
    assert equity["y"][-1] == pytest.approx(float(Decimal(told["coins"]["USDT"]["pnl"]["net"])))


def test_two_runs_of_one_seed_are_one_result():
    words = ["--seed", 3, "--duration", 20, "--json"]
    first, second = (json.loads(backtest_command(*words).stdout) for _ in range(2))
    differing = {pair.key for pair in compare_results(first, second) if pair.differs}
    assert differing <= TIMING
    assert first["fills"] > 0


class Stumbling(DemoStrat):
    def on_best_bid_level_update(self, *args):
        raise ValueError("a <b>wrong</b>\nturn")


def test_a_run_that_failed_says_so_everywhere(monkeypatch):
    backtest = Backtest([SyntheticMarket(4)], Stumbling({}), settings=Settings(duration_s=5))
    with pytest.raises(StrategyError):
        backtest.run()
    result = backtest.result()
    told = "ValueError: a <b>wrong</b> turn"
    assert result.to_json()["failure"] == told
    out = io.StringIO()
    result.print(Console(file=out, width=120))
    assert told in out.getvalue()
    offline = pytest.importorskip("plotly.offline")
    monkeypatch.setattr(offline, "get_plotlyjs", lambda: "")
    assert "Ended early: ValueError: a &lt;b&gt;wrong&lt;/b&gt; turn" in tearsheet(result)


def test_what_a_report_needs_is_asked_for_before_the_run(tmp_path):
    words = [
        "-c",
        "import sys; sys.modules['plotly'] = None; from mlthon.run.cli import main; main(sys.argv[1:])",
    ]
    command = [sys.executable, *words, "backtest", "--duration", "5", "--report", str(tmp_path / "r.html")]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == "error: a report needs plotly: install the extra 'report'\n"


def test_own_orders_do_not_move_the_mids():
    tape = Tape(
        book(0, [("100.0", "5")], [("101.0", "3"), ("110.0", "9")], whole=True),
        book(40_000, [("90.0", "1")], []),
    )
    acts = (
        (100, order("lift", Side.Buy, "101.0", "3", tif=TIF.IOC)),  # 110 is the best ask displayed now
        (200, order("bid", Side.Buy, "104.0", "1")),
    )
    result = Backtest([tape], Scripted(*acts)).run()
    mid = Price("100.5").mantissa
    assert [*result.trace.fills.mid, *(marks[0] for marks in result.trace.fills.marks)] == [mid] * 4
    assert set(result.instruments[0].books.curve["mid"]) == {mid}
    assert result.to_json()["pnl"]["unrealised"] == -1.5


def test_a_sample_that_would_show_nothing_new_is_left_out():
    tape = Tape(
        book(0, [("100.0", "5")], [("101.0", "3")], whole=True),
        book(9_500, [("100.5", "1")], []),
        book(86_400_000, [("100.5", "2")], []),
    )
    result = Backtest([tape], Scripted((3_200, order("buy", Side.Buy, "101.0", "1")))).run()
    [books] = result.trace.books
    assert [(ns - START_NS) // SECOND_NS for ns in books.curve.ns] == [
        0,
        4,
        10,
        6401,
        35201,
        64001,
        86400,
    ]  # fill, mid, three times funding, end
    assert result.to_json()["pnl"]["unrealised"] == -0.25
    assert result.trace.ended_ns - START_NS >= 86_400 * SECOND_NS
