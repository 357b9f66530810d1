"""The scanner's topics, the changes it hands on by itself, and the objects it lends."""

from __future__ import annotations

import gc
import random
import sys

import pytest
from scanner_inputs import BOOK_TOPIC, RECV_NS, TRADES_TOPIC, make_scanner

from mlthon._core.bybit_frames import FrameScanner
from mlthon._core.market_event import DepthUpdate
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty

SENT_MS = RECV_NS // 1_000_000


def book(
    u: int, *, kind: str = "delta", topic: str = BOOK_TOPIC, ts: int = SENT_MS, price: str = "5"
) -> bytes:
    symbol = topic.split(".", 2)[2]
    return (
        f'{{"topic":"{topic}","type":"{kind}","ts":{ts},"data":{{"s":"{symbol}","b":[["{price}","{u}"]],"a":[],'
        f'"u":{u},"seq":{u}}}}}'
    ).encode()


class Taker:
    """Takes changes, and remembers them."""

    def __init__(self, answers: bool = True) -> None:
        self.answers = answers
        self.taken: list[DepthUpdate] = []

    def __call__(self, update: DepthUpdate) -> bool:
        self.taken.append(update)
        return self.answers


# -- handing on --------------------------------------------------------------------------------------------------


def test_the_next_change_is_handed_on_and_nothing_else_is() -> None:
    scanner, taker = FrameScanner(), Taker()
    topic = scanner.add(BOOK_TOPIC, "book", taker)
    assert topic.update_id == -1
    assert not scanner.scan(book(5), RECV_NS)  # awaiting a snapshot
    assert (scanner.owner, topic.update_id) == ("book", -1)
    topic.update_id = 5
    assert scanner.scan(book(6), RECV_NS)
    assert topic.update_id == 6
    for other in (book(6), book(5), book(8), book(7, kind="snapshot"), book(1)):
        assert not scanner.scan(other, RECV_NS)
        assert (scanner.owner, topic.update_id) == ("book", 6)
    assert scanner.scan(book(7), RECV_NS)
    assert [update.seq for update in taker.taken] == [6, 7]


def test_after_the_last_number_of_all_nothing_is_next() -> None:
    scanner, taker = FrameScanner(), Taker()
    topic = scanner.add(BOOK_TOPIC, "book", taker)
    topic.update_id = 0
    assert not scanner.scan(book(1), RECV_NS)  # 1 is a restart
    topic.update_id = 10**18 - 2
    assert scanner.scan(book(10**18 - 1), RECV_NS)
    assert not scanner.scan(book(10**18), RECV_NS)  # longer than what the scanner reads
    topic.update_id = 2**63 - 1
    assert not scanner.scan(book(0), RECV_NS)


def test_a_change_that_is_not_taken_is_the_callers() -> None:
    scanner, taker = FrameScanner(), Taker(answers=False)
    topic = scanner.add(BOOK_TOPIC, "book", taker)
    topic.update_id = 5
    assert not scanner.scan(book(6), RECV_NS)
    assert (scanner.owner, scanner.update_id, topic.update_id) == ("book", 6, 5)
    assert scanner.update is taker.taken[0]


@pytest.mark.parametrize(
    ("bound_ms", "lag_ms", "fresh"), [(None, 10**9, True), (0, 0, True), (10, 10, True), (10, 11, False)]
)
def test_a_change_may_lag_as_far_as_the_bound(bound_ms: int | None, lag_ms: int, fresh: bool) -> None:
    for ahead_ms in (0, 1_270, -1_270):
        scanner, taker = FrameScanner(bound_ms), Taker()
        scanner.add(BOOK_TOPIC, "book", taker).update_id = 5
        sent_ms = SENT_MS + ahead_ms - lag_ms
        assert scanner.scan(book(6, ts=sent_ms), RECV_NS, ahead_ms * 1_000_000) is fresh


def test_an_exception_of_the_taker_goes_through() -> None:
    scanner = FrameScanner()

    def fail(update: DepthUpdate) -> bool:
        raise ZeroDivisionError

    topic = scanner.add(BOOK_TOPIC, "book", fail)
    topic.update_id = 5
    with pytest.raises(ZeroDivisionError):
        scanner.scan(book(6), RECV_NS)
    assert topic.update_id == 5


def test_a_taker_may_drop_the_topic_it_is_called_for() -> None:
    scanner = FrameScanner()

    def drop(update: DepthUpdate) -> bool:
        scanner.discard(BOOK_TOPIC)
        gc.collect()
        return True

    scanner.add(BOOK_TOPIC, "book", drop).update_id = 5
    assert scanner.scan(book(6), RECV_NS)
    assert not scanner.scan(book(7), RECV_NS)
    assert scanner.owner is None


# -- topics ------------------------------------------------------------------------------------------------------


