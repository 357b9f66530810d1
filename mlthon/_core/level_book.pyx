"""Books whose levels are known by an id: several may stand at one price, in the order they came.

The arrays, their order and all queries are those of `price_book`. What is added is the way from an id to its
level: the book's dict tells the id's `Place`, the place its price, the price the levels to look through.
"""

from cpython.long cimport PyLong_Check
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from cython cimport final, freelist
from libc.string cimport memmove

from mlthon._core.enums cimport side_index
from mlthon._core.fixed cimport Price, Qty
from mlthon._core.int128 cimport int128
from mlthon._core.price_book cimport Book, BookSide, PriceLevel


@final
@freelist(64)
cdef class Place:
    """Where in the book a level id stands."""

    cdef object level_id
    cdef int side_index               # 0: bids, 1: asks
    cdef int128 price_mantissa


cdef class QueuedSide(BookSide):
    """A side whose levels are told apart by their places."""

    cdef void **places                # of `levels`, in step; borrowed from the book's dict
    cdef Py_ssize_t places_capacity

    def __dealloc__(self):
        PyMem_Free(self.places)

    cdef int insert(self, Place place, int128 qty) except -1:
        cdef Py_ssize_t index = self.slot(place.price_mantissa)
        self.reserve()
        self.reserve_places()
        memmove(&self.places[index + 1], &self.places[index], (self.size - index) * sizeof(void *))
        self.places[index] = <void *>place
        self.insert_at(index, place.price_mantissa, qty)
        return 0

    cdef Py_ssize_t index_of(self, Place place) noexcept:
        cdef Py_ssize_t index = self.slot(place.price_mantissa)
        while self.places[index] != <void *>place:
            index += 1
        return index

    cdef void remove(self, Place place) noexcept:
        cdef Py_ssize_t index = self.index_of(place)
        self.remove_at(index)
        memmove(&self.places[index], &self.places[index + 1], (self.size - index) * sizeof(void *))

    cdef int reserve_places(self) except -1:
        if self.places_capacity >= self.capacity:
            return 0
        cdef void **places = <void **>PyMem_Realloc(self.places, self.capacity * sizeof(void *))
        if places is NULL:
            raise MemoryError(f"no memory for a book side of {self.capacity} levels")
        self.places = places
        self.places_capacity = self.capacity
        return 0


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


cdef class LevelBook(Book):
    """A book whose levels are known by an id, as `on_add_level` and its siblings tell them.

    Several ids may share a price: the first come is ahead, in the iteration and as the best level. An id that
    is not there can be modified or deleted without harm: the call is ignored and counted (`get_num_ignored`).
    A wrong type raises TypeError. A book that crosses is held as it is told; see `is_crossed`.

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

    cdef dict places                  # level id -> Place

    def __cinit__(self):
        self.bid_side = QueuedSide(True)
        self.ask_side = QueuedSide(False)
        self.places = {}

    def clear(self):
        """Remove every level of both sides."""
        Book.clear(self)
        self.places.clear()

    def add_lvl(self, level_id, side, Price price not None, Qty qty not None):
        """Add a level behind those at its price.

        An id that is in the book already is replaced: where side and price are the same, its quantity changes
        and it keeps its place, otherwise it moves. A zero quantity deletes the id. A negative quantity, and a
        zero for an id that is not there, are ignored and counted.
        """
        cdef int index = side_index(side)
        checked_id(level_id)
        cdef Place place = <Place>self.places.get(level_id)
        if qty.mantissa < 0 or (qty.mantissa == 0 and place is None):
            self.ignored += 1
        elif place is None:
            self.insert(level_id, index, price.mantissa, qty.mantissa)
        elif qty.mantissa == 0 or (place.side_index == index and place.price_mantissa == price.mantissa):
            self.set_qty(place, qty.mantissa)
        else:
            self.set_qty(place, 0)
            self.insert(level_id, index, price.mantissa, qty.mantissa)

    def modify_lvl_qty(self, level_id, Qty new_qty not None):
        """Change a level's quantity to `new_qty` (absolute), keeping its place; zero deletes the level.

        An id that is not in the book and a negative quantity are ignored and counted.
        """
        cdef Place place = <Place>self.places.get(checked_id(level_id))
        if place is None or new_qty.mantissa < 0:
            self.ignored += 1
        else:
            self.set_qty(place, new_qty.mantissa)

    def delete_lvl(self, level_id):
        """Remove a level; an id that is not in the book is ignored and counted."""
        cdef Place place = <Place>self.places.get(checked_id(level_id))
        if place is None:
            self.ignored += 1
        else:
            self.set_qty(place, 0)

    cdef int insert(self, object level_id, int index, int128 price, int128 qty) except -1:
        cdef Place place = Place.__new__(Place)
        place.level_id = level_id
        place.side_index = index
        place.price_mantissa = price
        self.places[level_id] = place
        try:
            (<QueuedSide>self.side(index)).insert(place, qty)
        except MemoryError:
            del self.places[level_id]
            raise
        return 0

    cdef int set_qty(self, Place place, int128 qty) except -1:
        cdef QueuedSide side = <QueuedSide>self.side(place.side_index)
        cdef Py_ssize_t index
        if qty == 0:
            side.remove(place)
            del self.places[place.level_id]
            return 0
        index = side.index_of(place)
        if side.levels[index].qty != qty:
            side.set_qty_at(index, qty)
        return 0

    cdef object level_at(self, BookSide side, Py_ssize_t index):
        cdef BookLevel level = BookLevel.__new__(BookLevel)
        level.level_id = (<Place>(<QueuedSide>side).places[index]).level_id
        level.side_index = 0 if side.is_bid else 1
        level.price_mantissa = side.levels[index].price
        level.qty_mantissa = side.levels[index].qty
        return level


cdef object checked_id(object level_id):
    if not PyLong_Check(level_id):
        raise TypeError(f"level_id: expected an int, got {level_id!r}")
    return level_id
