"""Orders, answers and positions of linear, inverse and spot through one gateway; account modes; maintenance."""

from __future__ import annotations

from typing import Any

import pytest
from bybit_messages import (
    fill_row,
    inverse_row,
    make_instruments,
    order_row,
    position_row,
    spot_row,
)
from fake_bybit import FakeBybit, Session, eventually, result
from gateway_client import BTC, Client

from mlthon.basics.defs import GtwRejectCode, GtwStatus, OrderType
from mlthon.basics.qty import Qty
from mlthon.engine.ports import CancelOrderRequest, RequestKind
from mlthon.errors import UnsupportedAccount, VenueError, VenueUnreachable
from mlthon.exchanges.bybit.instruments import decode_instruments

PAIR = make_instruments(spot_row(), category="spot")["BTCUSDT"]
INVERSE = make_instruments(inverse_row(), category="inverse")["BTCUSD"]
ALL = ("linear", "inverse", "spot")


@pytest.fixture
def everything(venue: FakeBybit) -> FakeBybit:
    """A venue that lists the same coin in all categories, two of them under one symbol."""
    venue.spot, venue.inverse = [spot_row()], [inverse_row()]
    return venue


def sent(venue: FakeBybit) -> dict[str, Any]:
    """The arguments of the last order request."""
    return venue.session("trade").received[-1]["args"][0]


# -- one symbol, two instruments -------------------------------------------------------------------------------------


async def test_instruments_of_all_categories_load_under_their_own_names(everything: FakeBybit) -> None:
    async with Client(everything, categories=ALL) as client:
        loaded = await client.connector.load_instruments()
        assert [(each.get_instrument_name(), each.get_instrument_id()) for each in loaded] == [
            ("byt:perp:BTC-USDT", 30000001000),
            ("byt:perp:BTC-USD", 30000000000),
            ("byt:spot:BTC-USDT", 30000002000),
        ]


async def test_an_order_and_what_is_told_of_it_are_of_a_category_and_a_symbol(everything: FakeBybit) -> None:
    async with Client(everything, categories=ALL) as client:
        client.new("w1")
        client.new("w2", instrument=PAIR)
        await client.settled("w1", "w2")
        reports = client.listener.orders
        await eventually(lambda: set(reports) == {"w1", "w2"})
        assert reports["w1"].instrument_id == BTC.get_instrument_id()
        assert reports["w2"].instrument_id == PAIR.get_instrument_id()
        assert sent(everything)["category"] == "spot"
        await everything.push(
            "execution",
            fill_row("e1", "w1"),
            fill_row("e2", "w2", category="spot", feeCurrency="", execFee="0.00001"),
            fill_row("e3", "x", category="inverse", symbol="BTCUSD", feeCurrency="", execFee="0.0000001"),
        )
        await eventually(lambda: len(client.listener.fills) == 3)
        told = {key: (fill.instrument_id, fill.fee_currency) for key, fill in client.listener.fills.items()}
        assert told == {
            "e1": (BTC.get_instrument_id(), "USDT"),
            "e2": (PAIR.get_instrument_id(), "BTC"),
            "e3": (INVERSE.get_instrument_id(), "BTC"),
        }


async def test_a_message_that_does_not_say_its_category_is_not_guessed_at(everything: FakeBybit) -> None:
    nameless = order_row("w1")
    del nameless["category"]
    async with Client(everything, categories=ALL) as client:
        await everything.push("order.spot", nameless)  # the topic says it
        await eventually(lambda: client.listener.orders)
        assert client.listener.orders["w1"].instrument_id == PAIR.get_instrument_id()
        client.new("ours")
        await client.settled("ours")
        nameless |= {"orderLinkId": "ours"}
        await everything.push("order", nameless)
        await eventually(lambda: everything.opened["private"] == 2, "a new private connection")


@pytest.mark.parametrize(
    ("instrument", "expected"),
    [
        (BTC, {"category": "linear", "positionIdx": 0, "reduceOnly": False}),
        (INVERSE, {"category": "inverse", "positionIdx": 0, "reduceOnly": False}),
        (PAIR, {"category": "spot", "marketUnit": "baseCoin"}),
    ],
    ids=ALL,
)
async def test_what_a_market_order_says_depends_on_the_category(
    everything: FakeBybit, instrument: Any, expected: dict[str, Any]
) -> None:
    async with Client(everything, categories=ALL) as client:
        client.new("w1", instrument=instrument, price=None, order_type=OrderType.Market, qty=Qty("1"))
        await client.settled("w1")
        said = sent(everything)
        others = {"positionIdx", "reduceOnly", "marketUnit", "category"} - expected.keys()
        assert {key: said[key] for key in expected} == expected
        assert not others & said.keys()


async def test_a_spot_order_cannot_close_a_position(everything: FakeBybit) -> None:
    async with Client(everything, categories=ALL) as client:
        client.new("w1", instrument=PAIR, close_position=True)
        await client.settled("w1")
        ((_, kind, _, code, reason),) = client.listener.named("refused")
        assert (kind, code) == (RequestKind.NewOrder, GtwRejectCode.InvalidRequest)
        assert "a spot pair has no position" in reason