def test_each_of_many_topics_is_found_and_no_other() -> None:
    rng = random.Random(7)
    names = {f"orderbook.{depth}.{n}USDT" for depth in (1, 50) for n in range(300)} | {"orderbook.50."}
    names |= {f"orderbook.50.{'x' * size}" for size in range(1, 67)}
    scanner = FrameScanner()
    for name in sorted(names):
        scanner.add(name, name)
    for name in rng.sample(sorted(names), 400):
        scanner.discard(name)
        names.discard(name)
    scanner.discard("orderbook.50.NEVER")
    for n in range(-5, 310):
        for name in (f"orderbook.1.{n}USDT", f"orderbook.50.{n}USDT", f"orderbook.50.{'x' * n}"):
            scanner.scan(book(3, topic=name), RECV_NS)
            assert scanner.owner == (name if name in names else None)


def test_a_topic_added_again_is_a_new_one() -> None:
    scanner, taker = FrameScanner(), Taker()
    scanner.add(BOOK_TOPIC, "first", taker).update_id = 5
    again = scanner.add(BOOK_TOPIC, "second", taker)
    assert not scanner.scan(book(6), RECV_NS)
    assert (scanner.owner, again.update_id) == ("second", -1)


def test_the_end_of_an_owner_may_use_the_scanner() -> None:
    scanner = FrameScanner()
    seen = []

    class Owner:
        def __del__(self) -> None:
            scanner.scan(book(3), RECV_NS)
            seen.append(type(scanner.owner))

    for _ in range(50):
        scanner.add(BOOK_TOPIC, Owner())
        scanner.add(BOOK_TOPIC, "another")
        scanner.add(BOOK_TOPIC, Owner())
        scanner.discard(BOOK_TOPIC)
    assert seen == [str, type(None)] * 50


@pytest.mark.parametrize("symbol", ["", "BTC-USD", "1.2.3", 'BTC"', "BTC\\", "B\tC", "₿", "X" * 67, "X" * 68])
def test_a_symbol_may_be_anything_but_is_recognised_only_if_plain(symbol: str) -> None:
    scanner = FrameScanner()
    scanner.add(f"orderbook.50.{symbol}", "book")
    scanner.scan(book(3, topic=f"orderbook.50.{symbol}"), RECV_NS)
    assert scanner.owner == ("book" if symbol in ("", "BTC-USD", "1.2.3", "X" * 67) else None)


def test_what_cannot_be_read_cannot_be_added() -> None:
    scanner = FrameScanner()
    for name in ("", "tickers.BTCUSDT", "orderbooks.50.BTCUSDT"):
        with pytest.raises(ValueError, match="expected an orderbook or a publicTrade topic"):
            scanner.add(name, "owner")
    with pytest.raises(ValueError, match="only changes of books are handed on"):
        scanner.add(TRADES_TOPIC, "trades", Taker())
    with pytest.raises(TypeError):
        scanner.add(BOOK_TOPIC, None)
    assert not scanner.scan(book(3), RECV_NS)
    assert scanner.owner is None


# -- what is lent ------------------------------------------------------------------------------------------------


def test_an_update_that_nobody_holds_is_written_to_again() -> None:
    scanner = make_scanner()
    scanner.scan(book(3), RECV_NS)
    first = id(scanner.update)
    scanner.scan(book(4), RECV_NS)
    assert id(scanner.update) == first


def test_an_update_that_somebody_holds_never_changes() -> None:
    scanner = make_scanner()
    held = []
    for u in range(2, 40):
        scanner.scan(book(u, price=str(u)), RECV_NS)
        scanner.scan(book(u, price="1")[:-9], RECV_NS)  # read nearly to its end, and not taken
        scanner.scan(book(u, price=str(u)), RECV_NS)
        held.append(scanner.update)
    for u, update in zip(range(2, 40), held, strict=True):
        assert update is not None
        assert (update.bids(), update.seq) == ([(Price(str(u)), Qty(str(u)))], u)


def test_a_message_that_is_not_taken_leaves_nothing_to_see() -> None:
    scanner = make_scanner()
    scanner.scan(book(3), RECV_NS)
    scanner.scan(book(4)[:-1], RECV_NS)
    assert (scanner.owner, scanner.update, scanner.trades, scanner.update_id) == (None, None, None, 3)


def test_reading_gives_its_memory_back() -> None:
    scanner = make_scanner()
    trades = (
        b'{"topic":"publicTrade.BTCUSDT","ts":1,"data":[{"T":1,"s":"BTCUSDT","S":"Buy","v":"1","p":"2","i":"a-1"},'
        b'{"T":1,"s":"BTCUSDT","S":"Buy","v":"1","p":"2","i":"a-2"}'
    )
    messages = [book(3), book(3)[:-1], trades + b"]}", trades, b"{}", b"", b"\xff"]
    owner = object()

    def read(rounds: int) -> None:
        for _ in range(rounds):
            scanner.add("orderbook.1.ETHUSDT", owner)
            for message in messages:
                scanner.scan(message, RECV_NS)
            scanner.discard("orderbook.1.ETHUSDT")
        gc.collect()

    read(100)
    before, references = sys.getallocatedblocks(), sys.getrefcount(owner)
    read(5_000)
    assert sys.getallocatedblocks() - before < 100
    assert sys.getrefcount(owner) == references
