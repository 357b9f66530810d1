"""Pages of a list, newest first: a cursor is the id of the last row that was shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from mlthon.venues.bybit.params import Params, bad_param, shorten

Row = TypeVar("Row")


def page(
    rows: Sequence[Row], params: Params, row_id: Callable[[Row], str], most: int, default: int
) -> tuple[Sequence[Row], str]:
    """The rows after ``cursor``, at most ``limit`` of them, and the cursor of the next page ("" after the last).

    >>> page("abcde", Params({"limit": "2", "cursor": "b"}), str, most=50, default=20)
    ('cd', 'd')
    """
    limit = params.integer("limit", 1, most, default)
    start = 0
    if params.is_given("cursor"):
        cursor = params.text("cursor")
        found = next((index for index, row in enumerate(rows) if row_id(row) == cursor), None)
        if found is None:
            raise bad_param(f"cursor: expected one that an earlier page gave, got {shorten(cursor)}")
        start = found + 1
    shown = rows[start : start + limit]
    is_last = start + limit >= len(rows)
    return shown, "" if is_last else row_id(shown[-1])
