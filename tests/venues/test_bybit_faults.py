"""Faults on purpose, as a client of the venue sees them: each one alone, and the venue sane behind it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import pytest
from bybit_client import DEADLINE_S, Client, Json, Socket, Stage
from test_bybit_restarts import BOOK, BTC, order

from mlthon.basics.qty import Qty
from mlthon.venues.bybit.faults import BybitFaults
from mlthon.venues.faults import FaultPlan, read_plan


@dataclass
class Scene:
    """A venue with a fault plan, and a client of it."""

    stage: Stage
    client: Client
    faults: BybitFaults

    def open_orders(self) -> list[str]:
        return [order.link_id for order in self.stage.exchange.open_orders(self.stage.alice)]


@asynccontextmanager
async def scene(*faults: str) -> AsyncIterator[Scene]:
    plan = read_plan(f"faults: [{', '.join(faults)}]", "test") if faults else FaultPlan()
    going_wrong = BybitFaults(plan)
    stage = Stage(faults=going_wrong)
    endpoints = await stage.venue.start()
    try:
        async with aiohttp.ClientSession() as http:
            yield Scene(stage, Client(http, endpoints), going_wrong)
    finally:
        await stage.venue.close()


async def silent(socket: Socket) -> bool:
    """Whether nothing comes, which is known once the answer to a ping has come first."""
    return (await socket.ask({"op": "ping"}))["op"] in ("ping", "pong")


async def injected(s: Scene, name: str) -> None:
    """Wait until a fault has come about, asking the venue for the time meanwhile."""
    async with asyncio.timeout(DEADLINE_S):
        while not s.faults.counts[name]:
            await s.client.get("/v5/market/time")


# -- websockets, outward --------------------------------------------------------------------------------------------


async def test_news_is_lost_or_comes_twice() -> None:
    async with (
        scene(
            "{fault: drop, channel: private, kind: order, nth: 1}",
            "{fault: duplicate, channel: private, kind: order, nth: 2}",
        ) as s,
        s.client.private("order") as private,
    ):
        for name in ("a", "b", "c"):
            await s.client.place(orderLinkId=name)
        told = [message["data"][0]["orderLinkId"] for message in await private.take(3)]
        assert told == ["b", "b", "c"]
        assert dict(s.faults.counts) == {"drop": 1, "duplicate": 1}
        assert [(fault.fault, fault.kind) for fault in s.faults.injected] == [
            ("drop", "order"),
            ("duplicate", "order"),
        ]


async def order_of_news(fault: str) -> str:
    """In which order the news of orders a to f arrives."""
    async with scene(fault) as s, s.client.private("order") as private:
        for name in "abcdef":
            await s.client.place(orderLinkId=name)
        told = [message["data"][0]["orderLinkId"] for message in await private.take(6)]
        assert s.faults.counts.total() == 1
        return "".join(told)


async def test_a_late_message_holds_up_those_behind_it() -> None:
    fault = "{fault: delay, channel: private, kind: order, delay_ms: 30, nth: 2}"
    assert await order_of_news(fault) == "abcdef"


async def test_some_messages_overtake_another() -> None:
    fault = "{fault: reorder, channel: private, kind: order, nth: 3, behind: 2, within_ms: 60000}"
    assert await order_of_news(fault) == "abdecf"


async def test_a_message_that_nothing_overtakes_comes_in_the_end() -> None:
    fault = "{fault: reorder, channel: private, kind: order, nth: 6, behind: 1, within_ms: 5}"
    assert await order_of_news(fault) == "abcdef"


@pytest.mark.parametrize("fault", ["truncate", "corrupt"])
async def test_a_broken_message_is_no_json_and_the_line_goes_on(fault: str) -> None:
    plan = f"{{fault: {fault}, channel: private, kind: order, nth: 1}}"
    async with scene(plan) as s, s.client.private("order") as private:
        await s.client.place(orderLinkId="a")
        with pytest.raises(ValueError, match="line 1"):
            await private.receive()
        await s.client.place(orderLinkId="b")
        assert (await private.receive())["data"][0]["orderLinkId"] == "b"


async def test_a_line_is_cut_within_a_message() -> None:
    async with scene("{fault: cut, channel: private, kind: order, nth: 2}") as s:
        async with s.client.private("order") as private:
            await s.client.place(orderLinkId="a")
            await s.client.place(orderLinkId="b")
            assert (await private.receive())["data"][0]["orderLinkId"] == "a"
            assert await private.closed() == 1006
        assert s.open_orders() == ["a", "b"]


async def test_a_book_may_be_hit_alone() -> None:
    plan = "{fault: drop, channel: public, kind: 'orderbook.*', nth: 2}"
    async with scene(plan) as s, s.client.public() as public:
        await public.ask(BOOK)
        first = (await public.receive())["data"]["u"]
        s.stage.depth([("60000.0", "1")], [])
        s.stage.depth([("60000.0", "3")], [])
        assert (await public.receive())["data"]["u"] == first + 2


async def test_a_line_that_hangs_stays_open_and_says_nothing() -> None:
    plan = "{fault: hang, channel: trade, direction: in, kind: order.create, nth: 1}"
    async with scene(plan) as s, s.client.trading() as trading:
        await trading.send(order(orderLinkId="a"))
        await trading.send({"op": "ping"})
        await s.client.place(orderLinkId="b")
        with pytest.raises(TimeoutError):
            await trading.ws.receive(timeout=0.05)
        assert s.open_orders() == ["b"]
        s.faults.stop()  # what hangs is hung up on
        assert await trading.closed() == 1006


# -- order entry ----------------------------------------------------------------------------------------------------


async def test_an_ack_is_lost_and_the_order_lives() -> None:
    async with scene("{fault: lose_ack, nth: 1}") as s, s.client.trading() as trading:
        await trading.send(order(orderLinkId="a"))
        assert await silent(trading)
        assert s.open_orders() == ["a"]


async def test_a_request_is_refused_whether_it_was_carried_out_or_not() -> None:
    async with (
        scene(
            "{fault: refuse, channel: trade, code: 10429, nth: 1}",
            "{fault: refuse, channel: trade, direction: out, code: 10016, nth: 1}",
            "{fault: throttle, channel: trade, nth: 3}",
        ) as s,
        s.client.trading() as trading,
    ):
        answers = []
        for name in "abc":
            answers.append(await trading.ask({**order(orderLinkId=name), "reqId": name}))
        assert [answer["retCode"] for answer in answers] == [10429, 10016, 10006]
        assert [answer["reqId"] for answer in answers] == ["a", "b", "c"]
        assert answers[2]["header"]["X-Bapi-Limit-Status"] == "0"
        assert s.open_orders() == ["b"]


async def test_a_request_comes_twice() -> None:
    async with scene("{fault: duplicate, channel: trade, direction: in, kind: order.create}") as s:
        async with s.client.trading() as trading:
            await trading.send(order(orderLinkId="a"))
            assert [answer["retCode"] for answer in await trading.take(2)] == [0, 20006]
        assert s.open_orders() == ["a"]


@pytest.mark.parametrize("fault", ["truncate", "corrupt"])
async def test_a_request_arrives_broken(fault: str) -> None:
    plan = f"{{fault: {fault}, channel: trade, direction: in, kind: order.create, nth: 1}}"
    async with scene(plan) as s, s.client.trading() as trading:
        assert (await trading.ask(order(orderLinkId="a")))["retCode"] == 10001
        assert (await trading.ask(order(orderLinkId="b")))["retCode"] == 0
        assert s.open_orders() == ["b"]


async def test_a_request_is_lost_and_the_next_one_with_its_line() -> None:
    async with scene(
        "{fault: drop, channel: trade, direction: in, kind: order.create, nth: 1}",
        "{fault: cut, channel: trade, direction: in, kind: order.create, nth: 3}",
    ) as s:
        async with s.client.trading() as trading:
            await trading.send(order(orderLinkId="a"))
            assert (await trading.ask(order(orderLinkId="b")))["retCode"] == 0
            await trading.send(order(orderLinkId="c"))
            assert await trading.closed() == 1006
        assert s.open_orders() == ["b"]


async def test_a_request_is_late_and_overtaken() -> None:
    async with (
        scene(
            "{fault: reorder, channel: trade, direction: in, kind: order.create, nth: 1, within_ms: 60000}",
            "{fault: delay, channel: trade, direction: in, kind: order.create, nth: 3, delay_ms: 5}",
        ) as s,
        s.client.trading() as trading,
    ):
        for name in "abc":
            await trading.send({**order(orderLinkId=name), "reqId": name})
        assert [answer["reqId"] for answer in await trading.take(3)] == ["b", "a", "c"]
        assert s.open_orders() == ["b", "a", "c"]


async def test_logins_are_refused() -> None:
    async with scene(
        "{fault: refuse_login, channel: private, nth: 1}", "{fault: refuse_login, channel: trade, nth: 1}"
    ) as s:
        async with s.client.raw(s.client.endpoints.ws_private) as private:
            answer = await private.ask(s.client.login())
            assert (answer["success"], answer["retCode"], answer["op"]) == (False, 10003, "auth")
            assert (await private.ask(s.client.login()))["success"]
        async with s.client.raw(s.client.endpoints.ws_trade) as trade:
            assert (await trade.ask(s.client.login()))["retCode"] == 10003
            assert (await trade.ask(s.client.login()))["retCode"] == 0


# -- REST -----------------------------------------------------------------------------------------------------------


async def failed_post(s: Scene, name: str) -> str:
    """Place an order that is not answered as it should be; says how."""
    try:
        answer = await s.client.place(orderLinkId=name)
    except (aiohttp.ClientError, AssertionError, ValueError) as error:
        return type(error).__name__
    return str(answer["retCode"])


@pytest.mark.parametrize(
    ("fault", "outcome", "is_open"),
    [
        ("drop, direction: in", "ServerDisconnectedError", False),
        ("drop", "ServerDisconnectedError", True),
        ("http_error", "AssertionError", False),
        ("http_error, direction: out", "AssertionError", True),
        ("refuse, code: 10016", "10016", False),
        ("refuse, code: 10000, direction: out", "10000", True),
        ("throttle", "10006", False),
        ("lose_ack", "ServerDisconnectedError", True),
        ("truncate", "JSONDecodeError", True),
        ("corrupt", "JSONDecodeError", True),
        ("cut", "ClientPayloadError", True),
        ("delay, delay_ms: 5", "0", True),
        ("delay, delay_ms: 5, direction: in", "0", True),
    ],
)
async def test_rest_answers_badly(fault: str, outcome: str, is_open: bool) -> None:
    async with scene(f"{{fault: {fault}, channel: rest, kind: order.create, nth: 1}}") as s:
        assert await failed_post(s, "a") == outcome
        assert s.faults.counts.total() == 1
        assert s.open_orders() == (["a"] if is_open else [])
        assert await failed_post(s, "b") == "0"


async def test_a_throttled_answer_says_when_to_come_again() -> None:
    async with scene("{fault: throttle, channel: rest, kind: order.realtime}") as s:
        answer, headers = await s.client.signed("GET", "/v5/order/realtime", "category=linear")
        assert answer["retCode"] == 10006
        assert headers["X-Bapi-Limit-Status"] == "0"
        assert int(headers["X-Bapi-Limit-Reset-Timestamp"]) == answer["time"] + 1_000


async def test_rest_hangs_until_the_faults_are_stopped() -> None:
    async with scene("{fault: hang, channel: rest, kind: order.create, nth: 1}") as s:
        waiting = asyncio.create_task(failed_post(s, "a"))
        await injected(s, "hang")
        assert not waiting.done()
        assert s.open_orders() == ["a"]
        s.faults.stop()
        assert await waiting == "ServerDisconnectedError"


# -- the venue as a whole -------------------------------------------------------------------------------------------

AFTER_ORDER = "after: {channel: rest, direction: out, kind: order.create}, nth: 1"


async def test_the_venue_restarts() -> None:
    async with scene(f"{{fault: restart, {AFTER_ORDER}}}") as s, s.client.public() as public:
        await public.ask(BOOK)
        await public.receive()
        assert (await s.client.place(orderLinkId="a"))["retCode"] == 0
        assert await public.closed() == 1006
        async with s.client.public() as again:
            await again.ask(BOOK)
            assert (await again.receive())["data"]["u"] == 1


async def test_some_channels_are_cut() -> None:
    plan = f"{{fault: disconnect, channels: [trade, public], {AFTER_ORDER}}}"
    async with scene(plan) as s, s.client.private() as private:
        async with s.client.trading() as trading, s.client.public() as public:
            await s.client.place(orderLinkId="a")
            assert (await trading.closed(), await public.closed()) == (1006, 1006)
        assert await silent(private)
        async with s.client.trading() as again:
            assert await silent(again)


async def test_channels_are_out_of_reach_alone() -> None:
    async with scene(f"{{fault: outage, channels: [private], for_ms: 60, {AFTER_ORDER}}}") as s:
        async with s.client.private("order") as private, s.client.trading() as trading:
            await s.client.place(orderLinkId="a")
            assert await private.closed() == 1006
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await s.client.http.ws_connect(s.client.endpoints.ws_private)
            assert refused.value.status == 503
            assert await silent(trading)

        async def back() -> bool:
            try:
                async with s.client.private("order"):
                    return True
            except aiohttp.WSServerHandshakeError:
                return False

        async with asyncio.timeout(DEADLINE_S):
            while not await back():
                pass


async def test_maintenance_passes() -> None:
    async with scene(f"{{fault: maintenance, for_ms: 40, {AFTER_ORDER}}}") as s:
        async with s.client.trading() as trading:
            await s.client.place(orderLinkId="a")
            codes = [(await trading.ask(order()))["retCode"]]
            async with asyncio.timeout(DEADLINE_S):
                while codes[-1] != 0:
                    codes.append((await trading.ask(order()))["retCode"])
        assert set(codes) == {10019, 0}


async def test_the_clock_steps_and_steps_back() -> None:
    async with scene(f"{{fault: skew_clock, by_ms: 60000, for_ms: 40, {AFTER_ORDER}}}") as s:

        async def ahead_s() -> float:
            answer = await s.client.get("/v5/market/time")
            return int(answer["result"]["timeSecond"]) - time.time()

        assert await ahead_s() < 30
        await s.client.place(orderLinkId="a")
        assert await ahead_s() > 30
        assert (await s.client.place(orderLinkId="b"))["retCode"] == 10002
        async with asyncio.timeout(DEADLINE_S):
            while await ahead_s() > 30:
                pass
        assert s.open_orders() == ["a"]


async def test_an_order_is_filled_while_nobody_is_told() -> None:
    async with scene(f"{{fault: fill_while_disconnected, for_ms: 60, {AFTER_ORDER}}}") as s:
        async with s.client.private("order") as private:
            await s.client.place(orderLinkId="a", price="59000.0", qty="0.5")
            assert (await private.receive())["data"][0]["orderStatus"] == "New"
            assert await private.closed() == 1006
        await injected(s, "filled while disconnected")
        assert s.stage.alice.position("BTCUSDT").size == Qty("0.5")
        listed: Json = await s.client.ask("/v5/order/realtime", **BTC, orderLinkId="a")
        assert listed["result"]["list"][0]["orderStatus"] == "Filled"


# -- without faults -------------------------------------------------------------------------------------------------


async def test_an_empty_plan_changes_nothing() -> None:
    async with scene() as s, s.client.private("order") as private, s.client.trading() as trading:
        assert (await trading.ask(order(orderLinkId="a")))["retCode"] == 0
        assert (await private.receive())["data"][0]["orderLinkId"] == "a"
        assert (await trading.ask("no json"))["retCode"] == 10001
        assert not s.faults.counts
