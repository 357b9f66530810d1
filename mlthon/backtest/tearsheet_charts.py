"""The charts of a tearsheet, as plotly figures in plain dicts. Colours are names of the page's style sheet.

Here, and only here, numbers become floats: a screen has no more digits. Long runs are thinned: of a curve the highest
and the lowest point of each stretch stay, of fills every n-th.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import accumulate
from typing import Any

from mlthon._core.fixed_column import FixedColumn
from mlthon.backtest.mark_outs import MarkOut
from mlthon.backtest.result import CoinResult, InstrumentResult, Result
from mlthon.backtest.trace import LIQUIDATION, MAKER, TAKER

__all__ = ["equity_chart", "mark_out_chart", "pnl_chart", "position_chart", "price_chart", "thinned_fills"]

_MOST_POINTS = 4_000
_MOST_FILLS = 4_000
_DENSE = 400  # fills, from which on their marks are small
_NS_PER_MS = 1_000_000
_UNIT = 1e18

_FILL_KINDS = (
    ("bought as maker", MAKER, True, "triangle-up", "--up"),
    ("sold as maker", MAKER, False, "triangle-down", "--down"),
    ("bought as taker", TAKER, True, "triangle-up-open", "--up"),
    ("sold as taker", TAKER, False, "triangle-down-open", "--down"),
    ("liquidated", LIQUIDATION, None, "x", "--taker"),
)

Chart = dict[str, Any]


def equity_chart(coin: CoinResult) -> Chart:
    """Net profit, and below it how far it stands under its highest point."""
    falls = [
        value - highest for value, highest in zip(coin.equity, accumulate(coin.equity, max), strict=True)
    ]
    rows = sorted({*_thinned(coin.equity), *_deepest_fall(coin)})
    times = _dates(coin.times, rows)
    return {
        "data": [
            _line(times, _floats(coin.equity, rows), "net pnl", "--line", fill="tozeroy", fillcolor="--fill"),
            _line(
                times,
                _floats(falls, rows),
                "below the highest",
                "--down",
                fill="tozeroy",
                fillcolor="--fall",
                yaxis="y2",
            ),
        ],
        "layout": {
            "xaxis": {"type": "date", "anchor": "y2"},
            "yaxis": {"domain": [0.36, 1], "title": _unit(coin.coin)},
            "yaxis2": {"domain": [0, 0.28], "title": _unit(coin.coin), "anchor": "x"},
        },
    }


def pnl_chart(coin: CoinResult) -> Chart:
    """What the profit is made of, over time, summed over the coin's instruments."""
    parts = (
        ("realised", "--up", 1, "realised"),
        ("unrealised", "--price", 1, "unrealised"),
        ("fees", "--fees", -1, "fees"),
        ("funding", "--funding", 1, "funding"),
    )
    curve = coin.curve
    rows = _thinned(list(curve.mantissas("net")))
    times = _dates(curve.ns, rows)
    data = [
        _line(times, [sign * value for value in _column(curve[column], rows)], name, colour)
        for name, colour, sign, column in parts
    ]
    data.append(_line(times, _column(curve["net"], rows), "net", "--total", width=2))
    return {
        "data": data,
        "layout": {"xaxis": {"type": "date"}, "yaxis": {"title": _unit(coin.coin)}},
    }


def position_chart(result: Result, entry: InstrumentResult) -> Chart:
    """The position, from change to change."""
    changes = entry.books.positions
    times = [result.trace.started_ns, *changes.ns, result.trace.ended_ns]
    sizes = [0, *changes.mantissas("position"), entry.books.position.size.mantissa]
    rows = _thinned(sizes)
    line = _line(
        _dates(times, rows), _floats(sizes, rows), "position", "--line", fill="tozeroy", fillcolor="--fill"
    )
    layout = {
        "xaxis": {"type": "date"},
        "yaxis": {"title": _unit(entry.qty_unit)},
        "showlegend": False,
    }
    return {"data": [line], "layout": layout}


