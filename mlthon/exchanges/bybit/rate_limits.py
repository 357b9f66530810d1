"""What the venue lets an account ask of it, counted here so that nothing is sent which it would refuse.

Every endpoint has an allowance a second, the same for REST and for the trade stream. It is the documented one until
the headers of an answer say otherwise; what the headers count beyond our own requests, somebody else has made with
the same account. All requests by HTTP together have another allowance, by address.

Who exceeds an allowance of orders is refused here, and who asks a question waits. Cancels keep a way: they may use
the allowance of single cancels and that of batches, wait for either, and have a part of the HTTP requests to
themselves.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from functools import lru_cache

from mlthon.exchanges.bybit.codec.trade import RateLimit

__all__ = ["HTTP", "RateLimits", "bucket_of"]

HTTP = "http"  # the bucket of all requests by HTTP

_THRESHOLDS = (50, 90, 100)  # percent used
_NS_PER_S = 1_000_000_000
_SECOND_NS = 1_100_000_000  # a little longer than the venue's: requests may bunch up on their way
_HTTP_WINDOW_NS = 5_500_000_000
_HTTP_LIMIT = 600  # by address, in five seconds; whoever exceeds it is locked out for minutes
_HTTP_RESERVE = 100  # of them, for cancels
_LOCKED_OUT_NS = 600_000_000_000
_ORDERS, _SPOT_ORDERS, _QUESTIONS = 10, 20, 50  # a second, documented
_SPOT = ".spot"
_ORDER_BUCKETS = frozenset(
    {"create", "amend", "cancel", "cancel-all", "create-batch", "amend-batch", "cancel-batch"}
)
_AMENDS = ("order.amend", "order.amend-batch")  # as many in spot as elsewhere


@lru_cache(maxsize=256)
def bucket_of(path_or_op: str, category: str = "") -> str:
    """Name what a request is counted for; orders in spot are counted apart.

    >>> bucket_of("/v5/order/create", "linear"), bucket_of("order.create", "spot")
    ('order.create', 'order.create.spot')
    """
    name = path_or_op.removeprefix("/v5/").replace("/", ".")
    is_order = name.startswith("order.") and name.removeprefix("order.") in _ORDER_BUCKETS
    return name + _SPOT if is_order and category == "spot" else name


class RateLimits:
    """The allowances of one account.

    `tell` is called with limit, remaining, and reset time in milliseconds, when 50, 90 or 100 percent of a bucket
    are reached. `factor` multiplies all that is documented, for venues that allow more. `now_ns` only goes
    forward, from whenever.

    >>> told = []
    >>> limits = RateLimits(lambda limit, remaining, reset_ms: told.append(remaining), now_ns=lambda: 0)
    >>> for remaining in (9, 5, 4, 1, 0, 0, 9, 5):
    ...     limits.observe(RateLimit("order.create", 10, remaining, 0))
    >>> told
    [5, 1, 0, 5]
    """

    def __init__(
        self,
        tell: Callable[[int, int, int], None],
        factor: int = 1,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._tell = tell
        self._factor = factor
        self._now_ns = now_ns
        self._buckets: dict[str, _Bucket] = {HTTP: _Bucket(_HTTP_LIMIT * factor, _HTTP_WINDOW_NS)}

    def free(self, name: str, *, is_cancel: bool = False) -> int:
        """How many more requests a bucket takes now."""
        reserve = _HTTP_RESERVE if name == HTTP and not is_cancel else 0
        return max(self.bucket(name).free(self._now_ns()) - reserve, 0)

    def has_room(self, name: str) -> bool:
        """Whether a bucket, not that of HTTP, takes one more request now."""
        bucket = self._buckets.get(name)
        if bucket is not None and len(bucket.taken) + bucket.others < bucket.limit:
            return True  # even if nothing has expired
        return self.free(name) > 0

    def take(self, name: str, count: int = 1, *, is_cancel: bool = False) -> bool:
        """Count requests that are about to be sent; False: there is no room for them, and nothing is counted."""
        bucket, now_ns = self.bucket(name), self._now_ns()
        reserve = _HTTP_RESERVE if name == HTTP and not is_cancel else 0
        if bucket.free(now_ns) - reserve < count:
            return False
        bucket.taken.extend((now_ns,) * count)
        return True

    def wait_s(self, name: str) -> float:
        """How long until a bucket has room for one more request than now, in seconds."""
        return self.bucket(name).wait_ns(self._now_ns()) / _NS_PER_S

    def limit(self, name: str) -> int:
        """How many requests a bucket takes in its window."""
        return self.bucket(name).limit

    def observe(self, usage: RateLimit | None) -> None:
        """Take in the headers of an answer; None, for an answer without them, changes nothing."""
        if usage is None:
            return
        bucket = self.bucket(usage.bucket)
        bucket.limit = usage.limit
        remaining = min(usage.remaining, usage.limit)
        bucket.seen_elsewhere(usage.limit - remaining, self._now_ns())
        level = sum((usage.limit - remaining) * 100 >= threshold * usage.limit for threshold in _THRESHOLDS)
        before, bucket.level = bucket.level, level
        if level > before:
            self._tell(usage.limit, usage.remaining, usage.reset_ms)

    def refused(self, name: str) -> None:
        """Note that the venue, whatever we counted, found a bucket used up."""
        bucket = self.bucket(name)
        bucket.seen_elsewhere(bucket.limit, self._now_ns())

    def locked_out(self) -> None:
        """Note that the venue refuses this address all requests by HTTP for ten minutes."""
        self._buckets[HTTP].seen_elsewhere(self.limit(HTTP), self._now_ns() + _LOCKED_OUT_NS)

    def bucket(self, name: str) -> _Bucket:
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = _Bucket(self._documented(name) * self._factor, _SECOND_NS)
        return bucket

    @staticmethod
    def _documented(name: str) -> int:
        contracts = name.removesuffix(_SPOT)
        if contracts.removeprefix("order.") not in _ORDER_BUCKETS:
            return _QUESTIONS
        return _SPOT_ORDERS if contracts != name and contracts not in _AMENDS else _ORDERS


class _Bucket:
    """The requests of the last second: our own by their time, those of others as a number."""

    __slots__ = ("_others_until_ns", "_window_ns", "level", "limit", "others", "taken")

    def __init__(self, limit: int, window_ns: int) -> None:
        self.limit = limit
        self.level = 0
        self.taken: deque[int] = deque()
        self._window_ns = window_ns
        self.others = 0
        self._others_until_ns = 0

    def free(self, now_ns: int) -> int:
        self._forget(now_ns)
        return max(self.limit - len(self.taken) - self.others, 0)

    def wait_ns(self, now_ns: int) -> int:
        self._forget(now_ns)
        ends = [self.taken[0] + self._window_ns] if self.taken else []
        if self.others:
            ends.append(self._others_until_ns)
        return max(min(ends) - now_ns, 0) if ends else 0

    def seen_elsewhere(self, used: int, now_ns: int) -> None:
        """Take in that the venue counted `used` requests."""
        self._forget(now_ns)
        self.others = max(used - len(self.taken), 0)
        self._others_until_ns = now_ns + self._window_ns

    def _forget(self, now_ns: int) -> None:
        while self.taken and self.taken[0] + self._window_ns <= now_ns:
            self.taken.popleft()
        if self.others and self._others_until_ns <= now_ns:
            self.others = 0