async def test_a_spot_purchase_that_is_counted_in_the_quote_coin_is_no_contradiction(
    everything: FakeBybit,
) -> None:
    row = order_row(
        "x", category="spot", orderType="Market", qty="10", cumExecQty="400", orderStatus="PartiallyFilled"
    )
    async with Client(everything, categories=ALL) as client:
        await everything.push("order", row)
        await eventually(lambda: client.listener.orders)
        assert everything.opened["private"] == 1


async def test_a_batch_is_of_one_category_and_as_long_as_that_allows(everything: FakeBybit) -> None:
    async with Client(everything, categories=ALL) as client:
        linear, spot = [f"l{n}" for n in range(21)], [f"s{n}" for n in range(11)]
        for wire_id in linear:
            client.new(wire_id)
        for wire_id in spot:
            client.new(wire_id, instrument=PAIR)
        await eventually(lambda: len(client.listener.orders) == 32)
        cancels = [CancelOrderRequest(each, "", BTC) for each in linear]
        cancels += [CancelOrderRequest(each, "", PAIR) for each in spot]
        client.call(client.gateway.send_cancels, cancels)
        await client.settled(*linear, *spot, times=2)
        said = [m for m in everything.session("trade").received if m["op"].startswith("order.cancel")]
        assert [(m["op"], m["args"][0]["category"]) for m in said] == [
            ("order.cancel-batch", "linear"),
            ("order.cancel", "linear"),
            ("order.cancel-batch", "spot"),
            ("order.cancel", "spot"),
        ]
        assert [len(m["args"][0].get("request", [m])) for m in said] == [20, 1, 10, 1]
        assert client.listener.named("refused") == []


async def test_what_happened_in_any_category_while_away_is_told(everything: FakeBybit) -> None:
    async with Client(everything, categories=ALL) as client:
        everything.orders["s"] = order_row("s", category="spot")
        everything.orders["i"] = order_row("i", category="inverse", symbol="BTCUSD", qty="100")
        now = str(everything.now_ms())
        everything.executions = [
            fill_row("e-s", "s", category="spot", execTime=now),
            fill_row("e-i", "i", category="inverse", symbol="BTCUSD", execTime=now),
            fill_row("e-l", "l", execTime=now),
        ]
        everything.positions = [position_row(category="inverse", symbol="BTCUSD", size="100", side="Sell")]
        everything.session("private").cut()
        await eventually(lambda: everything.opened["private"] == 2)
        await client.ready()
        assert set(client.listener.fills) == {"e-s", "e-i", "e-l"}
        assert client.listener.orders["s"].instrument_id == PAIR.get_instrument_id()
        assert client.listener.orders["i"].instrument_id == INVERSE.get_instrument_id()
        assert ("position", "BTCUSD", Qty("-100")) in client.listener.events


# -- what has no answer ----------------------------------------------------------------------------------------------


async def test_a_spot_pair_has_neither_position_nor_funding(everything: FakeBybit) -> None:
    async with Client(everything, categories=ALL) as client:
        client.call(client.gateway.fetch_position, PAIR)
        client.call(client.gateway.fetch_funding, PAIR)
        client.call(client.gateway.fetch_position, INVERSE)
        client.call(client.gateway.fetch_funding, INVERSE)
        await eventually(lambda: len(client.listener.named("unsupported", "position", "funding")) == 4)
        assert client.listener.named("unsupported") == [
            ("unsupported", RequestKind.PositionInfo),
            ("unsupported", RequestKind.FundingInfo),
        ]
        assert client.listener.named("funding") == [("funding", "BTCUSD", 0.0001, 1_700_006_400_000)]
        asked = everything.asked("/v5/market/tickers")
        assert asked == [{"category": "inverse", "symbol": "BTCUSD"}]


# -- the account -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_flat", [True, False])
async def test_an_account_in_hedge_mode_is_refused_and_told_so(venue: FakeBybit, is_flat: bool) -> None:
    size = {"size": "0", "side": ""} if is_flat else {}
    venue.positions = [position_row(positionIdx=1, **size), position_row(positionIdx=2, size="0", side="")]
    client = Client(venue)
    await client.connector.load_instruments()
    try:
        with pytest.raises(
            UnsupportedAccount, match=r"hedge mode .positionIdx 1 of BTCUSDT.*one-way"
        ) as refused:
            await client.gateway.connect()
        assert isinstance(refused.value, VenueError)
    finally:
        await client.connector.close()


async def test_an_order_in_a_contract_that_is_in_hedge_mode_is_refused_saying_so(venue: FakeBybit) -> None:
    async def refuse(session: Session, message: dict[str, Any]) -> None:
        await venue.answer(session, message, 10001, "position idx not match position mode")

    venue.on_trade = refuse
    async with Client(venue) as client:
        client.new("a")
        await client.settled("a")
        (_, _, _, code, why) = client.listener.named("refused")[0]
        assert code is GtwRejectCode.InvalidRequest
        assert why.startswith("position idx not match position mode (10001): the contract is in hedge mode")


# -- maintenance -----------------------------------------------------------------------------------------------------


