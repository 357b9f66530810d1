"""One subscribed instrument: its book, what the strategy was last told of it, and which callbacks it wants.

A message is applied whole before the first callback of it is made, so that no user code ever sees a book between
two states of the venue.

Invariants: the book is what the venue's messages so far say; `told_bid` and `told_ask` are the best levels the
strategy was last told, zero where it was told none.
"""

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.stdint cimport int64_t
from mlthon._core.book_side cimport Place
from mlthon._core.callbacks cimport (
    ON_ADD_LEVEL,
    ON_ADD_PRICE_LEVEL,
    ON_BEST_ASK,
    ON_BEST_BID,
    ON_DELETE_LEVEL,
    ON_DELETE_PRICE_LEVEL,
    ON_MODIFY_LEVEL,
    ON_MODIFY_PRICE_LEVEL,
    ON_PUBLIC_TRADE,
)
from mlthon._core.dispatch cimport Batch, Dispatcher
from mlthon._core.market_event cimport DepthUpdate, PublicTrade, spots_of
from mlthon._core.milliseconds cimport Milliseconds
from mlthon._core.order_book cimport OrderBook
from mlthon._core.order_change cimport OrderChange
from mlthon._core.order_queue cimport QueuedOrder
from mlthon._core.price_book cimport ADDED, DELETED, MODIFIED, BookSide, Change, Level, PriceLevelBook, Spot
from mlthon._core.tape_orders cimport CAME, GHOST, LEFT, Effect, change_book, list_orders

cdef int64_t NS_PER_MS = 1_000_000


