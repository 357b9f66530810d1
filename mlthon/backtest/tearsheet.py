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
from mlthon.backtest.figure_text import (
    UNKNOWN,
    bps,
    coin_places,
    exact_size,
    mark_out_places,
    money,
    percent,
    places_for,
    sharpe_text,
    size,
    span,
    spread,
)
from mlthon.backtest.mark_outs import MarkOut
from mlthon.backtest.result import CoinResult, InstrumentResult, Result
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
            f'<p class="of">{started} to {ended} UTC, {span(result.elapsed_s)}</p>{warning}</header>'
        )

    def _figures(self, coin: CoinResult) -> str:
        result, net, places = self._result, coin.pnl.net, coin_places(coin)
        fall, share = coin.drawdown, coin.drawdown_share
        entries = [entry for entry in result.instruments if entry.books.coin == coin.coin]
        fills = sum(entry.flow.fills for entry in entries)
        made = sum(entry.flow.maker_fills for entry in entries)
        own = made + sum(entry.flow.taker_fills for entry in entries)
        capital = "capital not given" if coin.capital is None else f"of {exact_size(coin.capital)}"
        figures = [
            (f"Net pnl, {coin.coin}", _signed(net, places), "after fees and funding"),
            ("Return", percent(coin.total_return), capital),
            (
                "Max drawdown",
                UNKNOWN if fall is None else money(MLDecimal.from_mantissa(-fall.money), places),
                f"{percent(-share)} of equity" if share is not None else "",
            ),
            ("Sharpe", *_sharpe(coin)),
            ("Fills", f"{fills:,}", f"{percent(made / own)} as maker" if own else ""),
            ("Volume", *_volume(entries)),
        ]
        cells = (
            f'<dl class="figure"><dt>{escape(name)}</dt><dd>{value}<small>{escape(note)}</small></dd></dl>'
            for name, value, note in figures
        )
        return f'<div class="figures">{"".join(cells)}</div>'

    def _equity(self, coin: CoinResult) -> str:
        equity = self._chart("equity and drawdown", equity_chart(coin), tall=True)
        split = self._chart("pnl", pnl_chart(coin))
        pnl, fall, places = coin.pnl, coin.drawdown, coin_places(coin)
        rows = [
            ("Realised, before fees", _signed(pnl.realised, places)),
            (f"Unrealised, at the {_valued_at(self._result, coin)}", _signed(pnl.unrealised, places)),
            ("Fees", _signed(-pnl.fees, places)),
            ("Funding", _signed(pnl.funding, places)),
            ("<strong>Net</strong>", f"<strong>{_signed(pnl.net, places)}</strong>"),
            ("Capital at the start", UNKNOWN if coin.capital is None else exact_size(coin.capital)),
            ("Return on it", percent(coin.total_return)),
            ("Sharpe ratio, annualised", sharpe_text(coin)),
        ]
        if fall is not None and fall.money:
            rows.append(("Deepest fall", money(MLDecimal.from_mantissa(-fall.money), places)))
            rows.append(("Fell from", _utc(fall.from_ns)))
            rows.append(("to", _utc(fall.to_ns)))
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
        note = f"In {escape(entry.quote)}. "
        note += "Filled marks are fills as maker, open ones as taker." if total else "There were no fills."
        if len(drawn) < total:
            note += f" {len(drawn):,} of {total:,} fills are drawn, evenly chosen."
        price = self._chart("price and fills", price_chart(self._result, number, entry), tall=True)
        position = self._chart("position", position_chart(self._result, entry))
        marks = (
            self._chart("mark-outs", mark_out_chart(entry))
            if total
            else '<p class="note">There were no fills.</p>'
        )
        held = f"After each fill, in {escape(entry.qty_unit)}."
        about = "What fills had earned at the mid of some time later, before fees. Above 0 the market went our way."
        return (
            f"{_section(f'Fills on the price, {name}', note, price)}"
            f'<div class="pair">{_section("Position", held, position)}{_section("Mark-outs", about, marks)}</div>'
            f"{_section(f'Trading, {name}', '', self._trading(entry))}"
        )

    def _trading(self, entry: InstrumentResult) -> str:
        flow, held, unit = entry.flow, entry.inventory, escape(entry.qty_unit)
        rows = [
            ("Fills", f"{flow.fills:,}"),
            (f"Volume, {escape(entry.quote)}", f"{entry.books.volume:,.2f}"),
            (f"Position at the end, {unit}", exact_size(entry.books.position.size)),
            ("Liquidations", f"{entry.liquidations:,}"),
            ("Maker share of fills", percent(flow.maker_share)),
            ("Fill ratio, of accepted orders", percent(flow.fill_ratio)),
            (
                "Requests for each fill",
                UNKNOWN if flow.order_to_trade is None else f"{flow.order_to_trade:,.2f}",
            ),
            ("Time to fill, median / p95", spread(flow.time_to_fill())),
        ]
        if held is not None:
            rows += [
                (f"Inventory, mean, {unit}", size(held.mean, signed=True)),
                (f"Inventory, mean size, {unit}", size(held.mean_abs)),
                (f"Inventory, largest size, {unit}", exact_size(Qty.from_mantissa(held.max_abs))),
                ("Time flat", percent(held.flat_share)),
            ]
        marks = _mark_outs(entry) if flow.fills else ""
        return f'<div class="tables">{_table((), rows)}{marks}</div>'

    # -- requests and the run's own figures --------------------------------------------------------------------

    def _requests(self) -> str:
        result, facts = self._result, self._result.facts
        orders = [(what.capitalize(), f"{count:,}") for what, count in result.orders.items()]
        latency = [
            (kind.value, f"{times.count:,}", spread(times)) for kind, times in result.flow.latency().items()
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
            _table(("Request to news", "count", "median / p95"), latency or [("No requests", "", "")]),
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


def _mark_outs(entry: InstrumentResult) -> str:
    coin, places = entry.books.coin, mark_out_places(entry)
    rows = [
        (
            "At the fill" if maker.after_s == 0 else f"After {maker.after_s} s",
            bps(maker),
            _mark_money(maker, places),
            bps(taker),
            _mark_money(taker, places),
        )
        for maker, taker in zip(entry.maker, entry.taker, strict=True)
    ]
    return _table(("Mark-outs", "maker, bps", f"maker, {coin}", "taker, bps", f"taker, {coin}"), rows)


def _volume(entries: Sequence[InstrumentResult]) -> tuple[str, str]:
    """What was traded, and in what; of instruments with several quote currencies there is no sum."""
    quotes = {entry.quote for entry in entries}
    if len(quotes) != 1:
        return UNKNOWN, "in several currencies"
    volume = sum((entry.books.volume for entry in entries), MLDecimal("0"))
    return f"{volume:,.{0 if places_for([volume]) == 2 else 2}f}", f"in {quotes.pop()}"


def _signed(value: MLDecimal, places: int) -> str:
    text = money(value, places)
    kind = {"+": "up", "-": "down"}.get(text[0], "")
    return f'<span class="{kind}">{text}</span>'


def _mark_money(mark: MarkOut, places: int) -> str:
    return _signed(mark.money, places) if mark.fills else UNKNOWN


def _sharpe(coin: CoinResult) -> tuple[str, str]:
    ratio, _, about = sharpe_text(coin).partition(" (")
    return ratio, ("" if coin.sharpe is None else "annualised, ") + about.rstrip(")")


def _valued_at(result: Result, coin: CoinResult) -> str:
    """What positions were valued at last: the venue's mark, or the mid where it told none."""
    books = [entry.books for entry in result.instruments if entry.books.coin == coin.coin]
    return "mark" if any(own.mark != own.mid for own in books) else "mid"


def _every(result: Result) -> str:
    every_s = result.trace.every_ns / 1e9
    note = f"Net pnl, sampled every {every_s:g} s; below, how far it stands under its highest point so far."
    if any(len(coin.times) > 4_000 for coin in result.coins):
        note += " Drawn thinned: the highest and the lowest point of each stretch."
    return note


def _utc(ns: int) -> str:
    return f"{datetime.fromtimestamp(ns // 10**9, UTC):%Y-%m-%d %H:%M:%S}"


def _json_in_html(value: Any) -> str:
    """JSON that cannot end the element it stands in."""
    text = orjson.dumps(value).decode()
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
