"""Whatever order a venue's messages come in, the strategy is told one consistent story per order."""

from __future__ import annotations

import random

import pytest

from mlthon.basics.defs import CancelCode, Exchange, GtwRejectCode, OrderStatus, Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.engine.ports import RequestKind

BYBIT = Exchange.Bybit


def test_acceptance_alone_is_not_yet_an_ack(bench, recorder):
    bench.order()
    request = bench.gateway.last_new()
    bench.gateway.listener.on_request_accepted(RequestKind.NewOrder, request.wire_id, "x-1")
    assert recorder.names() == []
    bench.gateway.report(request, OrderStatus.New)
    assert recorder.names() == ["on_new_order_ack"]


def test_a_fill_before_the_ack_acknowledges_first(bench, recorder):
    bench.order()
    request = bench.gateway.last_new()
    bench.gateway.fill(request, "e1", "3")
    bench.gateway.report(request, OrderStatus.New)
    assert recorder.names() == ["on_new_order_ack", "on_order_execution"]
    assert recorder.last("on_new_order_ack")[8] == Qty("10")
    assert recorder.last("on_order_execution")[5:7] == (Qty("3"), Qty("7"))


def test_a_repeated_execution_is_told_once(bench, recorder):
    bench.order()
    request = bench.gateway.last_new()
    for _ in range(3):
        bench.gateway.fill(request, "e1", "3")
    assert recorder.names().count("on_order_execution") == 1
    assert bench.env.portfolio.position(bench.instruments[0]).size == Qty("3")


def test_an_end_waits_for_the_fills_it_counts(bench, recorder):
    bench.order()
    request = bench.gateway.last_new()
    bench.gateway.report(request, OrderStatus.New)
    bench.gateway.report(request, OrderStatus.Cancelled, cum="3")
    assert "on_order_cancelled" not in recorder.names()
    bench.gateway.fill(request, "e1", "3")
    assert recorder.names() == ["on_new_order_ack", "on_order_execution", "on_order_cancelled"]


def test_fills_that_stay_away_are_asked_for(bench, recorder):
    bench.order()
    request = bench.gateway.last_new()
    bench.gateway.report(request, OrderStatus.Filled, cum="10")
    bench.advance_ms(1_000)
    assert bench.gateway.asked[-1] == ("recover_fills", request.wire_id, "x-" + request.wire_id)
    bench.gateway.fill(request, "e1", "10")
    assert recorder.last("on_order_execution")[6] == Qty("0")
    asked_so_far = len(bench.gateway.asked)
    bench.advance_ms(5_000)
    assert len(bench.gateway.asked) == asked_so_far


def test_a_refused_order_is_rejected_once(bench, recorder):
    bench.order()
    request = bench.gateway.last_new()
    listener = bench.gateway.listener
    listener.on_request_refused(
        RequestKind.NewOrder, request.wire_id, GtwRejectCode.InsufficientFunds, "no margin"
    )
    listener.on_request_refused(
        RequestKind.NewOrder, request.wire_id, GtwRejectCode.InsufficientFunds, "no margin"
    )
    bench.gateway.report(request, OrderStatus.Rejected)
    assert recorder.seen == [
        ("on_new_order_reject", BYBIT, "a1", GtwRejectCode.InsufficientFunds, "no margin"),
    ]


def test_a_crossing_post_only_order_is_a_reject(bench, recorder):
    bench.order()
    request = bench.gateway.last_new()
    bench.gateway.listener.on_request_accepted(RequestKind.NewOrder, request.wire_id, "x-1")
    bench.gateway.report(
        request, OrderStatus.Rejected, reject_code=GtwRejectCode.PostOnlyWouldCross, reason="would take"
    )
    assert recorder.seen == [
        ("on_new_order_reject", BYBIT, "a1", GtwRejectCode.PostOnlyWouldCross, "would take"),
    ]


