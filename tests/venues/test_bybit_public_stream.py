"""The public websocket of the Bybit venue."""

from __future__ import annotations

import random

import aiohttp
import pytest
from bybit_client import Client, Json, Stage

from mlthon.basics.defs import Side
from mlthon.venues.bybit import VenueLimits

Levels = tuple[dict[str, str], dict[str, str]]  # qty by price: bids, asks


async def test_ping_and_acks_echo_the_request(client: Client) -> None:
    async with client.public() as socket:
        pong = await socket.ask({"op": "ping", "req_id": "p1"})
        assert (pong["success"], pong["ret_msg"], pong["op"], pong["req_id"]) == (True, "pong", "ping", "p1")
        ack = await socket.ask({"op": "subscribe", "args": ["publicTrade.BTCUSDT"], "req_id": "s1"})
        assert ack == {
            "success": True,
            "ret_msg": "",
            "conn_id": pong["conn_id"],
            "req_id": "s1",
            "op": "subscribe",
        }


async def test_long_and_numeric_request_ids_are_echoed(client: Client) -> None:
    async with client.public() as socket:
        for req_id in ("orderbook.50.BTCUSDT," * 100, 7):
            assert (await socket.ask({"op": "ping", "req_id": req_id}))["req_id"] == req_id
        assert (await socket.ask({"op": "ping", "req_id": ["x"]}))["req_id"] == ""


async def test_book_snapshot_then_deltas(stage: Stage, client: Client) -> None:
    async with client.public() as socket:
        await socket.ask({"op": "subscribe", "args": ["orderbook.50.BTCUSDT"]})
        snapshot = await socket.receive()
        assert (snapshot["topic"], snapshot["type"]) == ("orderbook.50.BTCUSDT", "snapshot")
        assert snapshot["data"]["b"] == [["60000.0", "2.000"], ["59999.9", "5.000"]]
        assert snapshot["data"]["a"] == [["60000.1", "3.000"], ["60000.2", "4.000"]]
        assert snapshot["ts"] >= snapshot["cts"] > 0
        stage.depth([("60000.0", "0"), ("59999.8", "1")], [("60000.1", "3.5")])
        delta = await socket.receive()
        assert delta["type"] == "delta"
        assert delta["data"]["b"] == [["60000.0", "0"], ["59999.8", "1.000"]]
        assert delta["data"]["a"] == [["60000.1", "3.500"]]
        assert delta["data"]["u"] == snapshot["data"]["u"] + 1
        assert (snapshot["data"]["seq"], delta["data"]["seq"]) == (1, 2)


async def test_level_one_is_snapshots_only(stage: Stage, client: Client) -> None:
    async with client.public() as socket:
        await socket.ask({"op": "subscribe", "args": ["orderbook.1.BTCUSDT"]})
        await socket.receive()
        stage.depth([("59999.9", "6")], [])  # not at the top: nothing to tell
        stage.depth([], [("60000.1", "0")])
        message = await socket.receive()
        assert message["type"] == "snapshot"
        assert (message["data"]["b"], message["data"]["a"]) == (
            [["60000.0", "2.000"]],
            [["60000.2", "4.000"]],
        )


async def test_level_one_repeats_itself_when_nothing_happens() -> None:
    """On a clock of the test's own: three seconds pass at once."""
    now = [1_700_000_000_000_000_000]
    stage = Stage(lambda: now[0])
    endpoints = await stage.venue.start()
    async with aiohttp.ClientSession() as http, Client(http, endpoints).public() as socket:
        await socket.ask({"op": "subscribe", "args": ["orderbook.1.BTCUSDT"]})
        first = await socket.receive()
        now[0] += 3_000_000_000
        again = await socket.receive()
        assert again["data"] == first["data"]
        assert again["ts"] == first["ts"] + 3000
    await stage.venue.close()


async def test_clients_orders_show_in_the_book(stage: Stage, client: Client) -> None:
    async with client.public() as socket:
        await socket.ask({"op": "subscribe", "args": ["orderbook.200.BTCUSDT"]})
        await socket.receive()
        await client.place(price="60000.0", qty="1")
        assert (await socket.receive())["data"]["b"] == [["60000.0", "3.000"]]


