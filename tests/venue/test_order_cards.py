"""Cards BY-O: what a strategy can ask of the venue, and how it is answered."""

from __future__ import annotations

from bybit_client import Client
from card import card
from trading_desk import INVERSE, LINEAR, SPOT, Desk

from mlthon.basics.defs import TIF, CancelCode, Exchange, GtwRejectCode, Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty

BYBIT = Exchange.Bybit


# -- new orders -----------------------------------------------------------------------------------------------------


@card("BY-O01")
async def test_limit_order(desk: Desk) -> None:
    """A limit order is acknowledged with the venue's id, price and quantity, and rests."""
    ack = await desk.resting("1")
    (resting,) = desk.stage.exchange.open_orders(desk.stage.alice)
    assert (ack.side, ack.price, ack.qty) == (Side.Buy, Price("59000"), Qty("0.5"))
    assert ack.exchange_id.endswith(f"{resting.order_id:x}")


@card("BY-O02")
async def test_ioc(desk: Desk) -> None:
    """An IOC order fills what it can at once, and the rest is cancelled."""
    desk.order("1", price="60000.1", qty="5", tif=TIF.IOC)
    fill = await desk.wait("on_order_execution", client_id="1")
    assert (fill.price, fill.fill_qty, fill.leaves_qty) == (Price("60000.1"), Qty("3"), Qty("2"))
    await desk.wait("on_order_cancelled", client_id="1", unsolicited=True)
    assert desk.story("1") == ["on_new_order_ack", "on_order_execution", "on_order_cancelled"]


@card("BY-O03")
async def test_fok(desk: Desk) -> None:
    """A FOK order fills whole or is cancelled without a fill."""
    desk.order("1", price="60000.1", qty="5", tif=TIF.FOK)
    await desk.wait("on_order_cancelled", client_id="1", unsolicited=True)
    desk.order("2", price="60000.1", qty="3", tif=TIF.FOK)
    fill = await desk.wait("on_order_execution", client_id="2")
    assert (fill.fill_qty, fill.leaves_qty) == (Qty("3"), Qty("0"))
    assert desk.story("1") == ["on_new_order_ack", "on_order_cancelled"]


@card("BY-O04")
async def test_post_only_rests(desk: Desk) -> None:
    """A post-only order that does not cross rests, and is filled as a maker."""
    await desk.resting("1", price="60000.0", qty="0.5", post_only=True)
    desk.empty_bid()
    desk.sell("60000.0", "0.5")
    await desk.wait("on_order_execution", client_id="1", leaves_qty=Qty("0"))
    (fill,) = desk.stage.exchange.fills(desk.stage.alice)
    assert fill.is_maker


@card("BY-O05")
async def test_post_only_crosses(desk: Desk) -> None:
    """A post-only order that would cross is rejected with PostOnlyWouldCross, in contracts and in spot alike."""
    for number, instrument in enumerate((LINEAR, INVERSE, SPOT)):
        qty = "100" if instrument == INVERSE else "0.1"
        desk.order(f"{number}", instrument, price="60500", qty=qty, post_only=True)
        await desk.wait(
            "on_new_order_reject", client_id=f"{number}", reject_code=GtwRejectCode.PostOnlyWouldCross
        )
        assert desk.story(f"{number}") == ["on_new_order_reject"]


@card("BY-O06")
async def test_market_order(desk: Desk) -> None:
    """A market order takes what is there, and its price is not asked for."""
    desk.order("1", price=None, qty="3.5")
    first = await desk.wait("on_order_execution", client_id="1")
    second = await desk.wait("on_order_execution", client_id="1")
    assert [(fill.price, fill.fill_qty) for fill in (first, second)] == [
        (Price("60000.1"), Qty("3")),
        (Price("60000.2"), Qty("0.5")),
    ]
    assert second.leaves_qty == Qty("0")


@card("BY-O07")
async def test_close_position(desk: Desk) -> None:
    """An order that closes a position never opens or turns one: what exceeds the position is not traded."""
    desk.order("1", price=None, qty="0.5")
    await desk.wait("on_order_execution", client_id="1")
    desk.order("2", side=Side.Sell, price="60000.0", qty="0.8", close=True)
    fill = await desk.wait("on_order_execution", client_id="2")
    assert fill.fill_qty == Qty("0.5")
    assert desk.stage.alice.position("BTCUSDT").size == Qty("0")


