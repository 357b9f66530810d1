"""A recorded market's depth updates, made narrower or deeper, for benchmarks of books of any size."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from random import Random

from mlthon._core.depth_view import DepthView
from mlthon._core.market_event import DepthUpdate
from mlthon.basics.defs import Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.order.books.price_level_book import PriceLevelBook

__all__ = ["deepened", "narrowed"]

ONE = 10**18
MADE_BEST = 60_000 * ONE
MADE_TICK = ONE // 10
MADE_GAPS = (1, 2, 3, 4, 8, 16)  # ticks between made levels: there is room for more of them


def narrowed(updates: Iterable[DepthUpdate], depth: int) -> Iterator[DepthUpdate]:
    """What a subscriber to the best ``depth`` levels a side is sent, wherever an update changes them."""
    book, view = PriceLevelBook(), DepthView(depth, 0, 0)
    for update in updates:
        if update.is_snapshot:
            book.clear()
        for side, levels in ((Side.Buy, update.bids()), (Side.Sell, update.asks())):
            for price, qty in levels:
                book.add_lvl(side, price, qty)
        bids, asks = view.changes(book)
        if bids or asks:
            yield DepthUpdate(bids, asks, is_snapshot=update.is_snapshot)


def deepened(updates: Iterable[DepthUpdate], times: int, depth: int) -> Iterator[DepthUpdate]:
    """The same additions, changes and deletions at ``times`` the rank, on a made book of ``depth`` levels a side.

    The first update, a snapshot, becomes a snapshot of the made book. An update tells its levels in the order of
    their prices, the least first, as the recorded ones do.
    """
    rnd = Random(1)
    recorded = (RankedSide(), RankedSide())
    made = (RankedSide.filled(rnd, -MADE_BEST, depth), RankedSide.filled(rnd, MADE_BEST, depth))
    for update in updates:
        sides = []
        for recorded_side, made_side, sign, levels in zip(
            recorded, made, (-1, 1), (update.bids(), update.asks()), strict=True
        ):
            changes = [recorded_side.set(sign * price.mantissa, qty.mantissa) for price, qty in levels]
            if update.is_snapshot:
                told = list(made_side.qties.items())
            else:
                told = sorted(
                    made_side.change(rnd, times * rank + rnd.randrange(times), what, qty)
                    for rank, what, qty in changes
                )
            sides.append(
                [(Price.from_mantissa(sign * key), Qty.from_mantissa(qty)) for key, qty in told][::sign]
            )
        yield DepthUpdate(*sides, is_snapshot=update.is_snapshot)


class RankedSide:
    """One side of a book by rank: keys are prices of asks, and minus the prices of bids, so the best is first."""

    def __init__(self) -> None:
        self.keys: list[int] = []
        self.qties: dict[int, int] = {}

    @classmethod
    def filled(cls, rnd: Random, best: int, depth: int) -> RankedSide:
        side = cls()
        for _ in range(depth):
            side.set(best, rnd.randint(1, 10**6) * ONE // 1000)
            best += rnd.choice(MADE_GAPS) * MADE_TICK
        return side

    def set(self, key: int, qty: int) -> tuple[int, str, int]:
        """Set a level, 0 deletes; returns its rank, what that did, and the quantity."""
        rank = bisect_left(self.keys, key)
        if key in self.qties:
            what = "same" if qty == self.qties[key] else "modify" if qty else "delete"
        else:
            what = "add" if qty else "absent"
        if what == "add":
            self.keys.insert(rank, key)
        if what == "delete":
            del self.keys[rank], self.qties[key]
        elif qty:
            self.qties[key] = qty
        return rank, what, qty

    def change(self, rnd: Random, rank: int, what: str, qty: int) -> tuple[int, int]:
        """Do at a rank, or as near to it as possible, what was done elsewhere; returns the level set, 0 for none."""
        rank = min(rank, len(self.keys) - 2)
        if what in ("add", "absent"):
            while rank + 1 < len(self.keys) and self.keys[rank + 1] - self.keys[rank] == MADE_TICK:
                rank += 1
            room = self.keys[rank + 1] - self.keys[rank] if rank + 1 < len(self.keys) else 2 * MADE_TICK
            key = self.keys[rank] + rnd.randrange(1, room // MADE_TICK) * MADE_TICK
        else:
            key = self.keys[rank]
            qty = self.qties[key] if what == "same" else qty
        self.set(key, qty)
        return key, qty
