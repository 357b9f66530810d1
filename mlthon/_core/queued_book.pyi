from collections.abc import Iterator
from typing import TypeVar, final

from typing_extensions import disjoint_base

from mlthon._core.price_book import Book, PriceLevel

_LevelT = TypeVar("_LevelT", bound=PriceLevel)
_OrderT = TypeVar("_OrderT")

@disjoint_base
class QueuedBook(Book[_LevelT]): ...

@final
class OrderIterator(Iterator[_OrderT]):
    def __next__(self) -> _OrderT: ...
