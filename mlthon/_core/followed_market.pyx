"""A joined book that follows a market: it applies depth messages and public trades, and fills the clients they reach.

A depth message costs what it costs in a book alone: only at prices where clients rest, or have taken, is more to be
done. What is displayed afterwards is mostly what the message says, and then the message itself is passed on.

**Queue rules.** At a price where a client rests, a depth message shows less anonymous quantity than was left there
after the trades: R before, N after. Somebody cancelled, and nobody tells who. With A of R in front of an order:

| rule | assumes | in front afterwards |
|---|---|---|
| `BEHIND` | cancels come from behind it while there is anybody | min(A, N) |
| `PROPORTIONAL` | everybody is as likely to cancel | A x N / R, half-even at the 18th decimal |
| `AHEAD` | cancels come from the front while there is anybody | max(0, A - (R - N)) |

The first is pessimistic, the last optimistic. The second is what is to be expected where a cancel is in front with
probability A / R, the identity case of the models in quant.stackexchange.com/questions/3782 (f(A) / (f(A) + f(R - A))
with f(x) = x).

**Late trades.** A trade may be told after the depth message that contains it, by its stamp. What that message, and
those after it, took from in front of an order is then first taken to be that trade, and only its rest advances the
queue. It concerns no order that came after the message. Two messages back are remembered; what is later still counts
as told with the older of them.
"""

from libc.stdint cimport uint64_t

from mlthon._core.fixed cimport qty_from
from mlthon._core.int128 cimport int128
from mlthon._core.joined_book cimport MAX_QTY, JoinedBook, reaches, smaller
from mlthon._core.market_event cimport DepthUpdate, PublicTrade, spots_of
from mlthon._core.market_side cimport MarketSide, tell
from mlthon._core.price_book cimport BookSide, Change, Level, Spot
from mlthon._core.resting_orders cimport Order, Queue, RestingSide, was_there


