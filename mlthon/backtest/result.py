"""What came of a run: figures, files and a report.

>>> from mlthon.backtest.trace import Trace
>>> trace = Trace([], lambda instrument_id: None, lambda: 0)
>>> trace.end(0)
>>> result = Result.of(trace, RunFacts(strategy="Quiet"))
>>> result.to_json()["fills"]
0
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console

from mlthon.backtest.curve import Curve
from mlthon.backtest.mark_outs import MarkOut, mark_outs
from mlthon.backtest.order_flow import OrderFlow, order_flows
from mlthon.backtest.pnl import CoinBooks, InstrumentBooks, Pnl
from mlthon.backtest.statistics import Distribution, Drawdown, Inventory, Sharpe
from mlthon.backtest.trace import LIQUIDATION, MAKER, TAKER, Trace
from mlthon.basics.defs import GtwRejectCode
from mlthon.basics.mldecimal import MLDecimal
from mlthon.engine.ports import RequestKind
from mlthon.errors import ConfigError

__all__ = ["SUMMARY_NAME", "CoinResult", "InstrumentResult", "Result", "RunFacts"]

_NS_PER_S = 1_000_000_000
_NS_PER_MS = 1_000_000
_LARGEST_INT = 2**63 - 1  # of JSON as it is written here; what is larger is told as text
SUMMARY_NAME = "result.json"  #: of a saved result, in its folder


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What only the driver of a run knows. ``capital`` is what there was of each coin at the start."""

    strategy: str
    mode: str = "backtest"
    params: Mapping[str, object] = field(default_factory=dict)
    capital: Mapping[str, MLDecimal] = field(default_factory=dict)
    events: int = 0  #: market and order events that reached the strategy's side
    callbacks: int = 0
    levels: int = 0  #: read from the tapes
    messages: int = 0
    trades: int = 0
    load_s: float = 0.0  #: from the start of the process's work to the first event
    run_s: float = 0.0
    failure: str = ""  #: what ended the run before its time, such as an exception of the strategy's
    venue: Mapping[str, object] = field(default_factory=dict)  #: what the exchange booked, to compare


@dataclass(frozen=True, slots=True)
class InstrumentResult:
    """One instrument's part. Money is in ``books.coin``."""

    books: InstrumentBooks
    flow: OrderFlow
    maker: tuple[MarkOut, ...]
    taker: tuple[MarkOut, ...]
    inventory: Inventory | None
    liquidations: int

    @property
    def name(self) -> str:
        return self.books.instrument.get_instrument_name()

    @property
    def quote(self) -> str:
        """What its prices and its volume are counted in."""
        return str(self.books.instrument.get_quote_currency())

    @property
    def qty_unit(self) -> str:
        """What its quantities are counted in: inverse contracts are of one unit of the quote currency."""
        base = str(self.books.instrument.get_base_currency())
        return self.quote if self.books.coin == base else base

    @property
    def pnl(self) -> Pnl:
        return self.books.pnl()


@dataclass(frozen=True, slots=True)
class CoinResult:
    """What all instruments that settle in one coin earned together."""

    coin: str
    pnl: Pnl
    capital: MLDecimal | None
    curve: Curve = field(repr=False)  #: the pnl's parts over time, thinned when it is long
    times: Sequence[int] = field(repr=False)
    equity: Sequence[int] = field(
        repr=False
    )  #: mantissas of the net profit at these times; the deepest fall is in it
    drawdown: Drawdown | None
    sharpe: Sharpe | None

    @property
    def total_return(self) -> float | None:
        """Net profit, of the capital at the start; None where that is not known."""
        if self.capital is None or self.capital.sign() <= 0:
            return None
        return self.pnl.net.to_float() / self.capital.to_float()

    @property
    def drawdown_share(self) -> float | None:
        """The deepest fall, of the capital and profit at its top."""
        if self.drawdown is None or self.capital is None or self.capital.sign() <= 0:
            return None
        top = self.capital + MLDecimal.from_mantissa(self.drawdown.peak)
        return self.drawdown.money / top.mantissa if top.sign() > 0 else None


