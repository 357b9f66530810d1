"""What a result leaves on disk: Parquet, JSON, a report, and two of them compared."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from decimal import Decimal
from html.parser import HTMLParser

import pytest
from rich.console import Console
from trace_run import NS_PER_S, START_NS, Run, perpetual

from mlthon.backtest import extras, tearsheet_charts
from mlthon.backtest.compare import compare_results, load_result
from mlthon.backtest.result import Result, RunFacts
from mlthon.backtest.tearsheet import tearsheet
from mlthon.basics.mldecimal import MLDecimal
from mlthon.errors import ConfigError, DataError

HOSTILE = '</script><script>alert("x")</script><img src=x onerror=alert(1)>'


@pytest.fixture(scope="module")
def run():
    return Run(7, [perpetual(0), perpetual(1, symbol="ETH-USDT")]).play(200)


@pytest.fixture(scope="module")
def result(run):
    facts = RunFacts("Made up", params={"size": 3}, capital={"USDT": MLDecimal("1000")})
    return Result.of(run.trace, facts)


# -- Parquet ---------------------------------------------------------------------------------------------------


def rows_of(path):
    """The rows of a file, times as nanoseconds."""
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(path)
    assert str(table.schema.field("time").type) == "timestamp[ns, tz=UTC]"
    return table.set_column(0, "time", table["time"].cast("int64")).to_pylist()


def test_parquet_holds_every_fill_exactly(result, run, tmp_path):
    pytest.importorskip("pyarrow")
    result.save(tmp_path / "made" / "here")
    rows = rows_of(tmp_path / "made" / "here" / "fills.parquet")
    assert len(rows) == len(run.fills)
    for row, fill in zip(rows, run.fills, strict=True):
        assert row["time"] == fill.ns
        assert (row["price"], row["qty"], row["fee"]) == (fill.price, fill.qty, fill.fee)
        assert row["side"] == ("Buy" if fill.is_buy else "Sell")
        assert row["liquidity"] == ("maker" if fill.is_maker else "taker")
        assert row["client_id"] == fill.order
        assert row["mid"] == fill.mid
    last = [row["mid_after_30s"] for row in rows if row["time"] == rows[-1]["time"]]
    assert last == [None] * len(last)  # the run ended before


def test_parquet_holds_every_step_of_every_order_and_the_equity(result, run, tmp_path):
    pytest.importorskip("pyarrow")
    result.save(tmp_path)
    steps = [(row["event"], row["client_id"], row["code"]) for row in rows_of(tmp_path / "orders.parquet")]
    assert steps == [
        (event.name, client, None if code is None else code.name) for _, event, client, code in run.steps
    ]
    equity = rows_of(tmp_path / "equity.parquet")
    last = {row["instrument"]: row for row in equity}
    net = sum(row["realised"] + row["unrealised"] - row["fees"] + row["funding"] for row in last.values())
    assert net == Decimal(str(result.coins[0].pnl.net))


def test_without_pyarrow_the_extra_is_named(result, tmp_path, monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="install the extra 'data'"):
        result.save(tmp_path)


def test_a_place_that_cannot_be_written_is_named(result, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot make the folder"):
        result.save(tmp_path / "file" / "below")
    pytest.importorskip("plotly")
    with pytest.raises(ConfigError, match=r"cannot write .*nowhere"):
        result.write_report(tmp_path / "nowhere" / "report.html")


# -- the report ------------------------------------------------------------------------------------------------


class Elements(HTMLParser):
    """Which elements a page has, and its text outside of scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.open = tag

    def handle_data(self, data):
        if self.open not in ("script", "style"):
            self.text.append(data)


def page_of(result, monkeypatch):
    """The page without plotly's megabytes."""
    offline = pytest.importorskip("plotly.offline")
    monkeypatch.setattr(offline, "get_plotlyjs", lambda: "/* plotly */")
    return tearsheet(result)


def charts_of(page):
    return json.loads(re.search(r'id="charts">(.*?)</script>', page, re.DOTALL)[1])