cdef class FollowedMarket(JoinedBook):
    """What the market does to a joined book; `MatchingEngine` lets clients act on it."""

    def apply_depth(self, DepthUpdate update not None):
        """Apply a depth message whole, then fill the resting orders it crosses.

        Raises ValueError, and applies nothing, for a quantity beyond 2**110 / 10**18.
        """
        self.follow_depth(update)

    def apply_trade(self, PublicTrade trade not None):
        """Apply a public trade: it advances queues and fills the clients who stood in its way.

        One stamped later than the last depth message (or not stamped at all) is not in the levels yet: nobody can
        take its quantity again, nor anything at a better price. Raises ValueError for a quantity out of range.
        """
        self.follow_trade(trade)

    cdef DepthUpdate follow_depth(self, DepthUpdate update):
        cdef const Level *asks = update.levels + update.bid_count
        cdef Py_ssize_t changed = 0
        check_qtys(update.levels, update.bid_count + update.ask_count)
        self.begin()
        self.market_seq = update.seq
        self.market_ns = update.venue_ns
        self.depth_before_ns, self.depth_ns = self.depth_ns, update.venue_ns
        self.note_standing(0)
        self.note_standing(1)
        update.has_spots = False
        if update.is_snapshot:
            self.replace_side(0, update.levels, update.bid_count)
            self.replace_side(1, asks, update.ask_count)
        else:
            changed += self.tell_side(0, update.levels, update.bid_count, spots_of(update))
            changed += self.tell_side(1, asks, update.ask_count, spots_of(update) + update.bid_count)
            update.has_spots = True
        self.settle_side(0)
        self.settle_side(1)
        if crosses(self.market_bids.levels.best(), self.market_asks.levels.best()):
            self.crossed_updates += 1
        self.fill_crossed(0)
        self.fill_crossed(1)
        self.finish(update if changed else None)
        return self.displayed_changes()

    cdef DepthUpdate follow_trade(self, PublicTrade trade):
        cdef int side = 1 - trade.taker_index
        cdef int told = self.times_told(trade)
        cdef int128 left = trade.qty_mantissa
        if left > MAX_QTY:
            raise ValueError(f"trade: qty: {trade.qty} is beyond {qty_from(MAX_QTY)}")
        self.begin()
        self.market_ns = trade.venue_ns
        self.last_price_mantissa = trade.price_mantissa
        if self.clients(side).size:
            left = self.trade_through(side, trade.price_mantissa, left, told)
            left = self.trade_at(side, trade.price_mantissa, left, told)
        if trade.venue_ns == 0 or trade.venue_ns > self.depth_ns:
            self.market(side).trade_beyond(trade.price_mantissa)
            self.market(side).trade(trade.price_mantissa, left)
        self.finish()
        return self.displayed_changes()

    # -- the market's own levels -------------------------------------------------------------------------------

    cdef Py_ssize_t tell_side(self, int side, const Level *levels, Py_ssize_t count, Spot *spots) except -1:
        """Set levels of the market's own book, and note where they are; returns how many are not as they were."""
        cdef MarketSide market = self.market(side)
        market.forget_told(levels, count)
        return market.levels.set_all(levels, count, spots)

    cdef int replace_side(self, int side, const Level *levels, Py_ssize_t count) except -1:
        """Make a snapshot's levels the only ones; those that were there keep what clients took of them."""
        cdef MarketSide market = self.market(side)
        cdef BookSide kept = BookSide(side == 0)
        cdef Py_ssize_t index
        cdef Py_ssize_t depth = 0
        cdef Level *level
        cdef Change change
        cdef int128 price
        for index in range(count):
            kept.set(levels[index].price, levels[index].qty)
        level = market.levels.best()
        while level is not NULL:
            price = level.price
            if kept.find(price) is NULL:
                tell(market, price, 0)
                self.touch(side, price)
            else:
                depth += 1
            level = market.levels.at(depth)
        for index in range(count):
            change = tell(market, levels[index].price, levels[index].qty)
            if change != Change.UNCHANGED and change != Change.ABSENT:
                self.touch(side, levels[index].price)
        return 0

    # -- queues ------------------------------------------------------------------------------------------------

    cdef void note_standing(self, int side) noexcept:
        """Remember what stands in the queues before a depth message, for the rules that want to know."""
        cdef RestingSide clients = self.clients(side)
        cdef Py_ssize_t index
        if self.queue_rule != BEHIND:
            for index in range(clients.size):
                clients.queues[index].standing = self.market(side).matchable(clients.queues[index].price)

    cdef int settle_side(self, int side) except -1:
        """Judge a depth message at its end, for a level may come and go within it."""
        cdef MarketSide market = self.market(side)
        cdef RestingSide clients = self.clients(side)
        cdef Py_ssize_t index
        market.settle()
        for index in range(clients.size):
            clients.note_ahead(&clients.queues[index])
            self.shrink(clients, &clients.queues[index], market.shown(clients.queues[index].price))
        return 0

    cdef void shrink(self, RestingSide clients, Queue *queue, int128 now) noexcept:
        """Advance a queue by those who cancelled in front, when `now` is what is left of its anonymous quantity."""
        if now < queue.standing:
            if self.queue_rule == PROPORTIONAL:
                clients.scale_ahead(queue, now, queue.standing)
            elif self.queue_rule == AHEAD:
                clients.advance(queue, queue.standing - now)
        clients.cap_ahead(queue, now)

    # -- clients whom the market reaches -----------------------------------------------------------------------

    cdef int fill_crossed(self, int side) except -1:
        """Fill one side's resting orders against the anonymous quantity that has crossed them."""
        cdef RestingSide clients = self.clients(side)
        cdef MarketSide opposite = self.market(1 - side)
        cdef Py_ssize_t depth = 0
        cdef Queue *queue = clients.best()
        cdef Level *level = opposite.levels.best()
        cdef int128 price, used
        while queue is not NULL and level is not NULL and reaches(queue.first, level.price):
            price = level.price
            used = opposite.matchable(price)
            if used == 0:
                depth += 1
                level = opposite.levels.at(depth)
                continue
            used = self.fill_from_market(queue.first, used)
            if used > 0:
                opposite.take(price, used)
                self.touch(1 - side, price)
            queue = clients.best()
        return 0

    cdef int times_told(self, PublicTrade trade) noexcept:
        """How many depth messages contain a trade already, of the last two; 0 where orders are told one by one."""
        if trade.venue_ns == 0 or trade.venue_ns > self.depth_ns or self.arrivals:
            return 0
        return 1 if trade.venue_ns > self.depth_before_ns else 2

    cdef int128 trade_through(self, int side, int128 price, int128 qty, int told) except -1:
        """Fill the orders that stood at better prices than a public trade; returns what is left of it."""
        cdef RestingSide clients = self.clients(side)
        cdef Py_ssize_t depth = 0
        cdef Queue *queue = clients.best()
        while queue is not NULL and clients.is_better(queue.price, price):
            if told:
                clients.clear_before(queue, told)
            else:
                clients.cap_ahead(queue, 0)
            depth += 1
            queue = clients.at(depth)
        depth = 0
        queue = clients.best()
        while qty > 0 and queue is not NULL and clients.is_better(queue.price, price):
            if was_there(queue.first, told):
                qty -= self.fill_from_market(queue.first, qty)
            else:
                depth += 1
            queue = clients.at(depth)
        return qty

    cdef int128 trade_at(self, int side, int128 price, int128 qty, int told) except -1:
        """Advance the queue at a public trade's price; returns how much of the trade was not with clients."""
        cdef RestingSide clients = self.clients(side)
        cdef Queue *queue = clients.find(price)
        cdef Order *maker = NULL if queue is NULL else queue.first
        cdef Order *following
        cdef int128 passed = 0
        cdef int128 used
        while maker is not NULL and qty > 0:
            used = smaller((maker.before[told - 1] if told else maker.ahead) - passed, qty)
            if used > 0:
                passed += used
                qty -= used
            if qty > 0:
                following = maker.next
                qty -= self.fill_from_market(maker, qty)
                maker = following
        queue = clients.find(price)
        if queue is not NULL:
            if told:
                clients.advance_before(queue, passed, told)
            else:
                clients.advance(queue, passed)
        return passed + qty


cdef int check_qtys(const Level *levels, Py_ssize_t count) except -1:
    """Raise ValueError for a quantity beyond the largest, a power of two: below it, no upper half has its bit."""
    cdef uint64_t upper_halves = 0
    cdef Py_ssize_t index
    for index in range(count):
        upper_halves |= <uint64_t>(levels[index].qty >> 64)
    if upper_halves < <uint64_t>(MAX_QTY >> 64):
        return 0
    for index in range(count):
        if levels[index].qty > MAX_QTY:
            raise ValueError(f"depth: qty: {qty_from(levels[index].qty)} is beyond {qty_from(MAX_QTY)}")
    return 0


cdef bint crosses(const Level *bid, const Level *ask) noexcept:
    return bid is not NULL and ask is not NULL and bid.price >= ask.price
