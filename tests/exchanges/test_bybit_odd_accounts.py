"""What a venue should not do: be silent on a live stream, set its clock, tell of other orders what makes no sense."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from bybit_messages import fill_row, order_row, position_row, wallet_row
from fake_bybit import FakeBybit, Session, eventually, refusal, result
from gateway_client import Client

from mlthon.basics.defs import GtwRejectCode, GtwStatus, OrderStatus
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.errors import DecodeError
from mlthon.exchanges.bybit.codec.account import decode_balances, decode_position
from mlthon.exchanges.bybit.codec.fields import Json
from mlthon.instruments.perpetual import Perpetual

REALTIME = "/v5/order/realtime"
HOUR_MS = 3_600_000


def compared(venue: FakeBybit) -> int:
    """How often all open orders were asked for."""
    return sum("orderLinkId" not in params for params in venue.asked(REALTIME))


@pytest.mark.parametrize("end", ["Filled", "Cancelled", "PartiallyFilled"])
async def test_what_a_stream_keeps_to_itself_is_found_out(venue: FakeBybit, end: str) -> None:
    async with Client(venue, account_every_ms=50) as client:
        client.new("a")
        await eventually(lambda: "a" in client.listener.orders)
        traded = "0" if end == "Cancelled" else "0.010" if end == "Filled" else "0.004"
        venue.orders["a"] |= {"orderStatus": end, "cumExecQty": traded}
        if traded != "0":
            venue.executions = [fill_row("e1", "a", execQty=traded, execTime=str(venue.now_ms()))]
        await eventually(lambda: client.listener.orders["a"].status.name == end)
        await client.ready()
        assert len(client.listener.fills) == (traded != "0")
        statuses = [event[1] for event in client.listener.named("status")]
        assert statuses == [GtwStatus.ReadyToTrade, GtwStatus.Connecting, GtwStatus.ReadyToTrade]
        asked = compared(venue)
        await eventually(lambda: compared(venue) > asked or end != "PartiallyFilled")
        assert venue.opened["private"] == 2  # what was found out is known: the new stream is kept


async def test_a_position_and_a_balance_that_were_not_told_are_told(venue: FakeBybit) -> None:
    async with Client(venue, account_every_ms=50) as client:
        venue.positions = [position_row(size="3", seq=50)]
        venue.wallets = [wallet_row("USDT", "77")]
        told = client.listener.named
        await eventually(lambda: ("position", "BTCUSDT", Qty("3")) in told("position"))
        await eventually(lambda: told("wallet")[-1][1:3] == ("USDT", Qty("77")))
        venue.positions = [position_row(size="0", side="", seq=60)]
        await eventually(lambda: told("position")[-1] == ("position", "BTCUSDT", Qty("0")))
        count = len(client.listener.events)
        asked = len(venue.asked("/v5/account/wallet-balance"))
        await eventually(lambda: len(venue.asked("/v5/account/wallet-balance")) > asked + 2)
        assert len(client.listener.events) == count  # what is told is not told again
        assert venue.opened["private"] == 1


async def test_news_on_its_way_costs_no_stream(venue: FakeBybit) -> None:
    async with Client(venue, account_every_ms=50) as client:
        client.new("a")
        client.new("b")
        await eventually(lambda: len(client.listener.orders) == 2)
        asked = compared(venue)
        venue.orders["a"] |= {"orderStatus": "Cancelled", "cancelType": "CancelByUser"}
        await eventually(lambda: compared(venue) > asked)
        await venue.push("order", venue.orders["a"])
        asked = compared(venue)
        await eventually(lambda: compared(venue) > asked + 1)
        assert client.listener.orders["a"].status is OrderStatus.Cancelled
        assert venue.opened["private"] == 1


async def test_a_list_that_lacks_an_open_order_costs_no_stream(venue: FakeBybit) -> None:
    async with Client(venue, account_every_ms=50) as client:
        client.new("a")
        await eventually(lambda: "a" in client.listener.orders)
        venue.scripts[REALTIME].append(result({"list": []}))
        await eventually(lambda: any("orderLinkId" in params for params in venue.asked(REALTIME)))
        asked = compared(venue)
        await eventually(lambda: compared(venue) > asked)
        assert venue.opened["private"] == 1


async def test_a_change_is_seen_though_the_venue_has_set_its_clock_back(venue: FakeBybit) -> None:
    async def amend(session: Session, message: Json) -> None:
        if message["op"] == "order.amend":
            venue.clock_offset_ms = -HOUR_MS
        await venue.take(session, message)

    venue.on_trade = amend
    async with Client(venue, recv_window_ms=60_000, request_timeout_ms=100) as client:
        client.new("a")
        await eventually(lambda: "a" in client.listener.orders)
        client.modify("a", price="49000")
        await client.settled("a", times=2)
        assert client.listener.about("a") == ["NewOrder accepted", "New", "ModifyOrder accepted", "New"]
        assert client.listener.orders["a"].price == Price("49000")
        row = order_row(
            "a", orderStatus="PartiallyFilled", cumExecQty="0.004", updatedTime=str(venue.now_ms())
        )
        await venue.push("order", row)
        await eventually(lambda: client.listener.orders["a"].status is OrderStatus.PartiallyFilled)


async def test_a_fill_with_a_stamp_from_the_future_hides_none_in_the_gap(venue: FakeBybit) -> None:
    async with Client(venue) as client:
        await venue.push("execution", fill_row("e1", "a", execTime=str(venue.now_ms() + 5 * HOUR_MS)))
        await eventually(lambda: "e1" in client.listener.fills)
        venue.executions = [fill_row("e2", "b", execTime=str(venue.now_ms()))]
        venue.session("private").cut()
        await eventually(lambda: "e2" in client.listener.fills)
        await client.ready()


@pytest.mark.parametrize(
    ("margin", "available"),
    [
        ("1.0000000000000000001", "8.999999999999999999"),
        ("1.00000000000000000000", "9"),
        ("1.5", "8.5"),
        ("", "10"),
    ],
)
def test_a_margin_finer_than_a_quantity_is_rounded_up(margin: str, available: str) -> None:
    row = wallet_row("USDT", "10")
    row["coin"][0] |= {"locked": "", "totalOrderIM": "", "totalPositionIM": margin}
    ((balance,), _) = decode_balances([row], "row")
    assert (balance.total, balance.available) == (Qty("10"), Qty(available))


@pytest.mark.parametrize("margin", ["-1", "1.0000000000000000000x", "x.0000000000000000000", "1e400"])
def test_a_margin_that_is_no_number_is_refused(margin: str) -> None:
    row = wallet_row("USDT", "10")
    row["coin"][0] |= {"totalPositionIM": margin}
    balances, (error,) = decode_balances([row], "row")
    assert balances == []
    assert "totalPositionIM: expected" in error


@pytest.mark.parametrize("leg", [-1, 3, 10**12])
def test_a_position_has_one_of_three_legs(leg: int) -> None:
    with pytest.raises(DecodeError, match="positionIdx: expected 0, 1 or 2"):
        decode_position(position_row(positionIdx=leg), Perpetual(), "row")


@pytest.mark.parametrize(
    "odd", [{"orderStatus": "Pondering"}, {"price": f"0.{'1' * 30}"}, {"qty": "-1"}, {"side": None}]
)
async def test_an_odd_order_of_somebody_else_keeps_nobody_from_trading(
    venue: FakeBybit, odd: dict[str, str]
) -> None:
    async with Client(venue) as client:
        venue.orders["theirs"] = order_row("theirs", **odd)
        venue.orders["illegible"] = order_row("illegible", **odd, orderLinkId=["x"], orderId={})
        venue.executions = [fill_row("e1", "theirs", execPrice="-1", execTime=str(venue.now_ms()))]
        await venue.push("order", venue.orders["theirs"])
        client.new("a")
        await client.settled("a")
        assert venue.opened["private"] == 1
        venue.session("private").cut()
        await eventually(lambda: client.gateway.status is GtwStatus.Connecting)
        await client.ready()
        assert client.connector._queries.tally.counts.total() >= 1


async def test_an_error_of_ours_while_asking_is_told_and_asking_goes_on(
    venue: FakeBybit, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Client(venue) as client:
        told: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        tell_wallet = client.listener.on_wallet

        def fail_once(*balance: Any) -> None:
            monkeypatch.setattr(client.listener, "on_wallet", tell_wallet)
            raise RuntimeError("cannot cope")

        monkeypatch.setattr(client.listener, "on_wallet", fail_once)
        venue.session("private").cut()
        await eventually(lambda: client.gateway.status is GtwStatus.Connecting)
        await client.ready()
        assert [str(context["exception"]) for context in told] == ["cannot cope"]


@pytest.mark.parametrize("illegible", [{}, {"orderLinkId": ["a"]}, {"orderId": None, "orderLinkId": ""}])
async def test_an_odd_row_that_may_be_about_our_order_costs_the_stream(
    venue: FakeBybit, illegible: dict[str, Any]
) -> None:
    async with Client(venue) as client:
        client.new("a")
        await eventually(lambda: "a" in client.listener.orders)
        await venue.push("order", order_row("a", qty="-1") | illegible)
        await eventually(lambda: venue.opened["private"] == 2)
        await client.ready()


async def test_an_odd_row_of_our_own_order_is_named_and_asked_for_and_trading_goes_on(
    venue: FakeBybit, caplog: pytest.LogCaptureFixture
) -> None:
    async with Client(venue) as client:
        client.new("a")
        await eventually(lambda: "a" in client.listener.orders)
        venue.orders["a"] |= {"cumExecQty": "-1"}
        venue.session("private").cut()
        await eventually(lambda: "cumExecQty: expected 0 or more" in client.gateway._not_ready)
        await client.ready()
        assert client.listener.about("a") == ["NewOrder accepted", "New"]  # nothing is guessed
        assert "what became of order a is not known" in caplog.text
        client.new("b")
        await eventually(lambda: "b" in client.listener.orders)
        venue.orders["a"] |= {"cumExecQty": "0", "orderStatus": "Cancelled", "cancelType": "CancelByAdmin"}
        await eventually(lambda: client.listener.orders["a"].status is OrderStatus.Cancelled)


async def test_an_order_in_what_is_no_longer_listed_keeps_nobody_from_trading(venue: FakeBybit) -> None:
    async with Client(venue) as client:
        client.new("a")
        await eventually(lambda: "a" in client.listener.orders)
        del venue.orders["a"]
        unheard_of = refusal(10001, "symbol invalid")
        venue.scripts[REALTIME].extend([result({"list": []}), result({"list": []}), unheard_of] * 3)
        venue.session("private").cut()
        await eventually(lambda: client.gateway.status is GtwStatus.Connecting)
        await client.ready()
        assert client.listener.about("a") == ["NewOrder accepted", "New"]
        await eventually(lambda: client.listener.orders["a"].status is OrderStatus.Cancelled)


async def test_a_position_that_makes_no_sense_stops_new_orders_in_it_alone(venue: FakeBybit) -> None:
    async with Client(venue, account_every_ms=50) as client:
        venue.positions = [position_row(size="-3")]
        await venue.push("position", position_row(size="-3"))
        await eventually(lambda: client.gateway._reports.unclear)
        client.new("a")
        client.new("closing", close_position=True)
        await client.settled("a", "closing")
        (_, kind, _, code, why) = client.listener.named("refused")[0]
        assert (kind.name, code) == ("NewOrder", GtwRejectCode.GtwNotReady)
        assert why.startswith(
            "the position in byt:perp:BTC-USDT is not known: position.data[0].size: expected 0"
        )
        assert client.listener.about("closing")[0] == "NewOrder accepted"
        venue.session("private").cut()
        await eventually(lambda: client.gateway.status is GtwStatus.Connecting)
        await client.ready()
        client.new("b")
        await client.settled("b")
        assert client.listener.about("b") == ["NewOrder refused"]
        venue.positions = [position_row(size="3")]
        told = client.listener.named
        await eventually(lambda: ("position", "BTCUSDT", Qty("3")) in told("position"))
        client.new("c")
        await client.settled("c")
        assert client.listener.about("c")[0] == "NewOrder accepted"


async def test_a_position_that_is_not_known_and_is_flat_then_is_known_again(venue: FakeBybit) -> None:
    async with Client(venue, account_every_ms=20) as client:
        venue.positions = [position_row(side="", size="0")]
        await venue.push("position", position_row(side="Upwards"))
        await eventually(lambda: client.gateway._reports.unclear)
        await eventually(
            lambda: not client.gateway._reports.unclear
        )  # the venue, asked for it, has a flat one


async def test_a_venue_that_numbers_positions_anew_is_believed(venue: FakeBybit) -> None:
    async with Client(venue, account_every_ms=20) as client:
        told = client.listener.named
        await venue.push("position", position_row(size="3", seq=10**12))
        await eventually(lambda: told("position")[-1:] == [("position", "BTCUSDT", Qty("3"))])
        venue.positions = [position_row(size="1", seq=5)]
        await eventually(lambda: told("position")[-1] == ("position", "BTCUSDT", Qty("1")))


async def test_a_balance_that_makes_no_sense_stops_nothing(
    venue: FakeBybit, caplog: pytest.LogCaptureFixture
) -> None:
    odd = wallet_row("SHIB", f"0.{'1' * 19}")
    venue.wallets = [odd, wallet_row("USDT", "7")]
    async with Client(venue) as client:
        assert client.listener.named("wallet") == [("wallet", "USDT", Qty("7"), Qty("7"))]
        await venue.push("wallet", odd, wallet_row("USDT", "8"))
        await eventually(lambda: client.listener.named("wallet")[-1][2] == Qty("8"))
        client.gateway.fetch_wallet("SHIB")
        await eventually(lambda: client.listener.named("query refused"))
        assert venue.opened["private"] == 1
    assert caplog.text.count("a balance that makes no sense is passed over: SHIB") == 2


async def test_words_that_the_venue_has_added_are_no_reason_to_lose_the_stream(venue: FakeBybit) -> None:
    async with Client(venue) as client:
        await venue.push("order", order_row("theirs", timeInForce="GoodTillLunch", orderType="Haggle"))
        await eventually(lambda: "theirs" in client.listener.orders)
        assert venue.opened["private"] == 1
