"""A market that a tape tells order by order (L3), as the matching engine's levels, with exact queues.

The engine knows levels. Each message's orders are summed up by price, and told as a depth message. What orders tell
beyond that is who stands in front of a client: exactly those that came to his price before him. So after each
message nobody has more in front of him than is left of these, whatever the engine's queue rule assumed.

Recordings tell a trade after the changes it made, or before. Quantity that has left in front of a client moments ago
may have been traded, so a trade at that price is taken to be that quantity first, and reaches the client with the
rest only: when in doubt, he is not filled. What leaves after a trade is taken to be the trade's.

A change of an order that is not there (a ghost), and orders that cross, are counted, and left as they are told.
"""

cimport cython
from libc.stdint cimport int64_t

from mlthon._core.book_side cimport BookSide, Level, Place, queue_of
from mlthon._core.followed_market cimport FollowedMarket
from mlthon._core.int128 cimport int128
from mlthon._core.market_event cimport DepthUpdate, PublicTrade, depth_update_from
from mlthon._core.order_book cimport OrderBook
from mlthon._core.order_change cimport ADD, DELETE, OrderChange
from mlthon._core.order_queue cimport Queue as TapeQueue
from mlthon._core.order_queue cimport QueuedOrder
from mlthon._core.resting_orders cimport Order, Queue

cdef int64_t EXPLAINS_FOR_NS = 2_000_000_000      # how long a loss may wait for the trade that made it
cdef enum:
    MOST_LOSSES = 1024


@cython.final
cdef class TapeOrders:
    """The orders of one tape, in front of one matching engine."""

    def __init__(self, FollowedMarket engine not None):
        self.engine = engine
        self.book = OrderBook()
        self.arrivals = {}
        self.lost = {}
        self.touched = []

    def snapshot(self):
        """The orders as they stand: ``(id, side index, price, qty)``, mantissas, by price and then by their queue."""
        return list_orders(self.book.bid_side, 0) + list_orders(self.book.ask_side, 1)

    cdef DepthUpdate apply(self, OrderChange change):
        cdef QueuedOrder order
        cdef int128 before = 0
        cdef Effect effect
        if change.is_first:
            self.touched.clear()
            self.is_snapshot = change.is_snapshot
            if change.is_snapshot:
                self.book.clear()
                self.arrivals.clear()
        order = self.book.find(change.order_id)
        if order is not None:
            before = order.qty
            self.note(order.queue.side_index, order.queue.price)
            if change.action_index == DELETE:
                self.note_loss(order, before, change.recv_ns)
            elif 0 < change.qty_mantissa < before:
                self.note_loss(order, before - change.qty_mantissa, change.recv_ns)
        effect = change_book(self.book, change)
        if effect == GHOST:
            self.ghosts += 1
        elif effect == LEFT:
            self.arrivals.pop(change.order_id, None)
        else:
            order = self.book.find(change.order_id)
            self.note(order.queue.side_index, order.queue.price)
            if effect != RESIZED:
                self.engine.arrivals += 1
                self.arrivals[change.order_id] = self.engine.arrivals
        if not change.is_last:
            return None
        if self.book.is_crossed():
            self.crosses += 1
        return self.levels(change)

    cdef PublicTrade unexplained(self, PublicTrade trade):
        cdef int side = 1 - trade.taker_index
        cdef PublicTrade rest
        cdef int128 left = trade.qty_mantissa
        cdef int128 lost
        if self.engine.clients(side).find(trade.price_mantissa) is NULL:
            return trade
        lost = self.recently_lost(side, trade.price_mantissa, trade.recv_ns)
        self.lost[side, trade.price_mantissa] = (lost - left, trade.recv_ns)
        if lost <= 0:
            return trade
        if lost >= left:
            return None
        rest = trade.copy()
        rest.qty_mantissa = left - lost
        return rest

    cdef int128 recently_lost(self, int side, int128 price, int64_t now_ns) except? -1:
        """What has left in front of clients at a price, less what was traded there, as far as that is news."""
        found = self.lost.get((side, price))
        if found is None or now_ns - <int64_t>found[1] > EXPLAINS_FOR_NS:
            return 0
        return found[0]

    cdef int note(self, int side, int128 price) except -1:
        self.touched.append((side, price))
        return 0

    cdef int note_loss(self, QueuedOrder order, int128 qty, int64_t now_ns) except -1:
        """Note what leaves in front of a client: the trade that may have taken it is not his."""
        cdef int side = order.queue.side_index
        cdef Queue *clients = self.engine.clients(side).find(order.queue.price)
        if clients is NULL or <int64_t>self.arrivals[order.order_id] > clients.first.arrived_after:
            return 0
        if len(self.lost) >= MOST_LOSSES:
            self.lost.clear()
        qty += self.recently_lost(side, order.queue.price, now_ns)
        self.lost[side, order.queue.price] = (qty, now_ns)
        return 0

    cdef DepthUpdate levels(self, OrderChange change):
        """What the message leaves of the prices it was about, as a depth message."""
        cdef DepthUpdate update = depth_update_from(NULL, 0, 0)
        cdef BookSide side
        cdef Level *level
        cdef Py_ssize_t count = 0
        cdef int index
        prices = ({}, {})
        if self.is_snapshot:
            prices = (dict.fromkeys(prices_of(self.book.bid_side)), dict.fromkeys(prices_of(self.book.ask_side)))
        else:
            for index, price in self.touched:
                prices[index][price] = None
        update.reserve(len(prices[0]) + len(prices[1]))
        for index in range(2):
            side = self.book.side(index)
            for price in prices[index]:
                update.levels[count].price = price
                level = side.find(price)
                update.levels[count].qty = 0 if level is NULL else level.qty
                count += 1
        update.bid_count = len(prices[0])
        update.ask_count = len(prices[1])
        update.is_snapshot = self.is_snapshot
        update.venue_ns, update.recv_ns, update.seq = change.venue_ns, change.recv_ns, change.seq
        return update

    cdef int cap_queues(self) except -1:
        """Let nobody have more in front of him than is left of those who came before, after the engine was told."""
        cdef int side
        if len(self.engine) == 0:
            return 0
        for side, price in dict.fromkeys(self.touched):
            self.cap_queue(side, price)
        return 0

    cdef int cap_queue(self, int side, int128 price) except -1:
        cdef Queue *clients = self.engine.clients(side).find(price)
        cdef BookSide levels = self.book.side(side)
        cdef TapeQueue *queue = NULL
        cdef Order *client = NULL if clients is NULL else clients.first
        cdef int128 ahead = 0
        cdef Py_ssize_t slot = 0
        cdef QueuedOrder order
        cdef Place place
        if client is NULL:
            return 0
        if levels.seek(price, &place) is not NULL:
            queue = <TapeQueue *>queue_of(levels, &place)[0]
            slot = queue.first
        while client is not NULL:
            while queue is not NULL and slot < queue.end:
                if queue.orders[slot] is not NULL:
                    order = <QueuedOrder>queue.orders[slot]
                    if <int64_t>self.arrivals[order.order_id] > client.arrived_after:
                        break
                    ahead += order.qty
                slot += 1
            if client.ahead > ahead:
                client.ahead = ahead
            client = client.next
        return 0


