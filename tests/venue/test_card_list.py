"""The list of spec cards in the documentation is the list of spec cards."""

from __future__ import annotations

import re
from pathlib import Path

from card import card_list, cards

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "bybit.md"
HEADING = "## Spec cards\n"


def test_numbers_are_given_once() -> None:
    numbers = [card.number for card in cards()]
    assert len(numbers) == len(set(numbers))
    assert all(re.fullmatch(r"BY-[A-Z]\d\d", number) for number in numbers)


def test_the_document_lists_the_cards() -> None:
    section = DOCUMENT.read_text().partition(HEADING)[2].partition("\n## ")[0]
    table = section[section.index("| card |") :]
    assert table.rstrip("\n") == card_list().rstrip("\n"), "make it anew: python tests/venue/card.py"
