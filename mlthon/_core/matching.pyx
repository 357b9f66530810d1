"""The matching engine: one instrument, a market of anonymous levels, and clients' orders that meet it.

The market is told from outside, by depth messages and public trades, and knows nothing of the clients. The engine
lets both act as if they stood in one book:

* a client's order queues behind what is displayed at its price when it arrives; `ahead` counts the anonymous
  part of that. A public trade at the price takes from the front of the queue; one at a worse price proves that
  nothing better was left, so it empties what is anonymous there and fills clients at their own price, up to
  its quantity; how a depth message that shows less moves the queue is chosen (see `followed_market`);
* a depth message applies whole. Where it then crosses resting orders, they are filled at their own price, up to
  the crossing quantity;
* what clients take of a level stays taken until the market's own book changes at that price; what a public trade
  took cannot be taken again before the depth message that tells it (see `market_side`);
* clients' orders meet each other by price, then time, at the resting order's price.

Invariants between calls: no client's order reaches a price that somebody displays on the other side; nobody has
more in front of him than is displayed; no resting reduce-only order has nothing left to reduce. Only a market
that crosses itself can make the displayed book cross (`crossed_updates` counts that).

Same calls, same results: there is no clock and no randomness. Prices and quantities are mantissas throughout.
"""

from libc.stdint cimport int64_t
from libc.string cimport memcpy

cimport cython
from mlthon._core.enums cimport side_index
from mlthon._core.fixed cimport MLDecimal, Price, Qty, qty_from
from mlthon._core.followed_market cimport AHEAD, BEHIND, FollowedMarket, QueueRule
from mlthon._core.id_table cimport find_id
from mlthon._core.int128 cimport add_overflows, int128
from mlthon._core.joined_book cimport (
    MAX_POSITION, MAX_QTY, NO_LIQUIDITY, NOT_WHOLE, OPEN, POST_ONLY, REDUCE_ONLY, SELF_TRADE, better_price, reaches,
    signed, smaller,
)
from mlthon._core.market_side cimport MarketSide
from mlthon._core.price_book cimport BookSide, Level
from mlthon._core.resting_orders cimport Order, Queue, RestingSide, free_order, new_order

cdef enum:
    MAX_RESTING = 65536


