"""A market's order flow, made up: limit orders, cancels and market orders on one book, driven by a seed.

The model is zero-intelligence order flow with four additions that make it look like a market:

* **activity** wanders (its logarithm is mean-reverting), and everything scales with it: rates, volatility,
  spread. Calm and hectic phases follow each other, so volatility clusters.
* **market orders excite each other** (a Hawkes process): they come in bursts, often on the same side.
* **a fair price** diffuses with the activity and is pulled slowly to where the market began. Makers cancel
  quotes that it runs over and quote around it, a little wider when it moves fast; takers lean towards it.
* **depth** decays from the touch with a long tail, and round prices attract more of it.

Prices are counted in ticks and quantities in lots; both are integers, and the book can never be crossed. The
same seed gives the same flow in every process.
"""

from __future__ import annotations

from math import ceil, exp, floor, log, log1p, sqrt, tanh
from random import Random
from typing import Literal, NamedTuple

__all__ = ["Ladder", "OrderFlow", "Print"]

# Rates are per second and times in seconds, all at activity 1.
BOOK_RATE = 26.0  # book messages
ORDER_RATE = 1.3  # market orders that no other one caused
EXCITED_ORDERS = 0.6  # market orders that each one causes on average; below 1, or they never end
EXCITATION_TIME = 0.8  # how long it takes them to come
ACTIVITY_TIME = 45.0  # memory of the activity
ACTIVITY_SPREAD = 0.7  # standard deviation of its logarithm
ACTIVITY_BOUND = 1.7  # of its logarithm, both ways
VOLATILITY = 3.0  # of the fair price, in ticks per square root of a second
RETURN_TIME = 1800.0  # of the fair price to where it began
CALM_HALF_SPREAD = 0.1  # ticks that makers keep from the fair price in any case
ACTIVE_HALF_SPREAD = 0.4  # and for each unit of activity
IMPACT = 0.3  # ticks that a market order moves the fair price, per log(1 + size / median size)

MIN_LEVELS = 250  # a side never shows fewer
MAX_LEVELS = 600
MAX_SWEPT_LEVELS = 8  # a market order gives up beyond these
MAX_PULLED_LEVELS = 12  # quotes that makers can cancel within one message

ORDER_LOTS = 80  # median market order
TOUCH_LOTS = 2000  # typical quantity at the best prices
DEPTH_LOTS = 500  # typical quantity behind them
SIZE_SPREAD = 1.2  # standard deviation of the logarithm of sizes
DISTANCE_TAIL = 0.9  # exponent of the distance of new orders from the touch; smaller reaches deeper


class Print(NamedTuple):
    """What a market order took at one price."""

    tick: int
    lots: int


class Ladder:
    """One side of the book: lots by price in ticks. ``worse`` is +1 for asks and -1 for bids."""

    __slots__ = ("best", "changed", "far", "levels", "worse")

    def __init__(self, worse: Literal[-1, 1], best: int) -> None:
        self.worse = worse
        self.best = best
        self.far = best  # the worst price shown
        self.levels: dict[int, int] = {}
        self.changed: set[int] = set()  # prices touched since the last message

    def set(self, tick: int, lots: int) -> None:
        """Show `lots` at a price; 0 clears it. At least one level must remain."""
        self.changed.add(tick)
        if lots > 0:
            self.levels[tick] = lots
            if (tick - self.best) * self.worse < 0:
                self.best = tick
            if (tick - self.far) * self.worse > 0:
                self.far = tick
            return
        del self.levels[tick]
        while self.best not in self.levels:
            self.best += self.worse
        while self.far not in self.levels:
            self.far -= self.worse

    def take(self, lots: int) -> list[Print]:
        """Take from the best prices on, through at most MAX_SWEPT_LEVELS levels."""
        prints: list[Print] = []
        while lots > 0 and len(prints) < MAX_SWEPT_LEVELS:
            tick, shown = self.best, self.levels[self.best]
            taken = min(lots, shown)
            self.set(tick, shown - taken)
            prints.append(Print(tick, taken))
            lots -= taken
        return prints

    def take_changes(self) -> list[tuple[int, int]]:
        """The prices touched since last asked, best first, with what they show now."""
        ticks = sorted(self.changed, reverse=self.worse < 0)
        self.changed.clear()
        return [(tick, self.levels.get(tick, 0)) for tick in ticks]


