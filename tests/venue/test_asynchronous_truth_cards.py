"""Cards BY-A: one consistent story of every order, whatever comes in whichever order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from bybit_client import Client, Json, Stage
from card import card
from trading_desk import INVERSE, LINEAR, SPOT, Desk

from mlthon.basics.defs import CancelCode, Exchange, GtwRejectCode, Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty

OpenDesk = Callable[..., Awaitable[Desk]]
BYBIT = Exchange.Bybit
BTC = {"category": "linear", "symbol": "BTCUSDT"}
ACK, FILL, END = "on_new_order_ack", "on_order_execution", "on_order_cancelled"


def by_hand(desk: Desk) -> Client:
    """Somebody who trades on the same account, past the connector."""
    return Client(desk.wire.http, desk.wire.venue)


async def held_until_filled(desk: Desk) -> list[Json]:
    """Send an order that fills in two parts while the private stream is held; returns what it has said."""
    held = desk.wire.hold("private")
    desk.order("1", price="60000.2", qty="4")
    await desk.until(
        lambda: sum(m["topic"] == "execution" for m in held) == 2 and held[-1]["topic"] == "wallet"
    )
    return held


async def settled(desk: Desk) -> None:
    """Wait until what has been sent has been read: by an answer that comes after it on every stream."""
    desk.order("marker", price="50000", qty="0.1")
    await desk.wait(ACK, client_id="marker")


@card("BY-A01")
async def test_an_answer_is_no_ack(desk: Desk) -> None:
    """The venue's answer to a request acknowledges nothing: the order stream does."""
    answers: list[Json] = []
    desk.wire.to_client["trade"] = lambda message: [answers.append(message) or message]
    held = desk.wire.hold("private")
    desk.order("1")
    await desk.until(lambda: answers and held)
    desk.env.fetch_account_info(BYBIT)
    await desk.wait("on_account_info")
    assert desk.story("1") == []
    await desk.wire.release("private", held)
    await desk.wait(ACK, client_id="1")


@card("BY-A02")
async def test_fill_before_ack(desk: Desk) -> None:
    """A fill that is told before its order is told after the order's ack."""
    held = await held_until_filled(desk)
    await desk.wire.release("private", sorted(held, key=lambda message: message["topic"] != "execution"))
    await desk.wait(FILL, client_id="1", leaves_qty=Qty("0"))
    assert desk.story("1") == [ACK, FILL, FILL]


@card("BY-A03")
async def test_report_before_answer(desk: Desk) -> None:
    """An order that is reported before its request is answered is acknowledged once."""
    held = desk.wire.hold("trade")
    await desk.resting("1")
    await desk.wire.release("trade", held)
    await settled(desk)
    assert desk.story("1") == [ACK]


@card("BY-A04")
async def test_everything_twice(desk: Desk) -> None:
    """Messages that come twice are told once."""
    desk.wire.to_client["private"] = desk.wire.to_client["trade"] = lambda message: [message, message]
    desk.empty_bid()
    await desk.resting("1", price="60000.0", qty="1")
    desk.sell("60000.0", "0.4")
    await desk.wait(FILL, client_id="1")
    desk.cancel("1")
    await desk.wait(END, client_id="1")
    await settled(desk)
    assert desk.story("1") == [ACK, FILL, "on_cancel_order_ack", END]


@card("BY-A05")
async def test_everything_backwards(desk: Desk) -> None:
    """Messages in the wrong order make the same story: an older state is never told after a newer one."""
    held = await held_until_filled(desk)
    await desk.wire.release("private", held[::-1])
    await desk.wait(FILL, client_id="1", leaves_qty=Qty("0"))
    await settled(desk)
    fills = desk.named(FILL)
    assert desk.story("1") == [ACK, FILL, FILL]
    assert sorted((fill.price, fill.fill_qty) for fill in fills) == [
        (Price("60000.1"), Qty("3")),
        (Price("60000.2"), Qty("1")),
    ]


