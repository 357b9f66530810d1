"""Cards BY-L: request allowances, clocks, and what is sent in time."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import pytest
from bybit_client import Json, Stage
from card import card
from trading_desk import Desk

from mlthon.basics.defs import Exchange, GtwRejectCode
from mlthon.venues.bybit import VenueLimits

OpenDesk = Callable[..., Awaitable[Desk]]
ACK, REJECT = "on_new_order_ack", "on_new_order_reject"


@pytest.fixture
async def limited(open_desk: OpenDesk) -> Desk:
    """At a venue with the limits that Bybit publishes: ten orders a second."""
    return await open_desk(Stage.of_all_products(limits=VenueLimits()))


@card("BY-L01")
async def test_usage(limited: Desk) -> None:
    """The use of an allowance is told when it reaches 50, 90 and 100 percent."""
    for number in range(10):
        limited.order(f"{number}")
    for number in range(10):
        await limited.wait(ACK, client_id=f"{number}")
    told = [(call.rate_limit, call.rate_remaining) for call in limited.named("on_rate_limit_info")]
    assert told == [(10, 5), (10, 1), (10, 0)]


@card("BY-L02")
async def test_over_the_limit(limited: Desk) -> None:
    """Orders over the allowance are refused with RateLimited, without being sent."""
    for number in range(13):
        limited.order(f"{number}")
    for number in (10, 11, 12):
        await limited.wait(REJECT, client_id=f"{number}", reject_code=GtwRejectCode.RateLimited)
    for number in range(10):
        await limited.wait(ACK, client_id=f"{number}")
    assert len(limited.stage.exchange.open_orders(limited.stage.alice)) == 10
    assert len(limited.named(REJECT)) == 3


@card("BY-L03")
async def test_cancels_keep_a_way(limited: Desk) -> None:
    """Cancels get through where orders do not: those beyond the allowance go in batches, or wait."""
    for round_ in (0, 1):
        for number in range(10):
            limited.order(f"{10 * round_ + number}")
        for number in range(10):
            await limited.wait(ACK, client_id=f"{10 * round_ + number}")
        opened_s = time.monotonic()
        if round_ == 0:
            await limited.until(
                lambda opened_s=opened_s: time.monotonic() > opened_s + 1.15, "the next second"
            )
    for number in range(20):
        limited.cancel(f"{number}")
    for number in range(20):
        await limited.wait("on_order_cancelled", client_id=f"{number}", unsolicited=False)
    assert limited.named("on_cancel_order_reject") == []


@card("BY-L04")
async def test_rest_and_stream_share(open_desk: OpenDesk) -> None:
    """Orders by REST are counted like those by the trade stream."""
    desk = await open_desk(Stage.of_all_products(limits=VenueLimits()), order_entry="rest")
    for number in range(11):
        desk.order(f"{number}")
    await desk.wait(REJECT, client_id="10", reject_code=GtwRejectCode.RateLimited)
    for number in range(10):
        await desk.wait(ACK, client_id=f"{number}")


@card("BY-L05")
async def test_refused_by_the_venue(desk: Desk) -> None:
    """A refusal for too many requests (10006) is told as RateLimited, and counts for what is sent next."""
    refusal = {"retCode": 10006, "retMsg": "Too many visits!"}
    desk.wire.to_client["trade"] = lambda message: [message | refusal]
    desk.wire.to_venue["trade"] = lambda message: [message | {"args": [message["args"][0] | {"qty": "0"}]}]
    desk.order("1")
    await desk.wait(REJECT, client_id="1", reject_code=GtwRejectCode.RateLimited)
    desk.order("2")
    await desk.wait(REJECT, client_id="2", reject_code=GtwRejectCode.RateLimited)


@pytest.mark.parametrize("ahead_s", [-90, 90])
@card("BY-L06")
async def test_clock_offset(open_desk: OpenDesk, ahead_s: int) -> None:
    """The venue's clock may be ahead or behind: the difference is measured, and orders carry the venue's time."""
    stage = Stage.of_all_products(now_ns=lambda: time.time_ns() + ahead_s * 10**9)
    desk = await open_desk(stage)
    await desk.resting("1")


@card("BY-L07")
async def test_clock_step(open_desk: OpenDesk) -> None:
    """When the clocks part while running, an order is refused as ClockSkew, and the clock is measured anew."""
    ahead_ns = [0]
    desk = await open_desk(Stage.of_all_products(now_ns=lambda: time.time_ns() + ahead_ns[0]))
    await desk.resting("1")
    ahead_ns[0] = 20 * 10**9
    desk.order("2")
    await desk.wait(REJECT, client_id="2", reject_code=GtwRejectCode.ClockSkew)
    outcomes = []
    while outcomes[-1:] != [ACK]:  # while the clock is being measured, orders are refused like the first
        client_id = desk.order(f"{3 + len(outcomes)}")
        await desk.until(lambda client_id=client_id: desk.story(client_id))
        outcomes += desk.story(client_id)
        assert len(outcomes) < 100


@card("BY-L09")
async def test_wall_clock(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step of this machine's wall clock changes nothing in what requests carry."""
    wall_ns = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: wall_ns() + 3_600 * 10**9)
    monkeypatch.setattr(time, "time", lambda: wall_ns() / 1e9 + 3_600)
    await desk.resting("1")
    desk.env.fetch_wallet_info(Exchange.Bybit, "USDT")
    await desk.wait("on_wallet_info", coin="USDT")
    assert desk.named("on_request_reject") == []


@card("BY-L08")
async def test_recv_window(desk: Desk) -> None:
    """A request says how old it may be when it is read: one that comes later is refused, as ClockSkew."""

    def late(message: Json) -> list[Json]:
        header = message["header"]
        assert int(header["X-BAPI-RECV-WINDOW"]) == 2_000
        stamp = str(int(header["X-BAPI-TIMESTAMP"]) - 5_000)
        return [message | {"header": header | {"X-BAPI-TIMESTAMP": stamp}}]

    desk.wire.to_venue["trade"] = late
    desk.order("1")
    await desk.wait(REJECT, client_id="1", reject_code=GtwRejectCode.ClockSkew)
    assert desk.stage.exchange.recent_orders(desk.stage.alice) == []
