"""Books of levels: two sorted arrays, their best level last, and the snapshots handed out of them.

`BookSide` owns the memory and the order of one side. `Book` is what every kind of book answers, and
`PriceLevelBook` the kind whose levels are known by their price; `level_book` adds the kind known by an id.
The best level stands last because nearly all changes happen there: little is moved.

Nothing is allocated by an update once a side has been as large as it is now.
"""

from cpython.mem cimport PyMem_Free, PyMem_Realloc
from cython cimport final, freelist
from libc.string cimport memmove

from mlthon._core.enums cimport side_from, side_index
from mlthon._core.fixed cimport Price, Qty, price_from, qty_from
from mlthon._core.int128 cimport int128

cdef enum:
    FIRST_CAPACITY = 64               # levels; doubled whenever it does not suffice


cdef class BookSide:
    """One side of a book, for compiled code; Python code reads it through its book."""

    def __cinit__(self, bint is_bid):
        self.is_bid = is_bid

    def __dealloc__(self):
        PyMem_Free(self.levels)

    def __len__(self):
        return self.size

    cdef Change set(self, int128 price, int128 qty) except FAILED:
        cdef Py_ssize_t index = self.slot(price)
        cdef bint found = index < self.size and self.levels[index].price == price
        if qty <= 0:
            if not found:
                return ABSENT
            self.remove_at(index)
            return DELETED
        if not found:
            self.reserve()
            self.insert_at(index, price, qty)
            return ADDED
        if self.levels[index].qty == qty:
            return UNCHANGED
        self.set_qty_at(index, qty)
        return MODIFIED

    cdef Level *best(self) noexcept:
        return &self.levels[self.size - 1] if self.size else NULL

    cdef Level *at(self, Py_ssize_t depth) noexcept:
        return &self.levels[self.size - 1 - depth] if 0 <= depth < self.size else NULL

    cdef Level *find(self, int128 price) noexcept:
        cdef Py_ssize_t index = self.slot(price)
        return &self.levels[index] if index < self.size and self.levels[index].price == price else NULL

    cdef void clear(self) noexcept:
        if self.size:
            self.top_version += 1
        self.size = 0

    cdef Py_ssize_t slot(self, int128 price) noexcept:
        cdef Py_ssize_t low = 0
        cdef Py_ssize_t high = self.size
        cdef Py_ssize_t middle
        cdef int128 there
        while low < high:
            middle = (low + high) >> 1
            there = self.levels[middle].price
            if there < price if self.is_bid else there > price:
                low = middle + 1
            else:
                high = middle
        return low

    cdef int reserve(self) except -1:
        if self.size < self.capacity:
            return 0
        cdef Py_ssize_t capacity = self.capacity * 2 if self.capacity else FIRST_CAPACITY
        cdef Level *levels = <Level *>PyMem_Realloc(self.levels, capacity * sizeof(Level))
        if levels is NULL:
            raise MemoryError(f"no memory for a book side of {capacity} levels")
        self.levels = levels
        self.capacity = capacity
        return 0

    cdef void insert_at(self, Py_ssize_t index, int128 price, int128 qty) noexcept:
        memmove(&self.levels[index + 1], &self.levels[index], (self.size - index) * sizeof(Level))
        self.levels[index].price = price
        self.levels[index].qty = qty
        self.size += 1
        if index == self.size - 1:
            self.top_version += 1

    cdef void set_qty_at(self, Py_ssize_t index, int128 qty) noexcept:
        self.levels[index].qty = qty
        if index == self.size - 1:
            self.top_version += 1

    cdef void remove_at(self, Py_ssize_t index) noexcept:
        self.size -= 1
        if index == self.size:
            self.top_version += 1
        memmove(&self.levels[index], &self.levels[index + 1], (self.size - index) * sizeof(Level))


