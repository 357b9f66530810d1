"""A slow matcher, written to be obviously right: the oracle of the matching tests.

Where the engine keeps numbers (how much is in front of an order), this keeps the queue itself: every price has a
list of orders and of anonymous chunks, front first. Whether an order would fill whole or take at all is found by
trying it on a deep copy. Nothing here is shared with the engine but the rules.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

BUY, SELL = 0, 1
POST_ONLY, NO_LIQUIDITY, NOT_WHOLE, REDUCE_ONLY, SELF_TRADE, VALUE_SPENT = 1, 2, 3, 4, 5, 6
ALLOW, CANCEL_MAKER, CANCEL_TAKER, CANCEL_BOTH = range(4)
BEHIND, PROPORTIONAL, AHEAD = range(3)  # who cancelled
ZERO = Decimal(0)
ABSENT = Decimal("Infinity")  # the order was not there
ONE = 10**18  # the finest quantity, of which there are so many in one


@dataclass
class NaiveOrder:
    order_id: int
    account: int
    side: int
    price: Decimal | None
    leaves: Decimal
    immediate: bool = False
    whole: bool = False
    post_only: bool = False
    reduce_only: bool = False
    self_trade: int = ALLOW
    max_value: Decimal | None = None
    lot: Decimal | None = None
    end: int = 0
    met: int = 0
    # Anonymous quantity in front before the last depth message, and before the one before it; less what went since.
    before: list[Decimal] = field(default_factory=lambda: [ABSENT, ABSENT])

    @property
    def active(self) -> bool:
        return self.leaves > 0 and not self.end

    def reaches(self, price: Decimal) -> bool:
        if self.price is None:
            return True
        return price <= self.price if self.side == BUY else price >= self.price


@dataclass
class Chunk:
    """Anonymous quantity somewhere in a queue."""

    qty: Decimal


@dataclass
class Level:
    queue: list[NaiveOrder | Chunk] = field(default_factory=list)
    told: Decimal = ZERO  # what the market's own book has here
    traded: Decimal = ZERO  # traded since, and not yet told

    def chunks(self) -> list[Chunk]:
        return [item for item in self.queue if isinstance(item, Chunk)]

    def orders(self) -> list[NaiveOrder]:
        return [item for item in self.queue if isinstance(item, NaiveOrder)]

    def anonymous(self) -> Decimal:
        return sum((chunk.qty for chunk in self.chunks()), ZERO)

    def matchable(self) -> Decimal:
        return self.anonymous() - self.traded

    def shown(self) -> Decimal:
        return self.anonymous() + sum((order.leaves for order in self.orders()), ZERO)

    def tell_anonymous(self, qty: Decimal, rule: int) -> None:
        """What the market shows now: trades took the last of the queue, and cancels come from where the rule says."""
        standing = self.matchable()
        if rule == BEHIND or qty >= standing:
            self.set_anonymous(qty)
            return
        self.set_anonymous(standing)
        end, kept_end = ZERO, ZERO  # of each chunk in turn, before and after
        for chunk in self.chunks():
            end += chunk.qty
            if rule == AHEAD:
                kept = max(end - (standing - qty), ZERO)
            else:
                kept = round(Fraction(end) * Fraction(qty) / Fraction(standing) * ONE) / Decimal(ONE)
            chunk.qty, kept_end = kept - kept_end, kept

    def set_anonymous(self, qty: Decimal) -> None:
        """Grow at the back; shrink from the back, for cancels are assumed behind us."""
        extra = self.anonymous() - qty
        if extra < 0:
            self.queue.append(Chunk(-extra))
        for chunk in reversed(self.chunks()):
            gone = min(chunk.qty, max(extra, ZERO))
            chunk.qty -= gone
            extra -= gone

    def hide(self) -> None:
        self.set_anonymous(ZERO)
        self.traded = ZERO

    def all_anonymous_last(self) -> None:
        self.queue = [*self.orders(), Chunk(self.anonymous())]

    def anonymous_ahead(self, order: NaiveOrder) -> Decimal:
        ahead = self.queue[: self.queue.index(order)]
        return sum((item.qty for item in ahead if isinstance(item, Chunk)), ZERO)

    def put_ahead(self, ahead: list[tuple[NaiveOrder, Decimal]]) -> None:
        """Distribute what is anonymous anew: so much in front of each order, the rest last."""
        queue: list[NaiveOrder | Chunk] = []
        placed, all_of_it = ZERO, self.anonymous()
        for order, qty in ahead:
            queue += [Chunk(qty - placed), order]
            placed = qty
        self.queue = [*queue, Chunk(all_of_it - placed)]

    def went(self, qty: Decimal) -> None:
        for order in self.orders():
            order.before = [max(before - qty, ZERO) for before in order.before]

    def went_before(self, qty: Decimal, told: int) -> None:
        """So much went before the last, or the last two, depth messages, which have shown that less is there."""
        ahead = []
        for order in self.orders():
            now = self.anonymous_ahead(order)
            if order.before[told - 1] != ABSENT:
                order.before[told - 1] = max(order.before[told - 1] - qty, ZERO)
                order.before[0] = min(order.before)
                now = min(now, order.before[0])
            ahead.append((order, now))
        self.put_ahead(ahead)


class NaiveMatcher:
    def __init__(self, accounts: int, queue_rule: int = BEHIND) -> None:
        self.queue_rule = queue_rule
        self.sides: tuple[dict[Decimal, Level], dict[Decimal, Level]] = ({}, {})
        self.positions = [ZERO] * accounts
        self.fills: list[tuple[int, Decimal, Decimal, bool, int]] = []
        self.ended: list[tuple[int, int, int]] = []
        self.depth_ns = self.depth_before_ns = 0

    # -- reading -------------------------------------------------------------------------------------------

    def level(self, side: int, price: Decimal) -> Level:
        return self.sides[side].setdefault(price, Level())

    def best_first(self, side: int) -> list[Decimal]:
        return sorted(self.sides[side], reverse=side == BUY)

    def resting(self) -> Iterator[NaiveOrder]:
        for levels in self.sides:
            for level in levels.values():
                yield from level.orders()

    def order(self, order_id: int) -> NaiveOrder:
        return next(order for order in self.resting() if order.order_id == order_id)

    def displayed(self, side: int) -> list[tuple[Decimal, Decimal]]:
        levels = ((price, self.sides[side][price].shown()) for price in self.best_first(side))
        return [(price, qty) for price, qty in levels if qty]

    def qty_ahead(self, order: NaiveOrder) -> Decimal:
        total = ZERO
        for item in self.level(order.side, order.price).queue:
            if item is order:
                return total
            total += item.qty if isinstance(item, Chunk) else item.leaves
        raise AssertionError("not in its queue")

    # -- clients -------------------------------------------------------------------------------------------

    def place(self, order: NaiveOrder) -> None:
        self.enter(order)
        self.end_irreducible()

    def cancel(self, order_id: int) -> None:
        self.remove(self.order(order_id))
        self.end_irreducible()

    def move_position(self, account: int, change: Decimal) -> None:
        self.positions[account] += change
        self.end_irreducible()

    def amend(self, order_id: int, price: Decimal, leaves: Decimal) -> None:
        order = self.order(order_id)
        if price == order.price and leaves <= order.leaves:
            order.leaves = leaves
        else:
            self.remove(order)
            order.price, order.leaves = price, leaves
            self.enter(order)
        self.end_irreducible()

    def enter(self, order: NaiveOrder) -> None:
        if self.cap(order) == 0:
            order.end = REDUCE_ONLY
        elif order.post_only and self.would_take(order):
            order.end = POST_ONLY
        elif order.whole and self.tried(order)[1].leaves > 0:
            order.end = NOT_WHOLE
        else:
            self.match(order)
            if order.active and (order.immediate or order.price is None):
                order.end = NO_LIQUIDITY
        if order.active:
            for price, level in self.sides[1 - order.side].items():
                if order.reaches(price):
                    assert level.matchable() == 0, "it rests, and could have taken"
                    level.hide()
            order.before = [ABSENT, ABSENT]
            self.level(order.side, order.price).queue.append(order)
        elif order.leaves:
            self.ended.append((order.order_id, order.end, order.met))

    def tried(self, order: NaiveOrder) -> tuple[NaiveMatcher, NaiveOrder]:
        """What would be, if the order were matched now."""
        world, twin = copy.deepcopy((self, order))
        world.fills.clear()
        world.ended.clear()
        world.match(twin)
        return world, twin

    def would_take(self, order: NaiveOrder) -> bool:
        world, twin = self.tried(order)
        return bool(world.fills or world.ended or twin.end)

    def match(self, taker: NaiveOrder) -> None:
        for price in self.best_first(1 - taker.side):
            if not taker.active or not taker.reaches(price):
                return
            self.match_at(taker, price)

    def match_at(self, taker: NaiveOrder, price: Decimal) -> None:
        level = self.level(1 - taker.side, price)
        had = level.matchable()
        left = had
        if had or level.orders():
            self.end_if_done(taker, price)
        for item in list(level.queue):
            if isinstance(item, Chunk):
                wanted = min(taker.leaves, self.cap(taker), affordable(taker, price))
                qty = min(item.qty, left, wanted) if taker.active else ZERO
                if qty > 0:
                    item.qty -= qty
                    left -= qty
                    self.fill(taker, price, qty, False, 0)
                    self.end_if_done(taker, price)
            while isinstance(item, NaiveOrder) and item.active and taker.active:
                self.meet(taker, item)
        level.went(had - left)
        if had > 0 and left == 0:
            level.hide()

    def meet(self, taker: NaiveOrder, maker: NaiveOrder) -> None:
        if taker.account == maker.account and taker.self_trade != ALLOW:
            if taker.self_trade in (CANCEL_TAKER, CANCEL_BOTH):
                taker.end, taker.met = SELF_TRADE, maker.order_id
            if taker.self_trade in (CANCEL_MAKER, CANCEL_BOTH):
                self.end(maker, SELF_TRADE, taker.order_id)
            return
        qty = min(
            taker.leaves, maker.leaves, self.cap(taker), self.cap(maker), affordable(taker, maker.price)
        )
        if qty == 0:
            self.end(maker, REDUCE_ONLY)
            return
        self.fill(taker, maker.price, qty, False, maker.order_id)
        self.fill(maker, maker.price, qty, True, taker.order_id)
        self.end_if_done(taker, maker.price)
        self.settle(maker)

    # -- the market ----------------------------------------------------------------------------------------

    def depth(
        self,
        bids: list[tuple[Decimal, Decimal]],
        asks: list[tuple[Decimal, Decimal]],
        snapshot: bool,
        at_ns: int,
    ) -> None:
        self.depth_before_ns, self.depth_ns = self.depth_ns, at_ns
        for order in self.resting():
            level = self.level(order.side, order.price)
            order.before = [level.anonymous_ahead(order), order.before[0]]
        final: tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]] = ({}, {})
        for side, told in enumerate((bids, asks)):
            if snapshot:
                final[side].update(dict.fromkeys(self.sides[side], ZERO))
            final[side].update(told)
        for side in (BUY, SELL):
            for price, qty in final[side].items():
                level = self.level(side, price)
                if level.told != qty:
                    level.told = qty
                    level.tell_anonymous(qty, self.queue_rule)
                level.traded = ZERO
        self.fill_crossed(BUY)
        self.fill_crossed(SELL)
        self.end_irreducible()

    def fill_crossed(self, side: int) -> None:
        for own in self.best_first(side):
            for order in self.level(side, own).orders():
                for price in self.best_first(1 - side):
                    level = self.level(1 - side, price)
                    qty = min(level.matchable(), order.leaves, self.cap(order)) if order.active else ZERO
                    if qty > 0 and order.reaches(price):
                        emptied = qty == level.matchable()
                        self.fill(order, own, qty, True, 0)
                        level.hide() if emptied else level.set_anonymous(level.anonymous() - qty)
                        self.settle(order)

    def trade(self, taker_side: int, price: Decimal, qty: Decimal, at_ns: int) -> None:
        side = 1 - taker_side
        better = [p for p in self.best_first(side) if (p > price if side == BUY else p < price)]
        told = (
            0
            if at_ns == 0
            else (at_ns <= self.depth_ns) + (at_ns <= min(self.depth_ns, self.depth_before_ns))
        )
        for own in better:
            if told:
                self.level(side, own).went_before(Decimal(10**9), told)
            else:
                self.level(side, own).all_anonymous_last()
        for own in better:
            for order in self.level(side, own).orders():
                if not told or order.before[told - 1] != ABSENT:
                    qty -= self.fill_from_market(order, qty)
        at_price = self.level(side, price)
        left = self.late_trade_at(at_price, qty, told) if told else self.trade_at(at_price, qty)
        if not told:
            for own in better:
                self.level(side, own).traded = self.level(side, own).anonymous()
            level = self.level(side, price)
            level.traded = min(level.anonymous(), level.traded + left)
        self.end_irreducible()

    def trade_at(self, level: Level, qty: Decimal) -> Decimal:
        """Serve the queue from its front; the anonymous part stays displayed, at the back."""
        passed = ZERO
        for item in list(level.queue):
            if isinstance(item, Chunk):
                gone = min(item.qty, qty)
                item.qty -= gone
                passed += gone
                qty -= gone
            else:
                qty -= self.fill_from_market(item, qty)
        level.queue.append(Chunk(passed))
        level.went(passed)
        return passed + qty

    def late_trade_at(self, level: Level, qty: Decimal, told: int) -> Decimal:
        """Serve the queue as it stood before the depth messages that contain the trade."""
        passed = ZERO
        for order in level.orders():
            gone = min(max(order.before[told - 1] - passed, ZERO), qty)
            passed += gone
            qty -= gone
            qty -= self.fill_from_market(order, qty)
        level.went_before(passed, told)
        return passed + qty

    def fill_from_market(self, order: NaiveOrder, qty: Decimal) -> Decimal:
        qty = min(qty, order.leaves, self.cap(order))
        if qty > 0:
            self.fill(order, order.price, qty, True, 0)
            self.settle(order)
        return qty

    # -- fills and ends ------------------------------------------------------------------------------------

    def cap(self, order: NaiveOrder) -> Decimal:
        if not order.reduce_only:
            return Decimal("Infinity")
        position = self.positions[order.account]
        return max(ZERO, position if order.side == SELL else -position)

    def fill(self, order: NaiveOrder, price: Decimal, qty: Decimal, is_maker: bool, other: int) -> None:
        order.leaves -= qty
        if order.max_value is not None:
            order.max_value -= price * qty
        self.positions[order.account] += qty if order.side == BUY else -qty
        self.fills.append((order.order_id, price, qty, is_maker, other))

    def settle(self, maker: NaiveOrder) -> None:
        if maker.leaves == 0:
            self.remove(maker)
        elif self.cap(maker) == 0:
            self.end(maker, REDUCE_ONLY)

    def end_if_done(self, taker: NaiveOrder, price: Decimal) -> None:
        if taker.leaves and self.cap(taker) == 0:
            taker.end = REDUCE_ONLY
        elif taker.leaves and affordable(taker, price) == 0:
            taker.end = VALUE_SPENT

    def end(self, maker: NaiveOrder, reason: int, met: int = 0) -> None:
        maker.end = reason
        self.ended.append((maker.order_id, reason, met))
        self.remove(maker)

    def remove(self, order: NaiveOrder) -> None:
        self.level(order.side, order.price).queue.remove(order)

    def end_irreducible(self) -> None:
        for order in list(self.resting()):
            if self.cap(order) == 0:
                self.end(order, REDUCE_ONLY)


def affordable(order: NaiveOrder, price: Decimal) -> Decimal:
    """What an order's value is good for at a price, in whole lots."""
    if order.max_value is None or order.lot is None:
        return Decimal("Infinity")
    return order.max_value // (price * order.lot) * order.lot