@cython.final
cdef class InstrumentFeed:
    """The book of one instrument and the callbacks its changes cause.

    The flags say what is subscribed: changes by price, changes by level id, the best levels, public trades, or
    orders one by one. A level id is the price times `10 ** level_id_decimals`; where `orders` are subscribed, the
    callbacks of levels are about orders, and carry their ids instead.
    """

    def __init__(self, Dispatcher dispatcher not None, exchange, instrument_id, *, int level_id_decimals=4):
        self.level_id_decimals = level_id_decimals
        self.dispatcher = dispatcher
        self.exchange = exchange
        self.instrument_id = instrument_id
        self.book = PriceLevelBook()
        self.recv_ms = Milliseconds()
        self.exec_ms = Milliseconds()
        self.forget_told()

    @property
    def level_id_decimals(self):
        """To how many decimals level ids tell prices apart. To be set between messages; then `replay` the book."""
        return self.level_id_decimals_

    @level_id_decimals.setter
    def level_id_decimals(self, int decimals):
        if not 0 <= decimals <= 18:
            raise ValueError(f"level_id_decimals: expected 0 to 18, got {decimals}")
        self.level_id_decimals_ = decimals
        self.level_id_unit = 1
        for _ in range(18 - decimals):
            self.level_id_unit *= 10

    def __dealloc__(self):
        PyMem_Free(self.changes)

    @property
    def keeps_book(self) -> bool:
        """Whether the strategy is told the levels, and so has a book of its own to keep in step."""
        return self.price_levels or self.levels

    def apply(self, DepthUpdate update not None, bint tell) -> bool:
        """Apply a message to the book, then, if `tell`, make its callbacks.

        Returns whether the book is sound, that is, not crossed. A crossed book makes no callbacks.
        """
        return self.apply_message(update, tell, update.recv_ns)

    cdef bint apply_message(self, DepthUpdate update, bint tell, int64_t recv_ns) except -1:
        if update.is_snapshot:
            self.book.clear()
        cdef Py_ssize_t bids = update.bid_count
        cdef const Spot *spots = spots_of(update) if update.has_spots else NULL
        cdef const Spot *ask_spots = NULL if spots is NULL else spots + bids
        self.reserve(bids + update.ask_count)
        self.book.bid_side.set_again(update.levels, bids, spots, self.changes)
        self.book.ask_side.set_again(update.levels + bids, update.ask_count, ask_spots, self.changes + bids)
        if self.book.is_crossed():
            return False
        if tell:
            self.tell(update, recv_ns)
        return True

    def follow(self, DepthUpdate update not None) -> bool:
        """Apply and tell a change of a book that is in step; returns whether that was all.

        Where it was not (the book is out of step or crossed by it, or the strategy keeps a book, and this is a whole
        one), the update has to be judged by whoever keeps the book in step; to have been applied here before does no
        harm then.
        """
        return self.follow_at(update, update.recv_ns)

    cdef bint follow_at(self, DepthUpdate update, int64_t recv_ns) except -1:
        """The same for an update that arrives at another time than it says."""
        if not self.in_step or (update.is_snapshot and (self.price_levels or self.levels)):
            return False
        if not self.apply_message(update, True, recv_ns):
            return False
        self.followed += 1
        return True

    def replay(self, recv_ms):
        """Tell the whole book from memory, best levels first: the adds of a snapshot, and the best levels anew."""
        cdef Batch batch
        self.forget_told()
        cdef bint bid_moved = self.bbo and self.has_moved(0, self.book.bid_side, &self.told_bid)
        cdef bint ask_moved = self.bbo and self.has_moved(1, self.book.ask_side, &self.told_ask)
        cdef Py_ssize_t bids = self.book.bid_side.size if self.tells(ADDED) else 0
        cdef Py_ssize_t asks = self.book.ask_side.size if self.tells(ADDED) else 0
        self.dispatcher.begin_batch(&batch, self.exchange, self.instrument_id, recv_ms)
        try:
            # No message can arrive between these callbacks: they are all made within one call on the one thread.
            if self.orders and self.order_book is not None:
                self.tell_orders(ON_ADD_LEVEL, bids + asks > 0 or bid_moved or ask_moved, &batch)
            self.tell_side(0, self.book.bid_side, bids, asks > 0 or bid_moved or ask_moved, &batch)
            self.tell_side(1, self.book.ask_side, asks, bid_moved or ask_moved, &batch)
            self.tell_best(bid_moved, ask_moved, &batch)
        finally:
            self.dispatcher.end_batch()

    def tell_trades(self, trades):
        """Tell the public trades of one message."""
        cdef PublicTrade trade
        cdef Level level
        cdef Batch batch
        cdef Py_ssize_t left = len(trades)
        if left == 0 or not self.trades or not self.dispatcher.wants(ON_PUBLIC_TRADE):
            return
        trade = trades[0]
        cdef object recv_ms = self.recv_ms.as_int(trade.recv_ns // NS_PER_MS)
        self.dispatcher.begin_batch(&batch, self.exchange, self.instrument_id, recv_ms)
        try:
            for trade in trades:
                left -= 1
                level.price = trade.price_mantissa
                level.qty = trade.qty_mantissa
                self.dispatcher.more_to_come = left > 0
                exec_ms = self.exec_ms.as_int(trade.venue_ns // NS_PER_MS)
                self.dispatcher.public_trade(&batch, trade.taker_index, &level, exec_ms)
        finally:
            self.dispatcher.end_batch()

    cdef int tell_trade_at(self, PublicTrade trade, int64_t recv_ns) except -1:
        """Tell one public trade, which arrives at another time than it says."""
        cdef Level level
        cdef Batch batch
        self.followed += 1
        if not self.trades or not self.dispatcher.wants(ON_PUBLIC_TRADE):
            return 0
        level.price = trade.price_mantissa
        level.qty = trade.qty_mantissa
        cdef object recv_ms = self.recv_ms.as_int(recv_ns // NS_PER_MS)
        self.dispatcher.begin_batch(&batch, self.exchange, self.instrument_id, recv_ms)
        try:
            self.dispatcher.more_to_come = False
            exec_ms = self.exec_ms.as_int(trade.venue_ns // NS_PER_MS)
            self.dispatcher.public_trade(&batch, trade.taker_index, &level, exec_ms)
        finally:
            self.dispatcher.end_batch()
        return 0

    def load_orders(self, entries):
        """Take over a whole book of orders: ``(id, side index, price, qty)``, with mantissas."""
        self.order_book = OrderBook()
        for order_id, side, price, qty in entries:
            self.order_book.put(order_id, side, price, qty)

    cdef int tell_order_at(self, OrderChange change, int64_t recv_ns) except -1:
        """Apply a change of one order, and tell it. One of an order that is not there is no news."""
        cdef QueuedOrder order
        cdef Effect effect
        cdef Batch batch
        cdef int side = 0
        cdef int128 price = 0
        if self.order_book is None:
            return 0
        cdef object recv_ms = self.recv_ms.as_int(recv_ns // NS_PER_MS)
        self.dispatcher.begin_batch(&batch, self.exchange, self.instrument_id, recv_ms)
        try:
            if change.is_snapshot and change.is_first:
                if self.in_step and self.orders:
                    self.tell_orders(ON_DELETE_LEVEL, True, &batch)
                self.order_book.clear()
            order = self.order_book.find(change.order_id)
            if order is not None:
                side, price = order.queue.side_index, order.queue.price
            effect = change_book(self.order_book, change)
            self.followed += 1
            if effect != GHOST and self.in_step and self.orders:
                self.tell_change(change, effect, side, price, &batch)
        finally:
            self.dispatcher.end_batch()
        return 0

    cdef int tell_change(self, OrderChange change, Effect effect, int side, int128 price,
                         const Batch *batch) except -1:
        """Tell what became of one order, which stood at `price` on a side before."""
        cdef Dispatcher dispatcher = self.dispatcher
        cdef QueuedOrder order = self.order_book.find(change.order_id)
        cdef bint more = not change.is_last
        cdef Level level
        level.price = price
        level.qty = 0
        dispatcher.more_to_come = more
        if effect == LEFT:
            return dispatcher.level(ON_DELETE_LEVEL, batch, side, change.order_id, &level)
        level.price, level.qty = order.queue.price, order.qty
        if effect == CAME:
            return dispatcher.level(ON_ADD_LEVEL, batch, order.queue.side_index, change.order_id, &level)
        if order.queue.side_index == side and order.queue.price == price:
            return dispatcher.level(ON_MODIFY_LEVEL, batch, side, change.order_id, &level)
        dispatcher.more_to_come = True
        dispatcher.level(ON_DELETE_LEVEL, batch, side, change.order_id, &level)
        dispatcher.more_to_come = more
        return dispatcher.level(ON_ADD_LEVEL, batch, order.queue.side_index, change.order_id, &level)

    cdef int tell_orders(self, Py_ssize_t position, bint more, const Batch *batch) except -1:
        """Tell every order, as one that has come or one that has gone."""
        cdef Level level
        entries = list_orders(self.order_book.bid_side, 0) + list_orders(self.order_book.ask_side, 1)
        cdef Py_ssize_t left = len(entries)
        for order_id, side, price, qty in entries:
            left -= 1
            level.price, level.qty = price, qty
            self.dispatcher.more_to_come = more or left > 0
            self.dispatcher.level(position, batch, side, order_id, &level)
        return 0

    cdef int reserve(self, Py_ssize_t count) except -1:
        cdef Change *grown
        if count <= self.changes_capacity:
            return 0
        grown = <Change *> PyMem_Realloc(self.changes, count * sizeof(Change))
        if grown is NULL:
            raise MemoryError
        self.changes = grown
        self.changes_capacity = count
        return 0

    # -- callbacks: what a message tells is known before the first of them is made, so the last one is, too ----------

    cdef int tell(self, DepthUpdate update, int64_t recv_ns) except -1:
        """Make the callbacks of a message that has been applied, if it causes any."""
        cdef Batch batch
        cdef bint bid_moved = self.bbo and self.has_moved(0, self.book.bid_side, &self.told_bid)
        cdef bint ask_moved = self.bbo and self.has_moved(1, self.book.ask_side, &self.told_ask)
        cdef Py_ssize_t changes = self.count_to_tell(update.bid_count + update.ask_count)
        if changes == 0 and not bid_moved and not ask_moved:
            return 0
        cdef object recv_ms = self.recv_ms.as_int(recv_ns // NS_PER_MS)
        self.dispatcher.begin_batch(&batch, self.exchange, self.instrument_id, recv_ms)
        try:
            self.tell_changes(update, changes, bid_moved or ask_moved, &batch)
            self.tell_best(bid_moved, ask_moved, &batch)
        finally:
            self.dispatcher.end_batch()
        return 0

    cdef Py_ssize_t count_to_tell(self, Py_ssize_t count) noexcept:
        """How many changes there are up to the last that causes a callback."""
        if not (self.price_levels or self.levels):
            return 0
        while count > 0 and not self.tells(self.changes[count - 1]):
            count -= 1
        return count

    cdef bint tells(self, Change change) noexcept:
        """Whether a change of that kind causes a callback."""
        if change == ADDED:
            return self.wants(ON_ADD_PRICE_LEVEL, ON_ADD_LEVEL)
        if change == MODIFIED:
            return self.wants(ON_MODIFY_PRICE_LEVEL, ON_MODIFY_LEVEL)
        return change == DELETED and self.wants(ON_DELETE_PRICE_LEVEL, ON_DELETE_LEVEL)

    cdef bint wants(self, Py_ssize_t by_price, Py_ssize_t by_id) noexcept:
        return (
            (self.price_levels and self.dispatcher.wants(by_price)) or (self.levels and self.dispatcher.wants(by_id))
        )

    cdef int tell_changes(self, DepthUpdate update, Py_ssize_t count, bint more, const Batch *batch) except -1:
        cdef Py_ssize_t i
        cdef int side
        cdef const Level *level
        cdef Change change
        if not self.levels:           # as nearly always: spares each level what level ids need
            if not self.price_levels:
                return 0
            return self.dispatcher.price_levels(batch, update.levels, self.changes, update.bid_count, count, more)
        for i in range(count):
            side = 0 if i < update.bid_count else 1
            level = &update.levels[i]
            change = self.changes[i]
            if change == ADDED:
                self.tell_level(ON_ADD_PRICE_LEVEL, ON_ADD_LEVEL, side, level, more or i < count - 1, batch)
            elif change == MODIFIED:
                self.tell_level(ON_MODIFY_PRICE_LEVEL, ON_MODIFY_LEVEL, side, level, more or i < count - 1, batch)
            elif change == DELETED:
                self.tell_level(ON_DELETE_PRICE_LEVEL, ON_DELETE_LEVEL, side, level, more or i < count - 1, batch)
        return 0

    cdef int tell_side(self, int side_index, BookSide side, Py_ssize_t count, bint more,
                       const Batch *batch) except -1:
        cdef Py_ssize_t depth
        cdef Place place
        cdef Dispatcher dispatcher = self.dispatcher
        side.start(&place)
        if not self.levels:           # as nearly always: spares each level what level ids need
            for depth in range(count):
                dispatcher.more_to_come = more or depth < count - 1
                dispatcher.price_level(ON_ADD_PRICE_LEVEL, batch, side_index, side.next_level(&place))
            return 0
        for depth in range(count):
            self.tell_level(ON_ADD_PRICE_LEVEL, ON_ADD_LEVEL, side_index, side.next_level(&place),
                            more or depth < count - 1, batch)
        return 0

    cdef int tell_level(self, Py_ssize_t by_price, Py_ssize_t by_id, int side, const Level *level, bint more,
                        const Batch *batch) except -1:
        cdef bint also_by_id = self.levels and self.dispatcher.wants(by_id)
        if self.price_levels:
            self.dispatcher.more_to_come = more or also_by_id
            self.dispatcher.price_level(by_price, batch, side, level)
        if also_by_id:
            self.dispatcher.more_to_come = more
            self.dispatcher.level(by_id, batch, side, level.price // self.level_id_unit, level)
        return 0

    cdef int tell_best(self, bint bid_moved, bint ask_moved, const Batch *batch) except -1:
        if bid_moved:
            self.dispatcher.more_to_come = ask_moved
            self.dispatcher.best(batch, 0, &self.told_bid)
        if ask_moved:
            self.dispatcher.more_to_come = False
            self.dispatcher.best(batch, 1, &self.told_ask)
        return 0

    cdef bint has_moved(self, int side_index, BookSide side, Level *told) noexcept:
        """Whether the best level is another than the one last told, and is to be told; it counts as told then.

        An empty side has price and qty zero.
        """
        cdef Level *best = side.best()
        cdef Level now
        now.price = 0
        now.qty = 0
        if best is not NULL:
            now = best[0]
        if now.price == told.price and now.qty == told.qty:
            return False
        told[0] = now
        return self.dispatcher.wants(ON_BEST_BID if side_index == 0 else ON_BEST_ASK)

    cdef void forget_told(self) noexcept:
        self.told_bid.price = self.told_bid.qty = 0
        self.told_ask.price = self.told_ask.qty = 0
