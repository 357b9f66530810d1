"""A column of texts, in as little memory as they need."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

__all__ = ["TextColumn"]


class TextColumn:
    """Texts, one after the other in one piece of memory, and where each begins.

    >>> column = TextColumn()
    >>> column.append("a1")
    >>> column.append("")
    >>> list(column)
    ['a1', '']
    """

    __slots__ = ("_bytes", "_offsets")

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._offsets = array("q", [0])

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __iter__(self) -> Iterator[str]:
        return (self[row] for row in range(len(self)))

    def __getitem__(self, row: int) -> str:
        return self._bytes[self._offsets[row] : self._offsets[row + 1]].decode("utf-8", "surrogatepass")

    def append(self, text: str) -> None:
        self._bytes += text.encode("utf-8", "surrogatepass")
        self._offsets.append(len(self._bytes))
