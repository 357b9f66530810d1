"""The tearsheet: a run on one HTML page that carries all it needs, the charts' program included.

Everything that comes from outside (names, parameters, coins) is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from typing import Any

import orjson

from mlthon.backtest.extras import require_extras
from mlthon.backtest.mark_outs import MarkOut
from mlthon.backtest.result import CoinResult, InstrumentResult, Result
from mlthon.backtest.summary_tables import bps, exact_size, money, percent, sharpe_text, spread_ms
from mlthon.backtest.tearsheet_charts import (
    equity_chart,
    mark_out_chart,
    pnl_chart,
    position_chart,
    price_chart,
    thinned_fills,
)
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.qty import Qty

__all__ = ["tearsheet"]

_UNKNOWN = "-"


def tearsheet(result: Result) -> str:
    """The page. Needs plotly, for its JavaScript; raises ConfigError where that is missing."""
    require_extras(report=True)
    from plotly.offline import get_plotlyjs  # noqa: PLC0415  (an extra, and heavy)

    page = _Page(result)
    body = "\n".join(page.parts())
    own = files("mlthon.backtest")
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(result.facts.strategy)}: {escape(result.facts.mode)}</title>
<style>
{own.joinpath("tearsheet.css").read_text()}</style>
</head>
<body>
<main>
{body}
</main>
<script type="application/json" id="charts">{_json_in_html(page.charts)}</script>
<script>{get_plotlyjs()}</script>
<script>
{own.joinpath("tearsheet.js").read_text()}</script>
</body>
</html>
"""


