"""The Bybit gateway: requests, answers and reports, on a venue that behaves, and then on one that does not."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from bybit_messages import fill_row, order_row, position_row, private_frame, wallet_row
from fake_bybit import OWNER, SECRET, FakeBybit, Session, eventually, hang_up, http, never, refusal, result
from gateway_client import BTC, Client

from mlthon.basics.defs import ExecInstructions, GtwRejectCode, GtwStatus, OrderStatus
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.engine.ports import RequestKind
from mlthon.errors import ConfigError, UsageError, VenueRefusal, VenueUnreachable
from mlthon.exchanges.bybit import BybitConnector
from mlthon.exchanges.bybit.codec.fields import Json

REALTIME = "/v5/order/realtime"
WINDOW_S = 0.5  # the fake's recv window plus request timeout


@pytest.fixture
async def venue() -> AsyncIterator[FakeBybit]:
    async with FakeBybit() as fake:
        yield fake


# -- connecting --------------------------------------------------------------------------------------------------


async def test_ready_comes_after_everything_was_asked_for(venue: FakeBybit) -> None:
    venue.orders["old"] = order_row("old")
    venue.positions = [position_row(side="Sell", size="0.5")]
    async with Client(venue) as client:
        assert client.gateway.status is GtwStatus.ReadyToTrade
        assert [event[0] for event in client.listener.events] == ["order", "position", "wallet", "status"]
        assert client.listener.named("position") == [("position", "BTCUSDT", Qty("-0.5"))]
        assert client.listener.events[-1][1] is GtwStatus.ReadyToTrade
        assert {path for path, _ in venue.calls} >= {REALTIME, "/v5/execution/list", "/v5/position/list"}
        assert venue.session("private").received[1]["args"] == ["order", "execution", "position", "wallet"]


async def test_a_refused_login_is_fatal_while_connecting(venue: FakeBybit) -> None:
    venue.refuse_login = (10003, "API key is invalid.")
    client = Client(venue)
    await client.connector.load_instruments()
    with pytest.raises(VenueRefusal, match="login: the venue answered 10003: API key is invalid") as caught:
        await client.gateway.connect()
    assert caught.value.code == 10003
    venue.refuse_login = None  # with the right key it works
    await client.gateway.connect()
    assert client.gateway.status is GtwStatus.ReadyToTrade
    await client.connector.close()


async def test_a_venue_that_cannot_be_asked_is_not_ready(venue: FakeBybit) -> None:
    client = Client(venue, ready_timeout_ms=200)
    await client.connector.load_instruments()
    venue.scripts["/v5/order/realtime"].extend([http(502)] * 200)
    with pytest.raises(VenueUnreachable, match=r"not ready within 0\.2 s: reconciliation failed: .*HTTP 502"):
        await client.gateway.connect()
    await client.connector.close()


async def test_connecting_needs_a_listener_keys_and_a_venue(venue: FakeBybit) -> None:
    connector = BybitConnector(venue.config(), time.time_ns)
    with pytest.raises(UsageError, match="attach"):
        await connector.gateway.connect()
    await connector.close()
    client = Client(venue, api_key="", api_secret="")
    with pytest.raises(ConfigError, match="api_key"):
        await client.gateway.connect()
    await client.connector.close()
    await venue.stop()
    client = Client(venue)
    with pytest.raises(VenueUnreachable, match="/v5/market/time"):
        await client.gateway.connect()
    await client.connector.close()


async def test_what_is_sent_while_not_ready_is_refused_here(venue: FakeBybit) -> None:
    client = Client(venue)
    client.new("n1")
    client.modify("n2", price="1")
    client.cancel("n3")
    client.call(client.gateway.send_cancel_all, BTC)
    client.call(client.gateway.fetch_orders, None)
    await eventually(lambda: len(client.listener.events) == 5)
    assert [event[-2] for event in client.listener.events] == [GtwRejectCode.GtwNotReady] * 5
    await client.connector.close()
    assert venue.calls == []


# -- requests that go well ---------------------------------------------------------------------------------------


async def test_the_life_of_an_order(venue: FakeBybit) -> None:
    async with Client(venue) as client:
        client.new("a")
        await client.settled("a")
        client.modify("a", price="49999.5")
        await eventually(lambda: client.listener.answers[RequestKind.ModifyOrder, "a"])
        client.cancel("a")
        await eventually(lambda: client.listener.about("a")[-1] == "Cancelled")
        story = client.listener.about("a")
        assert sorted(story) == sorted(
            ["NewOrder accepted", "New", "ModifyOrder accepted", "New", "CancelOrder accepted", "Cancelled"]
        )
        assert story.index("NewOrder accepted") < story.index("New")
        accepted = client.listener.named("accepted")
        assert [event[3] for event in accepted] == ["venue-a"] * 3
        assert client.listener.orders["a"].price == Price("49999.5")
        create, amend, cancel = venue.session("trade").received[1:]
        assert [m["op"] for m in (create, amend, cancel)] == ["order.create", "order.amend", "order.cancel"]
        assert len({m["reqId"] for m in (create, amend, cancel)}) == 3


async def test_fills_are_told_with_their_order(venue: FakeBybit) -> None:
    async with Client(venue) as client:
        client.new("a")
        await client.settled("a")
        await venue.push(
            "execution", fill_row("e1", "a", execQty="0.004"), fill_row("e2", "a", execQty="0.006")
        )
        await venue.push("order", order_row("a", orderStatus="Filled", cumExecQty="0.010", leavesQty="0"))
        await eventually(lambda: client.listener.about("a")[-1] == "Filled")
        assert [event[1] for event in client.listener.named("fill")] == ["e1", "e2"]
        assert sum((fill.qty for fill in client.listener.fills.values()), Qty("0")) == Qty("0.01")


async def test_a_post_only_order_that_would_cross_is_rejected(venue: FakeBybit) -> None:
    async def cross(session: Session, message: Json) -> None:
        await venue.answer(session, message)
        row = order_row("a", orderStatus="Cancelled", rejectReason="EC_PostOnlyWillTakeLiquidity")
        await venue.push("order", row)

    venue.on_trade = cross
    async with Client(venue) as client:
        client.new("a", exec_instr=ExecInstructions.PostOnly)
        await eventually(lambda: "a" in client.listener.orders)
        report = client.listener.orders["a"]
        assert (report.status, report.reject_code) == (
            OrderStatus.Rejected,
            GtwRejectCode.PostOnlyWouldCross,
        )


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        (110007, GtwRejectCode.InsufficientFunds),
        (110001, GtwRejectCode.UnknownOrder),
        (110072, GtwRejectCode.DuplicateClientId),
        (10006, GtwRejectCode.RateLimited),
        (10002, GtwRejectCode.ClockSkew),
        (999999, GtwRejectCode.Other),
    ],
)
async def test_a_refusal_is_told_once_in_our_terms_and_the_venue_s_words(
    venue: FakeBybit, code: int, meaning: GtwRejectCode
) -> None:
    async def refuse(session: Session, message: Json) -> None:
        await venue.answer(session, message, code, "the venue's words")
        await venue.answer(session, message, code, "the venue's words")  # twice: the second is ignored

    async with Client(venue) as client:
        venue.on_trade = refuse
        measured = len(venue.asked("/v5/market/time"))
        client.new("a")
        await client.settled("a")
        client.cancel("b")
        await client.settled("b")
        refused = client.listener.named("refused")
        assert [(event[2], event[3]) for event in refused] == [("a", meaning), ("b", meaning)]
        assert refused[0][4] == f"the venue's words ({code})"
        if code == 10002:  # our clock is off: measure again
            await eventually(lambda: len(venue.asked("/v5/market/time")) > measured)
        assert client.gateway.status is GtwStatus.ReadyToTrade


async def test_orders_the_venue_has_no_words_for_are_refused_here(venue: FakeBybit) -> None:
    async with Client(venue) as client:
        client.new("a", price=None)
        await client.settled("a")
        assert client.listener.named("refused")[0][3] is GtwRejectCode.InvalidRequest
        assert len(venue.session("trade").received) == 1  # the login


async def test_stamps_follow_the_venue_s_clock(venue: FakeBybit) -> None:
    venue.clock_offset_ms = 3_600_000
    async with Client(venue) as client:
        client.new("a")
        await client.settled("a")
        stamp = int(venue.session("trade").received[1]["header"]["X-BAPI-TIMESTAMP"])
        assert abs(stamp - venue.now_ms()) < 1_000


# -- requests whose fate is not told -----------------------------------------------------------------------------


async def book_silently(session: Session, message: Json) -> None:
    """Take an order, and say nothing."""
    venue_of(session).orders[message["args"][0]["orderLinkId"]] = order_row(
        message["args"][0]["orderLinkId"], **venue_of(session).row_of(message["args"][0])
    )


async def say_nothing(session: Session, message: Json) -> None:
    """Lose a request."""


def venue_of(session: Session) -> FakeBybit:
    return session.request.app[OWNER]


async def test_an_order_whose_answer_is_lost_is_found(venue: FakeBybit) -> None:
    venue.on_trade = book_silently
    async with Client(venue) as client:
        client.new("a")
        await client.settled("a")
        assert client.listener.about("a") == ["NewOrder accepted", "New"]
        assert venue.asked(REALTIME)[-1]["orderLinkId"] == "a"


async def test_an_order_that_never_arrived_is_refused_only_when_it_no_longer_can(venue: FakeBybit) -> None:
    venue.on_trade = say_nothing
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
        await book_silently(session, message)

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
        await book_silently(session, message)
        await venue.answer(session, message, code, "server error")

    venue.on_trade = fail
    async with Client(venue) as client:
        client.new("a")
        await client.settled("a")
        assert client.listener.about("a") == ["NewOrder accepted", "New"]
        if code == 10019:  # restarting: a new connection is routed elsewhere
            await eventually(lambda: venue.opened["trade"] == 2)


@pytest.mark.parametrize("booked", [True, False])
async def test_a_connection_cut_after_sending(venue: FakeBybit, booked: bool) -> None:
    async def cut(session: Session, message: Json) -> None:
        if booked:
            await book_silently(session, message)
        session.cut()

    venue.on_trade = cut
    async with Client(venue) as client:
        client.new("a")
        await client.settled("a")
        expected = ["NewOrder accepted", "New"] if booked else ["NewOrder refused"]
        assert client.listener.about("a") == expected
        await client.ready()
        statuses = [event[1] for event in client.listener.named("status")]
        assert statuses == [GtwStatus.ReadyToTrade, GtwStatus.Connecting, GtwStatus.ReadyToTrade]


async def test_a_lost_connection_is_reason_enough_to_ask(venue: FakeBybit) -> None:
    """What was under way is asked for at once, not when its answer is overdue."""

    async def cut(session: Session, message: Json) -> None:
        await book_silently(session, message)
        session.cut()

    venue.on_trade = cut
    async with Client(venue, request_timeout_ms=60_000) as client:
        client.new("a")
        await client.settled("a")
        assert client.listener.about("a") == ["NewOrder accepted", "New"]


async def test_a_second_answer_that_says_otherwise_does_not_end_the_watch(venue: FakeBybit) -> None:
    async def contradict(session: Session, message: Json) -> None:
        await book_silently(session, message)
        await venue.answer(session, message)
        await venue.answer(session, message, 110007, "not enough")

    venue.on_trade = contradict
    async with Client(venue) as client:
        client.new("a")
        await eventually(lambda: "a" in client.listener.orders)
        assert client.listener.about("a") == ["NewOrder accepted", "New"]


async def test_a_garbled_answer_costs_the_connection_not_the_order(venue: FakeBybit) -> None:
    async def garble(session: Session, message: Json) -> None:
        await book_silently(session, message)
        await session.send('{"reqId":"' + message["reqId"])

    venue.on_trade = garble
    async with Client(venue) as client:
        client.new("a")
        await client.settled("a")
        assert client.listener.about("a") == ["NewOrder accepted", "New"]


async def test_a_question_that_fails_is_asked_again(venue: FakeBybit) -> None:
    venue.on_trade = book_silently
    async with Client(venue) as client:
        venue.scripts[REALTIME].extend(
            [http(500), hang_up, refusal(10006), http(200, "<html>"), refusal(10016)] * 3
        )
        client.new("a")
        await client.settled("a")
        assert client.listener.about("a") == ["NewOrder accepted", "New"]


async def test_an_accepted_order_that_is_never_shown_is_asked_for(venue: FakeBybit) -> None:
    async def only_answer(session: Session, message: Json) -> None:
        await book_silently(session, message)
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


# -- gaps --------------------------------------------------------------------------------------------------------


async def test_what_happened_during_a_gap_is_found_out_before_trading_goes_on(venue: FakeBybit) -> None:
    async with Client(venue) as client:
        for wire_id in ("filled", "cancelled", "partly", "kept"):
            client.new(wire_id)
        await eventually(lambda: len(client.listener.orders) == 4)
        await venue.push("position", position_row(seq=50))
        await eventually(
            lambda: client.listener.named("position")[-1:] == [("position", "BTCUSDT", Qty("0.01"))]
        )
        stamp = str(venue.now_ms() + 5)
        hold = asyncio.Event()

        async def held(_: Any) -> Any:
            await hold.wait()
            return await result({"list": []})(_)

        venue.scripts["/v5/position/list"].append(held)
        venue.session("private").cut()
        venue.orders["filled"] |= {"orderStatus": "Filled", "cumExecQty": "0.010", "updatedTime": stamp}
        venue.orders["cancelled"] |= {"orderStatus": "Cancelled", "cancelType": "CancelByUser"}
        venue.orders["partly"] |= {"orderStatus": "PartiallyFilled", "cumExecQty": "0.003"}
        venue.executions = [
            fill_row("e1", "filled", execTime=stamp),
            fill_row("e2", "partly", execQty="0.003", execTime=stamp),
        ]
        venue.positions = [position_row(size="0", side="", seq=60)]
        await eventually(lambda: client.gateway.status is GtwStatus.Connecting)
        client.new("early")
        await client.settled("early")
        hold.set()
        await client.ready()
        assert client.listener.named("refused")[0][3] is GtwRejectCode.GtwNotReady
        assert {wire_id: report.status.name for wire_id, report in client.listener.orders.items()} == {
            "filled": "Filled",
            "cancelled": "Cancelled",
            "partly": "PartiallyFilled",
            "kept": "New",
        }
        assert sorted(client.listener.fills) == ["e1", "e2"]
        assert client.listener.named("position")[-1] == ("position", "BTCUSDT", Qty("0"))
        # A fill is told before the state that counts it.
        events = [event[:2] for event in client.listener.events]
        assert events.index(("fill", "e1")) < len(events) - 1 - events[::-1].index(("order", "filled"))


@pytest.mark.parametrize("trouble", ["garbage", "bad row", "half a frame", "close"])
async def test_a_private_message_that_is_lost_is_a_gap(venue: FakeBybit, trouble: str) -> None:
    async with Client(venue) as client:
        client.new("a")
        await eventually(lambda: "a" in client.listener.orders)
        venue.executions = [fill_row("e1", "a", execTime=str(venue.now_ms()))]
        venue.orders["a"] |= {"orderStatus": "Filled", "cumExecQty": "0.010"}
        session = venue.session("private")
        if trouble == "garbage":
            await session.send("{garbage")
        elif trouble == "bad row":
            await venue.push("execution", fill_row("e1", "a", execPrice="NaN"))
        elif trouble == "half a frame":
            session.cut(half_sent=orjson.dumps(private_frame("execution", fill_row("e1", "a"))))
        else:
            await session.close()
        await eventually(lambda: client.listener.orders["a"].status is OrderStatus.Filled)
        await client.ready()
        assert list(client.listener.fills) == ["e1"]
        assert client.listener.fills["e1"].price == Price("50000")


async def test_fills_come_in_pages(venue: FakeBybit) -> None:
    async with Client(venue) as client:
        pages = [
            {"list": [fill_row(f"e{n}", "x", execTime=str(venue.now_ms() + n))], "nextPageCursor": cursor}
            for n, cursor in enumerate(("132766%3A2%2C132766", "132766%3A3", ""))
        ]
        venue.scripts["/v5/execution/list"].extend(result(page) for page in pages)
        venue.session("private").cut()
        await eventually(lambda: len(client.listener.fills) == 3)
        await client.ready()
        asked = venue.asked("/v5/execution/list")[-3:]
        assert [params.get("cursor") for params in asked] == [None, "132766:2,132766", "132766:3"]


async def test_a_cursor_that_goes_in_circles_is_not_followed(venue: FakeBybit) -> None:
    async with Client(venue) as client:
        page = {"list": [fill_row("e1", "x", execTime=str(venue.now_ms()))], "nextPageCursor": "again"}
        venue.scripts["/v5/execution/list"].extend([result(page)] * 5)
        venue.session("private").cut()
        await eventually(lambda: client.listener.fills)
        await client.ready()
        assert len(venue.asked("/v5/execution/list")) == 3


async def test_an_endless_list_is_given_up(venue: FakeBybit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlthon.exchanges.bybit.rest._MOST_ROWS", 3)
    async with Client(venue) as client:
        for number in range(3):
            page = {"list": [order_row(f"o{number}")], "nextPageCursor": f"c{number}"}
            venue.scripts[REALTIME].append(result(page))
        client.call(client.gateway.fetch_orders, BTC)
        await eventually(lambda: client.listener.named("query refused"))
        assert "expected fewer than 3 rows" in client.listener.named("query refused")[0][3]


async def test_the_two_legs_of_a_hedge_are_one_position(venue: FakeBybit) -> None:
    async with Client(venue) as client:
        await venue.push("position", position_row(positionIdx=1, size="3"))
        await venue.push("position", position_row(positionIdx=2, size="1", side="Sell"))
        await venue.push("position", position_row(positionIdx=1, size="0", side="", seq=45))
        await eventually(lambda: len(client.listener.named("position")) == 3)
        assert [event[2] for event in client.listener.named("position")] == [Qty("3"), Qty("2"), Qty("-1")]


async def test_old_news_does_not_overwrite_new(venue: FakeBybit) -> None:
    async with Client(venue) as client:
        client.new("a")
        await eventually(lambda: "a" in client.listener.orders)
        now = venue.now_ms()
        changes: list[dict[str, str]] = [
            {"updatedTime": str(now + 9)},
            {"updatedTime": str(now + 5), "price": "50000"},  # from before the price changed
            {"updatedTime": str(now + 10), "orderStatus": "PartiallyFilled", "cumExecQty": "0.004"},
            {"updatedTime": str(now + 11), "cumExecQty": "0.002"},
            {"updatedTime": str(now + 9), "orderStatus": "Filled", "cumExecQty": "0.010"},  # an end is news
            {"updatedTime": str(now + 12), "orderStatus": "PartiallyFilled", "cumExecQty": "0.010"},
        ]
        rows = [order_row("a", **({"price": "49000"} | change)) for change in changes]
        for row in rows:
            await venue.push("order", row)
        await venue.push("wallet", wallet_row("EUR", "1"))
        await eventually(lambda: client.listener.events[-1][:2] == ("wallet", "EUR"))
        assert client.listener.about("a")[2:] == ["New", "PartiallyFilled", "Filled"]
        await venue.push("position", position_row(seq=9, size="1"), position_row(seq=8, size="5"))
        await venue.push("position", position_row(seq=9, size="2", side="Sell"))
        await eventually(
            lambda: client.listener.named("position")[-1:] == [("position", "BTCUSDT", Qty("-2"))]
        )
        assert ("position", "BTCUSDT", Qty("5")) not in client.listener.events


async def test_an_order_that_vanished_during_a_gap_is_ended(venue: FakeBybit) -> None:
    async with Client(venue) as client:
        client.new("a")
        await eventually(lambda: "a" in client.listener.orders)
        del venue.orders["a"]
        venue.session("private").cut()
        await eventually(lambda: client.listener.orders["a"].status is OrderStatus.Cancelled)
        assert "not known to the venue" in client.listener.orders["a"].reason
        await client.ready()


async def test_reconciling_goes_on_until_it_succeeds(venue: FakeBybit) -> None:
    async with Client(venue) as client:
        venue.scripts["/v5/account/wallet-balance"].extend([http(503)] * 9)
        venue.scripts["/v5/market/time"].extend([hang_up, http(200, "nonsense")])
        venue.session("private").cut()
        await eventually(lambda: client.gateway.status is GtwStatus.Connecting)
        await client.ready()
        assert not venue.scripts["/v5/account/wallet-balance"]


async def test_a_login_refused_later_is_tried_again(venue: FakeBybit) -> None:
    async with Client(venue) as client:
        venue.refuse_login = (10004, "error sign!")
        venue.session("private").cut()
        await eventually(lambda: venue.opened["private"] >= 3)
        assert client.gateway.status is GtwStatus.Connecting
        venue.refuse_login = None
        await client.ready()


async def test_payments_and_foreign_rows_are_counted_not_told(venue: FakeBybit) -> None:
    async with Client(venue) as client:
        await venue.push("execution", fill_row("f1", "", execType="Funding"))
        await venue.push("order", order_row("x", symbol="DOGEUSDT"), order_row("y", category="spot"))
        await venue.push("wallet", wallet_row("EUR", "1"))
        await eventually(lambda: client.listener.events[-1][:2] == ("wallet", "EUR"))
        assert client.listener.named("fill", "order") == []
        counts = client.gateway._reports.tally.counts
        assert counts["payment, not a fill"] == 1
        assert counts["row of an instrument that was not loaded"] == 2


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


# -- questions ---------------------------------------------------------------------------------------------------


async def test_questions_are_answered(venue: FakeBybit) -> None:
    venue.orders = {"a": order_row("a"), "b": order_row("b", orderStatus="Filled", cumExecQty="0.010")}
    async with Client(venue) as client:
        client.listener.events.clear()
        gateway = client.gateway
        for ask in (
            lambda: gateway.fetch_orders(None),
            lambda: gateway.fetch_orders(BTC),
            lambda: gateway.fetch_order_status(BTC, "b", ""),
            lambda: gateway.fetch_order_status(BTC, "", "venue-a"),
            lambda: gateway.fetch_position(BTC),
            lambda: gateway.fetch_wallet("USDT"),
            lambda: gateway.fetch_wallet("BTC"),
            gateway.fetch_account,
            lambda: gateway.fetch_funding(BTC),
            lambda: gateway.fetch_order_status(BTC, "nowhere", ""),
        ):
            before = len(client.listener.events)
            client.call(ask)
            await eventually(lambda before=before: len(client.listener.events) > before)
        told = client.listener.events
        assert told[:2] == [("orders", ["a"]), ("orders", ["a"])]
        assert [event[1].wire_id for event in told[2:4]] == ["b", "a"]
        assert told[4:9] == [
            ("position", "BTCUSDT", Qty("0")),
            ("wallet", "USDT", Qty("1000"), Qty("1000")),
            ("wallet", "BTC", Qty("0"), Qty("0")),
            ("account", "1448939"),
            ("funding", "BTCUSDT", 0.0001, 1700006400000),
        ]
        assert told[9][:3] == ("query refused", RequestKind.OrderStatus, GtwRejectCode.UnknownOrder)


async def test_questions_survive_faults_and_end_in_a_refusal_when_they_do_not(venue: FakeBybit) -> None:
    path = "/v5/user/query-api"
    async with Client(venue) as client:
        measured = len(venue.asked("/v5/market/time"))
        venue.scripts[path].extend([refusal(10006), refusal(10002), http(500)])
        client.call(client.gateway.fetch_account)
        await eventually(lambda: client.listener.named("account"))
        assert len(venue.asked(path)) == 4
        assert len(venue.asked("/v5/market/time")) == measured + 1
        for faults, code in (
            ([http(500)] * 4, GtwRejectCode.VenueFault),
            ([refusal(10005, "permission denied")], GtwRejectCode.AuthFailed),
            ([http(403)], GtwRejectCode.AuthFailed),
            ([http(200, "{")], GtwRejectCode.VenueFault),
            ([result({"userID": "nobody"})], GtwRejectCode.VenueFault),
        ):
            before = len(client.listener.events)
            venue.scripts[path].extend(faults)
            client.call(client.gateway.fetch_account)
            await eventually(lambda before=before: len(client.listener.events) > before)
            assert client.listener.events[-1][:3] == ("query refused", RequestKind.AccountInfo, code)
            assert not venue.scripts[path]


async def test_fills_of_one_order_are_asked_for_until_they_come(venue: FakeBybit) -> None:
    venue.executions = [
        fill_row("e2", "a", execTime="5"),
        fill_row("e1", "a", execTime="3"),
        fill_row("e3", "b"),
    ]
    async with Client(venue) as client:
        client.listener.fills.clear()
        venue.scripts["/v5/execution/list"].extend([http(500)] * 6)
        client.call(client.gateway.recover_fills, BTC, "a", "venue-a")
        client.call(client.gateway.recover_fills, BTC, "a", "venue-a")  # asked once at a time
        await eventually(lambda: len(client.listener.fills) == 2)
        assert list(client.listener.fills) == ["e1", "e2"]


async def test_rate_limits_are_told_when_they_begin_to_matter(venue: FakeBybit) -> None:
    left = iter([8, 5, 4, 1, 0, 9])

    async def answer(session: Session, message: Json) -> None:
        header = {
            "X-Bapi-Limit": "10",
            "X-Bapi-Limit-Status": str(next(left)),
            "X-Bapi-Limit-Reset-Timestamp": "1700000000999",
        }
        await venue.answer(session, message, 110001, "no", header=header)

    async with Client(venue) as client:
        venue.on_trade = answer
        for number in range(6):
            client.cancel(f"c{number}")
            await client.settled(f"c{number}")
        reset = 1700000000999
        assert client.listener.named("rate limit") == [
            ("rate limit", 10, 5, reset),
            ("rate limit", 10, 1, reset),
            ("rate limit", 10, 0, reset),
        ]
        headers = {"X-Bapi-Limit": "50", "X-Bapi-Limit-Status": "1", "X-Bapi-Limit-Reset-Timestamp": "7"}
        venue.scripts["/v5/user/query-api"].append(result({"userID": 1}, headers))
        client.call(client.gateway.fetch_account)
        await eventually(lambda: client.listener.named("account"))
        assert client.listener.named("rate limit")[-1] == ("rate limit", 50, 1, 7)


# -- the end -----------------------------------------------------------------------------------------------------


async def test_closing_leaves_no_request_without_an_answer(venue: FakeBybit) -> None:
    venue.on_trade = say_nothing
    client = Client(venue)
    async with client:
        client.new("a")
        client.cancel("b")
        venue.scripts["/v5/order/cancel-all"].append(never)
        client.call(client.gateway.send_cancel_all, BTC)
        await eventually(lambda: venue.asked("/v5/order/cancel-all"))
    refused = client.listener.named("refused", "cancel-all refused")
    assert len(refused) == 3
    assert all("the fate is unknown" in event[-1] for event in refused)
    assert client.gateway.status is GtwStatus.Connecting


async def test_secrets_are_shown_nowhere(venue: FakeBybit, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with Client(venue) as client:
        client.new("a")
        await client.settled("a")
        venue.refuse_login = (10003, "invalid")
        venue.session("private").cut()
        venue.session("trade").cut()
        await eventually(lambda: venue.opened["private"] >= 3)
        shown = (
            caplog.text
            + repr(client.connector.__dict__)
            + repr(venue.config())
            + repr(client.gateway.__dict__)
        )
        shown += repr(client.connector._rest.__dict__)
    assert SECRET not in shown
    assert "the-key" not in shown
