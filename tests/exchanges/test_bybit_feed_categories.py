"""Market data of several categories at once, on as many connections as it takes, and books that fall silent."""

from __future__ import annotations

import os
import random

import pytest
from bybit_messages import instrument_row, inverse_row, make_instruments, spot_row, trades_frame
from fake_bybit import FakeBybit, eventually
from test_bybit_feed import BTC, BTC_ID, DEEP, ETH, ETH_ID, Client, VenueBook

from mlthon.api.istrat_env import MDSub
from mlthon.basics.defs import Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.exchanges.bybit import market_stream

SEED = int(os.environ.get("MLTHON_TEST_SEED", "20240808"))
PAIR = make_instruments(spot_row(), category="spot")["BTCUSDT"]
INVERSE = make_instruments(inverse_row(), category="inverse")["BTCUSD"]
PAIR_ID, INVERSE_ID = PAIR.get_instrument_id(), INVERSE.get_instrument_id()
ALL = ("linear", "inverse", "spot")
EVERYTHING = frozenset({MDSub.PriceLevelBook, MDSub.LevelBook, MDSub.BBO, MDSub.PublicTrades})


async def test_a_symbol_of_two_categories_is_two_books(venue: FakeBybit) -> None:
    shown = VenueBook(venue)
    async with Client(venue, categories=ALL) as client:
        client.feed.subscribe(BTC, EVERYTHING)
        await eventually(lambda: client.has(shown))
        shown.bids = {"99.0": "5"}  # what the spot connection is going to show under the same topic
        client.feed.subscribe(PAIR, EVERYTHING)
        await eventually(lambda: client.has(shown, PAIR_ID))
        await venue.session("spot").send(shown.change({"98.0": "1"}, {}))
        await venue.session("spot").send(trades_frame(("Buy", "99", "1"), ts=venue.now_ms()))
        await eventually(lambda: client.has(shown, PAIR_ID) and client.listener.named("trades"))
        assert Price("98.0") not in client.listener.books[BTC_ID][0]
        assert Price("99.9") in client.listener.books[BTC_ID][0]
        assert client.listener.named("trades") == [("trades", PAIR_ID, [(Side.Buy, Price("99"), Qty("1"))])]
        assert client.listener.named("lost") == []


async def test_a_category_whose_connection_is_lost_takes_no_other_with_it(venue: FakeBybit) -> None:
    books = {
        BTC_ID: VenueBook(venue),
        INVERSE_ID: VenueBook(venue, "BTCUSD"),
    }
    async with Client(venue, categories=ALL) as client:
        client.feed.subscribe(BTC, DEEP)
        client.feed.subscribe(INVERSE, DEEP)
        await eventually(lambda: all(client.has(book, number) for number, book in books.items()))
        venue.session("spot").cut()  # carries nothing
        venue.session("inverse").cut(b"half a frame")
        await eventually(lambda: client.listener.named("feed lost"))
        assert client.listener.sound == {BTC_ID: True, INVERSE_ID: False}
        await eventually(lambda: client.has(books[INVERSE_ID], INVERSE_ID))
        assert client.listener.named("ready") == [
            ("ready", BTC_ID),
            ("ready", INVERSE_ID),
            ("ready", INVERSE_ID),
        ]
        await eventually(lambda: venue.opened["spot"] == 2)
        assert len(client.listener.named("feed lost")) == 1


async def test_any_mix_of_troubles_ends_with_the_right_books_in_all_categories(venue: FakeBybit) -> None:
    """Whatever is lost, repeated, held back or cut, and while silences are looked into: the ends are the venue's."""
    rng = random.Random(SEED)
    print(f"seed {SEED}")
    books = {"public": VenueBook(venue), "inverse": VenueBook(venue, "BTCUSD")}
    numbers = {"public": BTC_ID, "inverse": INVERSE_ID}
    async with Client(venue, categories=ALL, silent_after_ms=15) as client:
        client.feed.subscribe(BTC, DEEP)
        client.feed.subscribe(INVERSE, DEEP)
        await eventually(lambda: all(client.has(book, numbers[kind]) for kind, book in books.items()))
        for _ in range(400):
            kind = rng.choice(sorted(books))
            book, number = books[kind], numbers[kind]
            message = book.change({f"{rng.randint(900, 999) / 10}": rng.choice(["1", "2.5"])}, {})
            await eventually(lambda kind=kind: venue.live_sessions(kind), f"seed {SEED}")
            trouble = rng.choices(["none", "lose", "repeat", "cut", "wait"], [80, 4, 4, 1, 7])[0]
            if trouble not in ("lose", "cut"):
                await venue.session(kind).send(message)
            if trouble == "repeat":
                await venue.session(kind).send(message)
            elif trouble == "cut":
                venue.session(kind).cut()
            elif trouble == "wait":
                await eventually(lambda b=book, n=number: not client.listener.sound[n] or client.has(b, n))
        # What was lost last is noticed by its silence at the latest.
        for kind, book in books.items():
            await eventually(lambda b=book, k=kind: client.has(b, numbers[k]), f"{kind}, seed {SEED}")
        assert client.listener.named("lost")
        assert client.listener.named("feed lost")