class _Page:
    """The parts of a page, and the charts that they have room for."""

    def __init__(self, result: Result) -> None:
        self._result = result
        self.charts: dict[str, Any] = {}

    def parts(self) -> Iterator[str]:
        result = self._result
        yield self._header()
        for coin in result.coins:
            yield self._figures(coin)
            yield self._equity(coin)
        for number, entry in enumerate(result.instruments):
            yield self._instrument(number, entry)
        yield self._requests()
        yield (
            "<footer>Made by MLThon. Times are UTC. The mid is the middle of best bid and best ask."
            " Drag across a chart to look closer; double-click to return.</footer>"
        )

    # -- the run as a whole ------------------------------------------------------------------------------------

    def _header(self) -> str:
        result = self._result
        names = ", ".join(entry.name for entry in result.instruments)
        started, ended = _utc(result.trace.started_ns), _utc(result.trace.ended_ns)
        failure = result.facts.failure
        warning = f'<p class="failure">Ended early: {escape(failure)}</p>' if failure else ""
        return (
            f"<header><h1>{escape(result.facts.strategy)}</h1>"
            f'<p class="of">{escape(result.facts.mode)} on {escape(names)}</p>'
            f'<p class="of">{started} to {ended} UTC, {_span(result.elapsed_s)}</p>{warning}</header>'
        )

    def _figures(self, coin: CoinResult) -> str:
        result, net = self._result, coin.pnl.net
        fall = coin.drawdown
        entries = [entry for entry in result.instruments if entry.books.coin == coin.coin]
        fills = sum(entry.flow.fills for entry in entries)
        made = sum(entry.flow.maker_fills for entry in entries)
        own = made + sum(entry.flow.taker_fills for entry in entries)
        capital = "capital not given" if coin.capital is None else f"of {coin.capital:,.2f}"
        figures = [
            (f"Net pnl, {coin.coin}", _signed(net), "after fees and funding"),
            ("Return", percent(coin.total_return), capital),
            (
                "Max drawdown",
                _UNKNOWN if fall is None else money(MLDecimal.from_mantissa(-fall.money)),
                f"{percent(coin.drawdown_share)} of equity" if coin.drawdown_share is not None else "",
            ),
            ("Sharpe", *_sharpe(coin)),
            ("Fills", f"{fills:,}", f"{percent(made / own)} as maker" if own else ""),
            (
                "Volume",
                f"{sum((entry.books.volume for entry in entries), MLDecimal('0')):,.0f}",
                "in quote currency",
            ),
        ]
        cells = (
            f'<dl class="figure"><dt>{escape(name)}</dt><dd>{value}<small>{escape(note)}</small></dd></dl>'
            for name, value, note in figures
        )
        return f'<div class="figures">{"".join(cells)}</div>'

    def _equity(self, coin: CoinResult) -> str:
        equity = self._chart("equity and drawdown", equity_chart(coin), tall=True)
        split = self._chart("pnl", pnl_chart(coin))
        pnl, fall = coin.pnl, coin.drawdown
        rows = [
            ("Realised, before fees", _signed(pnl.realised)),
            ("Unrealised, at the mid", _signed(pnl.unrealised)),
            ("Fees", _signed(-pnl.fees)),
            ("Funding", _signed(pnl.funding)),
            ("<strong>Net</strong>", f"<strong>{_signed(pnl.net)}</strong>"),
            ("Capital at the start", _UNKNOWN if coin.capital is None else f"{coin.capital:,.2f}"),
            ("Return on it", percent(coin.total_return)),
            ("Sharpe ratio, annualised", sharpe_text(coin)),
        ]
        if fall is not None and fall.money:
            rows.append(("Deepest fall", money(MLDecimal.from_mantissa(-fall.money))))
            rows.append(("Fell from, to", f"{_utc(fall.from_ns)[11:]}, {_utc(fall.to_ns)[11:]}"))
        title = f"Equity and drawdown, {escape(coin.coin)}"
        return (
            f"{_section(title, _every(self._result), equity)}"
            f'<div class="pair">{_section("Where the pnl comes from", "", split)}'
            f"{_section(f'Pnl, {escape(coin.coin)}', '', _table((), rows))}</div>"
        )

    # -- one instrument ----------------------------------------------------------------------------------------

    def _instrument(self, number: int, entry: InstrumentResult) -> str:
        name = escape(entry.name)
        drawn, total = thinned_fills(self._result, number)
        note = "Filled marks are fills as maker, open ones as taker."
        if len(drawn) < total:
            note += f" {len(drawn):,} of {total:,} fills are drawn, evenly chosen."
        price = self._chart("price and fills", price_chart(self._result, number, entry), tall=True)
        position = self._chart("position", position_chart(self._result, entry))
        marks = self._chart("mark-outs", mark_out_chart(entry)) if total else "<p>No fills.</p>"
        held = "After each fill, in the instrument's quantity unit."
        about = "What fills had earned at the mid of some time later, before fees. Above 0 the market went our way."
        return (
            f"{_section(f'Fills on the price, {name}', note, price)}"
            f'<div class="pair">{_section("Position", held, position)}{_section("Mark-outs", about, marks)}</div>'
            f"{_section(f'Trading, {name}', '', self._trading(entry))}"
        )

    def _trading(self, entry: InstrumentResult) -> str:
        flow, held = entry.flow, entry.inventory
        rows = [
            ("Fills", f"{flow.fills:,}"),
            ("Volume, quote currency", f"{entry.books.volume:,.2f}"),
            ("Position at the end", exact_size(entry.books.position.size)),
            ("Liquidations", f"{entry.liquidations:,}"),
            ("Maker share of fills", percent(flow.maker_share)),
            ("Fill ratio, of accepted orders", percent(flow.fill_ratio)),
            (
                "Requests for each fill",
                _UNKNOWN if flow.order_to_trade is None else f"{flow.order_to_trade:,.2f}",
            ),
            ("Time to fill, median / p95", spread_ms(flow.time_to_fill())),
        ]
        if held is not None:
            rows += [
                ("Inventory, mean", f"{held.mean:+,.6g}"),
                ("Inventory, mean size", f"{held.mean_abs:,.6g}"),
                ("Inventory, largest size", exact_size(Qty.from_mantissa(held.max_abs))),
                ("Time flat", percent(held.flat_share)),
            ]
        heads = (
            "Mark-outs",
            "maker, bps",
            f"maker, {entry.books.coin}",
            "taker, bps",
            f"taker, {entry.books.coin}",
        )
        marks = [
            (
                "At the fill" if maker.after_s == 0 else f"After {maker.after_s} s",
                bps(maker),
                _mark_money(maker),
                bps(taker),
                _mark_money(taker),
            )
            for maker, taker in zip(entry.maker, entry.taker, strict=True)
        ]
        return f'<div class="tables">{_table((), rows)}{_table(heads, marks)}</div>'

    # -- requests and the run's own figures --------------------------------------------------------------------

    def _requests(self) -> str:
        result, facts = self._result, self._result.facts
        orders = [(what.capitalize(), f"{count:,}") for what, count in result.orders.items()]
        latency = [
            (kind.value, f"{times.count:,}", spread_ms(times))
            for kind, times in result.flow.latency().items()
        ]
        rejects = [
            (escape(f"{kind.value}: {code.name}"), f"{count:,}")
            for (kind, code), count in result.rejects.most_common()
        ]
        read = [
            ("Events to the strategy's side", f"{facts.events:,}"),
            ("Callbacks", f"{facts.callbacks:,}"),
            ("Messages on the tape", f"{facts.messages:,}"),
            ("Levels", f"{facts.levels:,}"),
            ("Trades", f"{facts.trades:,}"),
        ]
        params = [(escape(str(key)), escape(str(value))) for key, value in facts.params.items()]
        tables = [
            _table(("Orders", ""), orders),
            _table(("Request to news", "count", "median / p95"), latency),
            _table(("Refused", "count"), rejects or [("None", "")]),
            _table(("Market", ""), read),
            _table(("Parameters", ""), params or [("None given", "")], "words"),
        ]
        return _section("Requests and run", "", f'<div class="tables">{"".join(tables)}</div>')

    def _chart(self, label: str, chart: dict[str, Any], *, tall: bool = False) -> str:
        name = f"chart{len(self.charts)}"
        self.charts[name] = chart
        size = "chart tall" if tall else "chart"
        return f'<div class="{size}" id="{name}" role="img" aria-label="{label}"></div>'


