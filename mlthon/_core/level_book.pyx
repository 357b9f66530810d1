# cython: binding=False, embedsignature=True, embedsignature.format=clinic
# Plain method descriptors are called 5 ns faster than what Cython makes of methods else.
"""Books whose levels are known by an id: several may stand at one price, in the order they came.

A level with an id is to its price what an order is to a level: `queued_book` keeps both. What is particular here is
that every one of them is shown as a level, so the best one is the first of the best price's queue.
"""

from cpython.long cimport PyLong_Check
from cython cimport final

from mlthon._core.book_side cimport BookSide, Place, queue_of
from mlthon._core.enums cimport side_index
from mlthon._core.fixed cimport Price, Qty
from mlthon._core.int128 cimport int128
from mlthon._core.order_queue cimport Queue, QueuedOrder, first_order
from mlthon._core.price_book cimport PriceLevel, fill_level
from mlthon._core.queued_book cimport QueuedBook, walk_side


@final
cdef class BookLevel(PriceLevel):
    """A level with an id, as it stood when the book was asked: a value, which later updates do not change.

    >>> from mlthon.basics.defs import Side
    >>> from mlthon.basics.price import Price
    >>> from mlthon.basics.qty import Qty
    >>> print(BookLevel(92265000, Side.Buy, Price("9226.5"), Qty("13952")))
    #92265000 Buy 13952.00000000 @ 9226.50000000
    """

    cdef object level_id

    def __init__(self, level_id, side, Price price not None, Qty qty not None):
        PriceLevel.__init__(self, side, price, qty)
        self.level_id = checked_id(level_id)

    def get_level_id(self):
        """Return the id the level was added with, an int."""
        return self.level_id

    def __eq__(self, other):
        if type(other) is not BookLevel:
            return NotImplemented
        return self.level_id == (<BookLevel>other).level_id and PriceLevel.__eq__(self, other)

    def __hash__(self):
        return hash((self.level_id, PriceLevel.__hash__(self)))

    def __str__(self):
        return f"#{self.level_id} {PriceLevel.__str__(self)}"

    def __repr__(self):
        return f"BookLevel({self.level_id}, {self.get_side()}, {self.get_price()!r}, {self.get_qty()!r})"

    def __reduce__(self):
        return BookLevel, (self.level_id, self.get_side(), self.get_price(), self.get_qty())


cdef struct Front:                    # the first level of a side, as it was last seen
    void *order                       # only to be compared; NULL where there was none
    int128 price
    int128 qty