def test_cancel_ack_comes_before_cancelled_even_when_the_stream_is_faster(bench, recorder):
    bench.order()
    request = bench.gateway.last_new()
    bench.gateway.report(request, OrderStatus.New)
    bench.env.send_cancel_order(BYBIT, "BTC-USDT", "a1")
    bench.gateway.report(request, OrderStatus.Cancelled)
    bench.gateway.listener.on_request_accepted(RequestKind.CancelOrder, request.wire_id, "")
    assert recorder.names() == ["on_new_order_ack", "on_cancel_order_ack", "on_order_cancelled"]
    assert recorder.last("on_order_cancelled")[3] is False


def test_a_cancel_that_loses_against_a_fill_is_rejected_once(bench, recorder):
    bench.order()
    request = bench.gateway.last_new()
    bench.gateway.report(request, OrderStatus.New)
    bench.env.send_cancel_order(BYBIT, "BTC-USDT", "a1")
    bench.gateway.fill(request, "e1", "10")
    bench.gateway.listener.on_request_refused(
        RequestKind.CancelOrder, request.wire_id, GtwRejectCode.UnknownOrder, "gone"
    )
    assert recorder.names() == ["on_new_order_ack", "on_order_execution", "on_cancel_order_reject"]
    assert recorder.last("on_cancel_order_reject")[3] is GtwRejectCode.TooLate


def test_an_ioc_remainder_is_unsolicited(bench, recorder):
    bench.order()
    request = bench.gateway.last_new()
    bench.gateway.fill(request, "e1", "4")
    bench.gateway.report(request, OrderStatus.Cancelled, cum="4", cancel_code=CancelCode.Unset, reason="IOC")
    assert recorder.last("on_order_cancelled")[3:] == (True, 0, 0, CancelCode.Unset, "IOC")


def test_a_modify_is_acknowledged_by_the_report_that_shows_it(bench, recorder):
    bench.order()
    request = bench.gateway.last_new()
    bench.gateway.report(request, OrderStatus.New)
    bench.env.send_modify_order(BYBIT, "a1", None, "15")
    bench.gateway.listener.on_request_accepted(RequestKind.ModifyOrder, request.wire_id, "")
    bench.gateway.fill(request, "e1", "2")
    assert "on_modify_order_ack" not in recorder.names()
    bench.gateway.report(request, OrderStatus.PartiallyFilled, cum="2", qty=Qty("15"))
    assert recorder.last("on_modify_order_ack") == (
        "on_modify_order_ack",
        BYBIT,
        "a1",
        None,
        Qty("15"),
        Qty("13"),
    )


def test_fills_of_a_changed_order_that_come_before_the_report_leave_what_the_change_left(bench, recorder):
    bench.order()
    request = bench.gateway.last_new()
    bench.gateway.report(request, OrderStatus.New)
    bench.env.send_modify_order(BYBIT, "a1", "101", "15")
    bench.gateway.fill(request, "e1", "10", order_qty="15")
    bench.gateway.fill(request, "e2", "5", order_qty="15")
    bench.gateway.report(request, OrderStatus.Filled, cum="15", qty=Qty("15"), price=Price("101"))
    assert recorder.names() == [
        "on_new_order_ack",
        "on_modify_order_ack",
        "on_order_execution",
        "on_order_execution",
    ]
    assert [call[6] for call in recorder.seen if call[0] == "on_order_execution"] == [Qty("5"), Qty("0")]
    assert bench.env.desks[BYBIT].open_orders() == []


def test_fills_of_the_quantity_before_a_change_do_not_prove_the_change(bench, recorder):
    bench.order()
    request = bench.gateway.last_new()
    bench.gateway.report(request, OrderStatus.New)
    bench.env.send_modify_order(BYBIT, "a1", None, "15")
    bench.gateway.fill(request, "e1", "4", order_qty="10")
    assert recorder.names() == ["on_new_order_ack", "on_order_execution"]
    assert recorder.last("on_order_execution")[6] == Qty("6")


def test_a_modify_that_its_orders_end_overtakes_is_rejected(bench, recorder):
    bench.order()
    request = bench.gateway.last_new()
    bench.gateway.report(request, OrderStatus.New)
    bench.env.send_modify_order(BYBIT, "a1", "101", None)
    bench.gateway.fill(request, "e1", "10")
    bench.gateway.report(request, OrderStatus.Filled, cum="10")
    bench.gateway.listener.on_request_refused(
        RequestKind.ModifyOrder, request.wire_id, GtwRejectCode.TooLate, "filled"
    )
    assert recorder.names() == ["on_new_order_ack", "on_order_execution", "on_modify_order_reject"]