@card("BY-O08")
async def test_close_position_without_one(desk: Desk) -> None:
    """An order that closes a position where there is none is refused with ReduceOnlyRefused."""
    desk.order("1", close=True)
    await desk.wait("on_new_order_reject", client_id="1", reject_code=GtwRejectCode.ReduceOnlyRefused)


# -- changes and cancels --------------------------------------------------------------------------------------------


@card("BY-O10")
async def test_modify_price(desk: Desk) -> None:
    """A new price is acknowledged once the venue's order has it."""
    await desk.resting("1")
    desk.modify("1", price="59100")
    ack = await desk.wait("on_modify_order_ack", client_id="1")
    assert (ack.new_price, ack.leaves_qty) == (Price("59100"), Qty("0.5"))
    (order,) = desk.stage.exchange.open_orders(desk.stage.alice)
    assert order.price == Price("59100")


@card("BY-O11")
async def test_modify_qty(desk: Desk) -> None:
    """A new quantity is the order's whole quantity, what is filled already included."""
    await desk.resting("1", price="60000.0", qty="1")
    desk.empty_bid()
    desk.sell("60000.0", "0.4")
    await desk.wait("on_order_execution", client_id="1", leaves_qty=Qty("0.6"))
    desk.modify("1", qty="0.9")
    ack = await desk.wait("on_modify_order_ack", client_id="1")
    assert (ack.new_qty, ack.leaves_qty) == (Qty("0.9"), Qty("0.5"))


@card("BY-O12")
async def test_modify_both(desk: Desk) -> None:
    """Price and quantity change in one request, with one answer."""
    await desk.resting("1")
    desk.modify("1", price="58000", qty="0.7")
    await desk.wait("on_modify_order_ack", client_id="1")
    (order,) = desk.stage.exchange.open_orders(desk.stage.alice)
    assert (order.price, order.qty) == (Price("58000"), Qty("0.7"))
    assert desk.story("1") == ["on_new_order_ack", "on_modify_order_ack"]


@card("BY-O13")
async def test_place_in_the_queue(desk: Desk) -> None:
    """An order that shrinks keeps its place in the queue; one that grows, or moves, goes to its end."""
    exchange, alice = desk.stage.exchange, desk.stage.alice
    await desk.resting("1", price="60000.0", qty="1")
    desk.stage.depth([("60000.0", "7")], [])  # four more came after it
    (order,) = exchange.open_orders(alice)
    ahead = exchange.qty_ahead(order)
    desk.modify("1", qty="0.5")
    await desk.wait("on_modify_order_ack", client_id="1")
    assert exchange.qty_ahead(exchange.open_orders(alice)[0]) == ahead
    desk.modify("1", qty="1.5")
    await desk.wait("on_modify_order_ack", client_id="1")
    assert exchange.qty_ahead(exchange.open_orders(alice)[0]) > ahead


@card("BY-O14")
async def test_cancel(desk: Desk) -> None:
    """A cancel is acknowledged, and the order ends as cancelled by its user, solicited."""
    await desk.resting("1")
    desk.cancel("1")
    await desk.wait("on_cancel_order_ack", client_id="1")
    await desk.wait(
        "on_order_cancelled", client_id="1", unsolicited=False, cancel_code=CancelCode.CanceledByUser
    )
    assert desk.stage.exchange.open_orders(desk.stage.alice) == []


@card("BY-O15")
async def test_cancel_all(desk: Desk) -> None:
    """Cancel-all ends every order on the instrument, the account's others included, and none on another."""
    for client_id in ("1", "2", "3"):
        await desk.resting(client_id)
    await desk.resting("4", SPOT)
    await Client(desk.wire.http, desk.wire.venue).place(orderLinkId="somebody-elses")
    desk.env.send_cancel_all(BYBIT, LINEAR)
    await desk.wait("on_cancel_all_ack", instrument_id=desk.id_of(LINEAR))
    for client_id in ("1", "2", "3"):
        await desk.wait("on_order_cancelled", client_id=client_id)
    assert [order.symbol for order in desk.stage.exchange.open_orders(desk.stage.alice)] == ["BTC/USDT"]