def window(state: str = "ongoing", **changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": "m1",
        "title": "Upgrade",
        "state": state,
        "begin": "1751596902000",
        "end": "1751597011000",
        "href": "",
        "serviceTypes": [1, 2, 3, 4, 5],
        "product": [1, 2],
        "uidSuffix": [],
        "maintainType": 1,
        "env": 1,
    }
    return row | changes


def announcement(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"topic": "system.status", "ts": 1751858399649, "data": list(rows)}


def with_status(venue: FakeBybit, **changes: Any) -> Client:
    url = f"{venue.config().ws_public_url}/misc/status"
    return Client(venue, ws_status_url=url, **changes)


async def test_a_maintenance_is_announced_and_trading_goes_on_after_it(venue: FakeBybit) -> None:
    async with with_status(venue) as client:
        await eventually(lambda: "system.status" in venue.session("status").topics)
        await venue.session("status").send(announcement(window()))
        await eventually(lambda: client.gateway.status is GtwStatus.Maintenance)
        client.new("w1")
        await client.settled("w1")
        ((_, _, _, code, reason),) = client.listener.named("refused")
        assert (code, reason) == (GtwRejectCode.GtwNotReady, "the venue is being maintained: Upgrade")
        venue.orders["w9"] = order_row("w9")  # which appears while nobody may ask
        await venue.session("status").send(announcement(window("completed")))
        await client.ready()
        assert "w9" in client.listener.orders
        statuses = [event[1] for event in client.listener.named("status")]
        assert statuses == [
            GtwStatus.ReadyToTrade,
            GtwStatus.Maintenance,
            GtwStatus.Connecting,
            GtwStatus.ReadyToTrade,
        ]


async def test_a_maintenance_that_began_before_is_asked_for(venue: FakeBybit) -> None:
    venue.scripts["/v5/system/status"].append(result({"list": [window("completed", id="m0"), window()]}))
    client = with_status(venue, ready_timeout_ms=200)
    await client.connector.load_instruments()
    try:
        with pytest.raises(VenueUnreachable, match="the venue is being maintained: Upgrade"):
            await client.gateway.connect()
    finally:
        await client.connector.close()


async def test_a_maintenance_whose_end_was_not_heard_of_ends_with_the_next_question(venue: FakeBybit) -> None:
    async with with_status(venue) as client:
        await eventually(lambda: "system.status" in venue.session("status").topics)
        await venue.session("status").send(announcement(window()))
        await eventually(lambda: client.gateway.status is GtwStatus.Maintenance)
        venue.session("status").cut()
        await client.ready()  # the venue lists none any more


@pytest.mark.parametrize(
    "changes",
    [{"product": [2]}, {"product": [3, 4]}, {"serviceTypes": [5]}, {"uidSuffix": [7]}, {"env": 2}],
    ids=["spot only", "options", "market data", "some accounts", "demo trading"],
)
async def test_a_maintenance_of_something_else_does_not_stop_trading(
    venue: FakeBybit, changes: dict[str, Any]
) -> None:
    async with with_status(venue) as client:
        await eventually(lambda: "system.status" in venue.session("status").topics)
        await venue.session("status").send("not json")
        await venue.session("status").send(announcement(window() | {"product": "all"}))
        await venue.session("status").send(announcement(window(**changes)))
        await venue.session("status").send(announcement(window("completed", **changes)))
        await venue.session("status").send(announcement(window(id="m2", title="Everything")))
        await eventually(lambda: client.gateway.status is GtwStatus.Maintenance)
        assert client.listener.named("status") == [
            ("status", GtwStatus.ReadyToTrade, ""),
            ("status", GtwStatus.Maintenance, "the venue is being maintained: Everything"),
        ]


def test_an_instrument_whose_step_cannot_be_held_is_named() -> None:
    fine = spot_row("FINEUSDT", "FINE", tick="0.0000000000000000001")
    listing = decode_instruments([fine, spot_row()], "spot")
    assert [each.get_instrument_name() for each in listing.instruments] == ["byt:spot:BTC-USDT"]
    (line,) = listing.refused
    assert line.startswith("instrument FINEUSDT (spot) refused: ")


async def test_each_list_of_the_account_is_asked_for_as_the_venue_wants_it(everything: FakeBybit) -> None:
    """Orders of linear contracts, and positions in all, by settlement coin; no position of spot; nothing twice."""
    everything.inverse.append(inverse_row("ETHUSD", "ETH"))
    async with Client(everything, categories=ALL) as client:
        everything.calls.clear()
        client.call(client.gateway.fetch_orders, None)
        await eventually(lambda: client.listener.named("orders"))
        assert [(p["category"], p.get("settleCoin")) for p in everything.asked("/v5/order/realtime")] == [
            ("linear", "USDT"),
            ("inverse", None),
            ("spot", None),
        ]
        everything.session("private").cut()
        await eventually(lambda: everything.asked("/v5/account/wallet-balance"))
        assert [(p["category"], p.get("settleCoin")) for p in everything.asked("/v5/position/list")] == [
            ("linear", "USDT"),
            ("inverse", "BTC"),
            ("inverse", "ETH"),
        ]
