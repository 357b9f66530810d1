"""The options of ``python -m mlthon.run record``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mlthon.errors import ConfigError
from mlthon.run.data import needs_extra
from mlthon.run.option_values import log_to_stderr, positive
from mlthon.run.shared_options import Market, Speed, SyntheticSeed, Tape, Verbose

__all__ = ["ConvertTo", "record"]


class ConvertTo(StrEnum):
    """What a recording can be made into when it ends."""

    tape = "tape"
    parquet = "parquet"


class Depth(StrEnum):
    """How many levels a side the recorded books have."""

    best = "1"
    shallow = "50"
    deep = "200"
    deepest = "1000"


def record(
    instruments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="INSTRUMENT...",
            help="What to record: byt:perp:BTC-USDT, byt:spot:BTC-USDT, ids, or symbols where they are"
            " unique. Without any: all that a simulated venue lists.",
            show_default=False,
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="PLACE", help="Record Bybit itself: mainnet or testnet. Needs no key."),
    ] = None,
    venue: Annotated[
        str | None,
        typer.Option(
            "--venue",
            metavar="URL",
            help="Record a venue that speaks Bybit v5: its ws_public, as `venue bybit` prints it.",
        ),
    ] = None,
    rest: Annotated[
        str | None,
        typer.Option(
            "--rest",
            metavar="URL",
            help="REST of --venue, where that is on another host.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="DIR", help="Where to write; a folder for each instrument."),
    ] = Path("recorded"),
    depth: Annotated[
        Depth, typer.Option("--depth", help="Levels a side. Fewer come more often.")
    ] = Depth.shallow,
    trades: Annotated[bool, typer.Option("--trades/--no-trades", help="Record public trades.")] = True,
    tickers: Annotated[
        bool,
        typer.Option("--tickers/--no-tickers", help="Record tickers: funding, mark and index prices."),
    ] = True,
    duration: Annotated[
        float | None,
        typer.Option(
            "--duration", metavar="S", help="Seconds to record; without it, until Ctrl-C.", show_default=False
        ),
    ] = None,
    part_mb: Annotated[
        float, typer.Option("--part-mb", metavar="MB", help="Begin a new file after so much, packed.")
    ] = 256.0,
    part_minutes: Annotated[
        float, typer.Option("--part-minutes", metavar="MIN", help="Begin a new file after so long.")
    ] = 60.0,
    convert: Annotated[
        ConvertTo | None,
        typer.Option(
            "--convert", help="When it ends, make a tape or a Parquet file of each.", show_default=False
        ),
    ] = None,
    tape: Tape = None,
    speed: Speed = 1.0,
    seed: SyntheticSeed = 1,
    market: Market = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="End with the summary as one JSON object, the last line of stdout."),
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Record market data, byte for byte, with receive times.

    Without --at and --venue it records a simulated Bybit of its own: no key, no account, no network. A
    recording can be used wherever a tape can: name its folder. Ctrl-C ends it cleanly; a recorder that is
    killed loses the last second at most.
    """
    import asyncio  # noqa: PLC0415  (a backtest has no use for it, and it takes its time)

    from mlthon.run.market_choice import MarketChoice  # noqa: PLC0415  (the network's libraries take their time)
    from mlthon.run.record import RecordOptions, run_record  # noqa: PLC0415
    from mlthon.run.record_sources import SourceChoice  # noqa: PLC0415
    from mlthon.tape.frame_parts import RotationLimits  # noqa: PLC0415

    if at is not None and venue is not None:
        raise ConfigError("expected --at or --venue, got both")
    if rest is not None and venue is None:
        raise ConfigError("--rest: expected --venue with it")
    if tape is not None and (at is not None or venue is not None):
        raise ConfigError(
            "--tape: expected neither --at nor --venue: it is played by a simulated venue of our own"
        )
    if convert is not None:
        needs_extra()
    log_to_stderr(verbose)
    options = RecordOptions(
        instruments=instruments or [],
        source=SourceChoice(at, venue, rest, MarketChoice(tape, seed, speed, market)),
        folder=output,
        depth=int(depth),
        trades=trades,
        tickers=tickers,
        duration_s=None if duration is None else positive("--duration", duration),
        limits=RotationLimits(
            part_bytes=int(positive("--part-mb", part_mb) * 1e6),
            part_ns=int(positive("--part-minutes", part_minutes) * 60e9),
        ),
        convert=convert,
        as_json=as_json,
    )
    asyncio.run(run_record(options))
