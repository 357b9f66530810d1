"""Requests to Bybit whose fate nobody tells: each still gets its one answer, and the right one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from bybit_messages import fill_row, order_row
from fake_bybit import FakeBybit, Session, eventually, hang_up, http, never, refusal, result
from gateway_client import BTC, Client

from mlthon.basics.defs import GtwRejectCode, GtwStatus, OrderStatus
from mlthon.engine.ports import RequestKind
from mlthon.exchanges.bybit.codec.fields import Json

REALTIME = "/v5/order/realtime"
WINDOW_S = 0.5  # the fake's recv window plus request timeout


# -- requests whose fate is not told -----------------------------------------------------------------------------


async def test_an_order_whose_answer_is_lost_is_found(venue: FakeBybit) -> None:
    venue.on_trade = venue.book_silently
    async with Client(venue) as client:
        client.new("a")
        await client.settled("a")
        assert client.listener.about("a") == ["NewOrder accepted", "New"]
        assert venue.asked(REALTIME)[-1]["orderLinkId"] == "a"


async def test_an_order_that_never_arrived_is_refused_only_when_it_no_longer_can(venue: FakeBybit) -> None:
    venue.on_trade = venue.say_nothing
    async with Client(venue) as client:
        loop = asyncio.get_running_loop()
        sent_at = loop.time()
        client.new("a")
        await client.settled("a")
        assert loop.time() - sent_at >= WINDOW_S
        (refused,) = client.listener.named("refused")
        assert refused[3] is GtwRejectCode.VenueFault
        assert "does not know the order" in refused[4]
        assert len(venue.asked("/v5/order/history")) >= 1


async def test_an_order_that_arrives_late_is_not_refused(venue: FakeBybit) -> None:
    async def late(session: Session, message: Json) -> None:
        await eventually(lambda: venue.asked(REALTIME)[-1].get("orderLinkId") == "a")
        await venue.book_silently(session, message)

    venue.on_trade = late
    async with Client(venue) as client:
        client.new("a")
        await client.settled("a")
        assert client.listener.about("a") == ["NewOrder accepted", "New"]


@pytest.mark.parametrize("code", [10000, 10016, 10019])
async def test_an_answer_that_leaves_the_fate_open_is_followed_by_a_question(
    venue: FakeBybit, code: int
) -> None:
    async def fail(session: Session, message: Json) -> None:
        await venue.book_silently(session, message)
        await venue.answer(session, message, code, "server error")

    venue.on_trade = fail
    async with Client(venue) as client:
        client.new("a")
        await client.settled("a")
        assert client.listener.about("a")[:2] == ["NewOrder accepted", "New"]
        if (
            code == 10019
        ):  # restarting: a new connection is routed elsewhere, and what was missed is asked for
            await eventually(lambda: venue.opened["trade"] == 2)
            await client.ready()
            statuses = [event[1] for event in client.listener.named("status")]
            assert statuses == [GtwStatus.ReadyToTrade, GtwStatus.Maintenance, GtwStatus.ReadyToTrade]


@pytest.mark.parametrize("booked", [True, False])
async def test_a_connection_cut_after_sending(venue: FakeBybit, booked: bool) -> None:
    async def cut(session: Session, message: Json) -> None:
        if booked:
            await venue.book_silently(session, message)
        session.cut()

    venue.on_trade = cut
    async with Client(venue) as client:
        client.new("a")
        await client.settled("a")
        expected = ["NewOrder accepted", "New"] if booked else ["NewOrder refused"]
        assert client.listener.about("a") == expected
        statuses = [event[1] for event in client.listener.named("status")]
        assert statuses == [GtwStatus.ReadyToTrade]  # orders go by REST until the stream is back


async def test_a_lost_connection_is_reason_enough_to_ask(venue: FakeBybit) -> None:
    """What was under way is asked for at once, not when its answer is overdue."""

    async def cut(session: Session, message: Json) -> None:
        await venue.book_silently(session, message)
        session.cut()

    venue.on_trade = cut
    async with Client(venue, request_timeout_ms=60_000) as client:
        client.new("a")
        await client.settled("a")
        assert client.listener.about("a") == ["NewOrder accepted", "New"]


async def test_a_second_answer_that_says_otherwise_does_not_end_the_watch(venue: FakeBybit) -> None:
    async def contradict(session: Session, message: Json) -> None:
        await venue.book_silently(session, message)
        await venue.answer(session, message)
        await venue.answer(session, message, 110007, "not enough")

    venue.on_trade = contradict
    async with Client(venue) as client:
        client.new("a")
        await eventually(lambda: "a" in client.listener.orders)
        assert client.listener.about("a") == ["NewOrder accepted", "New"]


async def test_a_garbled_answer_costs_the_connection_not_the_order(venue: FakeBybit) -> None:
    async def garble(session: Session, message: Json) -> None:
        await venue.book_silently(session, message)
        await session.send('{"reqId":"' + message["reqId"])

    venue.on_trade = garble
    async with Client(venue) as client:
        client.new("a")
        await client.settled("a")
        assert client.listener.about("a") == ["NewOrder accepted", "New"]


async def test_a_question_that_fails_is_asked_again(venue: FakeBybit) -> None:
    venue.on_trade = venue.book_silently
    async with Client(venue) as client:
        venue.scripts[REALTIME].extend(
            [http(500), hang_up, refusal(10006), http(200, "<html>"), refusal(10016)] * 3
        )
        client.new("a")
        await client.settled("a")
        assert client.listener.about("a") == ["NewOrder accepted", "New"]


async def test_an_accepted_order_that_is_never_shown_is_asked_for(venue: FakeBybit) -> None:
    async def only_answer(session: Session, message: Json) -> None:
        await venue.book_silently(session, message)
        await venue.answer(session, message)

    venue.on_trade = only_answer
    async with Client(venue) as client:
        client.new("a")
        await eventually(lambda: "a" in client.listener.orders)
        assert client.listener.about("a") == ["NewOrder accepted", "New"]


async def test_an_accepted_order_that_the_venue_then_forgets_ends_as_rejected(venue: FakeBybit) -> None:
    async def forget(session: Session, message: Json) -> None:
        await venue.answer(session, message)

    venue.on_trade = forget
    async with Client(venue) as client:
        client.new("a")
        await eventually(lambda: "a" in client.listener.orders)
        assert client.listener.about("a") == ["NewOrder accepted", "Rejected"]
        assert client.listener.orders["a"].reject_code is GtwRejectCode.VenueFault


async def test_the_stream_may_be_faster_than_the_answer(venue: FakeBybit) -> None:
    async def stream_first(session: Session, message: Json) -> None:
        await venue.push("execution", fill_row("e1", "a"))
        await venue.push("order", order_row("a", orderStatus="Filled", cumExecQty="0.010"))
        await eventually(lambda: client.listener.about("a"))
        await venue.answer(session, message)

    venue.on_trade = stream_first
    async with Client(venue) as client:
        client.new("a")
        await eventually(lambda: client.gateway._entry.tally.counts["answer after its effect was seen"])
        assert client.listener.about("a") == ["NewOrder accepted", "Filled"]


# -- modifies and cancels whose fate is not told -----------------------------------------------------------------


async def test_a_modify_counts_once_the_order_shows_it(venue: FakeBybit) -> None:
    async with Client(venue) as client:
        client.new("a")
        await eventually(lambda: "a" in client.listener.orders)
        requests: list[Json] = []

        async def answer_only(session: Session, message: Json) -> None:
            requests.append(message)
            await venue.answer(session, message)

        venue.on_trade = answer_only
        client.modify("a", qty="0.020")
        await eventually(lambda: requests)
        await venue.push("order", order_row("a", updatedTime=str(venue.now_ms())))  # not yet
        await venue.push("order", order_row("a", qty="0.020", updatedTime=str(venue.now_ms())))
        await client.settled("a", times=2)
        assert client.listener.about("a") == [
            "NewOrder accepted",
            "New",
            "New",
            "ModifyOrder accepted",
            "New",
        ]


@pytest.mark.parametrize("answered", [True, False])
async def test_a_modify_that_is_never_carried_out_is_refused(venue: FakeBybit, answered: bool) -> None:
    async with Client(venue) as client:
        client.new("a")
        await eventually(lambda: "a" in client.listener.orders)

        async def ignore(session: Session, message: Json) -> None:
            if answered:
                await venue.answer(session, message)

        venue.on_trade = ignore
        client.modify("a", price="49000")
        await client.settled("a", times=2)
        (refused,) = client.listener.named("refused")
        assert refused[1:4] == (RequestKind.ModifyOrder, "a", GtwRejectCode.VenueFault)
        assert "still open, unchanged" in refused[4]


async def test_a_modify_that_the_order_s_end_overtakes_is_too_late(venue: FakeBybit) -> None:
    async with Client(venue) as client:
        client.new("a")
        await eventually(lambda: "a" in client.listener.orders)

        async def fill_instead(session: Session, message: Json) -> None:
            await venue.answer(session, message)
            await venue.push("order", order_row("a", orderStatus="Filled", cumExecQty="0.010"))

        venue.on_trade = fill_instead
        client.modify("a", price="49000")
        await client.settled("a", times=2)
        assert client.listener.named("refused")[0][3] is GtwRejectCode.TooLate


@pytest.mark.parametrize("booked", [True, False])
async def test_a_cancel_whose_answer_is_lost(venue: FakeBybit, booked: bool) -> None:
    async with Client(venue) as client:
        client.new("a")
        await eventually(lambda: "a" in client.listener.orders)

        async def lose_answer(session: Session, message: Json) -> None:
            if booked:
                venue.orders["a"] |= {"orderStatus": "Cancelled", "cancelType": "CancelByUser"}

        venue.on_trade = lose_answer
        client.cancel("a")
        await client.settled("a", times=2)
        if booked:
            assert sorted(client.listener.about("a")[2:]) == ["CancelOrder accepted", "Cancelled"]
        else:
            (refused,) = client.listener.named("refused")
            assert refused[3] is GtwRejectCode.VenueFault
            assert client.listener.orders["a"].status is OrderStatus.New


async def test_a_cancel_that_a_fill_overtakes(venue: FakeBybit) -> None:
    async with Client(venue) as client:
        client.new("a")
        await eventually(lambda: "a" in client.listener.orders)

        async def filled(session: Session, message: Json) -> None:
            # Seen in the wild: accepted, filled, and a second Filled that is really the cancel's refusal.
            await venue.answer(session, message)
            row = order_row("a", orderStatus="Filled", cumExecQty="0.010", updatedTime=str(venue.now_ms()))
            await venue.push("order", row)
            await venue.push(
                "order", row | {"cancelType": "CancelByUser", "rejectReason": "EC_OrigClOrdIDDoesNotExist"}
            )

        venue.on_trade = filled
        client.cancel("a")
        await eventually(lambda: client.listener.about("a").count("Filled") == 2)
        assert client.listener.about("a")[2:] == ["CancelOrder accepted", "Filled", "Filled"]


# -- cancel-all --------------------------------------------------------------------------------------------------


async def test_cancel_all(venue: FakeBybit) -> None:
    async with Client(venue) as client:
        client.call(client.gateway.send_cancel_all, BTC)
        await eventually(lambda: client.listener.named("cancel-all accepted"))
        assert venue.asked("/v5/order/cancel-all") == [{"category": "linear", "symbol": "BTCUSDT"}]
        venue.scripts["/v5/order/cancel-all"].extend([refusal(10006, "slow down"), result({"success": "0"})])
        client.call(client.gateway.send_cancel_all, BTC)
        await eventually(lambda: len(client.listener.named("cancel-all refused")) == 1)
        client.call(client.gateway.send_cancel_all, BTC)
        await eventually(lambda: len(client.listener.named("cancel-all refused")) == 2)
        codes = [event[2] for event in client.listener.named("cancel-all refused")]
        assert codes == [GtwRejectCode.RateLimited, GtwRejectCode.Other]


async def test_a_cancel_all_that_did_not_leave_is_refused_at_once(venue: FakeBybit) -> None:
    async with Client(venue) as client:
        await venue.stop()
        client.call(client.gateway.send_cancel_all, BTC)
        await eventually(lambda: client.listener.named("cancel-all refused"))
        assert client.listener.named("cancel-all refused")[0][2] is GtwRejectCode.GtwNotReady


@pytest.mark.parametrize(
    "fault", [hang_up, never, http(502), refusal(10016)], ids=["cut", "slow", "502", "10016"]
)
@pytest.mark.parametrize("done", [True, False])
async def test_a_cancel_all_whose_fate_is_not_told(venue: FakeBybit, fault: Any, done: bool) -> None:
    async with Client(venue) as client:
        client.new("a")
        await eventually(lambda: "a" in client.listener.orders)
        venue.scripts["/v5/order/cancel-all"].append(fault)
        if done:
            venue.orders["a"]["orderStatus"] = "Cancelled"
        client.call(client.gateway.send_cancel_all, BTC)
        await eventually(lambda: client.listener.named("cancel-all accepted", "cancel-all refused"))
        assert len(venue.asked("/v5/order/cancel-all")) == 1  # never repeated: it would hit newer orders
        if not done:
            assert client.listener.named("cancel-all refused")[0][2] is GtwRejectCode.VenueFault
