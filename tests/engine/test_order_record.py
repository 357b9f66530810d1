"""The story of every order is written down, as the strategy is told it."""

from __future__ import annotations

import pytest

from mlthon.basics.defs import Exchange, GtwRejectCode, OrderStatus
from mlthon.basics.price import Price
from mlthon.engine.order_desk import DeskOrder
from mlthon.engine.ports import OrderEvent, RequestKind


class Story:
    def __init__(self) -> None:
        self.steps: list[tuple[object, ...]] = []

    def record_order(self, event: OrderEvent, order: DeskOrder, code: GtwRejectCode | None) -> None:
        self.steps.append((order.client_id, event.name, str(order.leaves_qty), code))

    def record_refusal(self, kind: RequestKind, code: GtwRejectCode) -> None:
        self.steps.append((kind.name, code))


@pytest.fixture
def story():
    return Story()


@pytest.fixture
def scene(make_bench, recorder, story):
    return make_bench(recorder, order_record=story).start()


def test_an_order_that_is_moved_and_filled(scene, story):
    scene.order("a")
    request = scene.gateway.last_new()
    scene.gateway.report(request, OrderStatus.New)
    scene.env.send_modify_order(Exchange.Bybit, "a", "101.0", None)
    scene.gateway.report(request, OrderStatus.New, price=Price("101.0"))
    scene.gateway.fill(request, "e1", "3")
    scene.gateway.fill(request, "e1", "3")  # told twice, written once
    scene.gateway.fill(request, "e2", "7")
    assert story.steps == [
        ("a", "Sent", "10.00000000", None),
        ("a", "Acked", "10.00000000", None),
        ("a", "ModifySent", "10.00000000", None),
        ("a", "Modified", "10.00000000", None),
        ("a", "Filled", "0.00000000", None),
    ]


def test_an_order_that_is_cancelled_while_a_modify_waits(scene, story):
    scene.order("a")
    request = scene.gateway.last_new()
    scene.gateway.report(request, OrderStatus.New)
    scene.env.send_modify_order(Exchange.Bybit, "a", "101.0", None)
    scene.env.send_cancel_order(Exchange.Bybit, "byt:perp:BTC-USDT", "a")
    scene.gateway.report(request, OrderStatus.Cancelled)
    assert [step[1] for step in story.steps] == [
        "Sent",
        "Acked",
        "ModifySent",
        "CancelSent",
        "ModifyRejected",
        "Cancelled",
    ]
    assert story.steps[-2][3] is GtwRejectCode.TooLate


def test_what_the_venue_and_what_the_engine_refuses(scene, story):
    scene.order("a")
    wire_id = scene.gateway.last_new().wire_id
    scene.gateway.listener.on_request_refused(
        RequestKind.NewOrder, wire_id, GtwRejectCode.InsufficientFunds, "no money"
    )
    scene.order("b", price="100.05")
    scene.env.send_cancel_order(Exchange.Bybit, "byt:perp:BTC-USDT", "nobody's")
    assert story.steps == [
        ("a", "Sent", "10.00000000", None),
        ("a", "Rejected", "10.00000000", GtwRejectCode.InsufficientFunds),
        ("NewOrder", GtwRejectCode.InvalidPrice),
        ("CancelOrder", GtwRejectCode.UnknownOrder),
    ]