async def test_topics_too_many_for_one_connection_are_spread_over_several(
    venue: FakeBybit, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [instrument_row(f"COIN{n}USDT", f"COIN{n}") for n in range(12)]
    instruments = list(make_instruments(*rows).values())
    books = {each.get_instrument_id(): VenueBook(venue, each.get_exch_instr_id()) for each in instruments}
    room_for_five = 5 * len("orderbook.50.COIN10USDTpublicTrade.COIN10USDT")
    monkeypatch.setattr(market_stream, "_MOST_TOPIC_CHARS", room_for_five)
    async with Client(venue) as client:
        for instrument in instruments:
            client.feed.subscribe(instrument, EVERYTHING)
        await eventually(lambda: all(client.has(book, number) for number, book in books.items()))
        sessions = venue.live_sessions("public")
        assert len(sessions) == 3
        assert all(sum(map(len, session.topics)) <= room_for_five for session in sessions)
        # One more request about what is subscribed already goes where that is.
        client.feed.subscribe(instruments[0], DEEP)
        await eventually(lambda: len(client.listener.named("ready")) == 13)
        assert len(venue.live_sessions("public")) == 3
        assert max(map(len, client.subscribed())) <= 10  # the most that spot takes in one request


# -- silence -----------------------------------------------------------------------------------------------------


async def test_a_book_that_falls_silent_is_fetched_anew_and_the_others_are_not(venue: FakeBybit) -> None:
    silent, talking = VenueBook(venue), VenueBook(venue, "ETHUSDT")
    async with Client(venue, silent_after_ms=60) as client:
        client.feed.subscribe(BTC, DEEP)
        client.feed.subscribe(ETH, DEEP)
        await eventually(lambda: client.has(silent) and client.has(talking, ETH_ID))
        silent.change({"98.0": "1"}, {})  # which the venue forgets to send
        deadline = venue.now_ms() + 5_000
        while not client.has(silent) and venue.now_ms() < deadline:
            await client.send(talking.change({"98.0": str(talking.u)}, {}))
            await eventually(lambda: client.has(talking, ETH_ID))
        assert client.has(silent)
        assert client.listener.named("snapshot") == [
            ("snapshot", number) for number in (BTC_ID, ETH_ID, BTC_ID)
        ]
        await client.send(silent.change({"98.0": "2"}, {}))
        await eventually(lambda: client.has(silent))


async def test_a_quiet_market_is_not_disturbed(venue: FakeBybit) -> None:
    book = VenueBook(venue)
    async with Client(venue, silent_after_ms=20) as client:
        client.feed.subscribe(BTC, DEEP)
        await eventually(lambda: client.has(book))
        await eventually(lambda: len(client.subscribed()) == 4)  # looked into three times
        await client.send(book.change({"98.0": "2"}, {}))
        await eventually(lambda: client.has(book))
        told = [event[0] for event in client.listener.events if event[0] != "ready"]
        assert told == ["snapshot", "delta"]


@pytest.mark.parametrize("trouble", ["refused", "no snapshot"])
async def test_a_silent_book_that_cannot_be_had_anew_is_lost(venue: FakeBybit, trouble: str) -> None:
    book = VenueBook(venue)
    async with Client(venue, silent_after_ms=20, request_timeout_ms=80) as client:
        client.feed.subscribe(BTC, DEEP)
        await eventually(lambda: client.has(book))
        if trouble == "refused":
            venue.refused_topics[book.topic] = f"error:cannot,topic:{book.topic}"
        else:
            make, venue.snapshots = venue.snapshots, {}
        await eventually(lambda: client.listener.named("lost"))
        venue.refused_topics.clear()
        if trouble == "no snapshot":
            venue.snapshots = make
        await eventually(lambda: client.has(book))
        assert client.listener.named("refused") == []


async def test_a_book_of_what_is_no_longer_traded_is_given_up_and_keeps_no_other_waiting(
    venue: FakeBybit,
) -> None:
    venue.instruments = [instrument_row(), instrument_row("ETHUSDT", "ETH", "0.01", "0.01")]
    gone, kept = VenueBook(venue), VenueBook(venue, "ETHUSDT")
    async with Client(venue, silent_after_ms=60, instruments_every_ms=10) as client:
        await client.connector.load_instruments()
        client.connector.watch_instruments(lambda _: None)
        for instrument in (BTC, ETH):
            client.feed.subscribe(instrument, DEEP)
        await eventually(lambda: client.has(gone) and client.has(kept, ETH_ID))
        venue.refused_topics[gone.topic] = f"error:handler not found,topic:{gone.topic}"
        await eventually(lambda: client.listener.named("lost"))
        asked = len(client.subscribed())
        await eventually(lambda: len(client.subscribed()) > asked + 3)  # it may come back, as far as is known
        assert client.listener.named("refused") == []
        venue.instruments[0]["status"] = "Closed"
        await eventually(lambda: client.listener.named("refused"))
        ((_, number, _, why),) = client.listener.named("refused")
        assert number == BTC_ID
        assert why.startswith("no longer traded: subscribing orderbook.50.BTCUSDT anew refused")
        await client.send(kept.change({"98.0": "1"}, {}))
        await eventually(lambda: client.has(kept, ETH_ID))


async def test_a_top_level_that_is_repeated_is_not_silent(venue: FakeBybit) -> None:
    book = VenueBook(venue, depth=1)
    async with Client(venue, silent_after_ms=100) as client:
        client.feed.subscribe(BTC, frozenset({MDSub.BBO}))
        await eventually(lambda: client.has(book))
        began = venue.now_ms()
        while venue.now_ms() < began + 300:
            told = len(client.listener.named("snapshot"))
            await client.send(book.snapshot())
            await eventually(lambda told=told: len(client.listener.named("snapshot")) > told)
        assert client.listener.named("lost") == []
