"""The Bybit feed against a venue that loses, repeats, reorders and garbles: a book is right, or reported lost."""

from __future__ import annotations

import asyncio
import os
import random
from typing import Any

import pytest
from book_keeper import BookKeeper
from bybit_messages import book_frame, instrument_row, make_instruments, trades_frame
from fake_bybit import FakeBybit, eventually

from mlthon.api.istrat_env import MDSub
from mlthon.basics.defs import Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.errors import UsageError, VenueUnreachable
from mlthon.exchanges.bybit import BybitConnector
from mlthon.exchanges.bybit.feed import BybitFeed
from mlthon.exchanges.socket import SocketLimits

SEED = int(os.environ.get("MLTHON_TEST_SEED", "20240808"))
INSTRUMENTS = make_instruments(instrument_row(), instrument_row("ETHUSDT", "ETH", "0.01", "0.01"))
BTC, ETH = INSTRUMENTS["BTCUSDT"], INSTRUMENTS["ETHUSDT"]
BTC_ID, ETH_ID = BTC.get_instrument_id(), ETH.get_instrument_id()
BOOK = "orderbook.50.BTCUSDT"
DEEP = frozenset({MDSub.PriceLevelBook})


class VenueBook:
    """The venue's side of one order book topic."""

    def __init__(self, venue: FakeBybit, symbol: str = "BTCUSDT", depth: int = 50) -> None:
        self.venue = venue
        self.symbol, self.depth = symbol, depth
        self.topic = f"orderbook.{depth}.{symbol}"
        self.u = 100
        self.bids = {"100.0": "1", "99.9": "2"}
        self.asks = {"100.1": "1", "100.2": "2"}
        venue.snapshots[self.topic] = self.snapshot

    def snapshot(self) -> dict[str, Any]:
        levels = [[[price, qty] for price, qty in side.items()] for side in (self.bids, self.asks)]
        return book_frame(
            self.u, *levels, kind="snapshot", symbol=self.symbol, depth=self.depth, ts=self.venue.now_ms()
        )

    def change(self, bids: dict[str, str], asks: dict[str, str]) -> dict[str, Any]:
        """Change the book; returns the message that says so."""
        self.u += 1
        for side, changes in ((self.bids, bids), (self.asks, asks)):
            for price, qty in changes.items():
                side[price] = qty
                if qty == "0":
                    del side[price]
        levels = [[[price, qty] for price, qty in changes.items()] for changes in (bids, asks)]
        return book_frame(self.u, *levels, symbol=self.symbol, depth=self.depth, ts=self.venue.now_ms())

    def values(self) -> tuple[dict[Price, Qty], dict[Price, Qty]]:
        bids, asks = ({Price(p): Qty(q) for p, q in side.items()} for side in (self.bids, self.asks))
        return bids, asks


class Client:
    """A connected feed with its listener."""

    def __init__(self, venue: FakeBybit, **changes: Any) -> None:
        self.venue = venue
        self.listener = BookKeeper()
        self.connector = BybitConnector(venue.config(**changes), lambda: venue_clock_ns(venue))
        self.feed = self.connector.feed
        assert isinstance(self.feed, BybitFeed)
        self.feed.attach(self.listener)

    async def __aenter__(self) -> Client:
        await self.feed.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.connector.close()

    def has(self, book: VenueBook, instrument_id: int = BTC_ID) -> bool:
        """Whether the client's book is sound and equal to the venue's."""
        return (
            bool(self.listener.sound.get(instrument_id))
            and self.listener.books[instrument_id] == book.values()
        )

    async def send(self, message: object) -> None:
        await self.venue.session("public").send(message)

    def subscribed(self) -> list[list[str]]:
        """The topics of all subscribe requests, over all living connections."""
        received = [m for s in self.venue.sessions if s.kind == "public" for m in s.received]
        return [message["args"] for message in received if message["op"] == "subscribe"]


def venue_clock_ns(venue: FakeBybit) -> int:
    return venue.now_ms() * 1_000_000