@dataclass(frozen=True, slots=True, repr=False)
class Result:
    """A finished run."""

    facts: RunFacts
    trace: Trace
    flow: OrderFlow
    instruments: tuple[InstrumentResult, ...]
    coins: tuple[CoinResult, ...]

    @classmethod
    def of(cls, trace: Trace, facts: RunFacts) -> Result:
        """Work everything out; takes seconds for a million fills."""
        whole, flows = order_flows(trace)
        instruments = tuple(
            _instrument_result(trace, number, own, flow)
            for number, (own, flow) in enumerate(zip(trace.books, flows, strict=True))
        )
        coins = tuple(_coin_result(coin, facts) for coin in trace.coins)
        return cls(facts, trace, whole, instruments, coins)

    def __repr__(self) -> str:
        earned = ", ".join(f"{coin.pnl.net} {coin.coin}" for coin in self.coins)
        return (
            f"<Result of {self.facts.strategy}: {self.elapsed_s:,.1f} s, {self.flow.fills:,} fills,"
            f" net {earned or 'nothing'}>"
        )

    @property
    def elapsed_s(self) -> float:
        """How long the run was, on its own clock."""
        return (self.trace.ended_ns - self.trace.started_ns) / _NS_PER_S

    @property
    def rejects(self) -> Counter[tuple[RequestKind, GtwRejectCode]]:
        """Refused requests, by kind and code: the venue's refusals and the engine's own."""
        return self.flow.rejects + self.trace.refusals

    @property
    def orders(self) -> dict[str, int]:
        """How many orders there were, and how they ended. Those that the engine refused count as rejected."""
        counts = {key: self.flow.orders[key] for key in ("sent", "acked", "rejected", "cancelled", "filled")}
        still_open = counts["sent"] - counts["rejected"] - counts["cancelled"] - counts["filled"]
        refused = sum(
            count for (kind, _), count in self.trace.refusals.items() if kind is RequestKind.NewOrder
        )
        counts["sent"] += refused
        counts["rejected"] += refused
        return {**counts, "open": still_open}

    def to_json(self) -> dict[str, Any]:
        """The result as plain JSON values.

        The keys that a demo's summary has mean what they mean there, rounded to the nearest double; of money they
        hold the sum, or null where there is more than one coin. Under ``coins`` and ``instruments`` money and
        quantities are exact, as text. What cannot be said of this run is null.
        """
        one_coin = self.coins[0] if len(self.coins) == 1 else None
        one = self.instruments[0] if len(self.instruments) == 1 else None
        volume = sum((entry.books.volume for entry in self.instruments), MLDecimal("0"))
        facts = self.facts
        return {
            "mode": facts.mode,
            "strategy": _clean(facts.strategy),
            "instrument": ", ".join(entry.name for entry in self.instruments),
            "currency": ", ".join(entry.coin for entry in self.coins),
            "params": {_clean(str(key)): _plain(value) for key, value in facts.params.items()},
            "failure": _clean(facts.failure) or None,
            "started_ns": self.trace.started_ns,
            "elapsed_s": round(self.elapsed_s, 3),
            "events": facts.events,
            "callbacks": facts.callbacks,
            "levels": facts.levels,
            "messages": facts.messages,
            "trades": facts.trades,
            "load_s": round(facts.load_s, 4),
            "run_s": round(facts.run_s, 4),
            "orders": self.orders,
            "fills": self.flow.fills,
            "liquidations": sum(entry.liquidations for entry in self.instruments),
            "volume": volume.to_float() if one_coin is not None else None,
            "position": None if one is None else one.books.position.size.to_float(),
            "pnl": {
                part: None if one_coin is None else getattr(one_coin.pnl, part).to_float()
                for part in ("realised", "unrealised", "fees", "funding")
            },
            "venue": dict(facts.venue),
            "rejects": {f"{kind.value} {code.name}": n for (kind, code), n in self.rejects.most_common()},
            "latency_ms": {kind.value: _times(times) for kind, times in self.flow.latency().items()},
            "coins": {entry.coin: _coin_json(entry) for entry in self.coins},
            "instruments": {entry.name: _instrument_json(entry) for entry in self.instruments},
        }

    def print(self, console: Console | None = None) -> None:
        """Show the summary on a terminal."""
        from mlthon.backtest.summary_tables import summary_tables  # noqa: PLC0415  (a notebook may never print)

        console = console or Console(highlight=False)
        for table in summary_tables(self):
            console.print(table)

    def write_report(self, path: Path) -> None:
        """Write the tearsheet: one HTML file that needs no network. Needs plotly, else ConfigError."""
        from mlthon.backtest.tearsheet import tearsheet  # noqa: PLC0415  (heavy)

        _write(path, tearsheet(self).encode(errors="replace"))

    def save(self, folder: Path) -> None:
        """Write result.json, and fills, orders and equity as Parquet. Needs pyarrow, else ConfigError."""
        from mlthon.backtest.parquet import write_tables  # noqa: PLC0415  (heavy)

        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"result: cannot make the folder {folder}: {error.strerror}") from error
        write_tables(self, folder)
        _write(folder / SUMMARY_NAME, orjson.dumps(self.to_json(), option=orjson.OPT_INDENT_2))