# -- pieces of HTML: arguments are HTML already ----------------------------------------------------------------


def _section(title: str, note: str, content: str) -> str:
    about = f'<p class="note">{note}</p>' if note else ""
    return f"<section><h2>{title}</h2>{about}{content}</section>"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "numbers") -> str:
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return (
        f'<div class="scroll"><table class="{kind}">{f"<tr>{head}</tr>" if heads else ""}{body}</table></div>'
    )


def _signed(value: MLDecimal) -> str:
    kind = {1: "up", 0: "", -1: "down"}[value.sign()]
    return f'<span class="{kind}">{money(value)}</span>'


def _mark_money(mark: MarkOut) -> str:
    return _signed(mark.money) if mark.fills else _UNKNOWN


def _sharpe(coin: CoinResult) -> tuple[str, str]:
    if coin.sharpe is None:
        return _UNKNOWN, "needs 20 hours or more"
    return f"{coin.sharpe.ratio:,.2f}", "annualised, " + sharpe_text(coin).partition("(")[2].rstrip(")")


def _every(result: Result) -> str:
    every_s = result.trace.every_ns / 1e9
    note = f"Net pnl, sampled every {every_s:g} s; below, how far it stands under its highest point so far."
    if any(len(coin.times) > 4_000 for coin in result.coins):
        note += " Drawn thinned: the highest and the lowest point of each stretch."
    return note


def _utc(ns: int) -> str:
    return f"{datetime.fromtimestamp(ns // 10**9, UTC):%Y-%m-%d %H:%M:%S}"


def _span(seconds: float) -> str:
    """A duration as people say it.

    >>> _span(90061), _span(95.5)
    ('1 d 1 h 1 min', '1 min 36 s')
    """
    whole = round(seconds)
    parts = [(whole // 86_400, "d"), (whole // 3_600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    told = [f"{count} {unit}" for count, unit in parts if count]
    return " ".join(told[:3]) or "0 s"


def _json_in_html(value: Any) -> str:
    """JSON that cannot end the element it stands in."""
    text = orjson.dumps(value).decode()
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