# -- subscribing -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subs", "topics"),
    [
        ({MDSub.PriceLevelBook}, ["orderbook.50.BTCUSDT"]),
        ({MDSub.LevelBook, MDSub.BBO}, ["orderbook.50.BTCUSDT"]),
        ({MDSub.BBO}, ["orderbook.1.BTCUSDT"]),
        ({MDSub.PublicTrades}, ["publicTrade.BTCUSDT"]),
        ({MDSub.BBO, MDSub.PublicTrades}, ["orderbook.1.BTCUSDT", "publicTrade.BTCUSDT"]),
    ],
)
async def test_what_is_asked_for_decides_the_topics(
    venue: FakeBybit, subs: set[MDSub], topics: list[str]
) -> None:
    async with Client(venue) as client:
        client.feed.subscribe(BTC, frozenset(subs))
        assert client.listener.events == []  # nothing is told from inside a call
        await eventually(lambda: client.listener.named("ready"))
        assert client.subscribed() == [topics]
        assert client.listener.named("ready") == [("ready", BTC_ID)]


async def test_subscriptions_made_before_connecting_are_sent_once_connected(venue: FakeBybit) -> None:
    client = Client(venue)
    client.feed.subscribe(BTC, DEEP)
    client.feed.subscribe(ETH, frozenset({MDSub.PublicTrades}))
    async with client:
        await eventually(lambda: len(client.listener.named("ready")) == 2)
        assert client.subscribed() == [["orderbook.50.BTCUSDT"], ["publicTrade.ETHUSDT"]]


async def test_a_deeper_book_replaces_the_top_level(venue: FakeBybit) -> None:
    top, deep = VenueBook(venue, depth=1), VenueBook(venue)
    async with Client(venue) as client:
        client.feed.subscribe(BTC, frozenset({MDSub.BBO}))
        await eventually(lambda: client.has(top))
        client.feed.subscribe(BTC, DEEP)
        await eventually(lambda: len(client.listener.named("snapshot")) == 2 and client.has(deep))
        assert venue.session("public").topics == {deep.topic}
        # More of the same needs nothing new from the venue, and is confirmed all the same.
        client.feed.subscribe(BTC, frozenset({MDSub.BBO}))
        await eventually(lambda: len(client.listener.named("ready")) == 3)
        assert client.subscribed() == [[top.topic], [deep.topic]]


async def test_order_by_order_books_are_not_published(venue: FakeBybit) -> None:
    async with Client(venue) as client:
        assert client.feed.unsupported_subs() == {MDSub.OrderBook}
        client.feed.subscribe(BTC, frozenset({MDSub.OrderBook, MDSub.BBO}))
        await eventually(lambda: client.listener.named("ready"))
        assert client.subscribed() == [["orderbook.1.BTCUSDT"]]


async def test_a_refused_instrument_does_not_hinder_the_others(venue: FakeBybit) -> None:
    venue.refused_topics["publicTrade.ETHUSDT"] = "Invalid symbol :[publicTrade.ETHUSDT]"
    book = VenueBook(venue)
    async with Client(venue) as client:
        client.feed.subscribe(ETH, frozenset({MDSub.PublicTrades}))
        client.feed.subscribe(BTC, DEEP)
        await eventually(lambda: client.listener.named("refused") and client.has(book))
        (refused,) = client.listener.named("refused")
        assert refused[1] == ETH_ID
        assert "publicTrade.ETHUSDT" in refused[3]
        venue.session("public").cut()  # what was refused is not asked for again
        await eventually(lambda: len(client.listener.named("snapshot")) == 2)
        assert client.subscribed() == [[BOOK]]


async def test_a_subscription_without_an_answer_is_tried_on_a_new_connection(venue: FakeBybit) -> None:
    venue.answer_subscribes = False
    async with Client(venue, request_timeout_ms=60) as client:
        client.feed.subscribe(BTC, frozenset({MDSub.PublicTrades}))
        await eventually(lambda: venue.opened["public"] >= 2)
        venue.answer_subscribes = True
        await eventually(lambda: client.listener.named("ready"))
        assert "no answer to subscribing publicTrade.BTCUSDT" in client.listener.named("feed lost")[0][1]


async def test_connecting_needs_a_listener_and_a_venue(venue: FakeBybit) -> None:
    limits = SocketLimits(connect_timeout_ms=150, first_pause_ms=5)
    connector = BybitConnector(venue.config(socket=limits), lambda: 0)
    with pytest.raises(UsageError, match="attach"):
        await connector.feed.connect()
    connector.feed.attach(BookKeeper())
    await venue.stop()
    with pytest.raises(VenueUnreachable, match="bybit public linear: no connection"):
        await connector.feed.connect()
    await connector.close()


