"""Spec cards: one numbered statement about how the connector behaves, and one small test that holds it to it.

A card is a test function marked with its number; its docstring is the statement. The list in ``docs/bybit.md`` is
made from the source of the test files, by ``python tests/venue/card.py``, and a test compares the two.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

__all__ = ["Card", "card", "cards", "card_list"]

Test = TypeVar("Test", bound=Callable[..., object])


class Card(NamedTuple):
    """One card. `unsupported` says why, where the connector declares that it does not do this."""

    number: str
    statement: str
    unsupported: str


def card(number: str, unsupported: str = "") -> Callable[[Test], Test]:
    """Mark a test as a card; one that is `unsupported` tests that the connector says so."""
    del number, unsupported  # read from the source, by `cards`

    def mark(test: Test) -> Test:
        return test

    return mark


def cards() -> list[Card]:
    """All cards, in the order of their numbers."""
    return sorted(
        found for path in Path(__file__).parent.glob("test_*_cards.py") for found in _cards_in(path)
    )


def card_list() -> str:
    """The list as it stands in the documentation."""
    rows = [
        f"| {number} | {statement} | {'unsupported: ' + unsupported if unsupported else 'passes'} |"
        for number, statement, unsupported in cards()
    ]
    return "\n".join(["| card | behaviour | result |", "|---|---|---|", *rows]) + "\n"


def _cards_in(path: Path) -> Iterator[Card]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            marks = [mark for mark in node.decorator_list if _is_card(mark)]
            if len(marks) != 1:
                raise ValueError(f"{path.name}: {node.name}: expected one @card, found {len(marks)}")
            yield _read(marks[0], node, path)


def _is_card(mark: ast.expr) -> bool:
    return isinstance(mark, ast.Call) and isinstance(mark.func, ast.Name) and mark.func.id == "card"


def _read(mark: ast.expr, node: ast.FunctionDef | ast.AsyncFunctionDef, path: Path) -> Card:
    assert isinstance(mark, ast.Call)
    statement = " ".join((ast.get_docstring(node) or "").split())
    if not statement.endswith("."):
        raise ValueError(f"{path.name}: {node.name}: expected a docstring of one sentence, got {statement!r}")
    number, *rest = [ast.literal_eval(value) for value in (*mark.args, *(k.value for k in mark.keywords))]
    return Card(number, statement.removesuffix("."), rest[0] if rest else "")


if __name__ == "__main__":
    print(card_list(), end="")
