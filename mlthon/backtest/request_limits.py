"""How many requests an account may make, on the simulated clock.

Two counts, as in a live run. The strategy's side counts what it sends, a little more strictly than the venue: what
the venue would refuse is refused at once and not sent, and cancels, which always keep a way, wait for their turn. The
venue's side counts what arrives, and says with its answers how much of an allowance is used.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from mlthon.engine.ports import RequestKind

__all__ = ["Allowance", "RequestLimits", "RequestRates"]

_VENUE_WINDOW_NS = 1_000_000_000
_OWN_WINDOW_NS = 1_100_000_000  # requests may bunch up on their way
_THRESHOLDS = (50, 90, 100)  # percent used
_NS_PER_MS = 1_000_000
_CANCEL_BATCH = "CancelBatch"
_ORDERS = frozenset(
    {RequestKind.NewOrder, RequestKind.ModifyOrder, RequestKind.CancelOrder, RequestKind.CancelAll}
)


@dataclass(frozen=True, slots=True)
class RequestRates:
    """What a venue allows an account a second, of each kind of request; the defaults are Bybit's."""

    orders: int = 10  #: each of new, modify, cancel, cancel in batches, cancel-all
    spot_orders: int = 20  #: the same in spot, but for modify
    questions: int = 50

    def of(self, kind: RequestKind, *, is_spot: bool) -> int:
        """The allowance of one kind of request."""
        if kind not in _ORDERS:
            return self.questions
        return self.spot_orders if is_spot and kind is not RequestKind.ModifyOrder else self.orders


class Allowance:
    """So many within any window of time, and no more.

    >>> allowance = Allowance(2, 1_000)
    >>> [allowance.take(now_ns) for now_ns in (0, 10, 20, 999, 1_000)]
    [True, True, False, False, True]
    >>> allowance.wait_ns(1_000)
    10
    """

    def __init__(self, limit: int, window_ns: int) -> None:
        self.limit = limit
        self._window_ns = window_ns
        self._taken_ns: deque[int] = deque()

    def used(self, now_ns: int) -> int:
        """How many of the last window count now."""
        while self._taken_ns and self._taken_ns[0] <= now_ns - self._window_ns:
            self._taken_ns.popleft()
        return len(self._taken_ns)

    def free(self, now_ns: int) -> int:
        """How many more there is room for now."""
        return max(self.limit - self.used(now_ns), 0)

    def take(self, now_ns: int, count: int = 1) -> bool:
        """Count so many more; False: there is no room for them, and nothing is counted."""
        if self.used(now_ns) + count > self.limit:
            return False
        self._taken_ns.extend([now_ns] * count)
        return True

    def wait_ns(self, now_ns: int) -> int:
        """How long until there is room for one more."""
        if self.used(now_ns) < self.limit:
            return 0
        return self._taken_ns[0] + self._window_ns - now_ns


class RequestLimits:
    """Both counts of one account's requests."""

    def __init__(self, rates: RequestRates) -> None:
        self._rates = rates
        self._own: dict[tuple[RequestKind | str, bool], Allowance] = {}
        self._venues: dict[tuple[RequestKind | str, bool], Allowance] = {}
        self._levels: dict[tuple[RequestKind | str, bool], int] = {}

    def take(self, kind: RequestKind, now_ns: int, *, is_spot: bool) -> str | None:
        """Count a request that is about to be sent, or say why it is not."""
        allowance = self._allowance(self._own, kind, kind, is_spot)
        if allowance.take(now_ns):
            return None
        wait_ms = allowance.wait_ns(now_ns) / _NS_PER_MS
        return (
            f"not sent: all {allowance.limit} {kind.value} requests a second are used up; "
            f"the next is possible in {wait_ms:.0f} ms"
        )

    def wait_ns(self, kind: RequestKind, now_ns: int, *, is_spot: bool) -> int:
        """Count a request that can wait, and is sent now (0), or say how long it has to wait at least."""
        allowance = self._allowance(self._own, kind, kind, is_spot)
        return 0 if allowance.take(now_ns) else allowance.wait_ns(now_ns)

    def cancels(self, *, is_spot: bool) -> tuple[Allowance, Allowance]:
        """What is left to send of single cancels, and of cancels in batches."""
        kind = RequestKind.CancelOrder
        single = self._allowance(self._own, kind, kind, is_spot)
        return single, self._allowance(self._own, _CANCEL_BATCH, kind, is_spot)

    def arrived(
        self, kind: RequestKind, now_ns: int, *, is_spot: bool, batch: int = 0
    ) -> tuple[int, int, int] | None:
        """Count a request at the venue; returns limit, remaining and reset (ms) when usage has passed a threshold.

        `batch` is how many cancels came in one message, which are counted apart.
        """
        name = _CANCEL_BATCH if batch else kind
        allowance = self._allowance(self._venues, name, kind, is_spot)
        allowance.take(now_ns, batch or 1)
        used, limit = allowance.used(now_ns), allowance.limit
        level = sum(used * 100 >= threshold * limit for threshold in _THRESHOLDS)
        before = self._levels.get((name, is_spot), 0)
        self._levels[name, is_spot] = level
        return (limit, limit - used, -(-now_ns // _NS_PER_MS)) if level > before else None

    def _allowance(
        self,
        allowances: dict[tuple[RequestKind | str, bool], Allowance],
        name: RequestKind | str,
        kind: RequestKind,
        is_spot: bool,
    ) -> Allowance:
        is_spot = is_spot and kind in _ORDERS
        allowance = allowances.get((name, is_spot))
        if allowance is None:
            window_ns = _OWN_WINDOW_NS if allowances is self._own else _VENUE_WINDOW_NS
            allowance = allowances[name, is_spot] = Allowance(
                self._rates.of(kind, is_spot=is_spot), window_ns
            )
        return allowance
