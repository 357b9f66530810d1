"""Cards BY-F: faults on purpose, each alone, and what the connector makes of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from bybit_client import Stage
from card import card
from trading_desk import IMPATIENT, LINEAR, Desk

from mlthon.api.istrat_env import MDSub
from mlthon.basics.defs import Exchange, FeedHandlerStatus, GtwRejectCode, GtwStatus
from mlthon.basics.qty import Qty
from mlthon.venues.bybit.faults import BybitFaults
from mlthon.venues.faults import read_plan

OpenDesk = Callable[..., Awaitable[Desk]]
BYBIT = Exchange.Bybit
ACK, FILL, END = "on_new_order_ack", "on_order_execution", "on_order_cancelled"


def with_faults(*faults: str) -> Stage:
    return Stage.of_all_products(faults=BybitFaults(read_plan(f"faults: [{', '.join(faults)}]", "card")))


async def story_of_a_fill(open_desk: OpenDesk, *faults: str, gap: bool = False) -> None:
    """Have an order filled while all these faults come about: its story is what it would be without them.

    With a `gap` the private stream is lost in between; without, the next order goes as if nothing had been.
    """
    plan = BybitFaults(read_plan(f"faults: [{', '.join(faults)}]", "card"))
    desk = await open_desk(Stage.of_all_products(faults=plan), **IMPATIENT)
    desk.order("1", price="60000.1", qty="1")
    await desk.wait(FILL, client_id="1", leaves_qty=Qty("0"))
    await desk.until(lambda: sum(plan.counts.values()) >= len(faults), f"all of {faults}, got {plan.counts}")
    if gap:
        await desk.wait("on_gateway_status", status=GtwStatus.Connecting)
        await desk.wait("on_gateway_status", status=GtwStatus.ReadyToTrade)
    else:
        await desk.resting("2")
    assert desk.story("1") == [ACK, FILL]


@card("BY-F01")
async def test_drop(open_desk: OpenDesk) -> None:
    """An execution that is dropped is asked for."""
    await story_of_a_fill(open_desk, "{fault: drop, channel: private, kind: execution, nth: 1}")


@card("BY-F02")
async def test_delay(open_desk: OpenDesk) -> None:
    """Private news that is late by 100 ms makes the same story."""
    await story_of_a_fill(open_desk, "{fault: delay, channel: private, delay_ms: 100, nth: 2}")


@card("BY-F03")
async def test_reorder(open_desk: OpenDesk) -> None:
    """Private news in another order makes the same story."""
    await story_of_a_fill(open_desk, "{fault: reorder, channel: private, kind: execution, behind: 1, nth: 1}")


@card("BY-F04")
async def test_truncate(open_desk: OpenDesk) -> None:
    """A truncated message ends the private stream; what it said is found out."""
    await story_of_a_fill(open_desk, "{fault: truncate, channel: private, kind: order, nth: 1}", gap=True)


@card("BY-F05")
async def test_corrupt(open_desk: OpenDesk) -> None:
    """A corrupt message ends the private stream; what it said is found out."""
    await story_of_a_fill(open_desk, "{fault: corrupt, channel: private, kind: execution, nth: 1}", gap=True)


@card("BY-F06")
async def test_refused_login(open_desk: OpenDesk) -> None:
    """A login that is refused by a venue in trouble is tried again."""
    await story_of_a_fill(
        open_desk,
        "{fault: disconnect, channels: [private], after: {channel: trade, kind: order.create}, nth: 1}",
        "{fault: refuse_login, channel: private, code: 10016, text: later, nth: 2}",
        gap=True,
    )


@card("BY-F07")
async def test_http_errors(open_desk: OpenDesk) -> None:
    """Questions after a gap that are answered by HTTP 503 are asked again."""
    await story_of_a_fill(
        open_desk,
        "{fault: disconnect, channels: [private], after: {channel: trade, kind: order.create}, nth: 1}",
        "{fault: http_error, channel: rest, kind: execution.list, status: 503, nth: 4}",
        gap=True,
    )


@card("BY-F08")
async def test_hang(open_desk: OpenDesk) -> None:
    """On a trade stream that hangs, what arrived is told by the private stream, and what did not is refused."""
    stage = with_faults("{fault: hang, channel: trade, kind: order.create, nth: 1}")
    desk = await open_desk(stage, **IMPATIENT)
    await desk.resting("1")
    desk.order("2")
    await desk.wait("on_new_order_reject", client_id="2", reject_code=GtwRejectCode.VenueFault)
    assert len(stage.exchange.open_orders(stage.alice)) == 1


@card("BY-F09")
async def test_restart(open_desk: OpenDesk) -> None:
    """A restart just after an order was taken loses nothing of it."""
    await story_of_a_fill(
        open_desk, "{fault: restart, after: {channel: trade, kind: order.create}, nth: 1}", gap=True
    )


@card("BY-F10")
async def test_fill_while_disconnected(open_desk: OpenDesk) -> None:
    """An order that is filled while the private stream is out of reach is told filled before ReadyToTrade."""
    fault = "{fault: fill_while_disconnected, after: {channel: trade, kind: order.create}, nth: 1}"
    desk = await open_desk(with_faults(fault))
    desk.order("1")
    fill = await desk.wait(FILL, client_id="1", leaves_qty=Qty("0"))
    ready = await desk.wait("on_gateway_status", status=GtwStatus.ReadyToTrade)
    assert desk.calls.index(fill) < desk.calls.index(ready)
    assert desk.story("1") == [ACK, FILL]


@card("BY-F11")
async def test_throttle(open_desk: OpenDesk) -> None:
    """An order that the venue throttles is refused with RateLimited, and was not carried out."""
    desk = await open_desk(with_faults("{fault: throttle, channel: trade, kind: order.create, nth: 1}"))
    desk.order("1")
    await desk.wait("on_new_order_reject", client_id="1", reject_code=GtwRejectCode.RateLimited)
    assert desk.stage.exchange.open_orders(desk.stage.alice) == []


@card("BY-F12")
async def test_lost_book_change(open_desk: OpenDesk) -> None:
    """A dropped change of a book is noticed by the next one, and the book fetched anew."""
    fault = "{fault: drop, channel: public, kind: orderbook.50.BTCUSDT, nth: 3}"
    desk = await open_desk(with_faults(fault), subs=[MDSub.PriceLevelBook], instruments=[LINEAR])
    for price in ("59999.7", "59999.6", "59999.5", "59999.4"):
        desk.stage.depth([(price, "1")], [])
    await desk.wait("on_feed_handler_status", status=FeedHandlerStatus.Disconnected)
    await desk.wait("on_feed_handler_status", status=FeedHandlerStatus.SnapshotEnd)


@card("BY-F20")
async def test_a_lost_ack(open_desk: OpenDesk) -> None:
    """A fault plan that loses an ack but keeps the order: the connector finds the order, and tells it once."""
    desk = await open_desk(with_faults("{fault: lose_ack, nth: 1}"), **IMPATIENT)
    await desk.resting("1")
    desk.cancel("1")
    await desk.wait("on_order_cancelled", client_id="1", unsolicited=False)
    assert desk.story("1").count(ACK) == 1


@card("BY-F21")
async def test_repeated_news(open_desk: OpenDesk) -> None:
    """A fault plan that repeats every private message changes nothing in the story of an order."""
    desk = await open_desk(with_faults("{fault: duplicate, channel: private, probability: 1.0}"))
    desk.order("1", price="60000.1", qty="1")
    await desk.wait(FILL, client_id="1", leaves_qty=Qty("0"))
    await desk.resting("2")
    assert desk.story("1") == [ACK, FILL]


@card("BY-F22")
async def test_a_cut_within_a_message(open_desk: OpenDesk) -> None:
    """A fault plan that cuts the private stream within a message: what the message told is found out."""
    desk = await open_desk(with_faults("{fault: cut, channel: private, kind: order, nth: 1}"))
    desk.order("1", price="60000.1", qty="1")
    await desk.wait(FILL, client_id="1", leaves_qty=Qty("0"))
    assert desk.story("1") == [ACK, FILL]


@card("BY-F23")
async def test_a_refusal_that_is_none(open_desk: OpenDesk) -> None:
    """A request that the venue refuses though it carried it out is found out to be carried out."""
    desk = await open_desk(
        with_faults("{fault: refuse, channel: trade, direction: out, code: 10016, nth: 1}")
    )
    await desk.resting("1")
    assert desk.story("1") == [ACK]
    desk.env.fetch_order_status(BYBIT, LINEAR, "1")
    await desk.wait("on_order_status", client_ord_id="1")
