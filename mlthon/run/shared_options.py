"""Options that several commands have: one name, one meaning, one help text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlthon.sim.terms import Product

__all__ = [
    "DEMO_STRATEGY",
    "EventLogFile",
    "Faults",
    "Market",
    "Params",
    "RecordTo",
    "SlowMs",
    "Speed",
    "Strategy",
    "SyntheticSeed",
    "Tape",
    "Verbose",
]

DEMO_STRATEGY = "mlthon.strats.demo_strat:DemoStrat"

# -- the strategy ------------------------------------------------------------------------------------------------

Strategy = Annotated[
    str,
    typer.Option("--strategy", metavar="SPEC", help="The strategy: module:Class, or path/to/file.py:Class."),
]
Params = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        metavar="KEY=VALUE",
        help="A strategy parameter, a YAML scalar; may be repeated. Delivered by on_strat_params_update.",
    ),
]
SlowMs = Annotated[
    float,
    typer.Option(
        "--slow-ms", metavar="MS", help="Name strategy code in the log that takes longer than this."
    ),
]

# -- the market of a simulated venue -----------------------------------------------------------------------------

Tape = Annotated[
    Path | None,
    typer.Option("--tape", metavar="FILE", help="Replay this recording instead of a synthetic market."),
]
Speed = Annotated[float, typer.Option("--speed", metavar="X", help="Play the market X times as fast.")]
SyntheticSeed = Annotated[
    int, typer.Option("--seed", metavar="N", min=0, help="Seed of the synthetic market.")
]
Market = Annotated[
    Product | None,
    typer.Option("--market", help="What the synthetic market trades; linear by default.", show_default=False),
]
Faults = Annotated[
    Path | None,
    typer.Option("--faults", metavar="FILE", help="Let go wrong what this plan (YAML) says."),
]

# -- what is written ---------------------------------------------------------------------------------------------

EventLogFile = Annotated[
    Path | None,
    typer.Option("--event-log", metavar="FILE", help="Write every request and callback as JSON lines."),
]
RecordTo = Annotated[
    Path | None,
    typer.Option(
        "--record", metavar="DIR", help="Record the market that the strategy is shown, as `record` does."
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log what happens on the way.")]