async def test_every_client_gets_every_message_of_a_topic(stage: Stage, client: Client) -> None:
    async with client.public() as early, client.public() as late:
        await early.ask({"op": "subscribe", "args": ["orderbook.50.BTCUSDT"]})
        before = await early.receive()
        stage.depth([("59999.7", "1")], [])
        await late.ask({"op": "subscribe", "args": ["orderbook.50.BTCUSDT"]})
        snapshot = await late.receive()
        first_delta = await early.receive()
        assert (first_delta["data"]["u"], snapshot["data"]["u"]) == (before["data"]["u"] + 1,) * 2
        stage.depth([("59999.7", "2")], [])
        assert await early.receive() == await late.receive()


async def test_trades(stage: Stage, client: Client) -> None:
    async with client.public() as socket:
        await socket.ask({"op": "subscribe", "args": ["publicTrade.BTCUSDT"]})
        stage.trade(Side.Sell, "60000.0", "0.25")
        message = await socket.receive()
        (row,) = message["data"]
        assert (message["type"], row["S"], row["p"], row["v"]) == ("snapshot", "Sell", "60000.0", "0.250")
        assert (row["s"], row["seq"], row["BT"]) == ("BTCUSDT", 1, False)
        await client.place(orderType="Market", qty="0.5")
        (row,) = (await socket.receive())["data"]
        assert (row["S"], row["p"], row["v"]) == ("Buy", "60000.1", "0.500")


async def test_ticker_snapshot_then_changed_fields(stage: Stage, client: Client) -> None:
    async with client.public() as socket:
        await socket.ask({"op": "subscribe", "args": ["tickers.BTCUSDT"]})
        snapshot = await socket.receive()
        assert (snapshot["type"], snapshot["data"]["bid1Price"], snapshot["cs"]) == ("snapshot", "60000.0", 1)
        stage.trade(Side.Buy, "60000.1", "1")
        delta = await socket.receive()
        assert delta["type"] == "delta"
        assert delta["data"]["symbol"] == "BTCUSDT"
        assert delta["data"]["lastPrice"] == "60000.1"
        assert "fundingRate" not in delta["data"]


async def test_unsubscribed_means_silent(stage: Stage, client: Client) -> None:
    async with client.public() as socket:
        await socket.ask({"op": "subscribe", "args": ["orderbook.50.BTCUSDT", "publicTrade.BTCUSDT"]})
        await socket.receive()
        ack = await socket.ask({"op": "unsubscribe", "args": ["orderbook.50.BTCUSDT"]})
        assert (ack["success"], ack["op"]) == (True, "unsubscribe")
        stage.depth([("59999.7", "1")], [])
        stage.trade(Side.Buy, "60000.1", "1")
        assert (await socket.receive())["topic"] == "publicTrade.BTCUSDT"
        await socket.ask({"op": "subscribe", "args": ["orderbook.50.BTCUSDT"]})
        assert (await socket.receive())["type"] == "snapshot"


@pytest.mark.parametrize(
    ("topics", "named"),
    [
        (["orderbook.50.BTCUSDT", "orderbook.50.DOGEUSDT"], "orderbook.50.DOGEUSDT"),
        (["orderbook.7.BTCUSDT"], "orderbook.7.BTCUSDT"),
        (["orderbook"], "orderbook"),
        (["x" * 5000], "xxx"),
        (["tickers.BTCUSDT", 7], "args"),
        ([], "args"),
        ("tickers.BTCUSDT", "args"),
        (None, "args"),
    ],
)
async def test_one_wrong_topic_fails_the_request(
    stage: Stage, client: Client, topics: object, named: str
) -> None:
    async with client.public() as socket:
        ack = await socket.ask({"op": "subscribe", "args": topics, "req_id": "r"})
        assert (ack["success"], ack["req_id"]) == (False, "r")
        assert named in ack["ret_msg"]
        assert len(ack["ret_msg"]) < 300
        stage.depth([("60000.0", "9")], [])
        assert (await socket.ask({"op": "ping"}))["ret_msg"] == "pong"  # and nothing else came


