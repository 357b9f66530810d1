"""What a subscriber to a book of limited depth is sent: the best N levels of each side, and how they change.

A level that falls out of the best N is told as gone, and one that moves up into them as new, though neither
changed in the book.
"""

from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.string cimport memcmp, memcpy

cimport cython
from mlthon._core.book_side cimport Place
from mlthon._core.decimal_text cimport DECIMALS, mantissa_to_text
from mlthon._core.price_book cimport Book, BookSide, Level

cdef enum:
    MAX_DEPTH = 100000


@cython.final
cdef class DepthView:
    """The best `depth` levels a side, as last published.

    Prices and quantities become text with `price_decimals` and `qty_decimals` decimals (more where a value has more,
    for text never rounds). Raises ValueError for a depth below 1 or decimals beyond 0 to 18. Each call costs
    O(depth), and allocates only what it returns.

    >>> from mlthon._core.enums import Side
    >>> from mlthon._core.fixed import Price, Qty
    >>> from mlthon._core.price_book import PriceLevelBook
    >>> book, view = PriceLevelBook(), DepthView(1, 1, 3)
    >>> book.add_lvl(Side.Buy, Price("100"), Qty("1"))
    >>> view.changes(book)
    ([['100.0', '1.000']], [])
    >>> book.add_lvl(Side.Buy, Price("100.5"), Qty("2"))
    >>> view.changes(book)
    ([['100.5', '2.000'], ['100.0', '0']], [])
    >>> view.snapshot()
    ([['100.5', '2.000']], [])
    """

    def __cinit__(self, Py_ssize_t depth, int price_decimals, int qty_decimals):
        if not 1 <= depth <= MAX_DEPTH:
            raise ValueError(f"depth: expected 1 to {MAX_DEPTH}, got {depth}")
        if not (0 <= price_decimals <= DECIMALS and 0 <= qty_decimals <= DECIMALS):
            raise ValueError(f"decimals: expected 0 to {DECIMALS}, got {price_decimals} and {qty_decimals}")
        self.depth = depth
        self.price_decimals = price_decimals
        self.qty_decimals = qty_decimals
        # One block of zeros, so that comparing bytes compares levels.
        self.bids.levels = <Level *>PyMem_Calloc(3 * depth, sizeof(Level))
        if self.bids.levels is NULL:
            raise MemoryError(f"no memory for a view of {depth} levels")
        self.asks.levels = self.bids.levels + depth
        self.latest = self.asks.levels + depth

    def __dealloc__(self):
        PyMem_Free(self.bids.levels)

    def changes(self, Book book not None):
        """Publish the book as it is now: ``(bids, asks)``, the entries that differ from what was last published.

        An entry is ``[price_text, qty_text]``, with ``"0"`` for a level that left; each side is sorted best first,
        and empty when nothing changed there.
        """
        bids = self.side_changes(&self.bids, book.bid_side)
        asks = self.side_changes(&self.asks, book.ask_side)
        return bids, asks

    def snapshot(self):
        """Everything as last published: ``(bids, asks)``, each best first, in the same form."""
        return self.side_snapshot(&self.bids), self.side_snapshot(&self.asks)

    cdef list side_changes(self, SideView *view, BookSide side):
        cdef Py_ssize_t size = side.size if side.size < self.depth else self.depth
        cdef Py_ssize_t index
        cdef Place place
        side.start(&place)
        for index in range(size):
            self.latest[index] = side.next_level(&place)[0]
        if size == view.size and memcmp(self.latest, view.levels, size * sizeof(Level)) == 0:
            return []
        cdef list entries = []
        cdef Py_ssize_t old = 0
        cdef Py_ssize_t new = 0
        cdef Level *was
        cdef Level *now
        while old < view.size or new < size:
            was = &view.levels[old] if old < view.size else NULL
            now = &self.latest[new] if new < size else NULL
            if was is NULL or (now is not NULL and is_better(now, was, side.is_bid)):
                entries.append(self.entry(now, False))
                new += 1
            elif now is NULL or is_better(was, now, side.is_bid):
                entries.append(self.entry(was, True))
                old += 1
            else:
                if now.qty != was.qty:
                    entries.append(self.entry(now, False))
                old += 1
                new += 1
        memcpy(view.levels, self.latest, size * sizeof(Level))
        view.size = size
        return entries

    cdef list side_snapshot(self, const SideView *view):
        cdef Py_ssize_t index
        return [self.entry(&view.levels[index], False) for index in range(view.size)]

    cdef list entry(self, const Level *level, bint is_gone):
        qty = "0" if is_gone else mantissa_to_text(level.qty, self.qty_decimals)
        return [mantissa_to_text(level.price, self.price_decimals), qty]


cdef bint is_better(const Level *a, const Level *b, bint is_bid) noexcept:
    return a.price > b.price if is_bid else a.price < b.price
