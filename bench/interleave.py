"""What pieces of code cost beside each other, measured in turns within one process.

Two numbers from two runs cannot be compared: the machine's clock, its caches and its other work differ. So the
pieces take turns, round after round, in an order that turns around every time, each round about a millisecond long
and free of garbage collection; what a piece costs is the median of its rounds, and what one costs beside another is
the ratio of their medians. A slow spell of the machine meets all of them alike.

>>> from decimal import Decimal
>>> costs = measure(
...     {
...         "int": loop("a + b", a=1, b=2),
...         "Decimal": loop("a + b", a=Decimal(1), b=Decimal(2)),
...     },
...     rounds=3,
... )
>>> 0 < costs.ratio("int", "Decimal") < 10
True

A piece is a function that repeats what it does as often as it is told; `loop` makes one of a statement. Its `for` is
part of the cost (about 4 ns a turn on a machine of today), on both sides.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import repeat

__all__ = ["Costs", "Piece", "loop", "measure"]

ROUNDS = 101
ROUND_NS = 1_000_000


@dataclass(frozen=True, slots=True)
class Piece:
    """Something to measure: ``run(n)`` does it n times, each time as many ``operations`` at once.

    ``prepare()`` is called before each round, and is not part of it.
    """

    run: Callable[[int], object]
    operations: int = 1
    prepare: Callable[[], object] = lambda: None


@dataclass(frozen=True, slots=True)
class Costs:
    """What one operation of each piece costs: the median of its rounds, in ns."""

    ns: Mapping[str, float]

    def ratio(self, ours: str, theirs: str) -> float:
        """How many times the cost of ``theirs`` that of ``ours`` is."""
        return self.ns[ours] / self.ns[theirs]


def loop(statement: str, /, *, operations: int = 1, **names: object) -> Piece:
    """Make a piece that repeats a statement, with ``names`` as its local variables."""
    source = f"def run(n, {', '.join(names)}):\n    for _ in repeat(None, n):\n        {statement}\n"
    made: dict[str, Callable[..., object]] = {}
    exec(source, {"repeat": repeat}, made)
    run = made["run"]
    return Piece(lambda n: run(n, **names), operations)


def measure(pieces: Mapping[str, Piece], *, rounds: int = ROUNDS, round_ns: int = ROUND_NS) -> Costs:
    """Measure the pieces in turns: ``rounds`` rounds of each, a round about ``round_ns`` long."""
    counts = {name: _count_for(piece, round_ns) for name, piece in pieces.items()}
    samples: dict[str, list[float]] = {name: [] for name in pieces}
    order = list(pieces)
    collecting = gc.isenabled()
    gc.disable()
    try:
        for _ in range(rounds):
            for name in order:
                spent = _time(pieces[name], counts[name])
                samples[name].append(spent / (counts[name] * pieces[name].operations))
            order.reverse()
    finally:
        if collecting:
            gc.enable()
    return Costs({name: statistics.median(sample) for name, sample in samples.items()})


def _count_for(piece: Piece, round_ns: int) -> int:
    """How many repetitions take about as long as a round; warms the piece up, too.

    The least of three, lest a spell of other work pass for a slow piece: a round of few turns times the clock.
    """
    count = 1
    while (spent := min(_time(piece, count) for _ in range(3))) < round_ns / 4:
        count *= 2
    return max(round(count * round_ns / spent), 1)


def _time(piece: Piece, count: int) -> int:
    piece.prepare()
    began = time.perf_counter_ns()
    piece.run(count)
    return time.perf_counter_ns() - began