class OrderFlow:
    """The state of a made-up market, moved on one event at a time.

    Call `advance` for the time to the next event and its kind, then `send_market_order` or `requote`, then read
    the changes of both ladders.
    """

    def __init__(self, rng: Random, mid_tick: int) -> None:
        self.rng = rng
        self.start_tick = mid_tick
        self.fair = mid_tick + 0.5
        self.log_activity = 0.0
        self.activity = 1.0
        self.excitation = 0.0  # rate of market orders caused by earlier ones
        self.last_is_buy = True
        self.bids = Ladder(-1, mid_tick)
        self.asks = Ladder(+1, mid_tick + 1)
        for ladder in (self.bids, self.asks):
            ladder.set(ladder.best, self.draw_lots(TOUCH_LOTS))
            self.deepen(ladder, (MIN_LEVELS + MAX_LEVELS) // 2)

    # -- time ------------------------------------------------------------------------------------------------

    def advance(self) -> tuple[float, bool]:
        """Move on to the next event: seconds until then, and whether it is a market order.

        Rates fall between events, so the time is drawn from the rate at the start, and an event is dropped with
        the chance that the rate has fallen by (thinning).
        """
        rng = self.rng
        seconds = 0.0
        while True:
            excitation = self.excitation
            orders = ORDER_RATE * self.activity
            total = excitation + orders + BOOK_RATE * sqrt(self.activity)
            step = rng.expovariate(total)
            seconds += step
            self.evolve(step)
            pick = rng.random() * total
            if pick < self.excitation or excitation <= pick < excitation + orders:
                return seconds, True
            if pick >= excitation + orders:
                return seconds, False

    def evolve(self, seconds: float) -> None:
        """Let time pass: excitement wears off, activity and the fair price wander."""
        gauss = self.rng.gauss
        self.excitation *= exp(-seconds / EXCITATION_TIME)
        shock = ACTIVITY_SPREAD * sqrt(2 * seconds / ACTIVITY_TIME) * gauss(0.0, 1.0)
        wandered = self.log_activity * (1 - seconds / ACTIVITY_TIME) + shock
        self.log_activity = min(max(wandered, -ACTIVITY_BOUND), ACTIVITY_BOUND)
        self.activity = exp(self.log_activity)
        self.fair += (self.start_tick - self.fair) * seconds / RETURN_TIME
        self.fair += VOLATILITY * self.activity * sqrt(seconds) * gauss(0.0, 1.0)
        self.fair = min(max(self.fair, self.start_tick * 0.7), self.start_tick * 1.3)

    # -- market orders ---------------------------------------------------------------------------------------

    def send_market_order(self) -> tuple[bool, list[Print]]:
        """Take liquidity: whether it was a buy, and what it printed, best price first."""
        rng = self.rng
        is_buy = self.last_is_buy
        if rng.random() > 0.4:  # else the next part of a split order
            mispriced = self.fair - (self.bids.best + self.asks.best) / 2
            is_buy = rng.random() < 0.5 + 0.35 * tanh(mispriced / 3)
        self.last_is_buy = is_buy
        lots = self.draw_lots(ORDER_LOTS)
        prints = (self.asks if is_buy else self.bids).take(lots)
        moved = IMPACT * log1p(lots / ORDER_LOTS)
        self.fair += moved if is_buy else -moved
        self.excitation += EXCITED_ORDERS / EXCITATION_TIME
        self.keep_depth()
        return is_buy, prints

    # -- limit orders and cancels ----------------------------------------------------------------------------

    def requote(self) -> None:
        """One message's worth of limit orders and cancels."""
        half_spread = CALM_HALF_SPREAD + ACTIVE_HALF_SPREAD * self.activity
        self.pull_stale_quotes(half_spread)
        self.quote_around_fair(half_spread)
        rng = self.rng
        self.add_or_cancel()
        while rng.random() < 0.7:
            self.add_or_cancel()
        self.keep_depth()

    def pull_stale_quotes(self, half_spread: float) -> None:
        """Makers cancel what the fair price has run over."""
        asks, bids = self.asks, self.bids
        for _ in range(MAX_PULLED_LEVELS):
            if asks.best < self.fair + half_spread - 1:
                asks.set(asks.best, 0)
            elif bids.best > self.fair - half_spread + 1:
                bids.set(bids.best, 0)
            else:
                break

    def quote_around_fair(self, half_spread: float) -> None:
        """Makers close the spread, up to what the fair price allows, and fill in behind."""
        bid = min(floor(self.fair - half_spread), self.asks.best - 1)
        if bid > self.bids.best:
            self.quote(self.bids, bid)
        ask = max(ceil(self.fair + half_spread), self.bids.best + 1)
        if ask < self.asks.best:
            self.quote(self.asks, ask)

    def quote(self, ladder: Ladder, tick: int) -> None:
        rng = self.rng
        if rng.random() < 0.2:  # nobody was quick enough
            return
        gap = abs(ladder.best - tick)
        ladder.set(tick, self.draw_lots(TOUCH_LOTS))
        for behind in range(1, min(gap, 4)):
            if rng.random() < 0.6:
                ladder.set(tick + behind * ladder.worse, self.draw_lots(DEPTH_LOTS))

    def add_or_cancel(self) -> None:
        """One limit order or cancel, the nearer to the touch the likelier.

        Orders come at a steady rate, and cancels in proportion to what rests, so each level hovers around its
        typical quantity.
        """
        rng = self.rng
        ladder = self.bids if rng.random() < 0.5 else self.asks
        distance = int(rng.paretovariate(DISTANCE_TAIL)) - 1
        tick = ladder.best + min(distance, MIN_LEVELS) * ladder.worse
        typical = self.typical_lots(tick, distance)
        shown = ladder.levels.get(tick, 0)
        if rng.random() * (typical + shown) < typical:
            ladder.set(tick, shown + self.draw_lots(typical / 3))
        else:
            kept = int(shown * rng.random()) if rng.random() < 0.7 else 0
            ladder.set(tick, kept)

    def keep_depth(self) -> None:
        for ladder in (self.bids, self.asks):
            if len(ladder.levels) < MIN_LEVELS:
                self.deepen(ladder, MIN_LEVELS)
            while len(ladder.levels) > MAX_LEVELS:
                ladder.set(ladder.far, 0)

    def deepen(self, ladder: Ladder, count: int) -> None:
        """Add levels at the far end until there are `count`."""
        while len(ladder.levels) < count:
            tick = ladder.far + self.rng.choice((1, 1, 1, 2, 3)) * ladder.worse
            distance = abs(tick - ladder.best)
            ladder.set(tick, self.draw_lots(self.typical_lots(tick, distance)))

    # -- sizes -----------------------------------------------------------------------------------------------

    @staticmethod
    def typical_lots(tick: int, distance: int) -> float:
        lots = TOUCH_LOTS if distance == 0 else DEPTH_LOTS * (1 + distance / 100)
        if tick % 100 == 0:
            return lots * 5
        return lots * 2 if tick % 10 == 0 else lots

    def draw_lots(self, median: float) -> int:
        return 1 + int(self.rng.lognormvariate(log(median), SIZE_SPREAD))
