# cython: binding=False, embedsignature=True, embedsignature.format=clinic
# Plain method descriptors are called 5 ns faster than what Cython makes of methods else.
"""Books of levels: what every kind of book answers, and the kind whose levels are known by their price.

The levels are in `book_side`, the arithmetic of the queries in `book_queries`; here is what Python code sees of
them. `level_book` adds the kind whose levels are known by an id, `order_book` the kind that knows every order.
"""

from itertools import islice

from cython cimport final, freelist

from mlthon._core.book_queries cimport average_price, imbalance, micro_price, mid_price, volume_to
from mlthon._core.book_side cimport ABSENT, BookSide, Level, Place, level_of
from mlthon._core.enums cimport side_from, side_index
from mlthon._core.fixed cimport Price, Qty, mldecimal_from, price_from, qty_from
from mlthon._core.int128 cimport int128


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
    """What can be asked of a book, however its levels are keyed.

    Queries cost what they look at: the best level, or the levels down to a price or a quantity. Where levels of one
    price are told apart, they count as one here: queries are about prices.
    """

    def __cinit__(self):
        self.bid_side = BookSide(True)
        self.ask_side = BookSide(False)

    def clear(self):
        """Remove every level of both sides."""
        self.bid_side.clear()
        self.ask_side.clear()

    # -- the levels --------------------------------------------------------------------------------------------

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
        cdef unsigned long long version = self.bid_side.top_version
        updated = version != self.bid_version_told
        self.bid_version_told = version
        return updated, self.best_level(self.bid_side)

    def get_best_ask_lvl(self):
        """Return `(updated, level)`: whether the best ask changed since last asked, and the ask or None."""
        cdef unsigned long long version = self.ask_side.top_version
        updated = version != self.ask_version_told
        self.ask_version_told = version
        return updated, self.best_level(self.ask_side)

    def bids(self):
        """Iterate over the bids, best first; RuntimeError when levels come or go meanwhile."""
        return LevelIterator(self, self.bid_side)

    def asks(self):
        """Iterate over the asks, best first; RuntimeError when levels come or go meanwhile.

        >>> from mlthon.basics.defs import Side
        >>> from mlthon.basics.price import Price
        >>> from mlthon.basics.qty import Qty
        >>> book = PriceLevelBook()
        >>> for price in ("101", "100", "102"):
        ...     book.add_lvl(Side.Sell, Price(price), Qty("1"))
        >>> [level.get_price().to_float() for level in book.asks()]
        [100.0, 101.0, 102.0]
        """
        return LevelIterator(self, self.ask_side)

    def get_lvls(self, side, Py_ssize_t n):
        """Return the best `n` levels of a side as a list, best first; fewer where there are no more.

        Raises ValueError for a negative `n`.

        >>> from mlthon.basics.defs import Side
        >>> from mlthon.basics.price import Price
        >>> from mlthon.basics.qty import Qty
        >>> book = PriceLevelBook()
        >>> for price in ("101", "100", "102"):
        ...     book.add_lvl(Side.Sell, Price(price), Qty("1"))
        >>> [str(level) for level in book.get_lvls(Side.Sell, 2)]
        ['Sell 1.00000000 @ 100.00000000', 'Sell 1.00000000 @ 101.00000000']
        """
        if n < 0:
            raise ValueError(f"n: expected 0 or more, got {n}")
        return list(islice(self.bids() if side_index(side) == 0 else self.asks(), n))

    cpdef bint is_crossed(self) noexcept:
        """Tell whether the best bid is at or above the best ask; False while a side is empty.

        A crossed book is held as it is told: venues' messages cross midway, and are sound at their end.
        """
        cdef Level *bid = self.bid_side.best()
        cdef Level *ask = self.ask_side.best()
        return bid is not NULL and ask is not NULL and bid.price >= ask.price

    def get_num_ignored(self):
        """Return how many calls were ignored: for what is not in the book, and for impossible quantities."""
        return self.ignored

    # -- volumes and prices ------------------------------------------------------------------------------------

    def get_volume_to(self, side, Price price not None):
        """Return what is to be had of a side at `price` or better, a Qty.

        Raises OverflowError for a sum beyond the range.

        >>> from mlthon.basics.defs import Side
        >>> from mlthon.basics.price import Price
        >>> from mlthon.basics.qty import Qty
        >>> book = PriceLevelBook()
        >>> book.add_lvl(Side.Sell, Price("100"), Qty("2"))
        >>> book.add_lvl(Side.Sell, Price("101"), Qty("3"))
        >>> book.get_volume_to(Side.Sell, Price("100.5")), book.get_volume_to(Side.Sell, Price("101"))
        (Qty('2.00000000'), Qty('5.00000000'))
        """
        cdef int128 volume
        volume_to(self.side(side_index(side)), price.mantissa, &volume)
        return qty_from(volume)

    def get_avg_price(self, side, Qty qty not None):
        """Return the average Price of the best `qty` of a side, or None where the side has less than that.

        It is what an order of `qty` that takes from this side pays (asks) or gets (bids): the quantity-weighted mean
        of the prices it reaches, rounded half-even at the 18th decimal. Raises ValueError unless `qty` is positive.

        >>> from mlthon.basics.defs import Side
        >>> from mlthon.basics.price import Price
        >>> from mlthon.basics.qty import Qty
        >>> book = PriceLevelBook()
        >>> book.add_lvl(Side.Sell, Price("100"), Qty("2"))
        >>> book.add_lvl(Side.Sell, Price("101"), Qty("3"))
        >>> book.get_avg_price(Side.Sell, Qty("4")), book.get_avg_price(Side.Sell, Qty("6"))
        (Price('100.50000000'), None)
        """
        cdef int128 price
        if qty.mantissa <= 0:
            raise ValueError(f"qty: expected more than 0, got {qty}")
        return price_from(price) if average_price(self.side(side_index(side)), qty.mantissa, &price) else None

    def get_mid_price(self):
        """Return (best bid + best ask) / 2, a Price rounded half-even at the 18th decimal; None without both.

        >>> from mlthon.basics.defs import Side
        >>> from mlthon.basics.price import Price
        >>> from mlthon.basics.qty import Qty
        >>> book = PriceLevelBook()
        >>> book.add_lvl(Side.Buy, Price("100"), Qty("9"))
        >>> book.add_lvl(Side.Sell, Price("100.5"), Qty("1"))
        >>> book.get_mid_price(), book.get_micro_price(), book.get_imbalance()
        (Price('100.25000000'), Price('100.45000000'), MLDecimal('0.80000000'))
        """
        cdef int128 price
        return price_from(price) if mid_price(self.bid_side, self.ask_side, &price) else None

    def get_micro_price(self):
        """Return the mid price weighted by the opposite quantities, a Price; None without both best levels.

        That is (bid x ask qty + ask x bid qty) / (bid qty + ask qty), rounded half-even at the 18th decimal: the
        larger bid pushes it towards the ask. See `get_mid_price` for an example. Raises OverflowError where the two
        quantities add up beyond the range.
        """
        cdef int128 price
        return price_from(price) if micro_price(self.bid_side, self.ask_side, &price) else None

    def get_imbalance(self, Py_ssize_t n=1):
        """Return (B - A) / (B + A), B and A being the quantities of the best `n` prices of bids and asks.

        An MLDecimal from -1 (only asks) to 1 (only bids), rounded half-even at the 18th decimal; None for an empty
        book. See `get_mid_price` for an example. Raises ValueError for an `n` below 1, OverflowError where the
        quantities add up beyond the range.
        """
        cdef int128 ratio
        if n < 1:
            raise ValueError(f"n: expected 1 or more, got {n}")
        return mldecimal_from(ratio) if imbalance(self.bid_side, self.ask_side, n, &ratio) else None

    # -- details -----------------------------------------------------------------------------------------------

    def __len__(self):
        return self.bid_side.size + self.ask_side.size

    def __repr__(self):
        bid = self.best_level(self.bid_side) or "no bid"
        ask = self.best_level(self.ask_side) or "no ask"
        return f"<{type(self).__name__}: {bid} | {ask}, {self.bid_side.size} + {self.ask_side.size} levels>"

    cdef BookSide side(self, int index):
        return self.bid_side if index == 0 else self.ask_side

    cdef object best_level(self, BookSide side):
        cdef Place place
        side.start(&place)
        return None if side.next_level(&place) is NULL else self.level_at(side, &place)

    cdef object level_at(self, BookSide side, const Place *place):
        cdef Level *level = level_of(side, place)
        cdef PriceLevel snapshot = PriceLevel.__new__(PriceLevel)
        fill_level(snapshot, side, level.price, level.qty)
        return snapshot


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
        cdef Place place
        cdef Level *level = levels.seek(price.mantissa, &place)
        if level is NULL or new_qty.mantissa < 0:
            self.ignored += 1
        elif new_qty.mantissa == 0:
            levels.remove(&place)
        elif level.qty != new_qty.mantissa:
            levels.set_qty(&place, new_qty.mantissa)

    def delete_lvl(self, side, Price price not None):
        """Remove a level; a price that is not in the book is ignored and counted."""
        if self.side(side_index(side)).set(price.mantissa, 0) == ABSENT:
            self.ignored += 1


@final
cdef class LevelIterator:
    """Walks one side of a book from its best level on, making the snapshots as it goes."""

    cdef Book book
    cdef BookSide side
    cdef Place place
    cdef unsigned long long shape_version     # when the walk began

    def __cinit__(self, Book book not None, BookSide side not None):
        self.book = book
        self.side = side
        self.shape_version = side.shape_version
        side.start(&self.place)

    def __iter__(self):
        return self

    def __next__(self):
        if self.side.shape_version != self.shape_version:
            raise RuntimeError("levels were added to the book or removed from it during iteration")
        if self.side.next_level(&self.place) is NULL:
            raise StopIteration
        return self.book.level_at(self.side, &self.place)
