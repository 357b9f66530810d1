"""The result of a run as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from mlthon.backtest.mark_outs import MarkOut
from mlthon.backtest.result import CoinResult, InstrumentResult, Result
from mlthon.backtest.statistics import Distribution
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.qty import Qty

__all__ = ["summary_tables"]

_UNKNOWN = "-"
_ONE = MLDecimal("1")
_CENT = MLDecimal("0.01")


def summary_tables(result: Result) -> Iterator[Table]:
    """One table of money a coin, one of trading an instrument, and one of requests."""
    for coin in result.coins:
        yield _money(result, coin)
    for entry in result.instruments:
        yield _trading(entry)
        if entry.flow.fills:
            yield _mark_outs(entry)
    yield _requests(result)


def _money(result: Result, coin: CoinResult) -> Table:
    table = _table(f"{result.facts.strategy}, {result.elapsed_s:,.1f} s, in {coin.coin}")
    pnl = coin.pnl
    if result.facts.failure:
        table.add_row("ended early", Text(result.facts.failure))
    table.add_row("realised pnl", money(pnl.realised))
    table.add_row("unrealised pnl", money(pnl.unrealised))
    table.add_row("fees", money(-pnl.fees))
    table.add_row("funding", money(pnl.funding))
    table.add_row("net pnl", money(pnl.net), end_section=True)
    table.add_row("return", percent(coin.total_return))
    fall = coin.drawdown
    table.add_row("max drawdown", _UNKNOWN if fall is None else money(MLDecimal.from_mantissa(-fall.money)))
    table.add_row("max drawdown, of equity", percent(coin.drawdown_share))
    table.add_row("Sharpe, annualised", sharpe_text(coin))
    return table


def _trading(entry: InstrumentResult) -> Table:
    table = _table(entry.name)
    flow, held = entry.flow, entry.inventory
    table.add_row("fills", f"{flow.fills:,}")
    table.add_row("volume", f"{entry.books.volume:,.2f}")
    table.add_row("position at the end", exact_size(entry.books.position.size))
    if entry.liquidations:
        table.add_row("liquidations", f"{entry.liquidations:,}")
    table.add_row("maker share", percent(flow.maker_share))
    table.add_row("fill ratio", percent(flow.fill_ratio))
    table.add_row(
        "order-to-trade", _UNKNOWN if flow.order_to_trade is None else f"{flow.order_to_trade:,.2f}"
    )
    table.add_row("time to fill, median / p95", spread_ms(flow.time_to_fill()))
    if held is not None:
        table.add_row("inventory, mean", f"{held.mean:+,.6g}")
        table.add_row("inventory, mean size", f"{held.mean_abs:,.6g}")
        table.add_row("inventory, max size", exact_size(Qty.from_mantissa(held.max_abs)))
        table.add_row("time flat", percent(held.flat_share))
    return table


def _mark_outs(entry: InstrumentResult) -> Table:
    table = Table(title=f"mark-outs, {entry.books.coin}", title_justify="left")
    for heading in ("", "maker, bps", "maker, money", "taker, bps", "taker, money"):
        table.add_column(heading, justify="right" if heading else "left")
    for maker, taker in zip(entry.maker, entry.taker, strict=True):
        when = "at the fill" if maker.after_s == 0 else f"{maker.after_s} s later"
        table.add_row(when, bps(maker), _mark_money(maker), bps(taker), _mark_money(taker))
    return table


def _requests(result: Result) -> Table:
    table = _table("requests")
    table.add_row("orders", ", ".join(f"{count:,} {what}" for what, count in result.orders.items()))
    for kind, times in result.flow.latency().items():
        table.add_row(f"{kind.value}, median / p95", spread_ms(times))
    for (kind, code), count in result.rejects.most_common():
        table.add_row(f"{kind.value} refused: {code.name}", f"{count:,}")
    return table


def _table(title: str) -> Table:
    table = Table(title=Text(title), title_justify="left", show_header=False)
    table.add_column("")
    table.add_column("", justify="right")
    return table


# -- figures as text, here and in the tearsheet ----------------------------------------------------------------


def money(value: MLDecimal) -> str:
    """With cents; of what is less than one, and of coins that is much, with more decimals."""
    size = abs(value)
    if value.is_zero():
        return "0.00"
    if size >= _ONE:
        return f"{value:+,.2f}"
    return f"{value:+,.4f}" if size >= _CENT else f"{value:+,.8f}"


def exact_size(qty: Qty) -> str:
    """All decimals that a quantity has, and no zeros behind them.

    >>> exact_size(Qty("-1200.0500"))
    '-1,200.05'
    """
    return f"{qty:,.18f}".rstrip("0").removesuffix(".")


def percent(share: float | None) -> str:
    return _UNKNOWN if share is None else f"{100 * share:,.2f} %"


def bps(mark: MarkOut) -> str:
    return _UNKNOWN if mark.bps is None else f"{mark.bps:+,.2f}"


def spread_ms(times: Distribution | None) -> str:
    return _UNKNOWN if times is None else f"{times.median_ns / 1e6:,.1f} / {times.p95_ns / 1e6:,.1f} ms"


def sharpe_text(coin: CoinResult) -> str:
    """The ratio and the returns behind it, or why there is none."""
    if coin.sharpe is None:
        return "- (needs 20 hours)"
    period = "days" if coin.sharpe.period_s == 86_400 else "hours"
    return f"{coin.sharpe.ratio:,.2f} ({coin.sharpe.returns:,} {period})"


def _mark_money(mark: MarkOut) -> str:
    return money(mark.money) if mark.fills else _UNKNOWN
