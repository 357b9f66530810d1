"""The options of ``python -m mlthon.run backtest``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlthon.run.option_values import log_to_stderr, parse_params, positive

__all__ = ["backtest"]


def backtest(
    tape: Annotated[
        list[Path] | None,
        typer.Option("--tape", metavar="FILE", help="A recording; may be repeated: they are merged by time."),
    ] = None,
    strategy: Annotated[
        str,
        typer.Option(
            "--strategy", metavar="SPEC", help="The strategy: module:Class, or path/to/file.py:Class."
        ),
    ] = "mlthon.strats.demo_strat:DemoStrat",
    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            metavar="KEY=VALUE",
            help="A strategy parameter, a YAML scalar; may be repeated. Delivered by on_strat_params_update.",
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option("--seed", metavar="N", min=0, help="Seed of the synthetic market, without --tape."),
    ] = 1,
    duration: Annotated[
        float | None,
        typer.Option(
            "--duration", metavar="S", help="Seconds of the market to trade; a tape may end sooner."
        ),
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="Write a tearsheet: one HTML file.")
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option("--save", metavar="DIR", help="Write result.json, fills, orders and equity there."),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="End with the result as one JSON object, the last line of stdout."),
    ] = False,
    event_log: Annotated[
        Path | None,
        typer.Option("--event-log", metavar="FILE", help="Write every request and callback as JSON lines."),
    ] = None,
    slow_ms: Annotated[
        float,
        typer.Option(
            "--slow-ms", metavar="MS", help="Name strategy code in the log that takes longer than this."
        ),
    ] = 5.0,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what the engine does.")] = False,
) -> None:
    """Run a strategy on recorded markets, as fast as it goes.

    Without --tape: on the synthetic market, for a minute of its time.
    """
    from mlthon.backtest.backtest import MarketSource, Settings  # noqa: PLC0415
    from mlthon.run.backtest import BacktestOptions, run_backtest  # noqa: PLC0415
    from mlthon.sim.synthetic import SyntheticMarket  # noqa: PLC0415

    log_to_stderr(verbose)
    tapes: list[Path | MarketSource] = list(tape) if tape else [SyntheticMarket(seed)]
    if duration is None and not tape:
        duration = 60.0
    run_backtest(
        BacktestOptions(
            tapes=tapes,
            strategy=strategy,
            params=parse_params(param or []),
            settings=Settings(
                duration_s=None if duration is None else positive("--duration", duration),
            ),
            as_json=as_json,
            report=report,
            save=save,
            event_log=event_log,
            slow_callback_ms=positive("--slow-ms", slow_ms),
        )
    )
