"""Cards BY-R: what is found out after a gap, and what becomes of requests whose answer is lost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from bybit_client import Client
from card import card
from trading_desk import IMPATIENT, SPOT, Desk

from mlthon.basics.defs import Exchange, GtwRejectCode, GtwStatus, Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty

OpenDesk = Callable[..., Awaitable[Desk]]
BYBIT = Exchange.Bybit
BTC = {"category": "linear", "symbol": "BTCUSDT"}
ACK, FILL, END = "on_new_order_ack", "on_order_execution", "on_order_cancelled"
CONNECTING, READY = GtwStatus.Connecting, GtwStatus.ReadyToTrade


@pytest.fixture
async def hasty(open_desk: OpenDesk) -> Desk:
    """A desk that does not wait long for an answer before it asks."""
    return await open_desk(**IMPATIENT)


async def told_in_the_gap(desk: Desk, what_happens: Callable[[], object]) -> list[str]:
    """Close the private stream off, let something happen, reconnect; returns what was told up to ReadyToTrade."""
    desk.wire.close_off("private")
    gap = await desk.wait("on_gateway_status", status=CONNECTING)
    happening = what_happens()
    if isinstance(happening, Awaitable):
        await happening
    desk.wire.refused.clear()
    ready = await desk.wait("on_gateway_status", status=READY)
    calls = desk.calls[desk.calls.index(gap) + 1 : desk.calls.index(ready)]
    return [call.name for call in calls]


def drop_answers(desk: Desk) -> None:
    """From now on nothing is heard of requests: neither their answers, nor what the streams say of them."""
    desk.wire.hold("trade")
    desk.wire.hold("private")


@card("BY-R01")
async def test_lost_connection(desk: Desk) -> None:
    """A gap in the private stream is told as Connecting, and ended by ReadyToTrade once all is known again."""
    desk.wire.cut("private")
    await desk.wait("on_gateway_status", status=CONNECTING)
    await desk.wait("on_gateway_status", status=READY)
    await desk.resting("1")


@card("BY-R02")
async def test_fill_while_disconnected(desk: Desk) -> None:
    """A fill in the gap is told, once, before ReadyToTrade, with the position that it left."""
    desk.empty_bid()
    await desk.resting("1", price="60000.0", qty="1")
    told = await told_in_the_gap(desk, lambda: desk.sell("60000.0", "0.4"))
    assert told.count(FILL) == 1
    assert "on_position_info" in told
    assert desk.named("on_position_info")[-1].position == Qty("0.4")
    desk.sell("60000.0", "0.6")
    await desk.wait(FILL, client_id="1", leaves_qty=Qty("0"))
    assert desk.story("1") == [ACK, FILL, FILL]


@card("BY-R03")
async def test_end_while_disconnected(desk: Desk) -> None:
    """An order that ends in the gap is told as cancelled before ReadyToTrade, after the fills it had there."""
    desk.empty_bid()
    await desk.resting("1", price="60000.0", qty="1")

    async def fill_and_cancel() -> None:
        desk.sell("60000.0", "0.4")
        (order,) = desk.stage.exchange.open_orders(desk.stage.alice)
        hand = Client(desk.wire.http, desk.wire.venue)
        await hand.post("/v5/order/cancel", **BTC, orderLinkId=order.link_id)

    told = await told_in_the_gap(desk, fill_and_cancel)
    assert [name for name in told if name in (FILL, END)] == [FILL, END]
    assert desk.story("1") == [ACK, FILL, END]


@card("BY-R04")
async def test_nothing_told_twice(desk: Desk) -> None:
    """What was told before the gap is not told again after it."""
    desk.order("1", price="60000.1", qty="1")
    await desk.wait(FILL, client_id="1")
    await desk.resting("2")
    await told_in_the_gap(desk, lambda: None)
    await desk.resting("3")
    assert [desk.story(client_id) for client_id in ("1", "2", "3")] == [[ACK, FILL], [ACK], [ACK]]


@card("BY-R05")
async def test_balances_after_a_gap(desk: Desk) -> None:
    """Balances that changed in the gap are told before ReadyToTrade."""
    await desk.resting("1", SPOT, Side.Sell, "60500", "1")
    told = await told_in_the_gap(desk, lambda: desk.stage.trade(Side.Buy, "60500", "9", symbol="BTC/USDT"))
    assert "on_wallet_info" in told
    for coin in ("BTC", "USDT"):
        balance = [call.total_balance for call in desk.named("on_wallet_info") if call.coin == coin][-1]
        assert str(balance) == str(desk.stage.alice.wallet(coin).balance)


@card("BY-R06")
async def test_requests_in_a_gap(desk: Desk) -> None:
    """While the gateway is Connecting requests are refused with GtwNotReady, and nothing is sent."""
    desk.wire.close_off("private")
    await desk.wait("on_gateway_status", status=CONNECTING)
    desk.order("1")
    await desk.wait("on_new_order_reject", client_id="1", reject_code=GtwRejectCode.GtwNotReady)
    assert desk.stage.exchange.open_orders(desk.stage.alice) == []


@card("BY-R07")
async def test_nonsense_on_the_private_stream(desk: Desk) -> None:
    """A private message that cannot be understood ends the connection: what it was about is asked for."""
    desk.wire.to_client["private"] = lambda message: (
        [message | {"data": "?"}] if "topic" in message else [message]
    )
    desk.order("1", price="60000.1", qty="1")
    await desk.wait("on_gateway_status", status=CONNECTING)
    del desk.wire.to_client["private"]
    await desk.wait("on_gateway_status", status=READY)
    await desk.wait(FILL, client_id="1", leaves_qty=Qty("0"))
    assert desk.story("1") == [ACK, FILL]


@card("BY-R08")
async def test_venue_restart(desk: Desk) -> None:
    """After a restart of the venue everything is connected again, and open orders are still known."""
    await desk.resting("1")
    desk.stage.venue.restart()
    await desk.wait("on_gateway_status", status=CONNECTING)
    await desk.wait("on_gateway_status", status=READY)
    desk.cancel("1")
    await desk.wait(END, client_id="1", unsolicited=False)


@card("BY-R09")
async def test_maintenance(hasty: Desk) -> None:
    """Maintenance is told as such; it ends with ReadyToTrade, and an order it has swallowed is rejected then."""
    hasty.stage.venue.begin_maintenance("Upgrade")
    hasty.order("1")
    await hasty.wait("on_gateway_status", status=GtwStatus.Maintenance)
    hasty.stage.venue.end_maintenance()
    await hasty.wait("on_gateway_status", status=READY)
    await hasty.wait("on_new_order_reject", client_id="1")
    await hasty.resting("2")


@card("BY-R10")
async def test_a_stream_that_tells_nothing(open_desk: OpenDesk) -> None:
    """A private stream that is alive and tells nothing is noticed: a fill that it kept to itself is told, once."""
    desk = await open_desk(account_every_ms=100, **IMPATIENT)
    desk.empty_bid()
    await desk.resting("1", price="60000.0", qty="1")
    desk.wire.to_client["private"] = lambda message: [] if "topic" in message else [message]
    desk.sell("60000.0", "1")
    await desk.wait(FILL, client_id="1", leaves_qty=Qty("0"))
    assert desk.story("1") == [ACK, FILL]
    await desk.wait("on_gateway_status", status=READY)


# -- requests whose fate is unknown ---------------------------------------------------------------------------------


@card("BY-R20")
async def test_lost_answer_of_a_new_order(hasty: Desk) -> None:
    """A new order whose answer is lost but which the venue has is found by asking, and acknowledged."""
    drop_answers(hasty)
    hasty.order("1")
    await hasty.until(lambda: hasty.stage.exchange.open_orders(hasty.stage.alice))
    await hasty.wait(ACK, client_id="1")
    assert hasty.story("1") == [ACK]


@card("BY-R21")
async def test_connection_lost_after_send(hasty: Desk) -> None:
    """A new order on whose answer both connections are lost is found after the gap, and acknowledged."""
    drop_answers(hasty)
    hasty.order("1")
    await hasty.until(lambda: hasty.stage.exchange.open_orders(hasty.stage.alice))
    hasty.wire.to_client.clear()
    hasty.wire.cut("trade")
    hasty.wire.cut("private")
    await hasty.wait(ACK, client_id="1")
    await hasty.wait("on_gateway_status", status=READY)
    assert hasty.story("1") == [ACK]


@card("BY-R22")
async def test_lost_new_order(hasty: Desk) -> None:
    """A new order that never reached the venue is rejected with VenueFault, after asking, and never sent again."""
    hasty.wire.to_venue["trade"] = lambda message: []
    hasty.order("1")
    await hasty.wait("on_new_order_reject", client_id="1", reject_code=GtwRejectCode.VenueFault)
    assert hasty.story("1") == ["on_new_order_reject"]
    assert hasty.stage.exchange.recent_orders(hasty.stage.alice) == []


@pytest.mark.parametrize("code", [10000, 10016])
@card("BY-R23")
async def test_a_fault_that_says_nothing(hasty: Desk, code: int) -> None:
    """An answer that leaves the fate open (10000, 10016) is resolved by asking: here the venue has the order."""
    hasty.wire.to_client["trade"] = lambda message: [message | {"retCode": code, "retMsg": "Server error"}]
    hasty.order("1")
    await hasty.wait(ACK, client_id="1")
    hasty.cancel("1")
    await hasty.wait(END, client_id="1")
    assert "on_new_order_reject" not in hasty.story("1")


@card("BY-R24")
async def test_lost_answer_of_a_modify(hasty: Desk) -> None:
    """A change whose answer is lost is acknowledged when the venue's order shows it."""
    await hasty.resting("1")
    drop_answers(hasty)
    hasty.modify("1", price="59100")
    await hasty.wait("on_modify_order_ack", client_id="1", new_price=Price("59100"))


