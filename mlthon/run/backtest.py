"""``python -m mlthon.run backtest``: a strategy on recorded markets, in simulated time."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from mlthon.backtest.backtest import Backtest, Settings
from mlthon.backtest.extras import require_extras
from mlthon.backtest.markets import MarketSource, Recording, open_market, tells, unique
from mlthon.backtest.summary_tables import summary_tables
from mlthon.errors import ConfigError
from mlthon.run import STARTED_S
from mlthon.run.demo_presets import demo_presets
from mlthon.run.event_log import EventLog
from mlthon.run.output import Output
from mlthon.run.strategy_loader import load_strategy_class, make_strategy

__all__ = ["BacktestOptions", "run_backtest"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BacktestOptions:
    """What the command line asked for."""

    tapes: list[Path | MarketSource]
    strategy: str
    params: Mapping[str, object]
    settings: Settings
    as_json: bool
    report: Path | None
    save: Path | None
    event_log: Path | None
    slow_callback_ms: float


def run_backtest(options: BacktestOptions) -> None:
    """Run to the end, and show what came of it, also after a failure.

    Raises StrategyError when the strategy raised, OrdersLeftOpen when its orders could not all be cancelled,
    LedgerMismatch when its books and the exchange's disagree, and what cannot be loaded.
    """
    output = Output(options.as_json)
    require_extras(report=options.report is not None, tables=options.save is not None)
    _check_targets(options)
    with ExitStack() as stack:
        if options.as_json:
            stack.enter_context(redirect_stdout(sys.stderr))  # what the strategy prints is for people
        strategy = make_strategy(load_strategy_class(options.strategy), {})
        journal = stack.enter_context(EventLog(options.event_log)) if options.event_log else None
        markets = [open_market(tape) for tape in options.tapes]
        _warn_of_missing_books(markets)
        presets = demo_presets(options.strategy, unique(markets))
        backtest = Backtest(
            markets,
            strategy,
            params={**presets, **options.params},
            settings=options.settings,
            journal=journal,
            slow_callback_ms=options.slow_callback_ms,
        )
        backtest.load()
        load_s = time.perf_counter() - STARTED_S
        begun_s = time.perf_counter()
        try:
            try:
                backtest.play()
            finally:
                backtest.close()
        finally:
            _show(backtest, options, output, load_s, time.perf_counter() - begun_s)
    backtest.check_ledgers()


def _warn_of_missing_books(markets: Sequence[MarketSource]) -> None:
    """Say it where no order can rest and none can be filled, for want of a book."""
    for instrument in unique(markets):
        number = instrument.get_instrument_id()
        own = [market for market in markets if market.instrument.get_instrument_id() == number]
        if all(isinstance(market, Recording) and not tells(market.counts, "book") for market in own):
            log.warning("%s: the tapes tell no book of it: expect no fills", instrument.get_instrument_name())


def _check_targets(options: BacktestOptions) -> None:
    """Raise ConfigError for places where nothing can be written: better now than after a long run."""
    report, save = options.report, options.save
    if report is not None and report.is_dir():
        raise ConfigError(f"--report: expected a file to write, got a folder: {report}")
    if report is not None and not report.parent.is_dir():
        raise ConfigError(f"--report: expected a file in a folder that is there, got {report}")
    if save is not None and save.exists() and not save.is_dir():
        raise ConfigError(f"--save: expected a folder, got a file: {save}")


def _show(backtest: Backtest, options: BacktestOptions, output: Output, load_s: float, run_s: float) -> None:
    """Tell what came of it before files are written: a full disk costs the files alone."""
    result = backtest.result(load_s=load_s, run_s=run_s)
    try:
        if options.as_json:
            output.result(result.to_json())
        else:
            for table in summary_tables(result):
                output.show(table)
    finally:
        if options.report is not None:
            result.write_report(options.report)
        if options.save is not None:
            result.save(options.save)
