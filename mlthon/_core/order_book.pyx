# cython: binding=False, embedsignature=True, embedsignature.format=clinic
# Plain method descriptors are called 5 ns faster than what Cython makes of methods else.
"""The book order by order: every order with its id, its place in the queue, and what stands ahead of it.

`queued_book` keeps the orders; here is what Python code sees of them.
"""

from cython cimport final, freelist

from mlthon._core.book_side cimport BookSide, Level, Place, level_of, queue_of
from mlthon._core.enums cimport side_from, side_index
from mlthon._core.fixed cimport Price, Qty, price_from, qty_from
from mlthon._core.int128 cimport int128
from mlthon._core.order_queue cimport Queue, QueuedOrder, qty_ahead
from mlthon._core.price_book cimport PriceLevel, fill_level
from mlthon._core.queued_book cimport QueuedBook, walk_queue


@final
@freelist(64)
cdef class BookOrder:
    """An order as it stood when the book was asked: a value, which later updates do not change.

    >>> from mlthon.basics.defs import Side
    >>> from mlthon.basics.price import Price
    >>> from mlthon.basics.qty import Qty
    >>> print(BookOrder(71, Side.Buy, Price("9226.5"), Qty("2")))
    #71 Buy 2.00000000 @ 9226.50000000
    """

    cdef object order_id
    cdef int side_index
    cdef int128 price_mantissa
    cdef int128 qty_mantissa

    def __init__(self, order_id, side, Price price not None, Qty qty not None):
        self.order_id = order_id
        self.side_index = side_index(side)
        self.price_mantissa = price.mantissa
        self.qty_mantissa = qty.mantissa

    def get_order_id(self):
        """Return the id the order was added with."""
        return self.order_id

    def get_side(self):
        """Return `Side.Buy` for a bid, `Side.Sell` for an ask."""
        return side_from(self.side_index)

    def get_price(self):
        """Return the `Price` of the order."""
        return price_from(self.price_mantissa)

    def get_qty(self):
        """Return the open `Qty` of the order, in the instrument's quantity unit; always positive in a book."""
        return qty_from(self.qty_mantissa)

    def __eq__(self, other):
        if type(other) is not BookOrder:
            return NotImplemented
        cdef BookOrder that = <BookOrder>other
        return (
            self.side_index == that.side_index
            and self.price_mantissa == that.price_mantissa
            and self.qty_mantissa == that.qty_mantissa
            and self.order_id == that.order_id
        )

    def __hash__(self):
        return hash((self.order_id, self.side_index, self.get_price(), self.get_qty()))

    def __str__(self):
        return f"#{self.order_id} {self.get_side().name} {self.get_qty()} @ {self.get_price()}"

    def __repr__(self):
        return f"BookOrder({self.order_id!r}, {self.get_side()}, {self.get_price()!r}, {self.get_qty()!r})"

    def __reduce__(self):
        return BookOrder, (self.order_id, self.get_side(), self.get_price(), self.get_qty())


@final
cdef class OrderBookLevel(PriceLevel):
    """A price with all its orders' quantity and their number, as they were when the book was asked.

    >>> from mlthon.basics.defs import Side
    >>> from mlthon.basics.price import Price
    >>> from mlthon.basics.qty import Qty
    >>> print(OrderBookLevel(Side.Buy, Price("9226.5"), Qty("2"), 3))
    Buy 2.00000000 @ 9226.50000000 in 3
    """

    cdef Py_ssize_t num_orders

    def __init__(self, side, Price price not None, Qty qty not None, Py_ssize_t num_orders):
        PriceLevel.__init__(self, side, price, qty)
        self.num_orders = num_orders

    def get_num_orders(self):
        """Return how many orders stand at the price; always positive in a book."""
        return self.num_orders

    def __eq__(self, other):
        if type(other) is not OrderBookLevel:
            return NotImplemented
        return self.num_orders == (<OrderBookLevel>other).num_orders and PriceLevel.__eq__(self, other)

    def __hash__(self):
        return hash((self.num_orders, PriceLevel.__hash__(self)))

    def __str__(self):
        return f"{PriceLevel.__str__(self)} in {self.num_orders}"

    def __repr__(self):
        return f"OrderBookLevel({self.get_side()}, {self.get_price()!r}, {self.get_qty()!r}, {self.num_orders})"

    def __reduce__(self):
        return OrderBookLevel, (self.get_side(), self.get_price(), self.get_qty(), self.num_orders)


