"""Cancels on their way to the exchange: several in one message where that helps, and waiting where there is no room.

A live connector sends them in the same way; which of two allowances each is counted for decides when the next may go.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from mlthon._core.replay import Replay
from mlthon._core.request_limits import RequestLimits
from mlthon.engine.ports import CancelOrderRequest
from mlthon.sim.terms import Product, Terms

__all__ = ["CancelQueue"]

_MOST_IN_BATCH, _MOST_IN_SPOT_BATCH = 20, 10
_SHORTEST_WAIT_NS = 5_000_000


class CancelQueue:
    """Hands cancels to ``send(requests, is_spot=..., in_batch=...)`` in the order in which they were added.

    One alone goes as it is, several as a batch. Each of the two overflows into the allowance of the other.
    """

    def __init__(self, limits: RequestLimits, replay: Replay, send: Callable[..., None]) -> None:
        self._limits = limits
        self._replay = replay
        self._send = send
        #: Those that have not been sent; always the same dict, empty when none waits.
        self.waiting: dict[Product, deque[CancelOrderRequest]] = {}
        self._flushes = 0

    def add(self, request: CancelOrderRequest) -> None:
        """Take in a cancel; `flush` sends it."""
        self.waiting.setdefault(Terms.of(request.instrument).product, deque()).append(request)

    def drop(self, wire_id: str) -> list[CancelOrderRequest]:
        """Forget the cancels of an order that wait; returns them."""
        dropped = [each for queue in self.waiting.values() for each in queue if each.wire_id == wire_id]
        for product, queue in self.waiting.items() if dropped else ():
            self.waiting[product] = deque(each for each in queue if each.wire_id != wire_id)
        return dropped

    def flush(self) -> None:
        """Send what there is room for, and come back for the rest."""
        self._flushes += 1
        now_ns = self._replay.clock.now_ns()
        waits = [self._flush(product, now_ns) for product in self.waiting]
        for product in [product for product, queue in self.waiting.items() if not queue]:
            del self.waiting[product]
        if self.waiting:
            wait_ns = min(wait for wait in waits if wait)
            self._replay.later(now_ns + max(wait_ns, _SHORTEST_WAIT_NS), self._come_back, self._flushes)

    def _come_back(self, flushes: int) -> None:
        if flushes == self._flushes:  # else somebody has been here meanwhile, and set another time
            self.flush()

    def _flush(self, product: Product, now_ns: int) -> int:
        """Send cancels of one product; returns after how many nanoseconds to come back, 0 for never."""
        queue, is_spot = self.waiting[product], product is Product.Spot
        single, batch = self._limits.cancels(is_spot=is_spot)
        most = _MOST_IN_SPOT_BATCH if is_spot else _MOST_IN_BATCH
        while queue:
            room = min(len(queue), most, batch.free(now_ns))
            if (len(queue) == 1 or room < 2) and single.take(now_ns):
                self._send([queue.popleft()], is_spot=is_spot, in_batch=False)
            elif room and batch.take(now_ns, room):
                self._send([queue.popleft() for _ in range(room)], is_spot=is_spot, in_batch=True)
            else:
                return min(single.wait_ns(now_ns), batch.wait_ns(now_ns))
        return 0
