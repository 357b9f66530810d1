"""Request rates: one bucket per account and endpoint, over a rolling second, as Bybit counts them.

Spot orders have buckets of their own. REST and the trade websocket draw from the same buckets. A refused request
costs nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from mlthon.venues.bybit.limits import VenueLimits

_WINDOW_NS = 1_000_000_000
_MS_NS = 1_000_000


class Endpoint(Enum):
    """What is counted together; the value is the venue's name for it in traces."""

    CREATE = "order.create"
    AMEND = "order.amend"
    CANCEL = "order.cancel"
    CANCEL_ALL = "order.cancel-all"
    CREATE_BATCH = "order.create-batch"
    AMEND_BATCH = "order.amend-batch"
    CANCEL_BATCH = "order.cancel-batch"
    OPEN_ORDERS = "order.realtime"
    ORDER_HISTORY = "order.history"
    EXECUTIONS = "execution.list"
    POSITIONS = "position.list"
    LEVERAGE = "position.set-leverage"
    POSITION_MODE = "position.switch-mode"
    WALLET = "account.wallet-balance"
    ACCOUNT = "account.info"
    FEE_RATE = "account.fee-rate"
    API_KEY = "user.query-api"
    COINS = "asset.coin"


_ORDER_ENDPOINTS = frozenset(
    {
        Endpoint.CREATE,
        Endpoint.AMEND,
        Endpoint.CANCEL,
        Endpoint.CANCEL_ALL,
        Endpoint.CREATE_BATCH,
        Endpoint.AMEND_BATCH,
        Endpoint.CANCEL_BATCH,
        Endpoint.LEVERAGE,
        Endpoint.POSITION_MODE,
    }
)


_AMENDS = frozenset({Endpoint.AMEND, Endpoint.AMEND_BATCH})


@dataclass(frozen=True, slots=True)
class Quota:
    """What one account has left at one endpoint, after a request took from it (or could not)."""

    granted: int  # how many of the requested units may proceed
    limit: int
    remaining: int
    reset_ms: int  # when the next unit comes free; now, unless the limit was hit

    def headers(self) -> dict[str, str]:
        """The three headers that every private answer carries."""
        return {
            "X-Bapi-Limit": str(self.limit),
            "X-Bapi-Limit-Status": str(self.remaining),
            "X-Bapi-Limit-Reset-Timestamp": str(self.reset_ms),
        }


class RateLimiter:
    """Counts requests per account and endpoint."""

    def __init__(self, limits: VenueLimits, now_ns: Callable[[], int]) -> None:
        self._limits = limits
        self._now_ns = now_ns
        self._taken_ns: dict[tuple[str, Endpoint, bool], deque[int]] = {}

    def take(self, account: str, endpoint: Endpoint, count: int = 1, *, is_spot: bool = False) -> Quota:
        """Take `count` units, or as many as are left; a batch counts each of its orders."""
        is_spot = is_spot and endpoint in _ORDER_ENDPOINTS
        now_ns = self._now_ns()
        limit = self._limit(endpoint, is_spot)
        taken_ns = self._taken_ns.setdefault((account, endpoint, is_spot), deque())
        while taken_ns and taken_ns[0] <= now_ns - _WINDOW_NS:
            taken_ns.popleft()
        granted = min(count, limit - len(taken_ns))
        taken_ns.extend([now_ns] * granted)
        reset_ns = now_ns if granted == count else taken_ns[0] + _WINDOW_NS
        return Quota(granted, limit, limit - len(taken_ns), -(-reset_ns // _MS_NS))

    def _limit(self, endpoint: Endpoint, is_spot: bool) -> int:
        if is_spot and endpoint not in _AMENDS:
            return self._limits.spot_orders_per_s
        if endpoint in _ORDER_ENDPOINTS:
            return self._limits.orders_per_s
        if endpoint is Endpoint.FEE_RATE:
            return self._limits.fee_queries_per_s
        return self._limits.queries_per_s
