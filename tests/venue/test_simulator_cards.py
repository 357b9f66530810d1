"""Cards BY-V: what makes the simulated venue a Bybit, where the connector or another client could tell."""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
from bybit_client import KEY, Client, Json, Stage
from card import card
from trading_desk import Desk

from mlthon.api.istrat_env import MDSub
from mlthon.basics.defs import Exchange, Side
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.qty import Qty
from mlthon.errors import VenueUnreachable
from mlthon.sim.funding import FundingRules
from mlthon.venues.bybit import VenueLimits

OpenDesk = Callable[..., Awaitable[Desk]]
BYBIT = Exchange.Bybit
BTC = {"category": "linear", "symbol": "BTCUSDT"}
RESTING: dict[str, Json] = {
    "linear": {**BTC, "price": "59000", "qty": "0.5"},
    "inverse": {"category": "inverse", "symbol": "BTCUSD", "price": "59000", "qty": "300"},
    "spot": {"category": "spot", "symbol": "BTCUSDT", "price": "59000", "qty": "0.5"},
}
ACK, FILL = "on_new_order_ack", "on_order_execution"
HOUR_NS = 3600 * 10**9


class Clock:
    """A clock that is moved by hand."""

    def __init__(self, ns: int) -> None:
        self.ns = ns

    def __call__(self) -> int:
        return self.ns


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """One user of a venue with the limits that Bybit publishes."""
    stage = Stage.of_all_products(limits=VenueLimits())
    endpoints = await stage.venue.start()
    async with aiohttp.ClientSession() as http:
        yield Client(http, endpoints)
    await stage.venue.close()


# -- who may ask, and how often -------------------------------------------------------------------------------------


@card("BY-V01")
async def test_signatures(client: Client) -> None:
    """A wrong key is answered 10003, a wrong signature 10004, a request from another time 10002."""
    stranger = Client(client.http, client.endpoints, "nobody's key")
    forger = Client(client.http, client.endpoints, KEY, "a guess")
    late = Client(client.http, client.endpoints, now_ns=lambda: time.time_ns() - 60 * 10**9)
    answers = [await who.ask("/v5/account/info") for who in (client, stranger, forger, late)]
    assert [answer["retCode"] for answer in answers] == [0, 10003, 10004, 10002]


@card("BY-V02")
async def test_rate_headers(client: Client) -> None:
    """Answers tell limit, what remains and when it is reset; beyond the limit the answer is 10006."""
    order = (
        b'{"category":"linear","symbol":"BTCUSDT","side":"Buy","orderType":"Limit","qty":"1","price":"59000"}'
    )
    answers = [await client.signed("POST", "/v5/order/create", order.decode()) for _ in range(11)]
    remaining = [int(headers["X-Bapi-Limit-Status"]) for _, headers in answers]
    assert remaining == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0]
    assert [answer["retCode"] for answer, _ in answers] == [0] * 10 + [10006]
    assert {headers["X-Bapi-Limit"] for _, headers in answers} == {"10"}
    assert int(answers[-1][1]["X-Bapi-Limit-Reset-Timestamp"]) > time.time() * 1_000


@card("BY-V03")
async def test_subscription_limits(client: Client) -> None:
    """One request takes ten topics in spot, and one connection 21,000 characters of topics."""
    books = [f"orderbook.{depth}.BTCUSDT" for depth in (1, 50, 200, 1000)]
    async with client.public("spot") as socket:
        refused = await socket.ask({"op": "subscribe", "args": [*books, *(f"x{n}" for n in range(7))]})
        assert (refused["success"], "args size >10" in refused["ret_msg"]) == (False, True)
        assert (await socket.ask({"op": "subscribe", "args": books}))["success"]
    assert VenueLimits().topic_chars == 21_000
    stage = Stage(limits=VenueLimits(topic_chars=60))
    endpoints = await stage.venue.start()
    try:
        async with Client(client.http, endpoints).public() as socket:
            refused = await socket.ask({"op": "subscribe", "args": books})
            assert (refused["success"], "60 characters" in refused["ret_msg"]) == (False, True)
            assert (await socket.ask({"op": "subscribe", "args": books[:2]}))["success"]
    finally:
        await stage.venue.close()


