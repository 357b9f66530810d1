"""The Bybit scanner reads what it takes just as the full decoder does, and takes all that is written plainly."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from scanner_inputs import BOOK_TOPIC, RECV_NS, TRADES_TOPIC, Inputs, disagreement, make_scanner

from mlthon._core.bybit_frames import FrameScanner
from mlthon._core.depth_view import DepthView
from mlthon._core.market_event import DepthUpdate
from mlthon.basics.defs import Side
from mlthon.exchanges.bybit.codec.public import decode_public
from mlthon.order.books.price_level_book import PriceLevelBook
from mlthon.tape.binance import BinanceCapture

SEED = os.environ.get("MLTHON_TEST_SEED", "20240808")
BOOK = (
    b'{"topic":"orderbook.50.BTCUSDT","type":"delta","ts":1700000000000,"data":{"s":"BTCUSDT",'
    b'"b":[["50000.1","1.5"],["49999.9","0"]],"a":[["50000.2","2"]],"u":7,"seq":70},"cts":1699999999997}'
)
TRADES = (
    b'{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1700000000000,"data":['
    b'{"T":1699999999997,"s":"BTCUSDT","S":"Buy","v":"0.2","p":"50000.1","L":"PlusTick","i":"a-1","BT":false},'
    b'{"T":1699999999998,"s":"BTCUSDT","S":"Sell","v":"1","p":"50000","i":"a-2","BT":false,"seq":9}]}'
)


@pytest.fixture
def scanner() -> FrameScanner:
    return make_scanner()


def is_taken(scanner: FrameScanner, data: bytes) -> bool:
    """Whether the scanner takes a message; it has to agree with the full decoder in any case."""
    assert disagreement(scanner, data) is None, data
    return scanner.owner is not None


# -- recorded messages -------------------------------------------------------------------------------------------


def test_a_recorded_stream_is_taken_whole(captures: Path) -> None:
    topic = "orderbook.500.XRPUSDT"
    scanner = FrameScanner()
    scanner.add(topic, topic)
    lines = (captures / "bybit" / "2024-12-01_XRPUSDT_ob500.jsonl").read_bytes().splitlines()
    assert len(lines) == 50
    assert all(is_taken(scanner, line) for line in lines)


def test_a_capture_in_the_venues_words_is_taken_whole(captures: Path) -> None:
    scanner = make_scanner()
    frames = 0
    for frame in frames_of(BinanceCapture(captures / "binance" / "usdm_btcusdt_20240808.gz"), events=12_000):
        assert is_taken(scanner, frame), frame
        frames += 1
    assert frames > 10_000


def frames_of(tape: BinanceCapture, events: int) -> Iterator[bytes]:
    """What Bybit would have sent of a tape's first events: changes of the best 50 levels, and trades."""
    book, view = PriceLevelBook(), DepthView(50, 1, 3)
    for number, (_, event) in enumerate(itertools.islice(tape, events)):
        ms = event.venue_ns // 1_000_000
        if isinstance(event, DepthUpdate):
            for side, levels in ((Side.Buy, event.bids()), (Side.Sell, event.asks())):
                for price, qty in levels:
                    book.add_lvl(side, price, qty)
            bids, asks = view.changes(book)
            data: object = {"s": "BTCUSDT", "b": bids, "a": asks, "u": number + 1, "seq": event.seq}
            yield orjson.dumps({"topic": BOOK_TOPIC, "type": "delta", "ts": ms + 3, "data": data, "cts": ms})
        else:
            row = {
                "T": ms,
                "s": "BTCUSDT",
                "S": event.taker_side.name,
                "v": str(event.qty),
                "p": str(event.price),
            }
            row |= {"L": "PlusTick", "i": event.trade_id, "BT": False, "RPI": False, "seq": number}
            yield orjson.dumps({"topic": TRADES_TOPIC, "type": "snapshot", "ts": ms + 3, "data": [row]})


# -- messages as they might be written ---------------------------------------------------------------------------


def test_any_order_of_keys_any_space_any_unknown_member_is_taken(scanner: FrameScanner) -> None:
    inputs = Inputs(f"{SEED} plain")
    for number in range(5_000):
        data = inputs.plain()
        assert is_taken(scanner, data), f"message {number} of seed {SEED}: {data!r}"


def test_data_before_the_topic_and_asks_before_the_bids(scanner: FrameScanner) -> None:
    levels = [[str(n), str(10 * n)] for n in range(1, 8)]
    for bids, asks in itertools.product(range(8), repeat=2):
        data = {"a": levels[:asks], "u": 1, "b": levels[:bids], "s": "BTCUSDT", "seq": 5}
        message = {"data": data, "cts": 5, "ts": 6, "type": "delta", "topic": BOOK_TOPIC}
        assert is_taken(scanner, orjson.dumps(message))
        assert scanner.update is not None
        assert (scanner.update.bid_count, scanner.update.ask_count) == (bids, asks)