def test_a_fill_after_the_end_is_still_told(bench, recorder):
    bench.order()
    request = bench.gateway.last_new()
    bench.gateway.report(request, OrderStatus.Cancelled)
    bench.gateway.fill(request, "late", "1")
    assert recorder.names() == ["on_new_order_ack", "on_order_cancelled", "on_order_execution"]
    assert recorder.last("on_order_execution")[6] == Qty("0")


def test_orders_of_others_are_counted_and_not_told(bench, recorder):
    bench.order()
    stranger = bench.gateway.last_new()
    stranger = stranger.replace(wire_id="somebody-else")
    bench.gateway.report(stranger, OrderStatus.New)
    bench.gateway.fill(stranger, "e1", "1")
    assert recorder.names() == []
    assert bench.env.desks[BYBIT].counts["foreign"] == 2


@pytest.mark.parametrize("seed", range(200))
def test_random_arrivals_tell_one_story(seed, make_bench, make_recorder):
    """Reports and fills of one order in random order with repeats: ack first, each fill once, one end."""
    rng = random.Random(seed)
    recorder = make_recorder()
    bench = make_bench(recorder).start()
    recorder.seen.clear()
    bench.order(side=rng.choice(list(Side)))
    request = bench.gateway.last_new()
    fills = [(f"e{n}", str(rng.randint(1, 3))) for n in range(rng.randint(0, 3))]
    total = sum(int(qty) for _, qty in fills)
    events = [lambda fill=fill: bench.gateway.fill(request, *fill) for fill in fills]
    events += [lambda: bench.gateway.report(request, OrderStatus.New)]
    events += [lambda: bench.gateway.report(request, OrderStatus.Cancelled, cum=str(total))]
    events += rng.choices(events, k=3)
    rng.shuffle(events)
    for event in events:
        event()
    names = recorder.names()
    context = f"seed {seed}: {names}"
    assert names[0] == "on_new_order_ack", context
    assert names.count("on_new_order_ack") == 1, context
    assert names.count("on_order_execution") == len(fills), context
    assert names.count("on_order_cancelled") == 1, context
    assert names[-1] == "on_order_cancelled", context
    expected = Qty(total) if request.side is Side.Buy else -Qty(total)
    assert bench.env.portfolio.position(bench.instruments[0]).size == expected, context
    assert bench.env.desks[BYBIT].open_orders() == []


@pytest.mark.parametrize("asked_after", [0, 5_000, None])
def test_ten_thousand_ended_orders_are_known_by_each_of_their_ids_and_open_ones_besides(
    make_bench, asked_after
):
    class Deaf:
        def on_framework_connected(self, env):
            env.login("deaf")

    bench = make_bench(Deaf()).start()
    [desk] = bench.env.desks.values()
    requests = []
    for number in range(10_010):
        bench.order(f"a{number}")
        requests.append(bench.gateway.last_new())
        bench.gateway.asked.clear()
        bench.gateway.report(requests[-1], OrderStatus.New)
        if number != 3:
            bench.gateway.report(requests[-1], OrderStatus.Cancelled)
        if number == asked_after:
            assert desk.find("nobody's", "") is None

    def known(number):
        wire_id = str(requests[number].wire_id.encode(), "ascii")  # as from a socket: another object
        found = [desk.order(f"a{number}"), desk.find(wire_id, ""), desk.find("", f"x-{wire_id}")]
        assert len(set(found)) == 1
        return found[0] is not None

    forgotten = [number for number in range(10_010) if not known(number)]
    assert forgotten == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert [order.client_id for order in desk.open_orders()] == ["a3"]


def test_a_client_id_is_taken_once(bench):
    bench.order("a")
    [desk] = bench.env.desks.values()
    with pytest.raises(ValueError, match="expected a new one, got 'a' again"):
        desk.send_new("a", bench.gateway.last_new())
    assert len(bench.gateway.asked) == 1
