"""What the two kinds of books with queues share: where every order stands, and how it comes, changes and goes.

The sides hold the prices and their total quantities, as in every book, so all queries are those of `price_book`. A
level carries a pointer to its queue (`order_queue`); a dict tells the orders by their ids.
"""

cimport cython
from mlthon._core.book_side cimport BookSide, Level, Place, queue_of
from mlthon._core.int128 cimport add_overflows, int128
from mlthon._core.order_queue cimport Queue, QueuedOrder, QueuePool, append, remove, set_qty


cdef class QueuedBook(Book):
    """What `LevelBook` and `OrderBook` share."""

    def __cinit__(self):
        self.bid_side = BookSide(True, has_queues=True)
        self.ask_side = BookSide(False, has_queues=True)
        self.orders = {}
        self.pool = QueuePool()

    def clear(self):
        """Remove everything from both sides."""
        free_queues(self.pool, self.bid_side)
        free_queues(self.pool, self.ask_side)
        self.bid_side.clear()
        self.ask_side.clear()
        self.orders_version += 1
        self.orders.clear()

    def __len__(self):
        return len(self.orders)

    def __repr__(self):
        bid = self.best_level(self.bid_side) or "no bid"
        ask = self.best_level(self.ask_side) or "no ask"
        prices = f"{self.bid_side.size} + {self.ask_side.size} prices"
        return f"<{type(self).__name__}: {bid} | {ask}, {len(self)} at {prices}>"

    cdef QueuedOrder find(self, object order_id):
        return <QueuedOrder>self.orders.get(order_id)

    cdef int put(self, object order_id, int side_index, int128 price, int128 qty) except -1:
        cdef QueuedOrder order = QueuedOrder.__new__(QueuedOrder)
        order.order_id = order_id
        order.qty = qty
        self.orders[order_id] = order
        try:
            self.link(order, side_index, price)
        except (MemoryError, OverflowError):
            del self.orders[order_id]
            raise
        return 0

    cdef int drop(self, QueuedOrder order) except -1:
        del self.orders[order.order_id]
        self.unlink(order)
        return 0

    cdef int change_qty(self, QueuedOrder order, int128 qty, bint to_back) except -1:
        cdef Queue *queue = order.queue
        cdef BookSide side = self.side(queue.side_index)
        cdef Place place
        cdef int128 total
        if qty == order.qty:
            return 0
        if add_overflows(side.seek(queue.price, &place).qty - order.qty, qty, &total):
            raise too_much()
        if to_back and order.slot != queue.end - 1:
            self.pool.reserve(queue)
            remove(queue, order)
            order.qty = qty
            append(queue, order)
            self.orders_version += 1
        else:
            set_qty(order, qty)
        side.set_qty(&place, total)
        return 0

    cdef int move(self, QueuedOrder order, int side_index, int128 price, int128 qty) except -1:
        cdef QueuedOrder moved = QueuedOrder.__new__(QueuedOrder)
        moved.order_id = order.order_id
        moved.qty = qty
        self.link(moved, side_index, price)
        self.unlink(order)
        self.orders[order.order_id] = moved
        return 0

    cdef int link(self, QueuedOrder order, int side_index, int128 price) except -1:
        """Stand an order at the end of its price's queue."""
        cdef BookSide side = self.side(side_index)
        cdef Queue *queue
        cdef Place place
        cdef Level *level = side.seek(price, &place)
        cdef int128 total
        if level is not NULL:
            queue = <Queue *>queue_of(side, &place)[0]
            if add_overflows(level.qty, order.qty, &total):
                raise too_much()
            self.pool.reserve(queue)
            side.set_qty(&place, total)
        else:
            queue = self.pool.new_queue(side_index, price)
            try:
                side.insert(&place, price, order.qty)
            except MemoryError:
                self.pool.free_queue(queue)
                raise
            queue_of(side, &place)[0] = queue
        append(queue, order)
        self.orders_version += 1
        return 0

    cdef void unlink(self, QueuedOrder order) noexcept:
        cdef Queue *queue = order.queue
        cdef BookSide side = self.side(queue.side_index)
        cdef Place place
        cdef Level *level = side.seek(queue.price, &place)
        remove(queue, order)
        if queue.size == 0:
            side.remove(&place)
            self.pool.free_queue(queue)
        else:
            side.set_qty(&place, level.qty - order.qty)
        self.orders_version += 1

    cdef object snapshot_of(self, QueuedOrder order):
        raise NotImplementedError     # each kind has its own


@cython.final
cdef class OrderIterator:
    """Walks orders in the order they would trade, making the snapshots as it goes."""

    def __iter__(self):
        return self

    def __next__(self):
        if self.book.orders_version != self.orders_version:
            raise RuntimeError("the orders of the book came, went or changed places during iteration")
        while True:
            while self.queue is not NULL and self.slot < self.queue.end:
                self.slot += 1
                if self.queue.orders[self.slot - 1] is not NULL:
                    return self.book.snapshot_of(<QueuedOrder>self.queue.orders[self.slot - 1])
            if self.side is None or self.side.next_level(&self.place) is NULL:
                raise StopIteration
            self.queue = <Queue *>queue_of(self.side, &self.place)[0]
            self.slot = self.queue.first


cdef OrderIterator walk_side(QueuedBook book, BookSide side):
    cdef OrderIterator walk = OrderIterator.__new__(OrderIterator)
    walk.book = book
    walk.orders_version = book.orders_version
    walk.side = side
    side.start(&walk.place)
    return walk


cdef OrderIterator walk_queue(QueuedBook book, Queue *queue):
    cdef OrderIterator walk = OrderIterator.__new__(OrderIterator)
    walk.book = book
    walk.orders_version = book.orders_version
    walk.queue = queue
    if queue is not NULL:
        walk.slot = queue.first
    return walk


cdef void free_queues(QueuePool pool, BookSide side) noexcept:
    cdef Place place
    side.start(&place)
    while side.next_level(&place) is not NULL:
        pool.free_queue(<Queue *>queue_of(side, &place)[0])


cdef object too_much():
    return OverflowError("qty: the quantities of one price add up beyond the range")
