"""The result of a run as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from mlthon.backtest.figure_text import (
    UNKNOWN,
    bps,
    coin_places,
    exact_size,
    mark_out_places,
    money,
    percent,
    sharpe_text,
    size,
    span,
    spread,
)
from mlthon.backtest.mark_outs import MarkOut
from mlthon.backtest.result import CoinResult, InstrumentResult, Result
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.qty import Qty

__all__ = ["summary_tables"]


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
    table = _table(f"{result.facts.strategy}, {span(result.elapsed_s)}, in {coin.coin}")
    pnl, places = coin.pnl, coin_places(coin)
    if result.facts.failure:
        table.add_row("ended early", Text(result.facts.failure))
    table.add_row("realised pnl", money(pnl.realised, places))
    table.add_row("unrealised pnl", money(pnl.unrealised, places))
    table.add_row("fees", money(-pnl.fees, places))
    table.add_row("funding", money(pnl.funding, places))
    table.add_row("net pnl", money(pnl.net, places), end_section=True)
    table.add_row("return", percent(coin.total_return))
    fall, share = coin.drawdown, coin.drawdown_share
    table.add_row(
        "max drawdown", UNKNOWN if fall is None else money(MLDecimal.from_mantissa(-fall.money), places)
    )
    table.add_row("max drawdown, of equity", percent(None if share is None else -share))
    table.add_row("Sharpe, annualised", sharpe_text(coin))
    return table


def _trading(entry: InstrumentResult) -> Table:
    table = _table(entry.name)
    flow, held, unit = entry.flow, entry.inventory, entry.qty_unit
    table.add_row("fills", f"{flow.fills:,}")
    table.add_row(f"volume, {entry.quote}", f"{entry.books.volume:,.2f}")
    table.add_row(f"position at the end, {unit}", exact_size(entry.books.position.size))
    if entry.liquidations:
        table.add_row("liquidations", f"{entry.liquidations:,}")
    if flow.fills:
        table.add_row("maker share", percent(flow.maker_share))
        table.add_row("fill ratio", percent(flow.fill_ratio))
        table.add_row(
            "order-to-trade", UNKNOWN if flow.order_to_trade is None else f"{flow.order_to_trade:,.2f}"
        )
        table.add_row("time to fill, median / p95", spread(flow.time_to_fill()))
    if held is not None and flow.fills:
        table.add_row(f"inventory, mean, {unit}", size(held.mean, signed=True))
        table.add_row(f"inventory, mean size, {unit}", size(held.mean_abs))
        table.add_row(f"inventory, max size, {unit}", exact_size(Qty.from_mantissa(held.max_abs)))
        table.add_row("time flat", percent(held.flat_share))
    return table


def _mark_outs(entry: InstrumentResult) -> Table:
    places = mark_out_places(entry)
    table = Table(title="mark-outs", title_justify="left")
    for heading in (
        "",
        "maker, bps",
        f"maker, {entry.books.coin}",
        "taker, bps",
        f"taker, {entry.books.coin}",
    ):
        table.add_column(Text(heading), justify="right" if heading else "left")
    for maker, taker in zip(entry.maker, entry.taker, strict=True):
        when = "at the fill" if maker.after_s == 0 else f"{maker.after_s} s later"
        table.add_row(when, bps(maker), _mark_money(maker, places), bps(taker), _mark_money(taker, places))
    return table


def _requests(result: Result) -> Table:
    table = _table("requests")
    for what, count in result.orders.items():
        table.add_row(f"orders {what}", f"{count:,}")
    for kind, times in result.flow.latency().items():
        table.add_row(f"{kind.value}, median / p95", spread(times))
    for (kind, code), count in result.rejects.most_common():
        table.add_row(f"{kind.value} refused: {code.name}", f"{count:,}")
    return table


def _table(title: str) -> Table:
    table = Table(title=Text(title), title_justify="left", show_header=False)
    table.add_column("")
    table.add_column("", justify="right")
    return table


def _mark_money(mark: MarkOut, places: int) -> str:
    return money(mark.money, places) if mark.fills else UNKNOWN
