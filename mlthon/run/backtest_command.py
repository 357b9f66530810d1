"""The options of ``python -m mlthon.run backtest``, and what they make of a run's settings."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
import yaml

from mlthon.engine.slow_callbacks import DEFAULT_BUDGET_MS
from mlthon.errors import ConfigError
from mlthon.run.option_values import log_to_stderr, parse_params, positive
from mlthon.run.shared_options import DEMO_STRATEGY, EventLogFile, Params, SlowMs, Strategy, Verbose

if TYPE_CHECKING:
    from datetime import tzinfo

    from mlthon.backtest.latency import Latency
    from mlthon.basics.mldecimal import MLDecimal

__all__ = ["backtest"]


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
    except (OSError, yaml.YAMLError, ValueError, RecursionError) as error:
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
        typer.Option("--tape", metavar="FILE", help="A recording; may be repeated: they are merged by time."),
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
        float, typer.Option(metavar="MS", min=0, help="From the exchange's book to the strategy.")
    ] = 5.0,
    order_latency: Annotated[
        float, typer.Option(metavar="MS", min=0, help="From the strategy to the exchange.")
    ] = 5.0,
    response_latency: Annotated[
        float, typer.Option(metavar="MS", min=0, help="From the exchange's answer to the strategy.")
    ] = 5.0,
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
        str | None, typer.Option(metavar="RATE", help="Of the value; 0.0002 by default, 0.001 in spot.")
    ] = None,
    taker_fee: Annotated[
        str | None, typer.Option(metavar="RATE", help="Of the value; 0.00055 by default, 0.001 in spot.")
    ] = None,
    funding_rate: Annotated[
        str | None, typer.Option(metavar="RATE", help="A fixed one, instead of the market's.")
    ] = None,
    deposit: Annotated[
        list[str] | None,
        typer.Option(metavar="COIN=AMOUNT", help="What the account starts with; may be repeated."),
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
    from mlthon.backtest.backtest import MarketSource, Settings  # noqa: PLC0415  (other commands need none of it)
    from mlthon.run.backtest import BacktestOptions, run_backtest  # noqa: PLC0415
    from mlthon.sim.funding import FundingRules  # noqa: PLC0415
    from mlthon.sim.orders import Fees, QueueRule  # noqa: PLC0415
    from mlthon.sim.synthetic import SyntheticMarket  # noqa: PLC0415

    log_to_stderr(verbose)
    tapes: list[Path | MarketSource] = list(tape) if tape else [SyntheticMarket(seed)]
    if duration is None and not tape:
        duration = 60.0
    maker, taker = _rate("--maker-fee", maker_fee), _rate("--taker-fee", taker_fee)
    fees = {"maker": maker, "spot_maker": maker, "taker": taker, "spot_taker": taker}
    settings = Settings(
        latency=_recorded(latencies)
        if latencies is not None
        else _latency((feed_latency, order_latency, response_latency), latency_deviation, seed),
        queue_rule=QueueRule[queue_rule.value.capitalize()],
        fees=Fees(**{name: rate for name, rate in fees.items() if rate is not None}),
        funding=FundingRules(rate=_rate("--funding-rate", funding_rate)),
        deposits=_deposits(deposit or []),
        time_zone=_zone(time_zone),
        duration_s=None if duration is None else positive("--duration", duration),
    )
    run_backtest(
        BacktestOptions(
            tapes=tapes,
            strategy=strategy,
            params=parse_params(param or []),
            settings=settings,
            as_json=as_json,
            report=report,
            save=save,
            event_log=event_log,
            slow_callback_ms=positive("--slow-ms", slow_ms),
        )
    )


def _as_given(key: str, value: object) -> object:
    """A value of a file as the command line would have it: parameters and deposits may be mappings there."""
    if key in ("param", "deposit") and isinstance(value, dict):
        return [
            f"{name}={yaml.safe_dump(entry).removesuffix('...' + chr(10)).strip()}"
            for name, entry in value.items()
        ]
    if key == "tape" and isinstance(value, str):
        return [value]
    return value if isinstance(value, list | bool | None) else str(value)


def _latency(means_ms: tuple[float, float, float], deviation_ms: float, seed: int) -> Latency:
    from mlthon.backtest.latency import Latency, NormalDelay, delay_ns  # noqa: PLC0415

    if not deviation_ms:
        return Latency.constant_ms(*means_ms)
    deviation_ns = delay_ns(deviation_ms)
    return Latency(
        *(
            NormalDelay(delay_ns(mean_ms), deviation_ns, seed=seed * 3 + way)
            for way, mean_ms in enumerate(means_ms)
        )
    )


def _recorded(path: Path) -> Latency:
    from mlthon.backtest.latency import read_latencies  # noqa: PLC0415

    return read_latencies(path)


def _rate(option: str, text: str | None) -> MLDecimal | None:
    if text is None:
        return None
    return _decimal(option, text)


def _decimal(option: str, text: str) -> MLDecimal:
    from mlthon.basics.mldecimal import MLDecimal  # noqa: PLC0415

    try:
        return MLDecimal(text)
    except (ValueError, OverflowError):
        raise ConfigError(f"{option}: expected a decimal number, got {text!r}") from None


def _deposits(pairs: list[str]) -> dict[str, MLDecimal] | None:
    """What the account starts with; None: what is usual."""
    deposits: dict[str, MLDecimal] = {}
    for pair in pairs:
        coin, equals, amount = pair.partition("=")
        if not equals or not coin:
            raise ConfigError(f"--deposit: expected COIN=AMOUNT, got {pair!r}")
        deposits[coin] = _decimal(f"--deposit {coin}", amount)
    return deposits or None


def _zone(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # noqa: PLC0415

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ConfigError(f"--time-zone: expected a name such as Europe/Berlin, got {name!r}") from None