def price_chart(result: Result, number: int, entry: InstrumentResult) -> Chart:
    """The mid, and the fills on it."""
    curve, rows = entry.books.curve, result.trace.fills
    mids = list(curve.mantissas("mid"))
    kept = _thinned(mids)
    data = [_line(_dates(curve.ns, kept), _floats(mids, kept), "mid", "--price")]
    fills, _ = thinned_fills(result, number)
    size = 8 if len(fills) < _DENSE else 5
    for name, liquidity, is_buy, symbol, colour in _FILL_KINDS:
        own = [
            row
            for row in fills
            if rows.liquidity[row] == liquidity and (is_buy is None or bool(rows.is_buy[row]) is is_buy)
        ]
        if own:
            data.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": name,
                    "x": [rows.ns[row] / _NS_PER_MS for row in own],
                    "y": _column(rows.price, own),
                    "customdata": _column(rows.qty, own),
                    "hovertemplate": "%{customdata:.6~g} at %{y:,.8~f}",
                    "marker": {
                        "symbol": symbol,
                        "color": colour,
                        "size": size,
                        "line": {"width": 1, "color": colour},
                    },
                }
            )
    run = [result.trace.started_ns / _NS_PER_MS, result.trace.ended_ns / _NS_PER_MS]
    layout = {
        "xaxis": {"type": "date", "range": run},
        "yaxis": {"title": _unit(entry.quote)},
        "hovermode": "closest",
    }
    return {"data": data, "layout": layout}


def thinned_fills(result: Result, number: int) -> tuple[list[int], int]:
    """The rows of an instrument's fills that are drawn, and how many there are of it."""
    own = [row for row, which in enumerate(result.trace.fills.instrument) if which == number]
    step = -(-len(own) // _MOST_FILLS) or 1
    return own[::step], len(own)


def mark_out_chart(entry: InstrumentResult) -> Chart:
    """Bars of basis points, for fills as maker and as taker."""

    def bars(name: str, marks: Iterable[MarkOut], colour: str) -> Chart:
        known = [mark for mark in marks if mark.bps is not None]
        return {
            "type": "bar",
            "name": name,
            "x": ["at the fill" if mark.after_s == 0 else f"{mark.after_s} s" for mark in known],
            "y": [mark.bps for mark in known],
            "customdata": [mark.fills for mark in known],
            "hovertemplate": "%{y:+.2f} bps, %{customdata:,} fills",
            "marker": {"color": colour},
        }

    data = [bars("maker", entry.maker, "--maker"), bars("taker", entry.taker, "--taker")]
    return {
        "data": [trace for trace in data if trace["x"]],
        "layout": {"xaxis": {"type": "category"}, "yaxis": {"title": _unit("bps")}, "showlegend": True},
    }


# -- details ---------------------------------------------------------------------------------------------------


def _unit(name: str) -> Chart:
    """An axis's title that keeps clear of the numbers."""
    return {"text": escape(name), "standoff": 10}


def _line(x: Sequence[float], y: Sequence[float], name: str, colour: str, **more: Any) -> Chart:
    width = more.pop("width", 1.5)
    line = {"color": colour, "width": width, "shape": "hv"}  # what was told last holds until the next
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": x,
        "y": y,
        "line": line,
        "hovertemplate": "%{y:,.8~f}",
        **more,
    }


def _thinned(values: Sequence[int]) -> list[int]:
    """Rows of a curve to draw: the first, the last, and of each stretch the highest and the lowest."""
    if len(values) <= _MOST_POINTS:
        return list(range(len(values)))
    kept = {0, len(values) - 1}
    stretch = -(-2 * len(values) // _MOST_POINTS)
    for start in range(0, len(values), stretch):
        rows = range(start, min(start + stretch, len(values)))
        kept.add(min(rows, key=values.__getitem__))
        kept.add(max(rows, key=values.__getitem__))
    return sorted(kept)


def _deepest_fall(coin: CoinResult) -> Iterator[int]:
    """The rows of a coin's equity between which it fell deepest."""
    if coin.drawdown is not None:
        yield bisect_left(coin.times, coin.drawdown.from_ns)
        yield bisect_left(coin.times, coin.drawdown.to_ns)


def _dates(times: Sequence[int], rows: Iterable[int]) -> list[float]:
    return [times[row] / _NS_PER_MS for row in rows]


def _floats(mantissas: Sequence[int], rows: Iterable[int]) -> list[float]:
    return [mantissas[row] / _UNIT for row in rows]


def _column(column: FixedColumn, rows: Iterable[int]) -> list[float]:
    return [(column[row] or 0) / _UNIT for row in rows]