@card("BY-R25")
async def test_lost_modify(hasty: Desk) -> None:
    """A change that never reached the venue is rejected, after asking; the order stands as it was."""
    await hasty.resting("1")
    hasty.wire.to_venue["trade"] = lambda message: []
    hasty.modify("1", price="59100")
    await hasty.wait("on_modify_order_reject", client_id="1")
    (order,) = hasty.stage.exchange.open_orders(hasty.stage.alice)
    assert order.price == Price("59000")


@card("BY-R26")
async def test_lost_answer_of_a_cancel(hasty: Desk) -> None:
    """A cancel whose answer is lost is acknowledged, and the order ended, by asking."""
    await hasty.resting("1")
    drop_answers(hasty)
    hasty.cancel("1")
    await hasty.wait(END, client_id="1", unsolicited=False)
    assert hasty.story("1")[-1] == END


@card("BY-R27")
async def test_lost_cancel(hasty: Desk) -> None:
    """A cancel that never reached the venue is rejected, after asking; the order is still open."""
    await hasty.resting("1")
    hasty.wire.to_venue["trade"] = lambda message: []
    hasty.cancel("1")
    await hasty.wait("on_cancel_order_reject", nullable_client_id="1")
    assert len(hasty.stage.exchange.open_orders(hasty.stage.alice)) == 1


@card("BY-R28")
async def test_trade_stream_down(hasty: Desk) -> None:
    """While the trade stream is down orders and cancels go by REST."""
    await hasty.resting("1")
    hasty.wire.close_off("trade")
    await hasty.until(lambda: hasty.wire.turned_away["trade"])  # it is known to be down
    hasty.cancel("1")
    await hasty.wait(END, client_id="1", unsolicited=False)
    assert hasty.wire.asked["/v5/order/cancel"] == 1
