"""Counting requests before Bybit does: what is sent never exceeds what it lets through."""

from __future__ import annotations

import os
import random

from mlthon.exchanges.bybit.codec.trade import RateLimit
from mlthon.exchanges.bybit.rate_limits import HTTP, RateLimits, bucket_of
from mlthon.venues.bybit.limits import VenueLimits
from mlthon.venues.bybit.rate_limits import Endpoint, RateLimiter

SEED = int(os.environ.get("MLTHON_TEST_SEED", "20240808"))


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now_ns = 0

    def read_ns(self) -> int:
        return self.now_ns


def make(clock: Clock, factor: int = 1) -> tuple[RateLimits, list[tuple[int, int, int]]]:
    told: list[tuple[int, int, int]] = []
    return RateLimits(lambda *usage: told.append(usage), factor, clock.read_ns), told


def test_the_documented_limits_hold_until_headers_come() -> None:
    limits, _ = make(Clock())
    names = {
        bucket_of("order.create", "linear"): 10,
        bucket_of("order.create", "inverse"): 10,
        bucket_of("/v5/order/create", "spot"): 20,
        bucket_of("/v5/order/amend", "spot"): 10,
        bucket_of("/v5/order/cancel-all", "spot"): 20,
        bucket_of("/v5/order/cancel-batch", "linear"): 10,
        bucket_of("/v5/order/realtime", "spot"): 50,
        bucket_of("/v5/position/list"): 50,
        HTTP: 500,  # 600, of which 100 are for cancels
    }
    assert {name: limits.free(name) for name in names} == names
    assert limits.free(HTTP, is_cancel=True) == 600
    limits.observe(RateLimit("order.create", 40, 39, 0))
    assert limits.free("order.create") == 39  # somebody else made the one that was counted
    assert make(Clock(), 3)[0].free("order.create") == 30


def test_room_comes_back_with_time() -> None:
    clock = Clock()
    limits, _ = make(clock)
    assert limits.take("order.create", 10)
    assert not limits.take("order.create")
    assert 1.0 < limits.wait_s("order.create") < 1.5
    assert not limits.has_room("order.create")
    clock.now_ns = int(limits.wait_s("order.create") * 1e9) + 1
    assert limits.has_room("order.create")
    assert limits.take("order.create", 10)


def test_the_requests_of_others_count_for_a_second() -> None:
    clock = Clock()
    limits, told = make(clock)
    assert limits.take("order.create", 2)
    limits.observe(RateLimit("order.create", 10, 1, 777))
    assert limits.free("order.create") == 1
    assert told == [(10, 1, 777)]
    clock.now_ns = 2_000_000_000
    assert limits.free("order.create") == 10
    limits.refused("order.create")
    assert limits.free("order.create") == 0
    limits.locked_out()
    clock.now_ns = 500_000_000_000
    assert limits.free(HTTP, is_cancel=True) == 0
    clock.now_ns = 700_000_000_000
    assert limits.free(HTTP) == 500


def test_the_venue_s_own_counting_is_never_exceeded() -> None:
    """Requests take up to 90 ms to arrive, in order; whatever is taken here, the venue grants."""
    rng = random.Random(SEED)
    clock, arrived = Clock(), Clock()
    limits, _ = make(clock)
    limiter = RateLimiter(VenueLimits(), lambda: arrived.now_ns)
    sent = 0
    for _ in range(5_000):
        clock.now_ns += rng.choice([0, 0, 1_000_000, 20_000_000, 150_000_000])
        if limits.take("order.create"):
            sent += 1
            arrived.now_ns = max(arrived.now_ns, clock.now_ns + rng.randint(0, 90_000_000))
            quota = limiter.take("me", Endpoint.CREATE)
            assert quota.granted == 1, f"refused after {sent}, seed {SEED}"
            limits.observe(RateLimit("order.create", quota.limit, quota.remaining, quota.reset_ms))
    assert sent > 1_000
