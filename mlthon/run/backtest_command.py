"""The options of ``python -m mlthon.run backtest``, and what they make of a run's settings."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
import yaml

from mlthon.engine.slow_callbacks import DEFAULT_BUDGET_MS
from mlthon.errors import ConfigError
from mlthon.run.option_values import log_to_stderr, parse_params, positive
from mlthon.run.shared_options import DEMO_STRATEGY, EventLogFile, Params, SlowMs, Strategy, Verbose

__all__ = ["backtest"]


_REPEATED = {"tape", "feed-latency", "order-latency", "response-latency", "maker-fee", "taker-fee"}


class QueueRuleName(StrEnum):
    """The names of `mlthon.sim.orders.QueueRule` on the command line."""

    behind = "behind"
    proportional = "proportional"
    ahead = "ahead"


def use_config(context: typer.Context, path: Path | None) -> Path | None:
    """Take a file's values for the options that are not given."""
    if path is None:
        return None
    try:
        values = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ConfigError(f"--config {path}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"--config {path}: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"--config {path}: expected a mapping of options to values, got {values!r}")
    options = {
        name.removeprefix("--"): option.name
        for option in context.command.params
        for name in option.opts
        if name.startswith("--") and option.name != "config"
    }
    unknown = [str(key) for key in values if key not in options]
    if unknown:
        raise ConfigError(f"--config {path}: {unknown[0]}: expected one of {', '.join(sorted(options))}")
    context.default_map = {options[key]: _as_given(key, value) for key, value in values.items()}
    return path


def backtest(
    tape: Annotated[
        list[Path] | None,
        typer.Option(
            "--tape",
            metavar="FILE[@EXCHANGE]",
            help="A recording, which is traded at Bybit, or at the exchange named; may be repeated: they are merged"
            " by time.",
        ),
    ] = None,
    strategy: Strategy = DEMO_STRATEGY,
    param: Params = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            callback=use_config,
            is_eager=True,
            help="Options by their names, as YAML; those of the command line count more.",
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option("--seed", metavar="N", min=0, help="Of drawn delays, and of the market without --tape."),
    ] = 1,
    duration: Annotated[
        float | None,
        typer.Option(
            "--duration", metavar="S", help="Seconds of the market to trade; a tape may end sooner."
        ),
    ] = None,
    feed_latency: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[EXCHANGE=]MS",
            help="From the exchange's book to the strategy; 5 by default. May be repeated, for single exchanges.",
        ),
    ] = None,
    order_latency: Annotated[
        list[str] | None,
        typer.Option(metavar="[EXCHANGE=]MS", help="From the strategy to the exchange; the same."),
    ] = None,
    response_latency: Annotated[
        list[str] | None,
        typer.Option(metavar="[EXCHANGE=]MS", help="From the exchange's answer to the strategy; the same."),
    ] = None,
    latency_deviation: Annotated[
        float, typer.Option(metavar="MS", min=0, help="Draw delays from normal distributions this wide.")
    ] = 0.0,
    latencies: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Measured delays instead: CSV of sent_ns, exchange_ns, answered_ns."
        ),
    ] = None,
    queue_rule: Annotated[
        QueueRuleName, typer.Option(help="Who cancelled at our price, where a recording does not tell.")
    ] = QueueRuleName.behind,
    maker_fee: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[EXCHANGE=]RATE",
            help="Of the value; 0.0002 by default, 0.001 in spot. May be repeated, for single exchanges.",
        ),
    ] = None,
    taker_fee: Annotated[
        list[str] | None,
        typer.Option(metavar="[EXCHANGE=]RATE", help="The same; 0.00055 by default, 0.001 in spot."),
    ] = None,
    funding_rate: Annotated[
        str | None, typer.Option(metavar="RATE", help="A fixed one, instead of the market's.")
    ] = None,
    deposit: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COIN=AMOUNT", help="What the account starts with, at each exchange; may be repeated."
        ),
    ] = None,
    time_zone: Annotated[str, typer.Option(metavar="NAME", help="Of daily callbacks.")] = "UTC",
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
    event_log: EventLogFile = None,
    slow_ms: SlowMs = DEFAULT_BUDGET_MS,
    verbose: Verbose = False,
) -> None:
    """Run a strategy on recorded markets, as fast as it goes.

    Without --tape: on the synthetic market, for a minute of its time.
    """
    from mlthon.run.backtest import BacktestOptions, run_backtest  # noqa: PLC0415  (other commands need none of it)
    from mlthon.run.backtest_settings import Amounts, Delays, markets_of, settings_of  # noqa: PLC0415

    log_to_stderr(verbose)
    if duration is None and not tape:
        duration = 60.0
    options = BacktestOptions(
        tapes=markets_of(tape or [], seed),
        strategy=strategy,
        params=parse_params(param or []),
        settings=settings_of(
            Delays(
                feed_latency or [],
                order_latency or [],
                response_latency or [],
                deviation_ms=latency_deviation,
                seed=seed,
                measured=latencies,
            ),
            Amounts(maker_fee or [], taker_fee or [], funding_rate, deposit or []),
            queue_rule=queue_rule.value,
            time_zone=time_zone,
            duration_s=None if duration is None else positive("--duration", duration),
        ),
        as_json=as_json,
        report=report,
        save=save,
        event_log=event_log,
        slow_callback_ms=positive("--slow-ms", slow_ms),
    )
    run_backtest(options)


def _as_given(key: str, value: object) -> object:
    """A value of a file as the command line would have it: parameters and deposits may be mappings there."""
    if key in ("param", "deposit") and isinstance(value, dict):
        return [
            f"{name}={yaml.safe_dump(entry).removesuffix('...' + chr(10)).strip()}"
            for name, entry in value.items()
        ]
    if key in _REPEATED and isinstance(value, dict):
        return [f"{name}={entry}" for name, entry in value.items()]
    if key in _REPEATED and value is not None and not isinstance(value, list):
        return [str(value)]
    return value if isinstance(value, list | bool | None) else str(value)