# -- books -------------------------------------------------------------------------------------------------------


async def test_a_book_follows_the_venue(venue: FakeBybit) -> None:
    book = VenueBook(venue)
    async with Client(venue) as client:
        client.feed.subscribe(BTC, DEEP)
        await eventually(lambda: client.has(book))
        await client.send(book.change({"99.8": "3", "99.9": "0"}, {"100.1": "0.5"}))
        await client.send(book.change({}, {"100.1": "0"}))
        await eventually(lambda: client.has(book))
        assert [event[0] for event in client.listener.events] == ["ready", "snapshot", "delta", "delta"]


async def test_a_gap_loses_the_book_until_a_new_snapshot(venue: FakeBybit) -> None:
    book = VenueBook(venue)
    async with Client(venue) as client:
        client.feed.subscribe(BTC, DEEP)
        await eventually(lambda: client.has(book))
        book.change({"99.8": "3"}, {})  # never sent
        await client.send(book.change({"99.7": "3"}, {}))
        await client.send(book.change({"99.6": "3"}, {}))  # dropped: it continues what is lost
        await eventually(lambda: client.has(book))
        assert client.listener.named("lost") == [("lost", BTC_ID, f"expected message 101 of {BOOK}, got 102")]
        assert client.listener.named("delta") == []
        session = venue.session("public")
        assert [m["op"] for m in session.received] == ["subscribe", "unsubscribe", "subscribe"]
        assert client.listener.named("feed lost") == []  # the connection was kept


@pytest.mark.parametrize("trouble", ["repeated", "from the past", "garbled", "crossing", "of another symbol"])
async def test_a_book_that_cannot_be_right_is_fetched_anew(venue: FakeBybit, trouble: str) -> None:
    book = VenueBook(venue)
    async with Client(venue) as client:
        client.feed.subscribe(BTC, DEEP)
        await eventually(lambda: client.has(book))
        good = book.change({"99.8": "3"}, {})
        await client.send(good)
        await eventually(lambda: client.has(book))
        bad = book_frame(book.u + 1, [["99.7", "1"]], [], ts=venue.now_ms())
        if trouble == "repeated":
            bad = good
        elif trouble == "from the past":
            bad["data"]["u"] = book.u - 1
        elif trouble == "garbled":
            bad["data"]["b"].append(["99.6", "x"])
        elif trouble == "crossing":
            bad["data"]["b"] = [["100.5", "1"]]
        else:
            bad["data"]["s"] = "ETHUSDT"
        await client.send(bad)
        await eventually(lambda: client.listener.named("lost") and client.has(book))
        assert len(client.listener.named("lost")) == 1
        assert client.listener.named("feed lost") == []


async def test_a_new_snapshot_at_any_time_starts_the_book_anew(venue: FakeBybit) -> None:
    book = VenueBook(venue)
    async with Client(venue) as client:
        client.feed.subscribe(BTC, DEEP)
        await eventually(lambda: client.has(book))
        book.bids, book.u = {"98.0": "9"}, 7
        await client.send(book.snapshot())
        await client.send(book.change({"98.1": "1"}, {}))
        await eventually(lambda: client.has(book))
        # After a restart the venue counts from 1, and a first message without the right label counts too.
        book.bids, book.asks, book.u = {"97.0": "9"}, {"97.5": "1"}, 1
        await client.send(book.snapshot() | {"type": "delta"})
        await eventually(lambda: client.has(book))
        assert client.listener.named("lost") == []


async def test_the_top_level_comes_as_snapshots_only(venue: FakeBybit) -> None:
    book = VenueBook(venue, depth=1)
    async with Client(venue) as client:
        client.feed.subscribe(BTC, frozenset({MDSub.BBO}))
        await eventually(lambda: client.has(book))
        for step in (1, 5, 0):  # a quiet top is repeated under its number
            book.u += step
            await client.send(book.snapshot())
        await eventually(lambda: len(client.listener.named("snapshot")) == 4)
        assert client.listener.named("lost") == []