async def test_subscribing_twice_is_refused(client: Client) -> None:
    async with client.public() as socket:
        for _ in range(2):
            ack = await socket.ask({"op": "subscribe", "args": ["publicTrade.BTCUSDT"]})
        assert (ack["success"], ack["ret_msg"]) == (
            False,
            "error:already subscribed,topic:publicTrade.BTCUSDT",
        )


async def test_topics_of_one_connection_are_limited() -> None:
    stage = Stage(limits=VenueLimits(topic_chars=40))
    endpoints = await stage.venue.start()
    async with aiohttp.ClientSession() as http, Client(http, endpoints).public() as socket:
        assert (await socket.ask({"op": "subscribe", "args": ["orderbook.50.BTCUSDT"]}))["success"]
        await socket.receive()
        ack = await socket.ask({"op": "subscribe", "args": ["orderbook.200.BTCUSDT"]})
        assert not ack["success"]
        assert "40 characters" in ack["ret_msg"]
    await stage.venue.close()


async def test_other_categories_have_no_stream(client: Client) -> None:
    for category in ("option", "spread", ""):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with client.raw(f"{client.endpoints.ws_public}/{category}"):
                pass
        assert refused.value.status == 404


# -- the books that clients build ------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
async def test_clients_build_the_venues_book(stage: Stage, client: Client, seed: int) -> None:
    """Random changes near and far from the top: after each message, every depth shows exactly its best levels."""
    print(f"seed {seed}")
    rng = random.Random(seed)
    depths = (1, 50, 200)
    async with client.public() as socket:
        await socket.ask({"op": "subscribe", "args": [f"orderbook.{depth}.BTCUSDT" for depth in depths]})
        books = {message["topic"]: as_book(message) for message in await socket.take(len(depths))}
        states = {topic: [book] for topic, book in books.items()}
        for _ in range(150):
            stage.depth(random_levels(rng, 600_000, -1), random_levels(rng, 600_001, 1))
            for depth in depths:
                seen = states[f"orderbook.{depth}.BTCUSDT"]
                state = displayed(stage, depth)
                if state != seen[-1]:
                    seen.append(state)
        counts = dict.fromkeys(states, 0)
        for _ in range(sum(len(seen) - 1 for seen in states.values())):
            message = await socket.receive()
            topic = message["topic"]
            books[topic] = (
                as_book(message) if message["type"] == "snapshot" else changed(books[topic], message)
            )
            counts[topic] += 1
            assert books[topic] == states[topic][counts[topic]]
        assert min(counts.values()) > 20


def random_levels(rng: random.Random, best_ticks: int, direction: int) -> list[tuple[str, str]]:
    ticks = rng.sample(range(rng.choice([6, 60, 300])), rng.randrange(6))
    return [
        (f"{(best_ticks + direction * tick) / 10:.1f}", str(rng.choice([0, 0, 1, 2, 3]))) for tick in ticks
    ]


def displayed(stage: Stage, depth: int) -> Levels:
    book = stage.exchange.book("BTCUSDT")
    bids, asks = (
        {f"{level.get_price():.1f}": f"{level.get_qty():.3f}" for level in list(levels)[:depth]}
        for levels in (book.bids(), book.asks())
    )
    return bids, asks


def as_book(message: Json) -> Levels:
    return dict(message["data"]["b"]), dict(message["data"]["a"])


def changed(book: Levels, message: Json) -> Levels:
    """The book after a delta. Strict, as some clients are: only a level that is there may be deleted."""
    bids, asks = dict(book[0]), dict(book[1])
    for levels, changes in ((bids, message["data"]["b"]), (asks, message["data"]["a"])):
        for price, qty in changes:
            if qty == "0":
                del levels[price]
            else:
                levels[price] = qty
    return bids, asks