cdef class LevelBook(QueuedBook):
    """A book whose levels are known by an id, as `on_add_level` and its siblings tell them.

    Several ids may share a price: the first come is ahead, in the iteration and as the best level; volumes and
    average prices add them up. An id that is not there can be modified or deleted without harm: the call is ignored
    and counted (`get_num_ignored`). A wrong type raises TypeError, quantities of one price that add up beyond the
    range OverflowError; the book is then as before. A book that crosses is held as it is told; see `is_crossed`.

    >>> from mlthon.basics.defs import Side
    >>> from mlthon.basics.price import Price
    >>> from mlthon.basics.qty import Qty
    >>> book = LevelBook()
    >>> book.add_lvl(92265000, Side.Buy, Price("9226.5"), Qty("13952"))
    >>> book.add_lvl(92260000, Side.Buy, Price("9226"), Qty("7"))
    >>> book.modify_lvl_qty(92265000, Qty("64628"))
    >>> updated, level = book.get_best_bid_lvl()
    >>> updated, level.get_level_id(), level.get_price()
    (True, 92265000, Price('9226.50000000'))
    >>> book.delete_lvl(92265000)
    >>> [level.get_level_id() for level in book.bids()], book.get_best_ask_lvl()
    ([92260000], (False, None))
    """

    cdef Front[2] fronts
    cdef bint[2] is_news                  # the front changed since it was last asked for

    def clear(self):
        """Remove every level of both sides."""
        QueuedBook.clear(self)
        self.note_fronts()

    def add_lvl(self, level_id, side, Price price not None, Qty qty not None):
        """Add a level behind those at its price.

        An id that is in the book already is replaced: where side and price are the same, its quantity changes
        and it keeps its place, otherwise it moves. A zero quantity deletes the id. A negative quantity, and a
        zero for an id that is not there, are ignored and counted.
        """
        cdef int index = side_index(side)
        cdef QueuedOrder order = self.find(checked_id(level_id))
        if qty.mantissa < 0 or (qty.mantissa == 0 and order is None):
            self.ignored += 1
        elif order is None:
            self.put(level_id, index, price.mantissa, qty.mantissa)
        elif qty.mantissa == 0:
            self.drop(order)
        elif order.queue.side_index == index and order.queue.price == price.mantissa:
            self.change_qty(order, qty.mantissa, False)
        else:
            self.move(order, index, price.mantissa, qty.mantissa)
        self.note_fronts()

    def modify_lvl_qty(self, level_id, Qty new_qty not None):
        """Change a level's quantity to `new_qty` (absolute), keeping its place; zero deletes the level.

        An id that is not in the book and a negative quantity are ignored and counted.
        """
        cdef QueuedOrder order = self.find(checked_id(level_id))
        if order is None or new_qty.mantissa < 0:
            self.ignored += 1
        elif new_qty.mantissa == 0:
            self.drop(order)
        else:
            self.change_qty(order, new_qty.mantissa, False)
        self.note_fronts()

    def delete_lvl(self, level_id):
        """Remove a level; an id that is not in the book is ignored and counted."""
        cdef QueuedOrder order = self.find(checked_id(level_id))
        if order is None:
            self.ignored += 1
        else:
            self.drop(order)
        self.note_fronts()

    def get_best_bid_lvl(self):
        """Return `(updated, level)`: whether the best bid changed since last asked, and the bid or None.

        Updated counts any change of the best level, also one that was undone again before the question. A change of
        a level behind the first of the best price is none.
        """
        updated, self.is_news[0] = self.is_news[0], False
        return updated, self.best_level(self.bid_side)

    def get_best_ask_lvl(self):
        """Return `(updated, level)`: whether the best ask changed since last asked, and the ask or None."""
        updated, self.is_news[1] = self.is_news[1], False
        return updated, self.best_level(self.ask_side)

    def bids(self):
        """Iterate over the bids, best first; RuntimeError when levels come or go meanwhile."""
        return walk_side(self, self.bid_side)

    def asks(self):
        """Iterate over the asks, best first; RuntimeError when levels come or go meanwhile."""
        return walk_side(self, self.ask_side)

    cdef int note_fronts(self) except -1:
        self.note_front(self.bid_side, 0)
        self.note_front(self.ask_side, 1)
        return 0

    cdef int note_front(self, BookSide side, int index) except -1:
        cdef Front *seen = &self.fronts[index]
        cdef Front now
        cdef Place place
        cdef QueuedOrder order
        now.order = NULL
        now.price = now.qty = 0
        side.start(&place)
        if side.next_level(&place) is not NULL:
            order = first_order(<Queue *>queue_of(side, &place)[0])
            now.order = <void *>order
            now.price = order.queue.price
            now.qty = order.qty
        if now.order != seen.order or now.price != seen.price or now.qty != seen.qty:
            self.is_news[index] = True
            seen[0] = now
        return 0

    cdef object level_at(self, BookSide side, const Place *place):
        return self.snapshot_of(first_order(<Queue *>queue_of(side, place)[0]))

    cdef object snapshot_of(self, QueuedOrder order):
        cdef BookLevel level = BookLevel.__new__(BookLevel)
        level.level_id = order.order_id
        fill_level(level, self.side(order.queue.side_index), order.queue.price, order.qty)
        return level


cdef object checked_id(object level_id):
    if not PyLong_Check(level_id):
        raise TypeError(f"level_id: expected an int, got {level_id!r}")
    return level_id