@card("BY-O16")
async def test_cancel_of_nothing(desk: Desk) -> None:
    """A cancel of an order that never was, or has ended, is refused: UnknownOrder, TooLate."""
    desk.cancel("99")
    await desk.wait("on_cancel_order_reject", reject_code=GtwRejectCode.UnknownOrder)
    desk.order("1", price=None, qty="0.5")
    await desk.wait("on_order_execution", client_id="1")
    desk.cancel("1")
    await desk.wait("on_cancel_order_reject", reject_code=GtwRejectCode.TooLate)


# -- questions ------------------------------------------------------------------------------------------------------


@card("BY-O20")
async def test_order_status(desk: Desk) -> None:
    """The status of an order is the venue's own."""
    await desk.resting("1")
    desk.env.fetch_order_status(BYBIT, LINEAR, "1")
    status = await desk.wait("on_order_status", client_ord_id="1")
    assert (status.price, status.leaves_qty, status.side) == (Price("59000"), Qty("0.5"), Side.Buy)


@card("BY-O21")
async def test_orders_info(desk: Desk) -> None:
    """The list of open orders has every order of the account, of all categories, whoever sent it."""
    await desk.resting("1")
    await desk.resting("2", SPOT)
    await Client(desk.wire.http, desk.wire.venue).place(price="58000")
    desk.env.fetch_orders_info(BYBIT)
    listed = await desk.wait("on_orders_info")
    assert len(listed.orders) == 3


@card("BY-O22")
async def test_position(desk: Desk) -> None:
    """A position is signed, and in the contract's own quantity unit."""
    desk.order("1", side=Side.Sell, price=None, qty="0.5")
    desk.order("2", INVERSE, price=None, qty="300")
    for client_id, instrument, position in (("1", LINEAR, "-0.5"), ("2", INVERSE, "300")):
        await desk.wait("on_order_execution", client_id=client_id)
        desk.env.fetch_position_info(BYBIT, instrument)
        await desk.wait("on_position_info", instrument_id=desk.id_of(instrument), position=Qty(position))


@card("BY-O23", unsupported="spot leaves balances, no position")
async def test_spot_position(desk: Desk) -> None:
    """The position in a spot pair can be asked for."""
    desk.env.fetch_position_info(BYBIT, SPOT)
    await desk.wait("on_unsupported_op", unsupported_msg_type="PositionInfo")


@card("BY-O24")
async def test_wallet(desk: Desk) -> None:
    """A balance is told whole and as far as nothing holds it."""
    await desk.resting("1", SPOT, price="59000", qty="1")
    desk.env.fetch_wallet_info(BYBIT, "USDT")
    await desk.wait(
        "on_wallet_info", coin="USDT", total_balance=Qty("1000000"), available_balance=Qty("941000")
    )


@card("BY-O25")
async def test_account(desk: Desk) -> None:
    """The account is told by its number."""
    desk.env.fetch_account_info(BYBIT)
    assert (await desk.wait("on_account_info")).user_id


@card("BY-O26")
async def test_funding(desk: Desk) -> None:
    """The next funding of a perpetual is told: its rate, and when it is due."""
    desk.env.fetch_funding_info(BYBIT, INVERSE)
    told = await desk.wait("on_funding_info", instrument_id=desk.id_of(INVERSE))
    assert told.funding_rate == 0.0001
    assert told.next_funding_ts * 1_000_000 == desk.stage.exchange.funding_due_ns("BTCUSD")


@card("BY-O27", unsupported="spot is not funded")
async def test_spot_funding(desk: Desk) -> None:
    """The funding of a spot pair can be asked for."""
    desk.env.fetch_funding_info(BYBIT, SPOT)
    await desk.wait("on_unsupported_op", unsupported_msg_type="FundingInfo")


# -- refusals -------------------------------------------------------------------------------------------------------


async def refused(desk: Desk, code: GtwRejectCode, **order: object) -> str:
    """Send an order that is refused before anything is sent; returns the reason."""
    before = desk.wire.asked["/v5/order/create"], len(desk.stage.exchange.recent_orders(desk.stage.alice))
    desk.order("1", **order)
    reject = await desk.wait("on_new_order_reject", client_id="1", reject_code=code)
    after = desk.wire.asked["/v5/order/create"], len(desk.stage.exchange.recent_orders(desk.stage.alice))
    assert before == after
    return reject.reject_reason


