"""Which way orders go to Bybit, how many, and that cancels always have a way."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from bybit_messages import order_row
from fake_bybit import FakeBybit, Session, eventually, hang_up, http, never, refusal, result
from gateway_client import BTC, Client

from mlthon.basics.defs import GtwRejectCode, GtwStatus, OrderStatus
from mlthon.engine.ports import CancelOrderRequest, RequestKind
from mlthon.exchanges.bybit.codec.fields import Json
from mlthon.exchanges.bybit.rate_limits import HTTP

CREATE, CANCEL, BATCH = "/v5/order/create", "/v5/order/cancel", "/v5/order/cancel-batch"


def ops(venue: FakeBybit) -> list[str]:
    """What was asked for on the newest trade stream, logins aside."""
    return [m["op"] for m in venue.session("trade").received if m["op"].startswith("order.")]


def cancels(*wire_ids: str) -> list[CancelOrderRequest]:
    return [CancelOrderRequest(wire_id, "", BTC) for wire_id in wire_ids]


async def open_orders(client: Client, *wire_ids: str) -> None:
    for wire_id in wire_ids:
        client.new(wire_id)
    await eventually(lambda: set(wire_ids) <= set(client.listener.orders), "open orders")


async def all_cancelled(client: Client, *wire_ids: str) -> None:
    await eventually(
        lambda: all(client.listener.orders[each].status is OrderStatus.Cancelled for each in wire_ids),
        "cancelled orders",
    )


# -- which way ---------------------------------------------------------------------------------------------------


async def test_by_configuration_all_goes_by_rest(venue: FakeBybit) -> None:
    async with Client(venue, order_entry="rest", ws_trade_url="") as client:
        await open_orders(client, "a", "b", "c")
        client.modify("a", price="49999.5")
        await client.settled("a", times=2)
        client.cancel("a")
        client.call(client.gateway.send_cancels, cancels("b", "c"))
        await all_cancelled(client, "a", "b", "c")
        assert venue.opened["trade"] == 0
        assert [len(venue.asked(path)) for path in (CREATE, "/v5/order/amend", CANCEL, BATCH)] == [3, 1, 1, 1]
        answers = [event[1] for event in client.listener.named("accepted")]
        assert answers.count(RequestKind.CancelOrder) == 3


@pytest.mark.parametrize(
    ("fault", "meaning"),
    [
        (refusal(110007, "too poor"), GtwRejectCode.InsufficientFunds),
        (refusal(10002, "late"), GtwRejectCode.ClockSkew),
        (http(403, "go away"), GtwRejectCode.AuthFailed),
    ],
)
async def test_refusals_by_rest_are_told_as_those_of_the_stream_are(
    venue: FakeBybit, fault: Any, meaning: GtwRejectCode
) -> None:
    async with Client(venue, order_entry="rest") as client:
        measured = len(venue.asked("/v5/market/time"))
        venue.scripts[CREATE].append(fault)
        client.new("a")
        await client.settled("a")
        (refused,) = client.listener.named("refused")
        assert refused[3] is meaning
        assert any(words in refused[4] for words in ("too poor (110007)", "late (10002)", "go away (403)"))
        assert len(venue.asked(CREATE)) == 1  # never sent twice
        if meaning is GtwRejectCode.ClockSkew:
            await eventually(lambda: len(venue.asked("/v5/market/time")) > measured)


@pytest.mark.parametrize("fault", [hang_up, http(502), http(200, "{"), refusal(10016), refusal(10000)])
async def test_by_rest_too_what_is_not_answered_is_asked_for(venue: FakeBybit, fault: Any) -> None:
    async with Client(venue, order_entry="rest") as client:
        venue.orders["a"] = order_row("a")  # the venue took it, whatever it says
        venue.scripts[CREATE].append(fault)
        client.new("a")
        await client.settled("a")
        assert client.listener.about("a") == ["NewOrder accepted", "New"]


async def test_what_did_not_leave_is_refused_at_once(venue: FakeBybit) -> None:
    async with Client(venue, order_entry="rest") as client:
        await open_orders(client, "a")
        await venue.stop()
        client.cancel("a")
        await client.settled("a", times=2)
        (refused,) = client.listener.named("refused")
        assert refused[3] is GtwRejectCode.GtwNotReady
        assert "nothing was sent" in refused[4]


@pytest.mark.parametrize("fault", [None, refusal(110007), hang_up])
async def test_by_rest_a_cancel_does_not_overtake_its_order(venue: FakeBybit, fault: Any) -> None:
    released = asyncio.Event()

    async def slowly(session: Session, message: Json) -> None:
        if message["op"] == "order.create":
            await released.wait()
        if message["args"][0]["orderLinkId"] in venue.orders or message["op"] == "order.create":
            await venue.take(session, message)
        else:
            await venue.answer(session, message, 110001, "order not exists")

    async def fail(request: Any) -> Any:
        await released.wait()
        return await fault(request)

    async with Client(venue, order_entry="rest") as client:
        venue.on_trade = slowly
        if fault is not None:
            venue.scripts[CREATE].append(fail)
        client.new("a")
        client.cancel("a")
        await eventually(lambda: venue.asked(CREATE))
        assert venue.asked(CANCEL) == []
        released.set()
        await client.settled("a", times=2)
        assert len(venue.asked(CANCEL)) == 1
        if fault is None:
            await all_cancelled(client, "a")
        else:
            codes = [event[3] for event in client.listener.named("refused")]
            assert GtwRejectCode.UnknownOrder in codes


async def test_while_the_trade_stream_is_down_orders_go_by_rest(venue: FakeBybit) -> None:
    async with Client(venue) as client:
        venue.refuse_login = (10003, "later")  # keeps the stream from coming back
        venue.session("trade").cut()
        await eventually(lambda: not client.gateway._trade.is_live)
        await open_orders(client, "a", "b")
        client.cancel("a")
        await all_cancelled(client, "a")
        assert len(venue.asked(CREATE)) == 2
        assert client.gateway.status is GtwStatus.ReadyToTrade
        venue.refuse_login = None
        await eventually(lambda: client.gateway._trade.is_live)
        client.cancel("b")
        await all_cancelled(client, "b")
        assert ops(venue) == ["order.cancel"]


async def test_cancels_go_while_the_account_is_not_being_told(venue: FakeBybit) -> None:
    async with Client(venue) as client:
        await open_orders(client, "a", "b")
        venue.refuse_login = (10003, "later")
        venue.session("private").cut()
        await eventually(lambda: client.gateway.status is GtwStatus.Connecting)
        push, venue.push = venue.push, lambda *_: asyncio.sleep(0)  # type: ignore[method-assign]
        client.new("c")
        client.cancel("a")
        client.call(client.gateway.send_cancel_all, BTC)
        await eventually(lambda: client.listener.answers[RequestKind.CancelOrder, "a"])
        assert ops(venue)[-1] == "order.cancel"
        await eventually(lambda: client.listener.named("cancel-all accepted"))
        (refused,) = client.listener.named("refused")
        assert refused[2:4] == ("c", GtwRejectCode.GtwNotReady)
        venue.push = push  # type: ignore[method-assign]
        venue.refuse_login = None
        await client.ready()
        assert client.listener.orders["a"].status is OrderStatus.Cancelled


# -- how many ----------------------------------------------------------------------------------------------------


async def test_beyond_the_limit_new_orders_are_refused_here(venue: FakeBybit) -> None:
    async with Client(venue, rate_factor=1) as client:
        for number in range(12):
            client.new(f"n{number}")
        await client.settled(*[f"n{number}" for number in range(12)])
        refused = client.listener.named("refused")
        assert [(event[2], event[3]) for event in refused] == [
            ("n10", GtwRejectCode.RateLimited),
            ("n11", GtwRejectCode.RateLimited),
        ]
        assert "all 10 requests a second for order.create are used up" in refused[0][4]
        assert ops(venue) == ["order.create"] * 10
        client.modify("n1", price="49000")  # counted apart
        await client.settled("n1", times=2)
        assert client.listener.answers[RequestKind.ModifyOrder, "n1"] == 1


async def test_headers_say_how_many_there_may_be(venue: FakeBybit) -> None:
    async def answer(session: Session, message: Json) -> None:
        header = {"X-Bapi-Limit": "3", "X-Bapi-Limit-Status": "2", "X-Bapi-Limit-Reset-Timestamp": "1"}
        await venue.answer(session, message, 110007, "no", header=header)

    async with Client(venue, rate_factor=1) as client:
        venue.on_trade = answer
        client.new("a")
        await client.settled("a")
        for wire_id in ("b", "c", "d"):
            client.new(wire_id)
        await client.settled("b", "c", "d")
        codes = {event[2]: event[3] for event in client.listener.named("refused")}
        assert codes["c"] is GtwRejectCode.InsufficientFunds
        assert codes["d"] is GtwRejectCode.RateLimited


async def test_a_venue_that_refuses_for_the_rate_is_believed(venue: FakeBybit) -> None:
    async def refuse(session: Session, message: Json) -> None:
        await venue.answer(session, message, 10006, "too many visits")

    async with Client(venue, rate_factor=1) as client:
        venue.on_trade = refuse
        client.new("a")
        await client.settled("a")
        client.new("b")
        await client.settled("b")
        reasons = [event[4] for event in client.listener.named("refused")]
        assert reasons[0] == "too many visits (10006)"
        assert reasons[1].startswith("not sent")
        assert ops(venue) == ["order.create"]


async def test_many_cancels_go_in_batches_and_none_is_refused(venue: FakeBybit) -> None:
    async with Client(venue, rate_factor=1) as client:
        wire_ids = [f"n{number}" for number in range(35)]
        for wire_id in wire_ids:
            client.gateway._reports._known.admit(client_report(client, wire_id), BTC)
            venue.orders[wire_id] = order_row(wire_id)
        client.call(client.gateway.send_cancels, cancels(*wire_ids))
        await client.settled(*wire_ids)
        assert client.listener.named("refused") == []
        # 10 in the batches' second, 10 in that of single cancels; the rest a second later
        sent = [m for m in venue.session("trade").received if m["op"].startswith("order.")]
        sizes = [len(m["args"][0].get("request", [m])) for m in sent]
        assert sum(sizes) == 35
        assert sizes[:11] == [10] + [1] * 10
        assert max(sizes) == 10
        await all_cancelled(client, *wire_ids)


def client_report(client: Client, wire_id: str) -> Any:
    """A report of an order as the connector itself would decode it."""
    return client.gateway._queries._decode_orders([order_row(wire_id)], "linear", "test")[0]


async def test_each_order_of_a_batch_has_its_own_answer(venue: FakeBybit) -> None:
    async with Client(venue) as client:
        await open_orders(client, "a", "b")
        del venue.orders["b"]
        client.call(client.gateway.send_cancels, cancels("a", "b"))
        await client.settled("a", "b", times=2)
        assert ops(venue)[-1] == "order.cancel-batch"
        (refused,) = client.listener.named("refused")
        assert refused[1:4] == (RequestKind.CancelOrder, "b", GtwRejectCode.UnknownOrder)
        assert client.listener.answers[RequestKind.CancelOrder, "a"] == 1


@pytest.mark.parametrize("fault", ["short", "refused", "unknown", "lost"])
async def test_a_batch_whose_answer_is_none(venue: FakeBybit, fault: str) -> None:
    async def answer(session: Session, message: Json) -> None:
        for item in message["args"][0]["request"]:
            venue.book("order.cancel", item)
        if fault == "short":
            lists = {"data": {"list": [{}]}, "retExtInfo": {"list": [{"code": 0, "msg": "OK"}]}}
            await venue.answer(session, message, **lists)
        elif fault == "refused":
            await venue.answer(session, message, 10001, "bad batch")
        elif fault == "unknown":
            await venue.answer(session, message, 10016, "server error")

    async with Client(venue) as client:
        await open_orders(client, "a", "b")
        venue.on_trade = answer
        client.call(client.gateway.send_cancels, cancels("a", "b"))
        await client.settled("a", "b", times=2)
        kind = "refused" if fault == "refused" else "accepted"
        told = [event[2] for event in client.listener.named(kind) if event[1] is RequestKind.CancelOrder]
        assert sorted(told) == ["a", "b"]


async def test_a_cancel_that_waits_is_not_sent_for_an_order_that_has_ended(venue: FakeBybit) -> None:
    async with Client(venue, rate_factor=1) as client:
        await open_orders(client, "a")
        for bucket in ("order.cancel", "order.cancel-batch"):
            assert client.connector._rest.limits.take(bucket, 10)
        client.cancel("a")
        await venue.push("order", order_row("a", orderStatus="Filled", cumExecQty="0.010"))
        await client.settled("a", times=2)
        (refused,) = client.listener.named("refused")
        assert refused[3] is GtwRejectCode.TooLate
        await eventually(lambda: not client.gateway._entry._cancels._waiting, "there is room again")
        assert "order.cancel" not in ops(venue)


async def test_closing_answers_the_cancels_that_wait(venue: FakeBybit) -> None:
    client = Client(venue, rate_factor=1)
    async with client:
        await open_orders(client, "a")
        for bucket in ("order.cancel", "order.cancel-batch"):
            assert client.connector._rest.limits.take(bucket, 10)
        client.cancel("a")
    (refused,) = client.listener.named("refused")
    assert refused[3] is GtwRejectCode.GtwNotReady
    assert "nothing was sent" in refused[4]


async def test_closing_sends_nothing_that_waited_for_an_order_to_arrive(venue: FakeBybit) -> None:
    client = Client(venue, order_entry="rest")
    async with client:
        venue.scripts[CREATE].append(never)
        client.new("a")
        client.cancel("a")
        await eventually(lambda: venue.asked(CREATE))
    told = {event[1]: event[3] for event in client.listener.named("refused")}
    assert told == {
        RequestKind.NewOrder: GtwRejectCode.VenueFault,
        RequestKind.CancelOrder: GtwRejectCode.GtwNotReady,
    }
    assert venue.asked(CANCEL) == []


async def test_a_locked_out_address_sends_nothing_more(venue: FakeBybit) -> None:
    async with Client(venue) as client:
        path = "/v5/user/query-api"
        venue.scripts[path].append(http(403, "access too frequent"))
        client.call(client.gateway.fetch_account)
        await eventually(lambda: client.listener.named("query refused"))
        asked = len(venue.calls)
        client.call(client.gateway.fetch_account)
        await eventually(lambda: len(client.listener.named("query refused")) == 2)
        assert "too many requests (http)" in client.listener.named("query refused")[1][3]
        assert len(venue.calls) == asked
        client.new("a")  # the trade stream is another matter
        await client.settled("a")
        assert client.listener.about("a")[0] == "NewOrder accepted"


async def test_questions_wait_for_room(venue: FakeBybit) -> None:
    async with Client(venue, rate_factor=1) as client:
        assert client.connector._rest.limits.take("user.query-api", 50)
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        venue.scripts["/v5/user/query-api"].append(result({"userID": 7}))
        client.call(client.gateway.fetch_account)
        await eventually(lambda: client.listener.named("account"))
        assert loop.time() - asked_at >= 0.9


async def test_cancel_all_has_the_way_that_is_kept_for_cancels(venue: FakeBybit) -> None:
    async with Client(venue, rate_factor=1) as client:
        limits = client.connector._rest.limits
        assert limits.take(HTTP, limits.free(HTTP))
        client.call(client.gateway.send_cancel_all, BTC)
        client.call(client.gateway.fetch_account)
        await eventually(lambda: client.listener.named("cancel-all accepted"))
        await eventually(lambda: client.listener.named("query refused"))  # which finds no room in time
        assert not venue.asked("/v5/user/query-api")