cdef class OrderBook(QueuedBook):
    """A book of orders, by price, then by the time they came (or came back with more).

    Order ids are anything hashable: ints, or text where the venue has that. `len` counts orders, `in` asks for an
    id; levels (`bids`, `asks`, `get_best_bid_lvl` and so on) carry a price's whole quantity and its number of orders.

    An id that is not there can be modified or deleted without harm: the call is ignored and counted
    (`get_num_ignored`), for recordings and resynced feeds do contain such messages. A wrong type raises TypeError,
    quantities of one price that add up beyond the range OverflowError; the book is then as before. A book that
    crosses is held as it is told; see `is_crossed`.

    >>> from mlthon.basics.defs import Side
    >>> from mlthon.basics.price import Price
    >>> from mlthon.basics.qty import Qty
    >>> book = OrderBook()
    >>> book.add_order(71, Side.Buy, Price("9226.5"), Qty("2"))
    >>> book.add_order(72, Side.Buy, Price("9226.5"), Qty("5"))
    >>> book.add_order(73, Side.Buy, Price("9226.5"), Qty("1"))
    >>> book.get_qty_ahead(73)
    Qty('7.00000000')
    >>> book.modify_order_qty(72, Qty("3"))
    >>> book.delete_order(71)
    >>> [str(order) for order in book.orders(Side.Buy, Price("9226.5"))]
    ['#72 Buy 3.00000000 @ 9226.50000000', '#73 Buy 1.00000000 @ 9226.50000000']
    >>> print(book.get_best_bid_lvl()[1], len(book))
    Buy 4.00000000 @ 9226.50000000 in 2 2
    """

    def add_order(self, order_id, side, Price price not None, Qty qty not None):
        """Add an order behind those at its price.

        An id that is in the book already is replaced: where side and price are the same, its quantity changes as by
        `modify_order_qty`, otherwise it goes to the back of its new price. A zero quantity deletes the order. A
        negative quantity, and a zero for an id that is not there, are ignored and counted.
        """
        cdef int index = side_index(side)
        cdef QueuedOrder order = self.find(order_id)
        if qty.mantissa < 0 or (qty.mantissa == 0 and order is None):
            self.ignored += 1
        elif order is None:
            self.put(order_id, index, price.mantissa, qty.mantissa)
        elif qty.mantissa == 0:
            self.drop(order)
        elif order.queue.side_index == index and order.queue.price == price.mantissa:
            self.change_qty(order, qty.mantissa, qty.mantissa > order.qty)
        else:
            self.move(order, index, price.mantissa, qty.mantissa)

    def modify_order_qty(self, order_id, Qty new_qty not None):
        """Change an order's open quantity to `new_qty` (absolute); zero deletes the order.

        With less it keeps its place; with more it goes to the back of its price, as exchanges have it. An id that
        is not in the book and a negative quantity are ignored and counted.
        """
        cdef QueuedOrder order = self.find(order_id)
        if order is None or new_qty.mantissa < 0:
            self.ignored += 1
        elif new_qty.mantissa == 0:
            self.drop(order)
        else:
            self.change_qty(order, new_qty.mantissa, new_qty.mantissa > order.qty)

    def delete_order(self, order_id):
        """Remove an order; an id that is not in the book is ignored and counted."""
        cdef QueuedOrder order = self.find(order_id)
        if order is None:
            self.ignored += 1
        else:
            self.drop(order)

    def get_order(self, order_id):
        """Return the order as a `BookOrder`, or None for an id that is not in the book."""
        cdef QueuedOrder order = self.find(order_id)
        return None if order is None else self.snapshot_of(order)

    def get_qty_ahead(self, order_id):
        """Return what must trade or leave at its price before an order's turn, a Qty, in O(log n).

        None for an id that is not in the book. What stands at better prices is not counted: see `get_volume_to`.
        """
        cdef QueuedOrder order = self.find(order_id)
        return None if order is None else qty_from(qty_ahead(order))

    def orders(self, side, Price price not None):
        """Iterate over the orders at a price as `BookOrder`, first in the queue first.

        RuntimeError when orders come, go or change places meanwhile.
        """
        cdef BookSide levels = self.side(side_index(side))
        cdef Place place
        if levels.seek(price.mantissa, &place) is NULL:
            return walk_queue(self, NULL)
        return walk_queue(self, <Queue *>queue_of(levels, &place)[0])

    def __contains__(self, order_id):
        return self.find(order_id) is not None

    cdef object level_at(self, BookSide side, const Place *place):
        cdef Level *level = level_of(side, place)
        cdef OrderBookLevel snapshot = OrderBookLevel.__new__(OrderBookLevel)
        fill_level(snapshot, side, level.price, level.qty)
        snapshot.num_orders = (<Queue *>queue_of(side, place)[0]).size
        return snapshot

    cdef object snapshot_of(self, QueuedOrder order):
        cdef BookOrder snapshot = BookOrder.__new__(BookOrder)
        snapshot.order_id = order.order_id
        snapshot.side_index = order.queue.side_index
        snapshot.price_mantissa = order.queue.price
        snapshot.qty_mantissa = order.qty
        return snapshot