@card("BY-O30")
async def test_off_tick(desk: Desk) -> None:
    """A price off the tick is refused before it is sent, with the tick and the nearest valid price."""
    reason = await refused(desk, GtwRejectCode.InvalidPrice, price="59000.07")
    assert "off its tick 0.1" in reason
    assert "nearest is 59000.1" in reason


@card("BY-O31")
async def test_off_lot(desk: Desk) -> None:
    """A quantity off the lot is refused before it is sent, with the lot and the nearest valid quantity."""
    reason = await refused(desk, GtwRejectCode.InvalidQty, qty="0.5004")
    assert "off its lot 0.001" in reason
    assert "nearest is 0.5" in reason


@card("BY-O32")
async def test_below_least_qty(desk: Desk) -> None:
    """A quantity below the minimum is refused before it is sent, with the minimum."""
    reason = await refused(desk, GtwRejectCode.InvalidQty, instrument=SPOT, qty="0.000047")
    assert "0.000048" in reason


@card("BY-O33")
async def test_above_most_qty(desk: Desk) -> None:
    """A quantity above the maximum is refused before it is sent, with the maximum."""
    reason = await refused(desk, GtwRejectCode.InvalidQty, qty="100.5")
    assert "maximum 100" in reason


@card("BY-O34")
async def test_below_least_notional(desk: Desk) -> None:
    """An order worth less than the minimum is refused before it is sent, with the minimum."""
    reason = await refused(desk, GtwRejectCode.InvalidNotional, price="1000", qty="0.001")
    assert "minimum notional 5" in reason


@card("BY-O35")
async def test_unknown_instrument(desk: Desk) -> None:
    """An order on an instrument that does not exist is refused with UnknownInstrument."""
    desk.order("1", "byt:perp:NONE-USDT")
    await desk.wait("on_new_order_reject", client_id="1", reject_code=GtwRejectCode.UnknownInstrument)


@card("BY-O36")
async def test_duplicate_client_id(desk: Desk) -> None:
    """A client id that was used before is refused with DuplicateClientId; the first order stands."""
    await desk.resting("1")
    desk.order("1")
    await desk.wait("on_new_order_reject", client_id="1", reject_code=GtwRejectCode.DuplicateClientId)
    assert len(desk.stage.exchange.open_orders(desk.stage.alice)) == 1


@card("BY-O37")
async def test_no_funds(desk: Desk) -> None:
    """An order that the account cannot carry is refused with InsufficientFunds and the venue's own words."""
    desk.order("1", SPOT, price="59990", qty="100")
    reject = await desk.wait(
        "on_new_order_reject", client_id="1", reject_code=GtwRejectCode.InsufficientFunds
    )
    assert "(170131)" in reject.reject_reason


@card("BY-O17")
async def test_cancels_in_batches(desk: Desk) -> None:
    """What a strategy leaves open when it stops is cancelled, in batches as far as allowed, and only that."""
    ops: list[str] = []
    desk.wire.to_venue["trade"] = lambda message: [ops.append(message["op"]) or message]
    for number in range(25):
        await desk.resting(f"{number}", LINEAR if number < 22 else SPOT)
    await Client(desk.wire.http, desk.wire.venue).place(orderLinkId="somebody-elses")
    await desk.engine.stop()
    assert [order.link_id for order in desk.stage.exchange.open_orders(desk.stage.alice)] == [
        "somebody-elses"
    ]
    assert len(desk.named("on_order_cancelled")) == 25
    assert ops[25] == "order.cancel-batch"
    assert len(ops[25:]) < 25


@card("BY-O38")
async def test_over_rest(open_desk) -> None:  # type: ignore[no-untyped-def]
    """By configuration orders go by REST, with the same answers and the same story."""
    desk = await open_desk(order_entry="rest")
    await desk.resting("1")
    desk.modify("1", price="59100")
    await desk.wait("on_modify_order_ack", client_id="1")
    desk.cancel("1")
    await desk.wait("on_order_cancelled", client_id="1", unsolicited=False)
    desk.order("2", price="60000.1", qty="1", post_only=True)
    await desk.wait("on_new_order_reject", client_id="2", reject_code=GtwRejectCode.PostOnlyWouldCross)
    assert desk.wire.opened["trade"] == 0
    assert desk.wire.asked["/v5/order/create"] == 2
