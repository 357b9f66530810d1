"""Exact numbers over time, in bounded memory: every row at first, in the end those that a drawing needs.

Figures are never worked out from a curve: what is left out of it was counted before (`mlthon.backtest.statistics`).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import groupby

from mlthon._core.fixed import Fixed
from mlthon._core.fixed_column import FixedColumn

__all__ = ["MOST_ROWS", "Curve"]

MOST_ROWS = 1 << 17  #: 36 hours of a row a second


class Curve:
    """Rows of a time and exact numbers, which never are more than ``most``.

    Past that, time is cut into stretches of ``spacing_ns``, doubled as often as it takes to halve the rows. Of each
    stretch those rows stay in which one of the columns called ``turning`` is highest or lowest, the first of equals.
    The first and the last row always stay. What stays depends on the rows alone.

    >>> from mlthon.basics.qty import Qty
    >>> curve = Curve(("size",), turning=("size",), spacing_ns=10, most=6)
    >>> for ns, size in enumerate([0, 1, 2, 7, 3, 1, 4]):
    ...     curve.add(10 * ns, Qty(size))
    >>> list(curve.ns), [mantissa // 10**18 for mantissa in curve.mantissas("size")]
    ([0, 30, 50, 60], [0, 7, 1, 4])
    """

    def __init__(
        self, columns: Sequence[str], *, turning: Sequence[str], spacing_ns: int, most: int | None = None
    ) -> None:
        self.ns = array("q")
        self.spacing_ns = (
            spacing_ns  #: of the stretches; that of the rows themselves while `is_thinned` is False
        )
        self.is_thinned = False
        self._turning = tuple(turning)
        self._fewest = 2 + 2 * len(self._turning)  # of one stretch over all
        self._most = max(MOST_ROWS if most is None else most, self._fewest)
        self._columns = {name: FixedColumn() for name in columns}

    def __len__(self) -> int:
        return len(self.ns)

    def __getitem__(self, name: str) -> FixedColumn:
        """The column of that name; it is another one when rows have been added since."""
        return self._columns[name]

    def mantissas(self, name: str) -> Iterator[int]:
        """A column's numbers, row by row."""
        for mantissa in self._columns[name]:
            yield mantissa or 0

    def add(self, ns: int, *values: Fixed) -> None:
        """Add a row, not earlier than the one before; a value for each column."""
        self.ns.append(ns)
        for column, value in zip(self._columns.values(), values, strict=True):
            column.append(value)
        if len(self.ns) > self._most:
            self._thin()

    # -- details -----------------------------------------------------------------------------------------------

    def _thin(self) -> None:
        """Keep at most half of the rows that there may be, so that this is not done again soon."""
        self._keep(self._extremes())
        while len(self.ns) > max(self._most // 2, self._fewest):
            self.spacing_ns *= 2
            self._keep(self._extremes())
        self.is_thinned = True

    def _extremes(self) -> list[int]:
        kept = {0, len(self.ns) - 1}
        columns = [list(self.mantissas(name)) for name in self._turning]
        for _, stretch in groupby(range(len(self.ns)), key=lambda row: self.ns[row] // self.spacing_ns):
            rows = list(stretch)
            for values in columns:
                kept.add(min(rows, key=values.__getitem__))
                kept.add(max(rows, key=values.__getitem__))
        return sorted(kept)

    def _keep(self, rows: list[int]) -> None:
        self.ns = array("q", (self.ns[row] for row in rows))
        self._columns = {name: column.take(rows) for name, column in self._columns.items()}
