"""Columns of exact numbers and of text, in as little memory as they need. They only grow.

Numbers lie as in Arrow, and are written to files without being copied. Integers of up to 64 bits need no class of
their own: ``array("q")`` does.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator

__all__ = ["FixedColumn", "TextColumn"]

_WIDTH = 16
_ABSENT = (-(1 << 127)).to_bytes(_WIDTH, "little", signed=True)  # no price or quantity has this mantissa


class FixedColumn:
    """Mantissas of 18 decimals, 16 bytes each: Arrow's decimal128(38, 18). None stands for what is not known.

    >>> column = FixedColumn()
    >>> column.append(15 * 10**17)
    >>> column.append(None)
    >>> column[1] = -1
    >>> list(column), len(column)
    ([1500000000000000000, -1], 2)
    """

    __slots__ = ("_bytes",)

    def __init__(self) -> None:
        self._bytes = bytearray()

    def __len__(self) -> int:
        return len(self._bytes) // _WIDTH

    def __iter__(self) -> Iterator[int | None]:
        return (self[row] for row in range(len(self)))

    def __getitem__(self, row: int) -> int | None:
        value = self._bytes[row * _WIDTH : (row + 1) * _WIDTH]
        return None if value == _ABSENT else int.from_bytes(value, "little", signed=True)

    def __setitem__(self, row: int, mantissa: int) -> None:
        self._bytes[row * _WIDTH : (row + 1) * _WIDTH] = mantissa.to_bytes(_WIDTH, "little", signed=True)

    def append(self, mantissa: int | None) -> None:
        self._bytes += _ABSENT if mantissa is None else mantissa.to_bytes(_WIDTH, "little", signed=True)

    @property
    def data(self) -> bytearray:
        """The numbers, little-endian; those of absent rows mean nothing."""
        return self._bytes


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
