"""The levels of a market that is told order by order, for those who know levels alone."""

from __future__ import annotations

from mlthon._core.market_event import DepthUpdate
from mlthon._core.order_change import OrderChange
from mlthon.basics.defs import Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty

__all__ = ["OrderLevels"]

NOTHING = Qty(0)


class OrderLevels:
    """Adds up orders by price: `apply` each change, and get a `DepthUpdate` at the end of each message.

    Changes of orders that were never added do nothing: nobody knows how much they were.
    """

    def __init__(self) -> None:
        self.orders: dict[int, tuple[Side, Price, Qty]] = {}
        self.levels: dict[tuple[Side, Price], Qty] = {}
        self.changed: set[tuple[Side, Price]] = set()

    def apply(self, change: OrderChange) -> DepthUpdate | None:
        """Follow a change; gives what its message came to if it was the last of it, else None."""
        if change.is_first and change.is_snapshot:
            self.orders.clear()
            self.levels.clear()
            self.changed.clear()
        known = self.orders.pop(change.order_id, None)
        if known is not None:
            self.move(known[0], known[1], -known[2])
        if change.action == "add" or (change.action == "modify" and known is not None):
            price = known[1] if known is not None and change.price.is_zero() else change.price
            if change.qty.sign() > 0:
                self.orders[change.order_id] = change.side, price, change.qty
                self.move(change.side, price, change.qty)
        return self.message(change) if change.is_last else None

    def move(self, side: Side, price: Price, qty: Qty) -> None:
        left = self.levels.get((side, price), NOTHING) + qty
        if left.is_zero():
            self.levels.pop((side, price), None)
        else:
            self.levels[side, price] = left
        self.changed.add((side, price))

    def message(self, last: OrderChange) -> DepthUpdate:
        told = {
            side: [
                (price, self.levels.get((side, price), NOTHING))
                for changed_side, price in sorted(self.changed, key=lambda level: level[1])
                if changed_side is side
            ]
            for side in Side
        }
        self.changed.clear()
        return DepthUpdate(
            told[Side.Buy],
            told[Side.Sell],
            is_snapshot=last.is_snapshot,
            venue_ns=last.venue_ns,
            recv_ns=last.recv_ns,
            seq=last.seq,
        )
