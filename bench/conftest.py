"""What all benchmarks share: no core but a release build is timed, and ratios are held to their limits.

Run them with ``pytest bench``. pytest-benchmark's table is wall time, for reading; the table of ratios below it is
measured by `interleave` and may be cited.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest
from interleave import Piece, measure

from mlthon._core import buildinfo


class Row(NamedTuple):
    """One comparison, as the table shows it."""

    what: str
    ours: str
    theirs: str
    result: str
    limit: str = ""


Compare = Callable[..., float]
ROWS = pytest.StashKey[list[Row]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[ROWS] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if items and not buildinfo.is_release():
        pytest.exit(
            f"benchmarks expect a release build of the core, got {buildinfo.MODE!r}: "
            "unset MLTHON_BUILD and build again (tools/venv test)",
            returncode=2,
        )


@pytest.fixture
def is_timed(request: pytest.FixtureRequest) -> bool:
    """Whether anything is to be timed; with --benchmark-disable, benchmarks only show that they run."""
    return not request.config.getoption("benchmark_disable")


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Put a row into the table: ``note(what, ours, theirs, result, limit="")``, each as it is to be shown."""
    rows = request.config.stash[ROWS]
    return lambda *texts: rows.append(Row(*texts))


@pytest.fixture
def compare(note: Callable[..., None], is_timed: bool) -> Compare:
    """Measure ours beside theirs, note the ratio for the table, and hold it to ``at_most`` where that is given.

    ``compare(what, ours=Piece, theirs=Piece, beside="their name", at_most=0.5)`` returns the ratio. One over its
    limit is measured again, twice at most: it takes a machine with other work to do to fail that way once, and a
    slower core to fail three times.
    """

    def compare(
        what: str, *, ours: Piece, theirs: Piece, beside: str, at_most: float | None = None, **options: int
    ) -> float:
        pieces = {"ours": ours, "theirs": theirs}
        if not is_timed:
            return measure(pieces, rounds=1, round_ns=1).ratio("ours", "theirs")
        costs = measure(pieces, **options)
        for _ in range(2):
            if at_most is not None and costs.ratio("ours", "theirs") > at_most:
                costs = measure(pieces, **options)
        ours_ns, theirs_ns, ratio = costs.ns["ours"], costs.ns["theirs"], costs.ratio("ours", "theirs")
        limit = f"at most {at_most:g}" if at_most is not None else ""
        note(what, f"{ours_ns:.1f} ns", f"{theirs_ns:.1f} ns {beside}", f"{ratio:.3f} x", limit)
        assert at_most is None or ratio <= at_most, (
            f"{what}: {ours_ns:.1f} ns is {ratio:.3f} x {theirs_ns:.1f} ns of {beside}, expected at most {at_most}"
        )
        return ratio

    return compare


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    rows = config.stash[ROWS]
    if not rows:
        return
    what, ours, theirs = (max(len(getattr(row, name)) for row in rows) for name in ("what", "ours", "theirs"))
    terminalreporter.section("side by side, measured in turns; medians")
    for row in rows:
        line = f"{row.what:{what}}  {row.ours:>{ours}}  {row.theirs:{theirs}}  {row.result:>9}  {row.limit}"
        terminalreporter.write_line(line.rstrip())
