"""What Bybit tells late, twice, only in part, or about orders that nobody placed."""

from __future__ import annotations

import asyncio
import logging

import pytest
from bybit_messages import fill_row, order_row, position_row
from fake_bybit import FakeBybit, Session, eventually, result
from gateway_client import BTC, Client

from mlthon.basics.defs import CancelCode, GtwRejectCode, GtwStatus, OrderStatus
from mlthon.basics.qty import Qty
from mlthon.engine.ports import RequestKind
from mlthon.exchanges.bybit.codec.fields import Json

REALTIME, HISTORY, EXECUTIONS = "/v5/order/realtime", "/v5/order/history", "/v5/execution/list"


async def open_order(client: Client, wire_id: str) -> None:
    client.new(wire_id)
    await eventually(lambda: wire_id in client.listener.orders)


# -- lists that lag behind ---------------------------------------------------------------------------------------


async def test_an_order_that_is_in_neither_list_yet_is_looked_for(venue: FakeBybit) -> None:
    async with Client(venue) as client:
        await open_order(client, "a")
        ended = venue.orders.pop("a") | {"orderStatus": "Filled", "cumExecQty": "0.010"}
        asked = len(venue.asked(HISTORY))
        venue.session("private").cut()
        await eventually(lambda: len(venue.asked(HISTORY)) >= asked + 2, "asked more than once")
        assert client.listener.orders["a"].status is OrderStatus.New
        venue.orders["a"] = ended | {"updatedTime": str(venue.now_ms())}
        await client.ready()
        assert client.listener.orders["a"].status is OrderStatus.Filled


async def test_an_order_that_is_heard_of_while_it_is_looked_for_is_not_told_dead(venue: FakeBybit) -> None:
    async with Client(venue) as client:
        await open_order(client, "a")
        row = venue.orders.pop("a")
        asked = len(venue.asked(HISTORY))
        venue.session("private").cut()
        await eventually(lambda: len(venue.asked(HISTORY)) > asked)
        await venue.push("order", row | {"price": "49999.0", "updatedTime": str(venue.now_ms())})
        await client.ready()
        assert client.listener.about("a") == ["NewOrder accepted", "New", "New"]


async def test_a_refusal_that_says_an_order_has_ended_is_looked_into(venue: FakeBybit) -> None:
    async def refuse(session: Session, message: Json) -> None:
        await venue.answer(session, message, 110001, "order not exists or too late to cancel")

    async with Client(venue) as client:
        await open_order(client, "a")
        venue.orders["a"] |= {"orderStatus": "Filled", "cumExecQty": "0.010"}  # and nobody tells
        venue.on_trade = refuse
        client.cancel("a")
        await client.settled("a", times=2)
        client.modify("a", price="48000")
        await eventually(lambda: client.listener.orders["a"].status is OrderStatus.Filled)
        await eventually(lambda: client.listener.answers.total() == 3)


async def test_executions_of_a_long_gap_are_asked_for_a_week_at_a_time(venue: FakeBybit) -> None:
    day_ms = 24 * 3_600 * 1_000
    async with Client(venue) as client:
        now_ms = venue.now_ms()
        client.gateway._reports.last_fill_ms = now_ms - 16 * day_ms
        venue.executions = [
            fill_row(f"e{days}", "x", execTime=str(now_ms - days * day_ms)) for days in (1, 15, 8)
        ]
        venue.session("private").cut()
        await eventually(lambda: client.gateway.status is GtwStatus.Connecting)
        await client.ready()
        assert list(dict.fromkeys(event[1] for event in client.listener.named("fill"))) == ["e15", "e8", "e1"]
        asked = [(int(each["startTime"]), int(each["endTime"])) for each in venue.asked(EXECUTIONS)[-3:]]
        assert all(end - start == 7 * day_ms for start, end in asked)
        assert [start for start, _ in asked[1:]] == [end for _, end in asked[:-1]]  # no hole between them
        assert asked[0][0] < now_ms - 16 * day_ms
        assert asked[-1][1] >= now_ms


