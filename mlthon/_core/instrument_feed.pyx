"""One subscribed instrument: its book, what the strategy was last told of it, and which callbacks it wants.

A message is applied whole before the first callback of it is made, so that no user code ever sees a book between
two states of the venue.

Invariants: the book is what the venue's messages so far say; `told_bid` and `told_ask` are the best levels the
strategy was last told, zero where it was told none.
"""

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.stdint cimport int64_t
from mlthon._core.dispatch cimport (
    ON_ADD_LEVEL,
    ON_ADD_PRICE_LEVEL,
    ON_DELETE_LEVEL,
    ON_DELETE_PRICE_LEVEL,
    ON_MODIFY_LEVEL,
    ON_MODIFY_PRICE_LEVEL,
    Dispatcher,
)
from mlthon._core.int128 cimport int128
from mlthon._core.market_event cimport DepthUpdate, PublicTrade
from mlthon._core.price_book cimport ADDED, DELETED, MODIFIED, BookSide, Change, Level, PriceLevelBook

cdef int64_t NS_PER_MS = 1_000_000


@cython.final
cdef class InstrumentFeed:
    """The book of one instrument and the callbacks its changes cause.

    The four flags say what is subscribed: changes by price, changes by level id, the best levels, public trades.
    A level id is the price times `10 ** level_id_decimals`.
    """

    cdef readonly object exchange
    cdef readonly object instrument_id
    cdef readonly PriceLevelBook book
    cdef public bint price_levels, levels, bbo, trades
    cdef public bint in_step              # the book is whole, and the strategy is being told: changes may come in
    cdef readonly int64_t followed        # changes that came in by `follow`
    cdef Dispatcher dispatcher
    cdef int128 level_id_unit
    cdef Level told_bid, told_ask
    cdef Change *changes                  # what each level of the message being applied did
    cdef Py_ssize_t changes_capacity

    def __init__(self, Dispatcher dispatcher not None, exchange, instrument_id, *, int level_id_decimals=4):
        if not 0 <= level_id_decimals <= 18:
            raise ValueError(f"level_id_decimals: expected 0 to 18, got {level_id_decimals}")
        self.dispatcher = dispatcher
        self.exchange = exchange
        self.instrument_id = instrument_id
        self.book = PriceLevelBook()
        self.level_id_unit = 1
        for _ in range(18 - level_id_decimals):
            self.level_id_unit *= 10
        self.forget_told()

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
        return self.apply_message(update, tell)

    cdef bint apply_message(self, DepthUpdate update, bint tell) except -1:
        if update.is_snapshot:
            self.book.clear()
        self.reserve(update.bid_count + update.ask_count)
        self.apply_side(self.book.bid_side, update.levels, 0, update.bid_count)
        self.apply_side(self.book.ask_side, update.levels, update.bid_count, update.bid_count + update.ask_count)
        if self.book.is_crossed():
            return False
        if tell:
            recv_ms = update.recv_ns // NS_PER_MS
            if self.price_levels or self.levels:
                self.tell_changes(update, recv_ms)
            if self.bbo:
                self.tell_best(recv_ms)
        return True

    def follow(self, DepthUpdate update not None) -> bool:
        """Apply and tell a change of a book that is in step; returns whether that was all.

        Where it was not (the book is out of step, the update a whole book, or the book crossed by it), the update
        has to be judged by whoever keeps the book in step; to have been applied here before does no harm then.
        """
        if not self.in_step or update.is_snapshot or not self.apply_message(update, True):
            return False
        self.followed += 1
        return True

    def replay(self, recv_ms):
        """Tell the whole book from memory, best levels first: the adds of a snapshot, and the best levels anew."""
        self.tell_side(0, self.book.bid_side, recv_ms)
        self.tell_side(1, self.book.ask_side, recv_ms)
        self.forget_told()
        if self.bbo:
            self.tell_best(recv_ms)

    def trade(self, PublicTrade trade not None):
        """Tell a public trade."""
        if self.trades:
            self.dispatcher.public_trade(
                self.exchange, self.instrument_id, trade.taker_index, trade.price_mantissa, trade.qty_mantissa,
                trade.venue_ns // NS_PER_MS, trade.recv_ns // NS_PER_MS,
            )

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

    cdef int apply_side(self, BookSide side, const Level *levels, Py_ssize_t start, Py_ssize_t stop) except -1:
        cdef Py_ssize_t i
        for i in range(start, stop):
            self.changes[i] = side.set(levels[i].price, levels[i].qty)
        return 0

    cdef int tell_changes(self, DepthUpdate update, object recv_ms) except -1:
        cdef Py_ssize_t i
        cdef Py_ssize_t count = update.bid_count + update.ask_count
        cdef int side
        cdef Level level
        for i in range(count):
            side = 0 if i < update.bid_count else 1
            level = update.levels[i]
            if self.changes[i] == ADDED:
                self.tell_level(ON_ADD_PRICE_LEVEL, ON_ADD_LEVEL, side, level, recv_ms)
            elif self.changes[i] == MODIFIED:
                self.tell_level(ON_MODIFY_PRICE_LEVEL, ON_MODIFY_LEVEL, side, level, recv_ms)
            elif self.changes[i] == DELETED:
                self.tell_level(ON_DELETE_PRICE_LEVEL, ON_DELETE_LEVEL, side, level, recv_ms)
        return 0

    cdef int tell_side(self, int side_index, BookSide side, object recv_ms) except -1:
        cdef Py_ssize_t depth
        # No message can arrive between these callbacks: they are all made within one call on the one thread.
        for depth in range(side.size):
            self.tell_level(ON_ADD_PRICE_LEVEL, ON_ADD_LEVEL, side_index, side.at(depth)[0], recv_ms)
        return 0

    cdef int tell_level(self, Py_ssize_t by_price, Py_ssize_t by_id, int side, Level level,
                        object recv_ms) except -1:
        cdef bint with_qty = by_price != ON_DELETE_PRICE_LEVEL
        if self.price_levels:
            self.dispatcher.price_level(by_price, self.exchange, self.instrument_id, side, level.price, level.qty,
                                        with_qty, recv_ms)
        if self.levels:
            self.dispatcher.level(by_id, self.exchange, self.instrument_id, side,
                                  level.price // self.level_id_unit, level.price, level.qty,
                                  by_id == ON_ADD_LEVEL, with_qty, recv_ms)
        return 0

    cdef int tell_best(self, object recv_ms) except -1:
        self.tell_best_of(0, self.book.bid_side, &self.told_bid, recv_ms)
        self.tell_best_of(1, self.book.ask_side, &self.told_ask, recv_ms)
        return 0

    cdef int tell_best_of(self, int side_index, BookSide side, Level *told, object recv_ms) except -1:
        """Tell the best level if it is another than the one last told; an empty side has price and qty zero."""
        cdef Level *best = side.best()
        cdef Level now
        now.price = 0
        now.qty = 0
        if best is not NULL:
            now = best[0]
        if now.price == told.price and now.qty == told.qty:
            return 0
        told[0] = now
        return self.dispatcher.best(side_index, self.exchange, self.instrument_id, now.price, now.qty, recv_ms)

    cdef void forget_told(self) noexcept:
        self.told_bid.price = self.told_bid.qty = 0
        self.told_ask.price = self.told_ask.qty = 0