@freelist(64)
cdef class PriceLevel:
    """A price level as it stood when the book was asked: a value, which later updates do not change.

    >>> from mlthon.basics.defs import Side
    >>> from mlthon.basics.price import Price
    >>> from mlthon.basics.qty import Qty
    >>> level = PriceLevel(Side.Buy, Price("9226.5"), Qty("13952"))
    >>> print(level)
    Buy 13952.00000000 @ 9226.50000000
    >>> level == PriceLevel(Side.Buy, Price("9226.5"), Qty("13952"))
    True
    """

    def __init__(self, side, Price price not None, Qty qty not None):
        self.side_index = side_index(side)
        self.price_mantissa = price.mantissa
        self.qty_mantissa = qty.mantissa

    def get_side(self):
        """Return `Side.Buy` for a bid, `Side.Sell` for an ask."""
        return side_from(self.side_index)

    def get_price(self):
        """Return the `Price` of the level."""
        return price_from(self.price_mantissa)

    def get_qty(self):
        """Return the `Qty` on the level, in the instrument's quantity unit; always positive in a book."""
        return qty_from(self.qty_mantissa)

    def __eq__(self, other):
        if type(other) is not type(self):
            return NotImplemented
        cdef PriceLevel that = <PriceLevel>other
        return (
            self.side_index == that.side_index
            and self.price_mantissa == that.price_mantissa
            and self.qty_mantissa == that.qty_mantissa
        )

    def __hash__(self):
        return hash((self.side_index, self.get_price(), self.get_qty()))

    def __str__(self):
        return f"{self.get_side().name} {self.get_qty()} @ {self.get_price()}"

    def __repr__(self):
        return f"PriceLevel({self.get_side()}, {self.get_price()!r}, {self.get_qty()!r})"

    def __reduce__(self):
        return PriceLevel, (self.get_side(), self.get_price(), self.get_qty())


cdef class Book:
    """What can be asked of a book, however its levels are keyed."""

    def __cinit__(self):
        self.bid_side = BookSide(True)
        self.ask_side = BookSide(False)

    def clear(self):
        """Remove every level of both sides."""
        self.bid_side.clear()
        self.ask_side.clear()

    def get_best_bid_lvl(self):
        """Return `(updated, level)`: whether the best bid changed since last asked, and the bid or None.

        Updated counts any change of the best level, also one that was undone again before the question.

        >>> from mlthon.basics.defs import Side
        >>> from mlthon.basics.price import Price
        >>> from mlthon.basics.qty import Qty
        >>> book = PriceLevelBook()
        >>> book.get_best_bid_lvl()
        (False, None)
        >>> book.add_lvl(Side.Buy, Price("9226.5"), Qty("2"))
        >>> updated, level = book.get_best_bid_lvl()
        >>> print(updated, level)
        True Buy 2.00000000 @ 9226.50000000
        >>> book.get_best_bid_lvl()[0]
        False
        """
        cdef BookSide side = self.bid_side
        updated = side.top_version != self.bid_version_told
        self.bid_version_told = side.top_version
        return updated, self.level_at(side, side.size - 1) if side.size else None

    def get_best_ask_lvl(self):
        """Return `(updated, level)`: whether the best ask changed since last asked, and the ask or None."""
        cdef BookSide side = self.ask_side
        updated = side.top_version != self.ask_version_told
        self.ask_version_told = side.top_version
        return updated, self.level_at(side, side.size - 1) if side.size else None

    def bids(self):
        """Iterate over the bids, best first; RuntimeError when levels come or go meanwhile."""
        return LevelIterator(self, self.bid_side)

    def asks(self):
        """Iterate over the asks, best first; RuntimeError when levels come or go meanwhile.

        >>> from itertools import islice
        >>> from mlthon.basics.defs import Side
        >>> from mlthon.basics.price import Price
        >>> from mlthon.basics.qty import Qty
        >>> book = PriceLevelBook()
        >>> for price in ("101", "100", "102"):
        ...     book.add_lvl(Side.Sell, Price(price), Qty("1"))
        >>> [level.get_price().to_float() for level in islice(book.asks(), 2)]
        [100.0, 101.0]
        """
        return LevelIterator(self, self.ask_side)

    cpdef bint is_crossed(self) noexcept:
        """Tell whether the best bid is at or above the best ask; False while a side is empty.

        A crossed book is held as it is told: venues' messages cross midway, and are sound at their end.
        """
        cdef Level *bid = self.bid_side.best()
        cdef Level *ask = self.ask_side.best()
        return bid is not NULL and ask is not NULL and bid.price >= ask.price

    def get_num_ignored(self):
        """Return how many calls were ignored: levels that are not in the book, and impossible quantities."""
        return self.ignored

    def __len__(self):
        return self.bid_side.size + self.ask_side.size

    def __repr__(self):
        bid = self.level_at(self.bid_side, self.bid_side.size - 1) if self.bid_side.size else "no bid"
        ask = self.level_at(self.ask_side, self.ask_side.size - 1) if self.ask_side.size else "no ask"
        return f"<{type(self).__name__}: {bid} | {ask}, {self.bid_side.size} + {self.ask_side.size} levels>"

    cdef BookSide side(self, int index):
        return self.bid_side if index == 0 else self.ask_side

    cdef object level_at(self, BookSide side, Py_ssize_t index):
        cdef PriceLevel level = PriceLevel.__new__(PriceLevel)
        level.side_index = 0 if side.is_bid else 1
        level.price_mantissa = side.levels[index].price
        level.qty_mantissa = side.levels[index].qty
        return level