@card("BY-V04")
async def test_pings_and_ids(client: Client) -> None:
    """Pings are answered in each stream's own way, and requests' ids come back."""
    async with client.public() as public, client.private() as private, client.trading() as trading:
        pongs = [await socket.ask({"op": "ping", "req_id": "7"}) for socket in (public, private, trading)]
        ack = await public.ask({"op": "subscribe", "args": ["publicTrade.BTCUSDT"], "req_id": "a-1"})
    assert [(pong["op"], pong.get("ret_msg"), pong.get("retMsg")) for pong in pongs] == [
        ("ping", "pong", None),
        ("pong", None, None),
        ("pong", None, "OK"),
    ]
    assert [pong["req_id"] for pong in pongs[:2]] == ["7", "7"]
    assert ack["req_id"] == "a-1"


@card("BY-V05")
async def test_address_limit() -> None:
    """More than 600 HTTP requests from one address in five seconds are answered HTTP 403."""
    assert VenueLimits().address_requests == 600
    stage = Stage(limits=VenueLimits(address_requests=5))
    endpoints = await stage.venue.start()
    try:
        async with aiohttp.ClientSession() as http:
            statuses = []
            for _ in range(7):
                async with http.get(f"{endpoints.rest}/v5/market/time") as answer:
                    statuses.append(answer.status)
    finally:
        await stage.venue.close()
    assert statuses == [200] * 5 + [403] * 2


# -- orders ---------------------------------------------------------------------------------------------------------