@pytest.mark.parametrize("how", ["refused", "presumed gone"])
async def test_an_order_that_turns_up_after_it_was_told_dead_is_cancelled(venue: FakeBybit, how: str) -> None:
    async def lose(session: Session, message: Json) -> None:
        if how == "presumed gone":
            await venue.answer(session, message)

    async with Client(venue) as client:
        venue.on_trade = lose
        client.new("a")
        if how == "refused":
            await client.settled("a")
        else:
            await eventually(lambda: "a" in client.listener.orders)
        told = client.listener.about("a")
        venue.on_trade = venue.take
        venue.orders["a"] = order_row("a", updatedTime=str(venue.now_ms()))
        await venue.push("order", venue.orders["a"])
        await eventually(lambda: venue.orders["a"]["orderStatus"] == "Cancelled")
        await eventually(lambda: client.gateway._entry.is_pending("a") is False)
        assert told[-1] in ("NewOrder refused", "Rejected")
        answers = client.listener.answers
        assert answers[RequestKind.NewOrder, "a"] == 1
        assert answers[RequestKind.CancelOrder, "a"] == 0  # nobody asked for it


async def test_a_refused_order_that_is_alive_is_cancelled(venue: FakeBybit) -> None:
    """The venue refuses a copy of a request before it answers the request itself."""

    async def contradict(session: Session, message: Json) -> None:
        if message["op"] == "order.create":
            await venue.answer(session, message, 20006, "duplicate reqId")
            venue.on_trade = venue.take
        await venue.take(session, message)

    async with Client(venue) as client:
        venue.on_trade = contradict
        client.new("a")
        await eventually(lambda: venue.orders.get("a", {}).get("orderStatus") == "Cancelled")
        (refused,) = client.listener.named("refused")
        assert refused[3] is GtwRejectCode.DuplicateClientId


async def test_fills_that_an_open_order_counts_are_asked_for(
    venue: FakeBybit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlthon.exchanges.bybit.loose_ends._FILLS_LATE_S", 0.05)
    async with Client(venue) as client:
        await open_order(client, "a")
        partly = {"orderStatus": "PartiallyFilled", "cumExecQty": "0.004", "updatedTime": str(venue.now_ms())}
        venue.scripts[EXECUTIONS].append(result({"list": []}))  # not listed yet
        await venue.push("order", order_row("a", **partly))
        await eventually(lambda: not venue.scripts[EXECUTIONS])
        venue.executions = [fill_row("e1", "a", execQty="0.004")]
        await eventually(lambda: list(client.listener.fills) == ["e1"])
        asked = len(venue.asked(EXECUTIONS))
        await venue.push("order", order_row("a", **partly))
        await eventually(lambda: client.listener.about("a").count("PartiallyFilled") == 2)
        assert not client.gateway._reports._known.lacks_fills("a")
        assert len(venue.asked(EXECUTIONS)) == asked


# -- ends --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "status", "cum_qty", "code"),
    [
        (
            {"orderStatus": "Cancelled", "cancelType": "CancelBySmp"},
            "Cancelled",
            "0",
            CancelCode.SelfTradePrevention,
        ),
        (
            {"orderStatus": "Cancelled", "rejectReason": "EC_BySelfMatch"},
            "Cancelled",
            "0",
            CancelCode.SelfTradePrevention,
        ),
        (
            {"orderStatus": "Cancelled", "cancelType": "CancelByUser", "leavesQty": ""},
            "Cancelled",
            "0",
            CancelCode.CanceledByUser,
        ),
        (
            {"orderStatus": "PartiallyFilledCanceled", "cumExecQty": "0.004"},
            "Cancelled",
            "0.004",
            CancelCode.Unset,
        ),
        ({"orderStatus": "Rejected", "cumExecQty": "0.005"}, "Cancelled", "0.005", CancelCode.Unset),
        (
            {"orderStatus": "Rejected", "rejectReason": "EC_PostOnlyWillTakeLiquidity"},
            "Rejected",
            "0",
            CancelCode.Unset,
        ),
        (
            {"orderStatus": "Cancelled", "rejectReason": "EC_PostOnlyWillTakeLiquidity"},
            "Rejected",
            "0",
            CancelCode.Unset,
        ),
        ({"orderStatus": "Deactivated"}, "Cancelled", "0", CancelCode.Unset),
    ],
)
async def test_how_an_order_ends(
    venue: FakeBybit, row: dict[str, str], status: str, cum_qty: str, code: CancelCode
) -> None:
    async with Client(venue) as client:
        await open_order(client, "a")
        await venue.push("order", order_row("a", **row))
        await eventually(lambda: client.listener.about("a")[-1] == status)
        report = client.listener.orders["a"]
        assert (report.cum_qty, report.cancel_code) == (Qty(cum_qty), code)
        if row.get("rejectReason", "").startswith("EC_Post"):
            assert report.reject_code is GtwRejectCode.PostOnlyWouldCross