@pytest.mark.parametrize("depth", [1, 60, 64, 65, 1024, 1025])
def test_unknown_members_are_nested_as_deep_as_they_like(scanner: FrameScanner, depth: int) -> None:
    nested = b"[" * depth + b"]" * depth
    taken = is_taken(scanner, BOOK.replace(b'"u":', b'"x":' + nested + b',"u":'))
    assert taken == (depth <= 64)


# -- numbers -----------------------------------------------------------------------------------------------------


def test_every_short_text_is_a_number_or_not_one(scanner: FrameScanner) -> None:
    taken = 0
    for length in range(6):
        for letters in itertools.product("0159.-e"[: 7 if length < 5 else 5], repeat=length):
            text = "".join(letters).encode()
            taken += is_taken(scanner, BOOK.replace(b"50000.1", text))
            taken += is_taken(scanner, BOOK.replace(b'["49999.9","0"]', b'["1","%s"]' % text))
            taken += is_taken(scanner, TRADES.replace(b'"0.2"', b'"%s"' % text))
    assert taken > 3_000


def test_numbers_of_any_length_keep_every_digit(scanner: FrameScanner) -> None:
    digits = "12345678909876543210123"
    for size in range(1, 22):
        for point in range(size + 1):
            text = f"{digits[:point]}.{digits[point:size]}" if point < size else digits[:size]
            taken = is_taken(scanner, BOOK.replace(b"50000.1", text.encode()))
            assert taken == (size <= 19 and size - point <= 18), text
            for blank in (text.replace("1", "0"), "0" * size, "0" * point + text[point:]):
                is_taken(scanner, BOOK.replace(b'"1.5"', b'"%s"' % blank.encode()))


@pytest.mark.parametrize("key", ["ts", "cts", "u", "seq", "T"])
def test_whole_numbers_and_what_is_none(scanner: FrameScanner, key: str) -> None:
    original = TRADES if key == "T" else BOOK
    start = original.index(b'"%s":' % key.encode()) + len(key) + 3
    end = next(at for at in range(start, len(original)) if original[at] not in b"0123456789")
    texts = [
        b"",
        b"-1",
        b"-0",
        b"00",
        b"01",
        b"+1",
        b"1.0",
        b"1e3",
        b"0x1",
        b'"5"',
        b'""',
        b"null",
        b"1 2",
        b"[]",
    ]
    texts += [b"9" * size for size in range(1, 22)] + [b"1" + b"0" * size for size in range(21)]
    texts += [str(9 * 10**12 + more).encode() for more in (-1, 0, 1)] + [
        str(2**63 + more).encode() for more in (-1, 0)
    ]
    taken = [text for text in texts if is_taken(scanner, original[:start] + text + original[end:])]
    assert b"0" not in texts
    assert {b"9", b"9" * 8, b"10000000", b"9000000000000"} <= set(taken)


# -- messages as they should not be ------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [BOOK, TRADES], ids=["book", "trades"])
def test_cut_off_anywhere_or_with_any_byte_changed(scanner: FrameScanner, data: bytes) -> None:
    for at in range(len(data)):
        assert not is_taken(scanner, data[:at])
        for byte in b'"\\{}[],:09.-eE \n\x00\x1f\x7f\x80\xc3\xff':
            is_taken(scanner, data[:at] + bytes([byte]) + data[at:])
            is_taken(scanner, data[:at] + bytes([byte]) + data[at + 1 :])


def test_spoilt_messages_are_read_alike(scanner: FrameScanner, captures: Path) -> None:
    recorded = (captures / "bybit" / "2024-12-01_XRPUSDT_ob500.jsonl").read_bytes().splitlines()[1:6]
    scanner.add("orderbook.500.XRPUSDT", "orderbook.500.XRPUSDT")
    inputs = Inputs(f"{SEED} any", recorded)
    taken = 0
    for number in range(30_000):
        data = inputs.any()
        wrong = disagreement(scanner, data)
        assert wrong is None, f"message {number} of seed {SEED}: {wrong}: {data!r}"
        taken += scanner.owner is not None
    assert 5_000 < taken < 20_000  # else the messages are too good, or too bad, to try anything


@pytest.mark.parametrize(
    "data",
    [
        BOOK.replace(b'"b":', b'"\\u0062":'),  # the same key, spelt another way
        BOOK.replace(b'"u":7', b'"u":[],"u":7'),  # the last one counts
        BOOK.replace(b'"u":7', b'"u":"7"'),
        BOOK.replace(b"1.5", b"15e-1"),
        BOOK.replace(b'"u":7', '"ü":"₿","u":7'.encode()),
        BOOK.replace(b'"cts":1699999999997', b'"cts":null'),
        TRADES.replace(b'"a-1"', '"é"'.encode()),
        TRADES.replace(b'"type":"snapshot"', b'"type":5'),
        bytearray(BOOK),
        BOOK.decode(),
    ],
    ids=range(10),
)
def test_what_is_right_but_unusual_is_left_to_the_full_decoder(scanner: FrameScanner, data: bytes) -> None:
    assert not is_taken(scanner, data)
    assert decode_public(data, RECV_NS)
    assert (scanner.owner, scanner.update, scanner.trades) == (None, None, None)