def _instrument_result(
    trace: Trace, number: int, books: InstrumentBooks, flow: OrderFlow
) -> InstrumentResult:
    rows = trace.fills
    taken = sum(
        n == number and liquidity == LIQUIDATION
        for n, liquidity in zip(rows.instrument, rows.liquidity, strict=True)
    )
    return InstrumentResult(
        books,
        flow,
        mark_outs(trace, number, books, MAKER),
        mark_outs(trace, number, books, TAKER),
        books.held.until(trace.ended_ns),
        taken,
    )


def _coin_result(books: CoinBooks, facts: RunFacts) -> CoinResult:
    times, equity = books.equity()
    return CoinResult(
        books.coin,
        books.pnl(),
        facts.capital.get(books.coin),
        books.curve,
        times,
        equity,
        books.drawdown.worst,
        books.sharpe.ratio(),
    )


# -- JSON ------------------------------------------------------------------------------------------------------


def _pnl_json(pnl: Pnl) -> dict[str, str]:
    parts = {"realised": pnl.realised, "unrealised": pnl.unrealised, "fees": pnl.fees, "funding": pnl.funding}
    return {"net": str(pnl.net), **{key: str(value) for key, value in parts.items()}}


def _coin_json(entry: CoinResult) -> dict[str, Any]:
    drawdown, sharpe = entry.drawdown, entry.sharpe
    return {
        "capital": None if entry.capital is None else str(entry.capital),
        "pnl": _pnl_json(entry.pnl),
        "return": entry.total_return,
        "max_drawdown": None
        if drawdown is None
        else {
            "money": str(MLDecimal.from_mantissa(drawdown.money)),
            "share": entry.drawdown_share,
            "from_ns": drawdown.from_ns,
            "to_ns": drawdown.to_ns,
        },
        "sharpe": None
        if sharpe is None
        else {"ratio": sharpe.ratio, "period_s": sharpe.period_s, "returns": sharpe.returns},
    }


def _instrument_json(entry: InstrumentResult) -> dict[str, Any]:
    flow, held = entry.flow, entry.inventory
    return {
        "coin": entry.books.coin,
        "position": str(entry.books.position.size),
        "volume": str(entry.books.volume),
        "pnl": _pnl_json(entry.pnl),
        "fills": flow.fills,
        "liquidations": entry.liquidations,
        "market_making": {
            "maker_share": flow.maker_share,
            "fill_ratio": flow.fill_ratio,
            "order_to_trade": flow.order_to_trade,
            "time_to_fill_ms": _times(flow.time_to_fill()),
            "mark_outs": {
                "maker": {f"{mark.after_s}s": _mark_json(mark) for mark in entry.maker},
                "taker": {f"{mark.after_s}s": _mark_json(mark) for mark in entry.taker},
            },
            "inventory": None
            if held is None
            else {
                "mean": held.mean,
                "mean_abs": held.mean_abs,
                "max_abs": str(MLDecimal.from_mantissa(held.max_abs)),
                "flat_share": held.flat_share,
            },
        },
    }


def _mark_json(mark: MarkOut) -> dict[str, Any]:
    return {"money": str(mark.money), "bps": mark.bps, "fills": mark.fills}


def _times(times: Distribution | None) -> dict[str, float] | None:
    if times is None:
        return None
    return {
        "count": times.count,
        "mean": times.mean_ns / _NS_PER_MS,
        "median": times.median_ns / _NS_PER_MS,
        "p95": times.p95_ns / _NS_PER_MS,
        "max": times.max_ns / _NS_PER_MS,
    }


def _plain(value: object) -> object:
    """A parameter as JSON has it."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and -_LARGEST_INT <= value <= _LARGEST_INT:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return _clean(str(value))


def _clean(text: str) -> str:
    """Text that can be written as UTF-8, whatever the command line or an exception brought."""
    return text.encode(errors="replace").decode()


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise ConfigError(f"result: cannot write {path}: {error.strerror}") from error