async def test_what_the_venue_trades_for_the_account_changes_its_position_and_is_announced(
    venue: FakeBybit, caplog: pytest.LogCaptureFixture
) -> None:
    async with Client(venue) as client:
        await venue.push("position", position_row(size="0.5", seq=50))
        with caplog.at_level(logging.WARNING):
            row = fill_row("e1", "", execType="BustTrade", side="Sell", execQty="0.5", orderId="liq-1")
            await venue.push("execution", row)
            await venue.push("position", position_row(size="0", side="", seq=51))
            await eventually(
                lambda: client.listener.named("position")[-1:] == [("position", "BTCUSDT", Qty("0"))]
            )
        assert "the venue traded for the account: BustTrade: Sell 0.50000000 BTCUSDT" in caplog.text
        (fill,) = client.listener.fills.values()
        assert fill.wire_id == ""  # an engine knows no order for it


# -- the clock ---------------------------------------------------------------------------------------------------


async def test_requests_bear_the_venue_s_time_when_our_clock_is_set(venue: FakeBybit) -> None:
    async with Client(venue) as client:
        client.step_ns = 3_600 * 1_000_000_000
        clock = client.gateway._clock
        client.new("a")
        await client.settled("a")
        stamp = int(venue.session("trade").received[1]["header"]["X-BAPI-TIMESTAMP"])
        assert abs(stamp - venue.now_ms()) < 1_000
        assert abs(clock.at_ms(clock.local_ns()) - venue.now_ms()) < 1_000


async def test_the_clock_is_measured_again_and_again(venue: FakeBybit) -> None:
    async with Client(venue, clock_every_ms=20) as client:
        venue.clock_offset_ms = 5_000
        await eventually(lambda: abs(client.gateway._clock.now_ms() - venue.now_ms()) < 1_000)


async def test_a_login_that_is_refused_for_its_time_succeeds_in_the_end(venue: FakeBybit) -> None:
    async with Client(venue) as client:
        venue.clock_offset_ms = 60_000
        venue.session("private").cut()
        await eventually(lambda: client.gateway.status is GtwStatus.Connecting)
        await client.ready()


async def test_a_slow_answer_about_the_time_is_not_trusted_alone(
    venue: FakeBybit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlthon.exchanges.bybit.rest._GOOD_ROUND_TRIP_NS", 0)
    client = Client(venue)
    await client.connector._rest.measure_clock()
    assert len(venue.asked("/v5/market/time")) == 3
    await client.connector.close()


async def test_many_modifies_and_a_cancel_of_one_order_each_get_an_answer(venue: FakeBybit) -> None:
    async with Client(venue) as client:
        await open_order(client, "a")
        for price in ("49000", "48000"):
            client.modify("a", price=price)
        client.cancel("a")
        await eventually(lambda: client.listener.answers.total() == 4)
        await asyncio.sleep(0)
        assert client.listener.orders["a"].status is OrderStatus.Cancelled
        assert not client.gateway._entry.is_pending("a")
        assert client.gateway._entry._by_req_id == {}


async def test_orders_of_others_are_listed_and_not_mixed_up_with_ours(venue: FakeBybit) -> None:
    async with Client(venue) as client:
        await open_order(client, "a")
        await venue.push("order", order_row("", orderId="theirs"))
        await venue.push("execution", fill_row("e9", "", orderId="theirs"))
        await eventually(lambda: "e9" in client.listener.fills)
        assert client.listener.orders["a"].status is OrderStatus.New
        venue.orders["x"] = order_row("", orderId="theirs")
        client.call(client.gateway.fetch_orders, BTC)
        await eventually(lambda: client.listener.named("orders"))
        assert sorted(client.listener.named("orders")[0][1]) == ["", "a"]
