"""Gaps in what Bybit tells an account: what was missed is found out, and old news is told from new."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from bybit_messages import fill_row, order_row, position_row, private_frame, wallet_row
from fake_bybit import FakeBybit, eventually, hang_up, http, result
from gateway_client import BTC, Client

from mlthon.basics.defs import GtwRejectCode, GtwStatus, OrderStatus
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty

REALTIME = "/v5/order/realtime"


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


async def test_an_answer_from_before_the_first_trade_does_not_overwrite_it(venue: FakeBybit) -> None:
    """Of what was never traded the venue says number -1; an answer may be overtaken by the stream."""
    async with Client(venue) as client:
        told = client.listener.named
        await venue.push("position", position_row(size="3", seq=44))
        await eventually(lambda: told("position"))
        venue.positions = [position_row(size="0", side="", seq=-1)]
        client.call(client.gateway.fetch_position, BTC)
        await eventually(lambda: len(told("position")) == 2)
        venue.positions = [position_row(size="0", side="", seq=45)]
        client.call(client.gateway.fetch_position, BTC)
        await eventually(lambda: len(told("position")) == 3)
        unnumbered = position_row(size="2")
        del unnumbered["seq"]
        await venue.push("position", unnumbered)
        await eventually(lambda: len(told("position")) == 4)
        assert [event[2] for event in told("position")] == [Qty("3"), Qty("3"), Qty("0"), Qty("2")]


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
        assert "no longer knows" in client.listener.orders["a"].reason
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
