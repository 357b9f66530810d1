"""``python -m mlthon.run compare A B``: two results side by side."""

from __future__ import annotations

from pathlib import Path

from mlthon.run.output import Output

__all__ = ["run_compare"]


def run_compare(first: Path, second: Path, *, as_json: bool, only_differences: bool) -> None:
    """Print the figures of two results, for people or as one line of JSON; raises DataError."""
    from mlthon.backtest.compare import (  # noqa: PLC0415  (no other command needs it)
        compare_results,
        compare_table,
        load_result,
        pairs_to_json,
    )

    pairs = compare_results(load_result(first), load_result(second))
    if only_differences:
        pairs = [pair for pair in pairs if pair.differs]
    output = Output(as_json)
    if not as_json:
        output.show(compare_table(pairs, (str(first), str(second))))
    output.result(pairs_to_json(pairs))
