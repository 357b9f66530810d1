"""The Bybit gateway on a venue that behaves: connecting, requests, questions, the end."""

from __future__ import annotations

import logging
import time

import pytest
from bybit_messages import fill_row, order_row, position_row
from fake_bybit import KEY, SECRET, FakeBybit, Session, eventually, http, never, refusal, result
from gateway_client import BTC, Client

from mlthon.basics.defs import ExecInstructions, GtwRejectCode, GtwStatus, OrderStatus
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.engine.ports import RequestKind
from mlthon.errors import ConfigError, UsageError, VenueRefusal, VenueUnreachable
from mlthon.exchanges.bybit import BybitConnector
from mlthon.exchanges.bybit.codec.fields import Json

REALTIME = "/v5/order/realtime"


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


async def test_a_refused_subscription_is_named_as_one(venue: FakeBybit) -> None:
    venue.refused_topics["order"] = "no permission"
    client = Client(venue)
    await client.connector.load_instruments()
    with pytest.raises(VenueRefusal, match=r"bybit: subscription: .*no permission"):
        await client.gateway.connect()
    await client.connector.close()


async def test_a_venue_that_cannot_be_asked_is_not_ready(venue: FakeBybit) -> None:
    client = Client(venue, ready_timeout_ms=2_000)
    await client.connector.load_instruments()
    venue.scripts["/v5/order/realtime"].extend([http(502)] * 2_000)
    with pytest.raises(VenueUnreachable, match=r"not ready within 2 s: reconciliation failed: .*HTTP 502"):
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
    venue.on_trade = venue.say_nothing
    client = Client(venue)
    async with client:
        client.new("a")
        client.cancel("b")
        venue.scripts["/v5/order/cancel-all"].append(never)
        client.call(client.gateway.send_cancel_all, BTC)
        await eventually(lambda: venue.asked("/v5/order/cancel-all"))
        client.call(client.gateway.fetch_account)
        client.call(client.gateway.send_cancel_all, BTC)  # closed before the first step of either
    assert len(client.listener.named("query refused")) == 1
    refused = client.listener.named("refused", "cancel-all refused")
    assert len(refused) == 4
    assert all("the fate is unknown" in event[-1] for event in refused)
    assert client.gateway.status is GtwStatus.Connecting


async def test_secrets_are_shown_nowhere(venue: FakeBybit, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with Client(venue) as client:
        client.new("a")
        await client.settled("a")
        venue.refuse_login = (10004, f"error sign! origin_string[{KEY}]")
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
