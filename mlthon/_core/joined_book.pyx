"""One book of a market's anonymous levels and clients' resting orders, and what of it is displayed.

`JoinedBook` keeps the parts in step: every fill moves a position and is noted, and so is every price at which clients
change what is displayed; `finish` tells them. The displayed book is the market's but for a few prices, where clients
rest or have taken: it is not kept, but worked out where somebody asks, until somebody asks for the whole of it. How
the market moves is in `followed_market`, who meets whom in `matching`: each builds on the one before.
"""

from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.stdint cimport int64_t

from mlthon._core.fixed cimport Price, price_from, qty_from
from mlthon._core.id_table cimport add_id, drop_id, find_id, free_ids
from mlthon._core.int128 cimport INT128_MAX, div_scaled_overflows, int128, mul_scaled_overflows
from mlthon._core.market_event cimport DepthUpdate, depth_update_from
from mlthon._core.market_side cimport MarketSide
from mlthon._core.price_book cimport BookSide, Level, Place, PriceLevelBook
from mlthon._core.resting_orders cimport Order, Queue, RestingSide, free_order, spans

cdef enum:
    FIRST_CAPACITY = 64               # levels of an array; doubled whenever it does not suffice


cdef class JoinedBook:
    """The state of one instrument's market; `MatchingEngine` is the kind that trades."""

    def __cinit__(self):
        self.market_bids = MarketSide(True)
        self.market_asks = MarketSide(False)
        self.client_bids = RestingSide(True)
        self.client_asks = RestingSide(False)
        self.fills = []
        self.ended = []

    def __dealloc__(self):
        cdef int side
        free_ids(&self.resting)
        PyMem_Free(self.positions)
        PyMem_Free(self.trial_positions)
        for side in range(2):
            PyMem_Free(self.touched[side].items)
        PyMem_Free(self.told.items)

    def add_account(self):
        """Make room for one more account, flat, and return its index."""
        cdef Py_ssize_t size = (self.account_count + 1) * sizeof(int128)
        cdef int128 *positions = <int128 *>PyMem_Realloc(self.positions, size)
        if positions is NULL:
            raise MemoryError("no memory for an account")
        self.positions = positions
        positions = <int128 *>PyMem_Realloc(self.trial_positions, size)
        if positions is NULL:
            raise MemoryError("no memory for an account")
        self.trial_positions = positions
        self.positions[self.account_count] = 0
        self.account_count += 1
        return self.account_count - 1

    # -- what happened, and how things are ---------------------------------------------------------------------

    def take_fills(self):
        """The fills since last asked: ``(order_id, price, qty, is_maker, other order's id or 0 for the market)``.

        A trade between two clients makes two: the taker's, then the maker's.
        """
        fills, self.fills = self.fills, []
        return fills

    def take_ended(self):
        """The orders that the engine ended since last asked: ``(order_id, code, own order it met or 0)``."""
        ended, self.ended = self.ended, []
        return ended

    def last_changes(self):
        """What the last call changed of what is displayed, as a `DepthUpdate`, or None.

        Quantities are absolute, and some may be what they were. A depth message that displays as it is told is
        returned itself, borrowed; any other is new, and carries the sequence number of the last depth message and
        the venue time of the last market event.
        """
        return self.displayed_changes()

    @property
    def displayed(self):
        """The displayed book: the market's levels not taken, plus clients' orders. Live, and not to be changed.

        It is made when first asked for, and kept up to date from then on, which costs as much as the market's own.
        """
        if self.kept is None:
            self.kept = PriceLevelBook()
            self.copy_displayed(0)
            self.copy_displayed(1)
        return self.kept

    def best_bid(self):
        """The best displayed bid's price, or None."""
        cdef int128 price
        return price_from(price) if self.best(0, &price) else None

    def best_ask(self):
        """The best displayed ask's price, or None."""
        cdef int128 price
        return price_from(price) if self.best(1, &price) else None

    def last_price(self):
        """The price of the last trade, the market's or a client's, or None."""
        return price_from(self.last_price_mantissa) if self.last_price_mantissa else None

    def tell_mark(self, Price price=None):
        """Mark at what the market's venue marks at, until another price is told; None: by the book again."""
        self.told_mark = 0 if price is None else price.mantissa

    def told_mark_price(self):
        """What `tell_mark` was last told, or None."""
        return price_from(self.told_mark) if self.told_mark else None

    def mark_price(self):
        """What was told; else the mid of the displayed book, rounded down at the 18th decimal; else the last trade's
        price; else None."""
        cdef int128 mark = self.mark()
        return price_from(mark) if mark else None

    def market_mid(self):
        """Mid of the market's own levels, which clients do not move, else the last trade's price, else None."""
        cdef Level *bid = self.market_bids.levels.best()
        cdef Level *ask = self.market_asks.levels.best()
        if bid is NULL or ask is NULL:
            return self.last_price()
        return price_from((bid.price + ask.price) >> 1)

    def concerns_clients(self):
        """Tell whether there is something to book: a fill, an ended order, or a new mark of somebody's position.

        The mark is new when it is not what it was when it last concerned anybody. Costs O(accounts).
        """
        return self.is_eventful()

    def position(self, Py_ssize_t account):
        """An account's signed position: what it bought less what it sold."""
        if not 0 <= account < self.account_count:
            raise ValueError(f"account: expected 0 to {self.account_count - 1}, got {account}")
        return qty_from(self.positions[account])

    def leaves_qty(self, int64_t order_id):
        """What is open of a resting order; raises KeyError for an order that does not rest."""
        return qty_from(self.find(order_id).leaves)

    def qty_ahead(self, int64_t order_id):
        """What must trade at its price before a resting order's turn: anonymous quantity and earlier orders."""
        cdef Order *order = self.find(order_id)
        cdef int128 ahead = order.ahead
        order = order.previous
        while order is not NULL:
            ahead += order.leaves
            order = order.previous
        return qty_from(ahead)

    def __contains__(self, int64_t order_id):
        return find_id(&self.resting, order_id) is not NULL

    def __len__(self):
        """How many orders rest."""
        return self.resting.size

    cdef MarketSide market(self, int side):
        return self.market_bids if side == 0 else self.market_asks

    cdef RestingSide clients(self, int side):
        return self.client_bids if side == 0 else self.client_asks

    cdef Order *find(self, int64_t order_id) except NULL:
        cdef Order *order = <Order *>find_id(&self.resting, order_id)
        if order is NULL:
            raise KeyError(order_id)
        return order

    # -- fills and ends ----------------------------------------------------------------------------------------

    cdef int128 allowed(self, Order *order, const int128 *positions) noexcept:
        """How much an order may fill: all, or for a reduce-only order what there is to reduce."""
        if not order.is_reduce_only:
            return INT128_MAX
        cdef int128 reducible = positions[order.account] if order.side == 1 else -positions[order.account]
        return reducible if reducible > 0 else 0

    cdef int128 affordable(self, Order *taker, int128 price) noexcept:
        """How much an incoming order may still fill at a price: all, or the whole lots that its value is good for."""
        cdef int128 qty, value
        if not taker.has_value_limit or div_scaled_overflows(taker.value_left, price, &qty):
            return INT128_MAX
        qty -= qty % taker.lot
        # The quotient was rounded, and may have been rounded up to a lot.
        if mul_scaled_overflows(price, qty, &value) or value > taker.value_left:
            qty -= taker.lot
        return qty

    cdef int fill_taker(self, Order *taker, int128 price, int128 qty, int64_t maker_id) except -1:
        cdef int128 value
        if taker.has_value_limit:
            if mul_scaled_overflows(price, qty, &value):
                raise OverflowError(f"{qty_from(qty)} at {price_from(price)} is worth more than can be counted")
            taker.value_left -= value
        taker.leaves -= qty
        self.positions[taker.account] += signed(taker, qty)
        self.last_price_mantissa = price
        self.fills.append((taker.order_id, price_from(price), qty_from(qty), False, maker_id))
        return 0

    cdef bint fill_maker(self, Order *maker, int128 qty, int64_t taker_id) except -1:
        """Fill a resting order, by no more than it is allowed; True when it is gone."""
        self.clients(maker.side).reduce(maker, qty)
        self.positions[maker.account] += signed(maker, qty)
        self.last_price_mantissa = maker.price
        self.fills.append((maker.order_id, price_from(maker.price), qty_from(qty), True, taker_id))
        if maker.leaves > 0:
            self.touch(maker.side, maker.price)
            return False
        self.unlink(maker)
        free_order(maker)
        return True

    cdef int128 fill_from_market(self, Order *maker, int128 qty) except -1:
        """Fill a resting order against the market; returns how much. One that is allowed nothing ends instead."""
        qty = smaller(smaller(qty, maker.leaves), self.allowed(maker, self.positions))
        if qty == 0:
            self.end_maker(maker, REDUCE_ONLY)
        else:
            self.fill_maker(maker, qty, 0)
        return qty

    cdef void end_if_done(self, Order *taker, int128 price) noexcept:
        """End an incoming order that has nothing left to reduce, or whose value buys no more lot at the price."""
        if taker.leaves > 0 and self.allowed(taker, self.positions) == 0:
            taker.end_reason = REDUCE_ONLY
        elif taker.leaves > 0 and self.affordable(taker, price) == 0:
            taker.end_reason = VALUE_SPENT

    cdef int end_maker(self, Order *maker, int reason, int64_t met=0) except -1:
        self.ended.append((maker.order_id, reason, met))
        self.unlink(maker)
        free_order(maker)
        return 0

    cdef int link(self, Order *order) except -1:
        """Put an order at the end of its queue, where it rests from now on."""
        order.ahead = self.market(order.side).shown(order.price)
        order.arrived_after = self.arrivals
        self.clients(order.side).append(order)
        add_id(&self.resting, order.order_id, order)
        self.reduce_only_count += order.is_reduce_only
        return self.touch(order.side, order.price)

    cdef int unlink(self, Order *order) except -1:
        """Take a resting order out of its queue; the caller frees it or lets it enter anew."""
        drop_id(&self.resting, order.order_id)
        self.reduce_only_count -= order.is_reduce_only
        self.clients(order.side).remove(order)
        return self.touch(order.side, order.price)

    # -- what is displayed -------------------------------------------------------------------------------------

    cdef int128 shown(self, int side, int128 price) noexcept:
        return self.market(side).shown(price) + self.clients(side).qty_at(price)

    cdef bint best(self, int side, int128 *price) noexcept:
        """Store the best displayed price of a side; False when there is none. Costs O(levels taken whole)."""
        cdef MarketSide market = self.market(side)
        cdef RestingSide clients = self.clients(side)
        cdef Py_ssize_t depth = 0
        cdef Level *level = market.levels.best()
        cdef Queue *queue = clients.best()
        while level is not NULL and market.taken.size and market.shown(level.price) == 0:
            depth += 1
            level = market.levels.at(depth)
        return better_price(clients, level, queue, price)

    cdef int128 mark(self) noexcept:
        """The mark price; 0 when there is none."""
        cdef int128 bid, ask
        if self.told_mark:
            return self.told_mark
        if self.best(0, &bid) and self.best(1, &ask):
            return (bid + ask) >> 1
        return self.last_price_mantissa

    cdef bint is_eventful(self) noexcept:
        cdef bint has_happened = len(self.fills) or len(self.ended)
        cdef bint is_valued = self.valued_at_mark and is_held(self.positions, self.account_count)
        cdef bint has_moved
        cdef int128 mark
        if not has_happened and not is_valued:
            return False
        mark = self.mark()
        has_moved = mark != self.seen_mark
        self.seen_mark = mark
        return has_happened or has_moved

    cdef int copy_displayed(self, int side) except -1:
        """Fill one side of the displayed book."""
        cdef BookSide levels = self.market(side).levels
        cdef RestingSide clients = self.clients(side)
        cdef BookSide kept = self.kept.side(side)
        cdef Place place
        cdef Py_ssize_t index
        cdef Level *level
        levels.start(&place)
        level = levels.next_level(&place)
        while level is not NULL:
            kept.set(level.price, self.shown(side, level.price))
            level = levels.next_level(&place)
        for index in range(clients.size):
            kept.set(clients.queues[index].price, self.shown(side, clients.queues[index].price))
        return 0

    # -- a call that changes something -------------------------------------------------------------------------

    cdef void begin(self) noexcept:
        self.changes = None
        self.touched[0].size = 0
        self.touched[1].size = 0

    cdef int touch(self, int side, int128 price) except -1:
        """Note that what is displayed at a price may have changed."""
        cdef LevelArray *touched = &self.touched[side]
        if touched.size and touched.items[touched.size - 1].price == price:
            return 0
        return push(touched, Level(price, 0))

    cdef int finish(self, DepthUpdate told=None) except -1:
        """End what has nothing left to reduce, and note the changes: of a depth message, what it says included."""
        cdef DepthUpdate changes
        if self.reduce_only_count:
            self.end_irreducible(self.client_bids)
            self.end_irreducible(self.client_asks)
        if told is not None:
            self.changes = self.changes_with(told) if self.differs(told) else told
        if self.kept is not None and self.has_changes():
            changes = self.displayed_changes()
            keep(self.kept.bid_side, changes.levels, changes.bid_count)
            keep(self.kept.ask_side, changes.levels + changes.bid_count, changes.ask_count)
        return 0

    cdef bint has_changes(self) noexcept:
        return self.changes is not None or self.touched[0].size or self.touched[1].size

    cdef DepthUpdate displayed_changes(self):
        # Clients change what is displayed with every order, and often nobody wants to know.
        if self.changes is None and self.has_changes():
            self.changes = self.changes_with(None)
        return self.changes

    cdef bint differs(self, DepthUpdate told) noexcept:
        """Whether what is displayed after a depth message is not what it says."""
        if self.touched[0].size or self.touched[1].size:
            return True
        return (
            self.side_differs(0, told.levels, told.bid_count)
            or self.side_differs(1, told.levels + told.bid_count, told.ask_count)
        )

    cdef bint side_differs(self, int side, const Level *levels, Py_ssize_t count) noexcept:
        cdef BookSide taken = self.market(side).taken
        cdef RestingSide clients = self.clients(side)
        cdef Py_ssize_t index
        if clients.size == 0 and taken.size == 0:
            return False
        for index in range(count):
            if is_overlaid(taken, clients, levels[index].price):
                return True
        return False

    cdef DepthUpdate changes_with(self, DepthUpdate told):
        """The displayed levels at the prices of a depth message, if there is one, and at those touched."""
        cdef Py_ssize_t bid_count
        cdef DepthUpdate changes
        self.told.size = 0
        if told is not None:
            self.tell_message(0, told.levels, told.bid_count)
        self.tell_touched(0)
        bid_count = self.told.size
        if told is not None:
            self.tell_message(1, told.levels + told.bid_count, told.ask_count)
        self.tell_touched(1)
        changes = depth_update_from(self.told.items, bid_count, self.told.size - bid_count)
        changes.seq = self.market_seq
        changes.venue_ns = self.market_ns
        return changes

    cdef int tell_message(self, int side, const Level *levels, Py_ssize_t count) except -1:
        cdef BookSide taken = self.market(side).taken
        cdef RestingSide clients = self.clients(side)
        cdef Py_ssize_t index
        for index in range(count):
            push(&self.told, levels[index])
            if is_overlaid(taken, clients, levels[index].price):
                self.told.items[self.told.size - 1].qty = self.shown(side, levels[index].price)
        return 0

    cdef int tell_touched(self, int side) except -1:
        cdef Py_ssize_t index
        cdef int128 price
        for index in range(self.touched[side].size):
            price = self.touched[side].items[index].price
            push(&self.told, Level(price, self.shown(side, price)))
        return 0

    cdef int end_irreducible(self, RestingSide clients) except -1:
        """End the resting reduce-only orders that have nothing left to reduce."""
        cdef Py_ssize_t index
        cdef Order *order
        cdef Order *following
        for index in range(clients.size - 1, -1, -1):     # from the best on: ending may drop the queue looked at
            order = clients.queues[index].first
            while order is not NULL:
                following = order.next
                if self.allowed(order, self.positions) == 0:
                    self.end_maker(order, REDUCE_ONLY)
                order = following
        return 0


cdef inline bint is_held(const int128 *positions, Py_ssize_t count) noexcept:
    """Whether anybody has a position."""
    cdef Py_ssize_t account
    for account in range(count):
        if positions[account] != 0:
            return True
    return False


cdef inline bint is_overlaid(BookSide taken, RestingSide clients, int128 price) noexcept:
    """Whether clients rest at a price, or have taken from it, so that the market's own quantity is not displayed."""
    if spans(clients, price) and clients.find(price) is not NULL:
        return True
    return taken.size > 0 and taken.find(price) is not NULL


cdef int keep(BookSide side, const Level *levels, Py_ssize_t count) except -1:
    cdef Py_ssize_t index
    for index in range(count):
        side.set(levels[index].price, levels[index].qty)
    return 0


cdef int push(LevelArray *array, Level level) except -1:
    cdef Py_ssize_t capacity
    cdef Level *items
    if array.size == array.capacity:
        capacity = array.capacity * 2 if array.capacity else FIRST_CAPACITY
        items = <Level *>PyMem_Realloc(array.items, capacity * sizeof(Level))
        if items is NULL:
            raise MemoryError(f"no memory for {capacity} levels")
        array.items = items
        array.capacity = capacity
    array.items[array.size] = level
    array.size += 1
    return 0