@card("BY-A06")
async def test_a_cancel_that_races_a_fill(desk: Desk) -> None:
    """A cancel that comes after the fill is refused with TooLate, and the order ends by its fill."""
    desk.empty_bid()
    await desk.resting("1", price="60000.0", qty="1")
    held = desk.wire.hold("private")
    desk.sell("60000.0", "1")
    desk.cancel("1")
    await desk.wait("on_cancel_order_reject", nullable_client_id="1", reject_code=GtwRejectCode.TooLate)
    await desk.wire.release("private", held)
    await desk.wait(FILL, client_id="1", leaves_qty=Qty("0"))
    await settled(desk)
    assert desk.story("1") == [ACK, FILL]


@card("BY-A07")
async def test_an_echo_of_the_fill(desk: Desk) -> None:
    """A second Filled message that refuses a late cancel is no second fill and no cancel."""
    desk.empty_bid()
    await desk.resting("1", price="60000.0", qty="1")
    filled: list[Json] = []

    def note(message: Json) -> list[Json]:
        filled.extend([message] if message["topic"] == "order" else [])
        return [message]

    desk.wire.to_client["private"] = note
    desk.sell("60000.0", "1")
    await desk.wait(FILL, client_id="1")
    echo = {"cancelType": "CancelByUser", "rejectReason": "EC_OrigClOrdIDDoesNotExist"}
    await desk.wire.send("private", filled[0] | {"data": [filled[0]["data"][0] | echo]})
    await settled(desk)
    assert desk.story("1") == [ACK, FILL]


@card("BY-A08")
async def test_modify_after_fill(desk: Desk) -> None:
    """A change of an order that is filled already is refused with TooLate."""
    desk.empty_bid()
    await desk.resting("1", price="60000.0", qty="1")
    held = desk.wire.hold("private")
    desk.sell("60000.0", "1")
    desk.modify("1", price="59990")
    await desk.wait("on_modify_order_reject", client_id="1", reject_code=GtwRejectCode.TooLate)
    await desk.wire.release("private", held)
    await desk.wait(FILL, client_id="1", leaves_qty=Qty("0"))


@card("BY-A09")
async def test_partial_fill_then_cancel(desk: Desk) -> None:
    """A cancelled order that has traded tells its fills, then its end, in contracts and in spot alike."""
    for client_id, instrument, price in (
        ("1", LINEAR, "60000.0"),
        ("2", INVERSE, "60000"),
        ("3", SPOT, "59990"),
    ):
        qty, part = ("300", "100") if instrument == INVERSE else ("0.3", "0.1")
        desk.empty_bid(instrument, price)
        await desk.resting(client_id, instrument, price=price, qty=qty)
        desk.sell(price, part, instrument)
        await desk.wait(FILL, client_id=client_id, fill_qty=Qty(part))
        desk.cancel(client_id, instrument)
        await desk.wait(END, client_id=client_id, unsolicited=False)
        assert desk.story(client_id) == [ACK, FILL, "on_cancel_order_ack", END]


@card("BY-A10")
async def test_lost_execution(desk: Desk) -> None:
    """A fill that the stream does not tell is asked for, and told once, before the order's end."""
    desk.wire.to_client["private"] = lambda message: [] if message["topic"] == "execution" else [message]
    desk.order("1", price="60000.1", qty="1")
    await desk.wait(FILL, client_id="1", leaves_qty=Qty("0"))
    await settled(desk)
    assert desk.story("1") == [ACK, FILL]


@card("BY-A11")
async def test_self_trade(desk: Desk) -> None:
    """An order that the venue ends to prevent a self-trade is cancelled, unsolicited, with SelfTradePrevention."""
    desk.stage.depth([("60000.0", "0"), ("59999.9", "0")], [])
    await desk.resting("1", price="59950", qty="1")
    order = {**BTC, "side": "Sell", "orderType": "Limit", "qty": "0.5", "price": "59950"}
    assert (await by_hand(desk).post("/v5/order/create", **order, smpType="CancelMaker"))["retCode"] == 0
    await desk.wait(END, client_id="1", unsolicited=True, cancel_code=CancelCode.SelfTradePrevention)


