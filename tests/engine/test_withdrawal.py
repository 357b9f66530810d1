"""What a strategy leaves open is cancelled, at a pace, and without telling it of requests it did not make."""

from __future__ import annotations

import pytest

from mlthon.basics.defs import Exchange, GtwRejectCode, GtwStatus, OrderStatus
from mlthon.engine import withdrawal
from mlthon.engine.ports import CancelOrderRequest, RequestKind
from mlthon.engine.withdrawal import withdraw_orders

BYBIT = Exchange.Bybit


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    monkeypatch.setattr(withdrawal, "_PAUSE_AFTER_REFUSAL_S", 0.02)
    monkeypatch.setattr(withdrawal, "_GIVE_UP_S", 0.3)


def with_open_orders(bench, count):
    requests = {}
    for n in range(count):
        bench.order(f"o{n}")
        request = bench.gateway.last_new()
        bench.gateway.report(request, OrderStatus.New)
        requests[request.wire_id] = request
    return requests


def answering(bench, requests, answer):
    """Make the gateway answer cancels by calling ``answer(request)``."""
    cancelled = []

    def send_cancel(cancel: CancelOrderRequest) -> None:
        cancelled.append(cancel.wire_id)
        answer(requests[cancel.wire_id])

    bench.gateway.send_cancel = send_cancel
    return cancelled


async def test_orders_are_cancelled_unsolicited_and_without_acks(bench, recorder):
    requests = with_open_orders(bench, 3)
    recorder.seen.clear()
    answering(bench, requests, lambda request: bench.gateway.report(request, OrderStatus.Cancelled))
    assert await withdraw_orders(bench.env.desks.values()) == []
    assert recorder.names() == ["on_order_cancelled"] * 3
    assert [seen[3] for seen in recorder.seen] == [True] * 3


async def test_a_refusal_pauses_and_is_not_told(bench, recorder):
    requests = with_open_orders(bench, 1)
    recorder.seen.clear()
    tries = []

    def answer(request):
        tries.append(request)
        if len(tries) < 2:
            bench.gateway.listener.on_request_refused(
                RequestKind.CancelOrder, request.wire_id, GtwRejectCode.RateLimited, "slow down"
            )
        else:
            bench.gateway.report(request, OrderStatus.Cancelled)

    answering(bench, requests, answer)
    assert await withdraw_orders(bench.env.desks.values()) == []
    assert len(tries) == 2
    assert recorder.names() == ["on_order_cancelled"]


async def test_what_does_not_end_is_named(bench):
    requests = with_open_orders(bench, 2)
    answering(bench, requests, lambda _request: None)
    left = await withdraw_orders(bench.env.desks.values())
    assert [order.client_id for order in left] == ["o0", "o1"]


async def test_all_go_to_the_gateway_at_once(bench):
    requests = with_open_orders(bench, 25)
    batches = []
    bench.gateway.send_cancels = lambda cancels: batches.append([cancel.wire_id for cancel in cancels])
    await withdraw_orders(bench.env.desks.values())
    assert batches == [list(requests)]


@pytest.mark.parametrize("status", [GtwStatus.Connecting, GtwStatus.Maintenance])
async def test_cancels_go_to_a_gateway_that_is_not_ready_too(bench, status):
    requests = with_open_orders(bench, 1)
    bench.gateway.status = status
    answering(bench, requests, lambda request: bench.gateway.report(request, OrderStatus.Cancelled))
    assert await withdraw_orders(bench.env.desks.values()) == []
