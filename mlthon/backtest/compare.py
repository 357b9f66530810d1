"""Two results side by side: what is in both, what differs, and by how much."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import orjson
from rich.table import Table
from rich.text import Text

from mlthon.backtest.result import SUMMARY_NAME
from mlthon.errors import DataError

__all__ = ["Pair", "compare_results", "compare_table", "load_result", "pairs_to_json"]

_LONGEST = 64 * 1024 * 1024  # bytes of a result that are read at most
_DEEPEST = 16


@dataclass(frozen=True, slots=True)
class Pair:
    """One figure of both results; None where a result does not have it. ``key`` is the path to it."""

    key: str
    first: object
    second: object

    @property
    def difference(self) -> Decimal | None:
        """The second less the first, exactly; None where they are not both numbers."""
        first, second = _number(self.first), _number(self.second)
        return None if first is None or second is None else second - first

    @property
    def differs(self) -> bool:
        difference = self.difference
        return bool(difference) if difference is not None else self.first != self.second


def load_result(path: Path) -> dict[str, Any]:
    """Read a result's JSON: a file, or the folder of a saved result; raises DataError."""
    path = path / SUMMARY_NAME if path.is_dir() else path
    try:
        with path.open("rb") as file:
            text = file.read(_LONGEST + 1)
    except OSError as error:
        raise DataError(f"compare: cannot read {path}: {error.strerror}") from error
    if len(text) > _LONGEST:
        raise DataError(f"compare: {path}: expected a result of at most {_LONGEST:,} bytes, got more")
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise DataError(f"compare: {path}: expected a result as JSON: {error}") from None
    if not isinstance(value, dict) or "pnl" not in value or "orders" not in value:
        raise DataError(f"compare: {path}: expected the JSON of a run, with pnl and orders in it")
    return value


def compare_results(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Pair]:
    """Every figure that either has, in the order of the first.

    >>> pairs = compare_results({"fills": 3, "pnl": {"net": "1.10"}}, {"fills": 3, "pnl": {"net": "1.35"}})
    >>> [(pair.key, str(pair.difference)) for pair in pairs]
    [('fills', '0'), ('pnl.net', '0.25')]
    """
    left, right = dict(_figures(first)), dict(_figures(second))
    return [Pair(key, left.get(key), right.get(key)) for key in dict.fromkeys([*left, *right])]


def pairs_to_json(pairs: list[Pair]) -> dict[str, Any]:
    """As plain JSON values: each figure's two values, and the difference as text where there is one."""
    return {
        pair.key: {
            "a": pair.first,
            "b": pair.second,
            "difference": None if pair.difference is None else str(pair.difference),
        }
        for pair in pairs
    }


def compare_table(pairs: list[Pair], names: tuple[str, str]) -> Table:
    """For people: what differs stands out, by how much and by which part of the first."""
    table = Table(title=Text(f"A: {names[0]}\nB: {names[1]}"), title_justify="left")
    table.add_column("", overflow="fold")
    for heading in ("A", "B", "difference", "%"):
        table.add_column(heading, justify="right", overflow="fold")
    for pair in pairs:
        difference = pair.difference
        told = "" if difference is None or not difference else f"{_short(difference):+}"
        table.add_row(
            Text(pair.key),
            Text(_shown(pair.first)),
            Text(_shown(pair.second)),
            told or ("differs" if pair.differs else ""),
            _share(pair),
            style="bold" if pair.differs else "dim",
        )
    return table


# -- details ---------------------------------------------------------------------------------------------------


def _figures(value: object, path: str = "", depth: int = 0) -> Iterator[tuple[str, object]]:
    """The leaves of nested objects, by their dotted paths. Lists are leaves."""
    if not isinstance(value, Mapping):
        yield path, value
        return
    if depth == _DEEPEST:
        raise DataError(f"compare: expected at most {_DEEPEST} levels in a result, got more at {path}")
    for key, member in value.items():
        yield from _figures(member, f"{path}.{key}" if path else str(key), depth + 1)


def _number(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _short(number: Decimal) -> Decimal:
    """Without more digits than a table has room for, and without trailing zeros."""
    rounded = Decimal(f"{number:.8g}")
    return rounded.quantize(Decimal(1)) if rounded == rounded.to_integral() else rounded.normalize()


def _shown(value: object) -> str:
    number = _number(value)
    if number is not None:
        return f"{_short(number):f}" if abs(number) < 10**8 else f"{value}"
    return "-" if value is None else str(value)


def _share(pair: Pair) -> str:
    first, difference = _number(pair.first), pair.difference
    if not first or not difference:
        return ""
    return f"{float(100 * difference / abs(first)):+,.1f}"
