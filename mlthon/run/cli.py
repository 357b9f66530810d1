"""The command line: ``python -m mlthon.run [demo|backtest|venue|...] ...``.

Exit codes: 0 it ran; 2 the command line, the strategy file or the tape cannot be used; 3 the strategy's books and
the venue's disagree; 4 the strategy raised; 5 the venue cannot be reached or refused; 6 orders may still be open at
the venue; 1 anything else.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from mlthon.engine.slow_callbacks import DEFAULT_BUDGET_MS
from mlthon.errors import (
    DataError,
    LedgerMismatch,
    MLThonError,
    OrdersLeftOpen,
    StrategyError,
    UsageError,
    VenueError,
)
from mlthon.run.backtest_command import backtest
from mlthon.run.compare import run_compare
from mlthon.run.data import data_app
from mlthon.run.option_values import log_to_stderr, parse_params, positive
from mlthon.run.record_command import record
from mlthon.run.shared_options import (
    DEMO_STRATEGY,
    EventLogFile,
    Faults,
    Market,
    Params,
    RecordTo,
    SlowMs,
    Speed,
    Strategy,
    SyntheticSeed,
    Tape,
    Verbose,
)

__all__ = ["main"]

_EXIT_CODES: tuple[tuple[type[MLThonError], int], ...] = (
    (UsageError, 2),
    (DataError, 2),
    (LedgerMismatch, 3),
    (StrategyError, 4),
    (VenueError, 5),
    (OrdersLeftOpen, 6),
)
_ANYTHING_ELSE = 1

app = typer.Typer(
    name="mlthon.run",
    help="Run a trading strategy. Without a command: demo.",
    add_completion=False,
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.command()(backtest)
app.command()(record)


@app.command()
def demo(
    strategy: Strategy = DEMO_STRATEGY,
    param: Params = None,
    tape: Tape = None,
    speed: Speed = 1.0,
    seed: SyntheticSeed = 1,
    market: Market = None,
    duration: Annotated[
        float, typer.Option("--duration", metavar="S", help="Seconds to trade; a tape may end sooner.")
    ] = 20.0,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="End with the summary as one JSON object, the last line of stdout."),
    ] = False,
    event_log: EventLogFile = None,
    record_to: RecordTo = None,
    slow_ms: SlowMs = DEFAULT_BUDGET_MS,
    faults: Faults = None,
    verbose: Verbose = False,
) -> None:
    """Trade against a simulated Bybit on this machine: no key, no account, no network.

    The strategy runs behind the real connector, over real sockets. Ctrl-C ends it cleanly.
    """
    import asyncio  # noqa: PLC0415  (a backtest has no use for it, and it takes its time)

    from mlthon.run.demo import DemoOptions, run_demo  # noqa: PLC0415  (the network's libraries take their time)
    from mlthon.run.market_choice import MarketChoice  # noqa: PLC0415
    from mlthon.run.venue_options import open_faults  # noqa: PLC0415

    log_to_stderr(verbose)
    options = DemoOptions(
        strategy=strategy,
        params=parse_params(param or []),
        market=MarketChoice(tape, seed, speed, market),
        duration_s=positive("--duration", duration),
        as_json=as_json,
        event_log=event_log,
        record=record_to,
        slow_callback_ms=positive("--slow-ms", slow_ms),
        faults=open_faults(faults),
    )
    asyncio.run(run_demo(options))


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="A result: its JSON, or the folder it is in.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object: for each figure a, b and difference.")
    ] = False,
    only_differences: Annotated[
        bool, typer.Option("--differences", help="Leave out what is the same in both.")
    ] = False,
) -> None:
    """Put two results side by side, with what differs and by how much."""
    run_compare(first, second, as_json=as_json, only_differences=only_differences)


venue_app = typer.Typer(
    help="Run a simulated venue alone, for any client in any language.", rich_markup_mode=None
)
app.add_typer(venue_app, name="venue")
app.add_typer(data_app, name="data")


@venue_app.callback()
def venue() -> None:
    """Run a simulated venue alone, for any client in any language."""


@venue_app.command()
def bybit(
    port: Annotated[
        int,
        typer.Option("--port", metavar="N", min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one."),
    ] = 0,
    tape: Tape = None,
    speed: Speed = 1.0,
    seed: SyntheticSeed = 1,
    market: Market = None,
    faults: Faults = None,
    tls_cert: Annotated[
        Path | None,
        typer.Option(
            "--tls-cert", metavar="FILE", help="Certificate (PEM) for https and wss; needs --tls-key."
        ),
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option("--tls-key", metavar="FILE", help="The certificate's private key (PEM).")
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Serve Bybit v5 (REST and websockets) on 127.0.0.1 until Ctrl-C.

    Prints one line of JSON when ready: rest, ws_public, ws_private, ws_trade, api_key, api_secret.
    """
    import asyncio  # noqa: PLC0415

    from mlthon.run.market_choice import MarketChoice  # noqa: PLC0415  (the network's libraries take their time)
    from mlthon.run.venue import run_venue  # noqa: PLC0415
    from mlthon.run.venue_options import open_faults, server_tls  # noqa: PLC0415

    log_to_stderr(verbose)
    choice = MarketChoice(tape, seed, speed, market)
    going_wrong, tls = open_faults(faults), server_tls(tls_cert, tls_key)
    asyncio.run(run_venue(choice, port, faults=going_wrong, tls=tls))


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit; an error is one line on stderr."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or (arguments[0].startswith("-") and arguments[0] != "--help"):
        arguments = ["demo", *arguments]
    try:
        app(arguments, prog_name="python -m mlthon.run")
    except MLThonError as error:
        if isinstance(error, StrategyError):
            _show_strategy_traceback(error)
        # Without emojis: a ":x:" is part of what is quoted.
        console = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)
        console.print(f"error: {error}", markup=False)
        sys.exit(next((code for kind, code in _EXIT_CODES if isinstance(error, kind)), _ANYTHING_ELSE))
    sys.exit(0)


def _show_strategy_traceback(error: StrategyError) -> None:
    """Show where in the strategy's code it went wrong: that is what its author needs."""
    import traceback  # noqa: PLC0415  (only when something failed)

    if error.__cause__ is not None:
        traceback.print_exception(error.__cause__)
