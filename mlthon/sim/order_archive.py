"""An account's orders, found by their ids: the open ones, and as many closed ones as it may remember."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator

from mlthon.sim.orders import SimFill, SimOrder, SimPayment

__all__ = ["OrderArchive"]


class OrderArchive:
    """One account's orders, fills and payments. Its link ids are remembered for good: they must never repeat."""

    def __init__(self, history: int) -> None:
        self._open: dict[int, SimOrder] = {}
        self._closed: OrderedDict[int, SimOrder] = OrderedDict()  # oldest first
        self._history = history
        self._id_of_link: dict[str, int] = {}
        self.fills: deque[SimFill] = deque(maxlen=history)
        self.fill_count = 0  # forgotten ones included
        self.payments: deque[SimPayment] = deque(maxlen=history)

    def put(self, order: SimOrder) -> None:
        """Keep the latest state of an order."""
        was_open = self._open.pop(order.order_id, None) is not None
        if not was_open and order.link_id:
            self._id_of_link[order.link_id] = order.order_id
        if order.state.is_open:
            self._open[order.order_id] = order
        else:
            self._closed[order.order_id] = order
            if len(self._closed) > self._history:
                self._closed.popitem(last=False)

    def add_fill(self, fill: SimFill) -> None:
        self.fills.append(fill)
        self.fill_count += 1

    def open_order(self, order_id: int) -> SimOrder:
        """An open order; raises KeyError when it is not."""
        return self._open[order_id]

    def find(self, order_id: int | None = None, link_id: str | None = None) -> SimOrder | None:
        """An order by the exchange's id or else by the client's; None when it is unknown or forgotten."""
        if order_id is None:
            order_id = self._id_of_link.get(link_id or "")
        if order_id is None:
            return None
        return self._open.get(order_id) or self._closed.get(order_id)

    def is_link_used(self, link_id: str) -> bool:
        return link_id in self._id_of_link

    def open_orders(self) -> Iterator[SimOrder]:
        """The open orders, the oldest first."""
        return (self._open[order_id] for order_id in sorted(self._open))

    def closed_orders(self) -> Iterator[SimOrder]:
        """The closed orders that are remembered, in the order in which they closed."""
        return iter(self._closed.values())