def test_the_report_needs_no_network(result, tmp_path):
    pytest.importorskip("plotly")
    result.write_report(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    for tag, attributes in Elements(page.replace(page[page.index("<script>") :], "")).tags:
        assert tag not in ("link", "iframe", "object"), tag
        assert not {"src", "href"} & set(attributes), (tag, attributes)
    assert "Plotly" in page
    assert page.count("<section>") >= 9


def test_every_chart_has_its_place_and_its_numbers(result, run, monkeypatch):
    page = page_of(result, monkeypatch)
    charts = charts_of(page)
    places = {
        attributes["id"] for tag, attributes in Elements(page).tags if tag == "div" and "id" in attributes
    }
    assert places == set(charts)
    drawn = [trace for chart in charts.values() for trace in chart["data"]]
    assert all(len(trace["x"]) == len(trace["y"]) > 0 for trace in drawn)
    markers = [trace for trace in drawn if trace.get("mode") == "markers"]
    assert sum(len(trace["x"]) for trace in markers) == len(run.fills)
    colours = set(re.findall(r'"(--\w+)"', page))
    assert {"--line", "--up", "--ink"} <= colours
    dark = page.partition("prefers-color-scheme: dark) {")[2].partition("* {")[0]
    light = page.partition(":root {")[2].partition("@media")[0]
    for colour in colours:
        assert f"{colour}:" in light, colour
        assert f"{colour}:" in dark, colour


def test_what_comes_from_outside_cannot_become_part_of_the_page(monkeypatch):
    instrument = perpetual(0, symbol="<b>BTC</b>-<i>USDT</i>")
    run = Run(3, [instrument]).play(60)
    facts = RunFacts(
        HOSTILE, mode=HOSTILE, params={HOSTILE: HOSTILE}, capital={"<i>USDT</i>": MLDecimal("5")}
    )
    page = page_of(Result.of(run.trace, facts), monkeypatch)
    elements = Elements(page)
    tags = [tag for tag, _ in elements.tags]
    assert tags.count("script") == 3
    assert not {"img", "b", "i"} & set(tags)
    assert not any(name.startswith("on") for _, attributes in elements.tags for name in attributes)
    assert HOSTILE in "".join(elements.text)
    assert charts_of(page)


def test_long_runs_are_thinned_and_say_so(monkeypatch):
    monkeypatch.setattr(tearsheet_charts, "_MOST_POINTS", 50)
    monkeypatch.setattr(tearsheet_charts, "_MOST_FILLS", 10)
    run = Run(11, [perpetual(0)]).play(300)
    result = Result.of(run.trace, RunFacts("Long"))
    page = page_of(result, monkeypatch)
    charts = charts_of(page)
    shown = sum(
        len(trace["x"])
        for chart in charts.values()
        for trace in chart["data"]
        if trace.get("mode") == "markers"
    )
    assert 5 <= shown <= 10
    assert f"{shown:,} of {len(run.fills):,} fills are drawn" in page
    net = next(trace for trace in charts["chart0"]["data"] if trace["name"] == "net pnl")
    equity = result.coins[0].equity
    assert len(net["x"]) <= 52
    assert max(net["y"]) == max(equity) / 1e18  # no peak and no trough is lost
    assert min(net["y"]) == min(equity) / 1e18
    assert (net["y"][0], net["y"][-1]) == (equity[0] / 1e18, equity[-1] / 1e18)


NOT_A_FIGURE = re.compile(r"(?<![\w-])[-+]0(\.0*)?(?![\d.])|\bnan\b|\binf\b|\d[eE][-+]\d")


@pytest.mark.parametrize("seed", [None, *range(6)])
def test_no_figure_is_a_signed_nothing_or_no_number(seed, monkeypatch):
    instruments = [perpetual(0), perpetual(1, method="inverse", symbol="BTC-USD")]
    run = Run(seed or 0, instruments)
    run = run.play(0) if seed is None else run.play(90)
    capital = {"USDT": MLDecimal("1000000000"), "BTC": MLDecimal("1000000")}
    result = Result.of(run.trace, RunFacts("Plain", capital=capital))
    out = io.StringIO()
    result.print(Console(file=out, width=140))
    page = " ".join(Elements(page_of(result, monkeypatch).partition("<script")[0]).text)
    for text in (out.getvalue(), page):
        assert "%" in text
        assert NOT_A_FIGURE.findall(text) == [], seed
    assert ("There were no fills." in page) is (seed is None)
    assert "volume, USD " in out.getvalue()


def test_without_plotly_the_extra_is_named(result, tmp_path, monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="install the extra 'report'"):
        result.write_report(tmp_path / "report.html")


# -- two results -----------------------------------------------------------------------------------------------


def compare_command(*words):
    command = [sys.executable, "-m", "mlthon.run", "compare", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def saved(result, tmp_path_factory):
    pytest.importorskip("pyarrow")
    folder = tmp_path_factory.mktemp("results")
    result.save(folder / "a")
    other = Run(8, [perpetual(0), perpetual(1, symbol="ETH-USDT")]).play(150)
    Result.of(other.trace, RunFacts("Made up", params={"size": 4})).save(folder / "b")
    return folder


def test_compare_shows_the_exact_difference_of_every_figure(saved):
    first, second = load_result(saved / "a"), load_result(saved / "b" / "result.json")
    pairs = {pair.key: pair for pair in compare_results(first, second)}
    net = pairs["coins.USDT.pnl.net"]
    assert net.difference == Decimal(second["coins"]["USDT"]["pnl"]["net"]) - Decimal(
        first["coins"]["USDT"]["pnl"]["net"]
    )
    assert pairs["params.size"].difference == 1
    assert (pairs["strategy"].differs, pairs["strategy"].difference) == (False, None)
    assert pairs["coins.USDT.capital"].second is None
    assert pairs["coins.USDT.capital"].differs


def test_compare_on_the_command_line(saved):
    shown = compare_command(saved / "a", saved / "b")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "params.size" in shown.stdout
    told = compare_command(saved / "a", saved / "b", "--json", "--differences")
    figures = json.loads(told.stdout)
    assert figures["params.size"] == {"a": 3, "b": 4, "difference": "1"}
    assert "strategy" not in figures


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "expected a result as JSON"),
        ("[1]", "expected the JSON of a run"),
        ('{"fills": 3}', "expected the JSON of a run"),
        ('{"pnl": ' + '{"a":' * 40 + "1" + "}" * 40 + ', "orders": {}}', "at most 16 levels"),
    ],
)
def test_compare_refuses_what_is_no_result(saved, tmp_path, text, complaint):
    bad = tmp_path / "bad.json"
    bad.write_text(text)
    with pytest.raises(DataError, match=complaint):
        compare_results(load_result(saved / "a"), load_result(bad))


def test_a_refusal_is_one_line_and_an_exit_code(tmp_path):
    refused = compare_command(tmp_path, tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert (
        refused.stderr == f"error: compare: cannot read {tmp_path}/result.json: No such file or directory\n"
    )


def test_compare_names_what_is_not_there(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*nothing"):
        load_result(tmp_path / "nothing.json")


def test_the_times_of_a_saved_run_are_its_own(saved):
    told = load_result(saved / "a")
    assert told["started_ns"] == START_NS
    assert told["elapsed_s"] * NS_PER_S > 60 * NS_PER_S