async def test_a_book_that_gets_no_snapshot_is_subscribed_again(venue: FakeBybit) -> None:
    book = VenueBook(venue)
    make, venue.snapshots = venue.snapshots, {}
    async with Client(venue, request_timeout_ms=80) as client:
        client.feed.subscribe(BTC, DEEP)
        await eventually(lambda: len(client.subscribed()) >= 2)
        venue.snapshots = make
        await eventually(lambda: client.has(book))
        assert client.listener.named("lost") == []  # it was not there to be lost
        assert client.listener.named("feed lost") == []


async def test_a_venue_that_breaks_every_book_is_not_asked_in_a_hot_loop(venue: FakeBybit) -> None:
    book = VenueBook(venue)
    book.bids = {"100.5": "1"}  # crossed
    async with Client(venue, retry_first_ms=20, retry_longest_ms=10_000) as client:
        client.feed.subscribe(BTC, DEEP)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await eventually(lambda: len(client.subscribed()) == 5)
        # The first retry is free; then at least half of 20, 40 and 80 ms.
        assert loop.time() - began >= 0.065
        book.bids = {"100.0": "1"}
        await eventually(lambda: client.has(book))


# -- trades ------------------------------------------------------------------------------------------------------


async def test_trades_arrive_in_order(venue: FakeBybit) -> None:
    async with Client(venue) as client:
        client.feed.subscribe(BTC, frozenset({MDSub.PublicTrades}))
        await eventually(lambda: client.listener.named("ready"))
        await client.send(trades_frame(("Buy", "100.1", "1"), ("Sell", "100", "2"), ts=venue.now_ms()))
        await eventually(lambda: client.listener.named("trades"))
        expected = [(Side.Buy, Price("100.1"), Qty("1")), (Side.Sell, Price("100"), Qty("2"))]
        assert client.listener.named("trades") == [("trades", BTC_ID, expected)]


async def test_bad_trades_are_dropped_whole_and_counted(venue: FakeBybit) -> None:
    async with Client(venue) as client:
        client.feed.subscribe(BTC, frozenset({MDSub.PublicTrades}))
        await eventually(lambda: client.listener.named("ready"))
        await client.send(trades_frame(("Buy", "100.1", "1"), ("Sell", "100", "-2"), ts=venue.now_ms()))
        await client.send(trades_frame(("Buy", "100.1", "7"), ts=venue.now_ms()))
        await eventually(lambda: client.listener.named("trades"))
        assert client.listener.named("trades") == [("trades", BTC_ID, [(Side.Buy, Price("100.1"), Qty("7"))])]
        assert client.feed.tally.counts["bad message dropped"] == 1


async def test_messages_nobody_asked_for_are_counted_and_ignored(venue: FakeBybit) -> None:
    book = VenueBook(venue)
    async with Client(venue) as client:
        client.feed.subscribe(BTC, DEEP)
        await eventually(lambda: client.has(book))
        await client.send(book_frame(5, [], [], symbol="ETHUSDT"))
        await client.send(trades_frame(("Buy", "1", "1")))
        await client.send({"topic": "kline.5.BTCUSDT", "data": []})
        await client.send({"op": "surprise"})
        await client.send(book.change({"99.0": "1"}, {}))
        await eventually(lambda: client.has(book))
        assert client.feed.tally.counts["message of a topic that is not subscribed"] == 2
        assert client.feed.tally.counts["unknown message ignored"] == 2


# -- the connection ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", ["cut", "half a frame", "close", "garbage", "invalid utf-8"])
async def test_after_a_loss_everything_is_subscribed_again(venue: FakeBybit, trouble: str) -> None:
    btc, eth = VenueBook(venue), VenueBook(venue, "ETHUSDT")
    async with Client(venue) as client:
        client.feed.subscribe(BTC, DEEP | {MDSub.PublicTrades})
        client.feed.subscribe(ETH, DEEP)
        await eventually(lambda: client.has(btc) and client.has(eth, ETH_ID))
        session = venue.session("public")
        if trouble == "cut":
            session.cut()
        elif trouble == "half a frame":
            session.cut(half_sent=b'{"topic":"orderbook.50.BTCUSDT","type":"delta"')
        elif trouble == "close":
            await session.close()
        elif trouble == "garbage":
            await session.send('{"topic":"orderbook.50.BTC')
        else:
            assert session.request.transport is not None
            session.request.transport.write(b"\x81\x02\xff\xfe")
        btc.change({"99.5": "4"}, {})
        await eventually(lambda: client.has(btc) and client.has(eth, ETH_ID))
        assert len(client.listener.named("feed lost")) == 1
        assert venue.session("public").topics == {btc.topic, eth.topic, "publicTrade.BTCUSDT"}
        assert len(client.listener.named("ready")) == 4