cdef class PriceLevelBook(Book):
    """A book whose levels are known by side and price, as `on_add_price_level` and its siblings tell them.

    A level that is not there can be modified or deleted without harm: the call is ignored and counted
    (`get_num_ignored`), for venues do send such messages. A wrong type raises TypeError. A book that crosses
    is held as it is told; see `is_crossed`.

    >>> from mlthon.basics.defs import Side
    >>> from mlthon.basics.price import Price
    >>> from mlthon.basics.qty import Qty
    >>> book = PriceLevelBook()
    >>> book.add_lvl(Side.Buy, Price("9226.5"), Qty("13952"))
    >>> book.add_lvl(Side.Sell, Price("9227"), Qty("50"))
    >>> book.modify_lvl_qty(Side.Buy, Price("9226.5"), Qty("64628"))
    >>> book
    <PriceLevelBook: Buy 64628.00000000 @ 9226.50000000 | Sell 50.00000000 @ 9227.00000000, 1 + 1 levels>
    >>> book.delete_lvl(Side.Sell, Price("9227"))
    >>> len(book), book.get_num_ignored()
    (1, 0)
    """

    def add_lvl(self, side, Price price not None, Qty qty not None):
        """Put `qty` (absolute) at `price`, whether or not the level is already there.

        Zero deletes the level. A negative quantity, and a zero for a level that is not there, are ignored
        and counted.
        """
        cdef BookSide levels = self.side(side_index(side))
        if qty.mantissa < 0 or levels.set(price.mantissa, qty.mantissa) == ABSENT:
            self.ignored += 1

    def modify_lvl_qty(self, side, Price price not None, Qty new_qty not None):
        """Change a level's quantity to `new_qty` (absolute); zero deletes the level.

        A price that is not in the book and a negative quantity are ignored and counted.
        """
        cdef BookSide levels = self.side(side_index(side))
        if new_qty.mantissa < 0 or levels.find(price.mantissa) is NULL:
            self.ignored += 1
            return
        levels.set(price.mantissa, new_qty.mantissa)

    def delete_lvl(self, side, Price price not None):
        """Remove a level; a price that is not in the book is ignored and counted."""
        if self.side(side_index(side)).set(price.mantissa, 0) == ABSENT:
            self.ignored += 1


@final
cdef class LevelIterator:
    """Walks one side of a book from its best level on, making the snapshots as it goes."""

    cdef Book book
    cdef BookSide side
    cdef Py_ssize_t size                # when the walk began
    cdef Py_ssize_t left

    def __cinit__(self, Book book not None, BookSide side not None):
        self.book = book
        self.side = side
        self.size = side.size
        self.left = side.size

    def __iter__(self):
        return self

    def __next__(self):
        if self.side.size != self.size:
            raise RuntimeError("levels were added to the book or removed from it during iteration")
        if self.left == 0:
            raise StopIteration
        self.left -= 1
        return self.book.level_at(self.side, self.left)