@card("BY-V06")
async def test_tls(open_desk: OpenDesk, certificate: tuple[Path, Path]) -> None:
    """With a certificate everything goes by https and wss; the connector trades with whom it is told to trust."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*certificate)
    desk = await open_desk(tls=tls, ca_file=str(certificate[0]), subs=[MDSub.PriceLevelBook])
    await desk.resting("1")
    with pytest.raises(VenueUnreachable, match="certificate"):
        await open_desk(tls=tls)


@card("BY-V10")
async def test_accepting_is_not_deciding(client: Client) -> None:
    """A post-only order that would cross is accepted, and then ended: Cancelled in contracts, Rejected in spot."""
    ends = {}
    async with client.private("order") as socket:
        for category, order in RESTING.items():
            answer = await client.place(**order | {"price": "61000", "timeInForce": "PostOnly"})
            assert answer["retCode"] == 0
            (row,) = (await socket.until(lambda m: m["data"][0]["orderStatus"] != "New"))[-1]["data"]
            assert row["rejectReason"] == "EC_PostOnlyWillTakeLiquidity"
            ends[category] = row["orderStatus"]
    assert ends == {"linear": "Cancelled", "inverse": "Cancelled", "spot": "Rejected"}


@card("BY-V11")
async def test_cancelled_rows(client: Client) -> None:
    """A cancelled order has leavesQty "" and a tpslMode in contracts; in spot what was left, and no tpslMode."""
    async with client.private("order") as socket:
        for category, order in RESTING.items():
            placed = await client.place(**order)
            ids = {"category": category, "symbol": order["symbol"]}
            await client.post("/v5/order/cancel", **ids, orderId=placed["result"]["orderId"])
            (row,) = (await socket.take(2))[-1]["data"]
            assert (row["cancelType"], row["rejectReason"]) == ("CancelByUser", "EC_PerCancelRequest")
            expected = ("0.500000", None) if category == "spot" else ("", "")
            assert (row["leavesQty"], row.get("tpslMode")) == expected


@pytest.mark.parametrize("mode", ["None", "CancelMaker", "CancelTaker", "CancelBoth"])
@card("BY-V12")
async def test_self_trade_prevention(desk: Desk, mode: str) -> None:
    """Of two orders of one account that meet, the one that is asked for is ended; none, and they trade."""
    desk.stage.depth([("60000.0", "0"), ("59999.9", "0")], [])
    await desk.resting("1", price="59950", qty="1")
    hand = Client(desk.wire.http, desk.wire.venue)
    await hand.place(side="Sell", price="59950", qty="1", smpType=mode)
    left = [order.side for order in desk.stage.exchange.open_orders(desk.stage.alice)]
    expected = {"None": [], "CancelMaker": [Side.Sell], "CancelTaker": [Side.Buy], "CancelBoth": []}
    assert left == expected[mode]
    assert len(desk.stage.exchange.fills(desk.stage.alice)) == (2 if mode == "None" else 0)


@card("BY-V13")
async def test_leverage(desk: Desk) -> None:
    """Leverage is set by symbol, and orders are held to the margin that it asks for."""
    hand = Client(desk.wire.http, desk.wire.venue)
    answer = await hand.post("/v5/position/set-leverage", **BTC, buyLeverage="1", sellLeverage="1")
    assert answer["retCode"] == 0
    desk.order("1", price="59000", qty="90")  # 5.3 million, of one
    await desk.wait("on_new_order_reject", client_id="1")
    await hand.post("/v5/position/set-leverage", **BTC, buyLeverage="20", sellLeverage="20")
    await desk.resting("2", price="59000", qty="90")


# -- money ----------------------------------------------------------------------------------------------------------


@card("BY-V20")
async def test_funding(open_desk: OpenDesk) -> None:
    """Funding is paid when it is due, to the last digit, and the strategy is told its balance."""
    clock = Clock(time.time_ns() // (8 * HOUR_NS) * 8 * HOUR_NS + HOUR_NS)
    stage = Stage.of_all_products(now_ns=clock, funding=FundingRules(rate=MLDecimal("0.001")))
    stage.exchange.pass_time()
    desk = await open_desk(stage, recv_window_ms=60_000)
    desk.order("1", price=None, qty="2")
    await desk.wait(FILL, client_id="1", leaves_qty=Qty("0"))
    before = stage.alice.wallet("USDT").balance
    clock.ns += 8 * HOUR_NS
    stage.exchange.pass_time()
    paid = before - stage.alice.wallet("USDT").balance
    assert paid == MLDecimal("120.0001")
    balance = str(stage.alice.wallet("USDT").balance)
    await desk.until(
        lambda: (
            [str(c.total_balance) for c in desk.named("on_wallet_info") if c.coin == "USDT"][-1] == balance
        )
    )


@card("BY-V21")
async def test_conservation(desk: Desk) -> None:
    """Money and quantity are conserved exactly: what is traded, paid and charged sums up to nothing."""
    desk.order("1", price=None, qty="3.5")
    await desk.wait(FILL, client_id="1", leaves_qty=Qty("0"))
    desk.order("2", side=Side.Sell, price=None, qty="1.5")
    await desk.wait(FILL, client_id="2", leaves_qty=Qty("0"))
    desk.stage.exchange.check_conservation()
    assert desk.stage.alice.position("BTCUSDT").size == Qty("2")


# -- the market's course --------------------------------------------------------------------------------------------


@card("BY-V30")
async def test_determinism() -> None:
    """The same requests at the same times get the same answers, byte for byte."""

    async def run() -> list[Json]:
        clock = Clock(1_700_000_000_000_000_000)
        stage = Stage(now_ns=clock)
        endpoints = await stage.venue.start()
        try:
            async with aiohttp.ClientSession() as http:
                client = Client(http, endpoints, now_ns=clock)
                answers = [await client.place(orderLinkId=f"a{n}", price=f"{59000 + n}") for n in range(3)]
                answers.append(await client.place(orderType="Market", qty="4", orderLinkId="m"))
                answers.append(await client.ask("/v5/execution/list", **BTC))
                return [*answers, await client.ask("/v5/order/history", category="linear")]
        finally:
            await stage.venue.close()

    assert await run() == await run()


@card("BY-V31")
async def test_service_restart(client: Client) -> None:
    """After a restart of the public service a book is sent whole, numbered one."""
    async with client.public() as socket:
        await socket.ask({"op": "subscribe", "args": ["orderbook.50.BTCUSDT"]})
        await socket.receive()
    stage = Stage()
    endpoints = await stage.venue.start()
    try:
        async with Client(client.http, endpoints).public() as socket:
            await socket.ask({"op": "subscribe", "args": ["orderbook.50.BTCUSDT"]})
            await socket.receive()
            stage.venue.restart(drop_connections=False)
            message = await socket.receive()
            assert (message["type"], message["data"]["u"]) == ("snapshot", 1)
    finally:
        await stage.venue.close()