@cython.final
cdef class MatchingEngine(FollowedMarket):
    """Match one instrument's orders; what happens is collected and taken with the ``take_*`` methods.

    ``valued_at_mark``: positions are, so that another mark is news for who has one (see `concerns_clients`).
    Codes are small ints. ``queue_rule``: whoever cancels at an order's price was 0 behind it as far as possible,
    1 anywhere (in proportion), 2 in front of it as far as possible. ``self_trade``: 0 allow, 1 cancel the resting
    order, 2 the incoming one, 3 both. Why an order ended: 1 post-only would have taken, 2 no (more) liquidity,
    3 not fillable whole, 4 nothing to reduce, 5 it met an order of its own account, 6 what is left of its value buys
    no lot.

    >>> from mlthon._core.enums import Side
    >>> from mlthon._core.fixed import Price, Qty
    >>> from mlthon._core.market_event import DepthUpdate
    >>> engine = MatchingEngine()
    >>> account = engine.add_account()
    >>> engine.apply_depth(DepthUpdate([("99", "2")], [("101", "3")]))
    >>> engine.place(1, account, Side.Buy, Qty("5"), Price("101"))
    >>> engine.take_fills()
    [(1, Price('101.00000000'), Qty('3.00000000'), False, 0)]
    >>> print(engine.displayed)
    <PriceLevelBook: Buy 2.00000000 @ 101.00000000 | no ask, 2 + 0 levels>
    """

    def __cinit__(self, int queue_rule=BEHIND, bint valued_at_mark=True):
        if not BEHIND <= queue_rule <= AHEAD:
            raise ValueError(f"queue_rule: expected {BEHIND} to {AHEAD}, got {queue_rule}")
        self.queue_rule = <QueueRule>queue_rule
        self.valued_at_mark = valued_at_mark

    # -- what clients do ---------------------------------------------------------------------------------------

    def place(
        self, int64_t order_id, Py_ssize_t account, side, Qty qty not None, Price price=None, *,
        bint immediate=False, bint whole=False, bint post_only=False, bint reduce_only=False, int self_trade=ALLOW,
        MLDecimal max_value=None, Qty lot=None,
    ):
        """Enter an order; without a price it is a market order. It rests unless it fills or ends at once.

        ``immediate``: never rests (IOC); with ``whole`` too: fills whole at once or not at all (FOK).
        ``max_value``: a market order's fills may sum to no more of price x qty; it then fills whole lots.
        Raises ValueError for an id that is not positive or rests already, an unknown account, and a price or
        quantity out of range.
        """
        check_order_values(price, qty)
        if max_value is not None and (price is not None or whole or lot is None or lot.mantissa <= 0):
            raise ValueError("max_value: expected a market order, not to be filled whole, and a lot")
        cdef Order *order = self.new_entry(order_id, account, side_index(side), qty.mantissa)
        order.is_market = price is None
        order.price = 0 if price is None else price.mantissa
        order.is_immediate = immediate or price is None
        order.is_whole = whole
        order.is_post_only = post_only
        order.is_reduce_only = reduce_only
        order.self_trade = self_trade
        if max_value is not None:
            order.has_value_limit = True
            order.value_left = max_value.mantissa
            order.lot = lot.mantissa
        self.begin()
        self.enter(order)
        self.finish()

    def amend(self, int64_t order_id, Price price not None, Qty leaves_qty not None):
        """Change a resting order's price and open quantity.

        It keeps its place in the queue when the price stays and the quantity does not grow; otherwise it enters
        anew, and may take. Raises KeyError for an order that does not rest, ValueError for values out of range.
        """
        cdef Order *order = self.find(order_id)
        check_order_values(price, leaves_qty)
        self.begin()
        if price.mantissa == order.price and leaves_qty.mantissa <= order.leaves:
            if leaves_qty.mantissa < order.leaves:
                self.clients(order.side).reduce(order, order.leaves - leaves_qty.mantissa)
                self.touch(order.side, order.price)
        else:
            self.unlink(order)
            order.price = price.mantissa
            order.leaves = leaves_qty.mantissa
            self.enter(order)
        self.finish()

    def cancel(self, int64_t order_id):
        """Take a resting order out of the book; raises KeyError for an order that does not rest."""
        self.cancel_order(order_id)

    def move_position(self, Py_ssize_t account, Qty change not None):
        """Change an account's position by what no order of the book did.

        Raises ValueError for an unknown account, and when the position would be out of range.
        """
        if not 0 <= account < self.account_count:
            raise ValueError(f"account: expected 0 to {self.account_count - 1}, got {account}")
        cdef int128 position
        if add_overflows(self.positions[account], change.mantissa, &position):
            raise ValueError(f"position: a change by {change} is out of range")
        self.begin()
        self.positions[account] = position
        self.finish()

    cdef int place_limit(self, int64_t order_id, Py_ssize_t account, int side, int128 price, int128 qty,
                         bint post_only) except -1:
        cdef Order *order = self.new_entry(order_id, account, side, qty)
        order.price = price
        order.is_post_only = post_only
        self.begin()
        self.enter(order)
        return self.finish()

    cdef int cancel_order(self, int64_t order_id) except -1:
        cdef Order *order = self.find(order_id)
        self.begin()
        self.unlink(order)
        free_order(order)
        return self.finish()

    cdef Order *new_entry(self, int64_t order_id, Py_ssize_t account, int side, int128 qty) except NULL:
        """An order that may enter, as yet without a price."""
        if order_id <= 0 or find_id(&self.resting, order_id) is not NULL:
            raise ValueError(f"order_id: expected a new positive id, got {order_id}")
        if not 0 <= account < self.account_count:
            raise ValueError(f"account: expected 0 to {self.account_count - 1}, got {account}")
        self.check_room(account)
        cdef Order *order = new_order()
        order.order_id = order_id
        order.account = <int>account
        order.side = side
        order.leaves = qty
        return order

    cdef int check_room(self, Py_ssize_t account) except -1:
        """Refuse what could make sums overflow later."""
        if self.resting.size >= MAX_RESTING:
            raise ValueError(f"orders: expected {MAX_RESTING} at most to rest")
        if not -MAX_POSITION < self.positions[account] < MAX_POSITION:
            raise ValueError(f"position: {qty_from(self.positions[account])} is out of range")
        return 0

    # -- an order comes in -------------------------------------------------------------------------------------

    cdef int enter(self, Order *order) except -1:
        """Match an order, then rest or end it; it is linked or freed when this returns."""
        if order.is_reduce_only and self.allowed(order, self.positions) == 0:
            order.end_reason = REDUCE_ONLY
        elif order.is_post_only and self.would_take(order):
            order.end_reason = POST_ONLY
        elif order.is_whole and not self.fills_whole(order):
            order.end_reason = NOT_WHOLE
        else:
            self.sweep(order)
            if is_active(order):
                if not order.is_immediate:
                    return self.rest(order)
                order.end_reason = NO_LIQUIDITY
        if order.leaves > 0:
            self.ended.append((order.order_id, order.end_reason, order.met))
        free_order(order)
        return 0

    cdef int rest(self, Order *order) except -1:
        cdef MarketSide opposite = self.market(1 - order.side)
        cdef Py_ssize_t depth = 0
        cdef Level *level = opposite.levels.best()
        # Whatever it reaches is not to be had any more, or it would have taken it: do not display it either.
        while level is not NULL and reaches(order, level.price):
            if opposite.shown(level.price) > 0:
                opposite.hide(level.price)
                self.touch(1 - order.side, level.price)
            depth += 1
            level = opposite.levels.at(depth)
        return self.link(order)

    cdef int sweep(self, Order *taker) except -1:
        """Match price by price until the order is filled, ended, or reaches nothing more."""
        cdef BookSide levels = self.market(1 - taker.side).levels
        cdef RestingSide makers = self.clients(1 - taker.side)
        cdef Py_ssize_t depth = 0
        cdef Level *level
        cdef int128 price = 0
        while is_active(taker):
            # What a price had is gone when the loop comes back: its queue from the book, its level by `depth`.
            level = levels.at(depth)
            if not better_price(makers, level, makers.best(), &price) or not reaches(taker, price):
                break
            if level is not NULL and level.price == price:
                depth += 1
            self.sweep_price(taker, price)
        return 0

    cdef int sweep_price(self, Order *taker, int128 price) except -1:
        """Match at one price: the orders there in turn, and before each the anonymous quantity in front of it."""
        cdef MarketSide market = self.market(1 - taker.side)
        cdef RestingSide makers = self.clients(1 - taker.side)
        cdef int128 there = market.matchable(price)
        cdef int128 taken = 0
        cdef Queue *queue = makers.find(price)
        cdef Order *maker = NULL if queue is NULL else queue.first
        cdef Order *following
        if there > 0 or maker is not NULL:
            self.end_if_done(taker, price)
        while maker is not NULL and is_active(taker):
            taken += self.take_market(taker, price, smaller(maker.ahead, there) - taken)
            if is_active(taker):
                following = maker.next
                if self.meet(taker, maker):
                    maker = following
        if is_active(taker):
            taken += self.take_market(taker, price, there - taken)
        if taken == 0:
            return 0
        market.take(price, taken)
        queue = makers.find(price)
        if queue is not NULL:
            makers.advance(queue, taken)
            makers.cap_ahead(queue, market.shown(price))
        return self.touch(1 - taker.side, price)

    cdef int128 take_market(self, Order *taker, int128 price, int128 qty) except -1:
        """Fill an incoming order against the market; returns how much."""
        qty = smaller(smaller(qty, taker.leaves), self.allowed(taker, self.positions))
        qty = smaller(qty, self.affordable(taker, price))
        if qty <= 0:
            return 0
        self.fill_taker(taker, price, qty, 0)
        self.end_if_done(taker, price)
        return qty

    cdef bint meet(self, Order *taker, Order *maker) except -1:
        """Let an incoming order meet the resting one whose turn it is; True when that one is gone."""
        if taker.account == maker.account and taker.self_trade != ALLOW:
            if taker.self_trade != CANCEL_MAKER:
                taker.end_reason = SELF_TRADE
                taker.met = maker.order_id
            if taker.self_trade != CANCEL_TAKER:
                self.end_maker(maker, SELF_TRADE, taker.order_id)
            return taker.self_trade != CANCEL_TAKER
        cdef int128 allowed = self.allowed(maker, self.positions)
        if allowed == 0:
            self.end_maker(maker, REDUCE_ONLY)
            return True
        cdef int128 price = maker.price
        cdef int128 qty = smaller(smaller(taker.leaves, maker.leaves), allowed)
        qty = smaller(smaller(qty, self.allowed(taker, self.positions)), self.affordable(taker, price))
        self.fill_taker(taker, price, qty, maker.order_id)
        cdef bint is_gone = self.fill_maker(maker, qty, taker.order_id)
        self.end_if_done(taker, price)
        return is_gone

    cdef bint would_take(self, Order *taker) noexcept:
        cdef MarketSide market = self.market(1 - taker.side)
        cdef Queue *queue = self.clients(1 - taker.side).best()
        if queue is not NULL and reaches(taker, queue.price):
            return True
        cdef Py_ssize_t depth = 0
        cdef Level *level = market.levels.best()
        while level is not NULL and reaches(taker, level.price):
            if market.matchable(level.price) > 0:
                return True
            depth += 1
            level = market.levels.at(depth)
        return False

    # -- would it fill whole? The same walk as `sweep`, on trial ------------------------------------------------

    cdef bint fills_whole(self, Order *taker) noexcept:
        cdef BookSide levels = self.market(1 - taker.side).levels
        cdef RestingSide makers = self.clients(1 - taker.side)
        cdef Py_ssize_t depth = 0
        cdef Py_ssize_t queue_depth = 0
        cdef Level *level
        cdef Queue *queue
        cdef int128 price = 0
        cdef int128 wanted = taker.leaves
        memcpy(self.trial_positions, self.positions, self.account_count * sizeof(int128))
        while wanted > 0:
            level = levels.at(depth)
            queue = makers.at(queue_depth)
            if not better_price(makers, level, queue, &price) or not reaches(taker, price):
                return False
            if level is not NULL and level.price == price:
                depth += 1
            if queue is not NULL and queue.price == price:
                queue_depth += 1
            else:
                queue = NULL
            if not self.try_price(taker, price, queue, &wanted):
                return False
        return True

    cdef bint try_price(self, Order *taker, int128 price, Queue *queue, int128 *wanted) noexcept:
        """Take from `wanted` what one price would give; False when the order would end there."""
        cdef int128 there = self.market(1 - taker.side).matchable(price)
        cdef int128 taken = 0
        cdef Order *maker = NULL if queue is NULL else queue.first
        while maker is not NULL and wanted[0] > 0:
            taken += self.try_market(taker, smaller(maker.ahead, there) - taken, wanted)
            if wanted[0] == 0:
                return True
            if not self.try_meet(taker, maker, wanted):
                return False
            maker = maker.next
        self.try_market(taker, there - taken, wanted)
        return True

    cdef int128 try_market(self, Order *taker, int128 qty, int128 *wanted) noexcept:
        qty = smaller(smaller(qty, wanted[0]), self.allowed(taker, self.trial_positions))
        if qty <= 0:
            return 0
        wanted[0] -= qty
        self.trial_positions[taker.account] += signed(taker, qty)
        return qty

    cdef bint try_meet(self, Order *taker, Order *maker, int128 *wanted) noexcept:
        cdef int128 taker_allowed = self.allowed(taker, self.trial_positions)
        cdef int128 maker_allowed = self.allowed(maker, self.trial_positions)
        cdef int128 qty = smaller(wanted[0], maker.leaves)
        if taker_allowed == 0:
            return False
        if taker.account == maker.account:
            # A trade with itself moves no position, so allowances do not shrink by it.
            if taker.self_trade == ALLOW and maker_allowed > 0:
                wanted[0] -= qty
            return taker.self_trade == ALLOW or taker.self_trade == CANCEL_MAKER
        qty = smaller(qty, smaller(taker_allowed, maker_allowed))
        wanted[0] -= qty
        self.trial_positions[taker.account] += signed(taker, qty)
        self.trial_positions[maker.account] += signed(maker, qty)
        return True


cdef int check_order_values(Price price, Qty qty) except -1:
    if price is not None and price.mantissa <= 0:
        raise ValueError(f"price: expected more than 0, got {price}")
    if not 0 < qty.mantissa <= MAX_QTY:
        raise ValueError(f"qty: expected more than 0, and {qty_from(MAX_QTY)} at most, got {qty}")
    return 0


cdef bint is_active(const Order *order) noexcept:
    return order.leaves > 0 and order.end_reason == OPEN