cdef Effect change_book(OrderBook book, OrderChange change) except? GHOST:
    cdef QueuedOrder order = book.find(change.order_id)
    cdef int128 price = change.price_mantissa
    cdef int128 qty = change.qty_mantissa
    if order is None:
        if change.action_index != ADD:
            return GHOST
        book.put(change.order_id, change.side_index, price, qty)
        return CAME
    if change.action_index == DELETE:
        book.drop(order)
        return LEFT
    if price == 0:                    # not told: as it was
        price = order.queue.price
    if qty == 0:
        qty = order.qty
    if order.queue.side_index == change.side_index and order.queue.price == price:
        if qty > order.qty:
            book.change_qty(order, qty, True)
            return MOVED
        book.change_qty(order, qty, False)
        return RESIZED
    book.move(order, change.side_index, price, qty)
    return MOVED


cdef list prices_of(BookSide side):
    cdef Place place
    cdef Level *level
    cdef list prices = []
    side.start(&place)
    level = side.next_level(&place)
    while level is not NULL:
        prices.append(level.price)
        level = side.next_level(&place)
    return prices


cdef list list_orders(BookSide side, int index):
    cdef Place place
    cdef TapeQueue *queue
    cdef QueuedOrder order
    cdef Py_ssize_t slot
    cdef list orders = []
    side.start(&place)
    while side.next_level(&place) is not NULL:
        queue = <TapeQueue *>queue_of(side, &place)[0]
        for slot in range(queue.first, queue.end):
            if queue.orders[slot] is not NULL:
                order = <QueuedOrder>queue.orders[slot]
                orders.append((order.order_id, index, queue.price, order.qty))
    return orders