async def test_old_news_ends_the_connection(venue: FakeBybit) -> None:
    book = VenueBook(venue)
    async with Client(venue, stale_after_ms=2_000) as client:
        client.feed.subscribe(BTC, DEEP)
        await eventually(lambda: client.has(book))
        late = book.change({"99.5": "4"}, {})
        late["ts"] -= 2_500
        await client.send(late)
        await eventually(lambda: client.listener.named("feed lost") and client.has(book))
        assert client.listener.named("delta") == []  # what is late is not traded on
        assert f"stale: {BOOK} is 2.5 s behind" in client.listener.named("feed lost")[0][1]


async def test_lateness_is_judged_by_the_venue_s_clock(venue: FakeBybit) -> None:
    """A machine whose clock is wrong must not throw away a feed that is on time."""
    venue.clock_offset_ms = -3_600_000
    book = VenueBook(venue)
    connector = BybitConnector(
        venue.config(stale_after_ms=2_000), lambda: venue_clock_ns(venue) + 3_600 * 10**9
    )
    listener = BookKeeper()
    connector.feed.attach(listener)
    await connector.load_instruments()
    await connector.feed.connect()
    connector.feed.subscribe(BTC, DEEP)
    await eventually(lambda: listener.named("snapshot"))
    await venue.session("public").send(book.change({"99.5": "4"}, {}))
    await eventually(lambda: listener.named("delta"))
    assert listener.named("feed lost") == []
    await connector.close()


async def test_a_quiet_book_may_be_old(venue: FakeBybit) -> None:
    book = VenueBook(venue, depth=1)
    venue.snapshots[book.topic] = lambda: book.snapshot() | {"ts": venue.now_ms() - 60_000}
    async with Client(venue, stale_after_ms=2_000) as client:
        client.feed.subscribe(BTC, frozenset({MDSub.BBO}))
        await eventually(lambda: client.has(book))
        await client.send(book.snapshot() | {"ts": venue.now_ms() - 60_000})
        await eventually(lambda: len(client.listener.named("snapshot")) == 2)
        assert client.listener.named("feed lost") == []


async def test_any_mix_of_troubles_ends_with_the_right_book(venue: FakeBybit) -> None:
    """Whatever is lost, repeated, garbled or cut: no delta reaches a lost book, and the end is the venue's book."""
    rng = random.Random(SEED)
    print(f"seed {SEED}")
    book = VenueBook(venue)
    async with Client(venue) as client:
        client.feed.subscribe(BTC, DEEP)
        await eventually(lambda: client.has(book))
        for _ in range(400):
            changes = {f"{rng.randint(900, 999) / 10}": rng.choice(["1", "2.5", "7"])}
            message = book.change(changes, {f"{rng.randint(1001, 1100) / 10}": rng.choice(["1", "3"])})
            await eventually(lambda: venue.live_sessions("public"))
            trouble = rng.choices(["none", "lose", "repeat", "garble", "cut", "wait"], [80, 4, 4, 4, 1, 7])[0]
            if trouble in ("none", "repeat", "wait"):
                await client.send(message)
            if trouble == "repeat":
                await client.send(message)
            elif trouble == "garble":
                await client.send(message | {"data": {"s": "BTCUSDT", "u": book.u, "b": [["1"]], "a": None}})
            elif trouble == "cut":
                venue.session("public").cut()
            elif trouble == "wait":
                await eventually(lambda: not client.listener.sound[BTC_ID] or client.has(book))
        await eventually(lambda: client.listener.sound[BTC_ID], f"seed {SEED}")
        await client.send(book.change({"50.0": "1"}, {}))
        await eventually(lambda: client.has(book), f"seed {SEED}")
        assert client.listener.named("lost")
        assert client.listener.named("feed lost")