@card("BY-A12")
async def test_orders_not_ours(desk: Desk) -> None:
    """Orders that the strategy has not sent are not told, but they are listed, and the position follows them."""
    hand = by_hand(desk)
    await hand.place(orderType="Market", qty="0.5")
    await hand.place(price="58000", qty="0.5")
    await desk.wait("on_position_info", instrument_id=desk.id_of(LINEAR), position=Qty("0.5"))
    desk.env.fetch_orders_info(BYBIT, LINEAR)
    listed = await desk.wait("on_orders_info")
    assert len(listed.orders) == 1
    assert desk.named(ACK, FILL, END) == []


@card("BY-A13")
async def test_cancelled_by_somebody_else(desk: Desk) -> None:
    """An order that somebody else cancels ends unsolicited."""
    await desk.resting("1")
    (order,) = desk.stage.exchange.open_orders(desk.stage.alice)
    await by_hand(desk).post("/v5/order/cancel", **BTC, orderLinkId=order.link_id)
    await desk.wait(END, client_id="1", unsolicited=True)


@card("BY-A14")
async def test_liquidation(open_desk: OpenDesk) -> None:
    """A liquidation ends the open orders, unsolicited, and the position that is left is told."""
    stage = Stage(deposits={"USDT": Qty("5000")})
    desk = await open_desk(stage, instruments=[LINEAR], categories=("linear",))
    desk.order("1", price="60000.1", qty="0.5")
    await desk.wait(FILL, client_id="1")
    await desk.resting("2", price="40000", qty="0.1")
    stage.depth([("50000", "5")], [("50000.1", "5")], is_snapshot=True)
    await desk.wait(END, client_id="2", unsolicited=True)
    await desk.wait("on_position_info", instrument_id=desk.id_of(LINEAR), position=Qty("0"))
    assert desk.story("1") == [ACK, FILL]


@card("BY-A15")
async def test_deleveraging(desk: Desk) -> None:
    """A deleveraging trades for an order that is nobody's: the position follows, no order is told."""
    desk.order("1", price="60000.1", qty="0.5")
    await desk.wait(FILL, client_id="1")
    await desk.wait("on_position_info", position=Qty("0.5"))

    def as_deleveraging(message: Json) -> list[Json]:
        if message["topic"] == "execution":
            message["data"][0] |= {"execType": "AdlTrade", "orderLinkId": ""}
        return [message]

    desk.wire.to_client["private"] = as_deleveraging
    await by_hand(desk).place(side="Sell", orderType="Market", qty="0.5")
    await desk.wait("on_position_info", instrument_id=desk.id_of(LINEAR), position=Qty("0"))
    assert desk.story("1") == [ACK, FILL]
    assert len(desk.named(FILL)) == 1


@card("BY-A16")
async def test_a_refusal_in_the_venues_words(desk: Desk) -> None:
    """What the venue refuses is rejected with its own words."""
    refusal = {"retCode": 110007, "retMsg": "the venue's own words"}
    desk.wire.to_client["trade"] = lambda message: [message | refusal]
    desk.wire.to_venue["trade"] = lambda message: [message | {"args": [message["args"][0] | {"qty": "0"}]}]
    desk.order("1")
    reject = await desk.wait(
        "on_new_order_reject", client_id="1", reject_code=GtwRejectCode.InsufficientFunds
    )
    assert "the venue's own words" in reject.reject_reason
    assert desk.story("1") == ["on_new_order_reject"]


@card("BY-A17")
async def test_sides(desk: Desk) -> None:
    """Executions carry the order's own side, whoever took."""
    desk.empty_bid()
    await desk.resting("1", price="60000.0", qty="0.2")
    desk.sell("60000.0", "0.2")
    desk.order("2", side=Side.Sell, price="59999.9", qty="0.2")
    await desk.wait(FILL, client_id="1", side=Side.Buy)
    await desk.wait(FILL, client_id="2", side=Side.Sell)
