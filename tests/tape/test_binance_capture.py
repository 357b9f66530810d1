"""Binance captures: the recorded ones against the book oracle, and small made ones for every way to be wrong."""

from __future__ import annotations

import gzip
import json
from bisect import bisect_right
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon._core.price_book import PriceLevelBook
from mlthon.basics.defs import InstrumentType, Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.errors import GapError, TapeError
from mlthon.tape import binance, capture_lines
from mlthon.tape.binance import BinanceCapture

USDM = "binance/usdm_btcusdt_20240808.gz"
SPOT = "binance/spot_btcusdt_20240808.gz"


# -- the recorded market ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "updates", "trades", "stale", "early", "quotes"),
    [(USDM, 6_548, 21_308, 4, 5, 66_089), (SPOT, 3_450, 9_756, 2, 1, 28_040)],
)
def test_counts(
    captures: Path, name: str, updates: int, trades: int, stale: int, early: int, quotes: int
) -> None:
    capture = BinanceCapture(captures / name)
    kinds: Counter[type] = Counter()
    total_ns = 0
    for gap_ns, event in capture:
        if not kinds:
            assert isinstance(event, DepthUpdate)
            assert event.is_snapshot
            assert (gap_ns, len(event)) == (0, 2000)
        assert gap_ns >= 0
        total_ns += gap_ns
        kinds[type(event)] += 1
    assert kinds == {DepthUpdate: updates, PublicTrade: trades}
    assert 340 < total_ns / 1e9 < 350
    assert capture.counts.lines == updates + trades + stale + early + quotes
    assert capture.counts.stale_diffs == stale
    assert capture.counts.trades_before_snapshot == early
    assert capture.counts.ignored == quotes
    assert capture.counts.not_market_trades == 0
    assert capture.counts.steps_back == 0


def test_instruments(captures: Path) -> None:
    usdm = BinanceCapture(captures / USDM).instrument
    assert usdm.get_instrument_name() == "byt:perp:BTC-USDT"
    assert usdm.get_instrument_type() is InstrumentType.Perpetual
    assert (usdm.get_price_tick_rules(), usdm.get_quantity_tick_rules()) == (Price("0.1"), Qty("0.001"))
    assert (usdm.get_price_precision(), usdm.get_quantity_precision()) == (1, 3)
    spot = BinanceCapture(captures / SPOT).instrument
    assert spot.get_instrument_name() == "byt:spot:BTC-USDT"
    assert (spot.get_price_tick_rules(), spot.get_quantity_tick_rules()) == (Price("0.01"), Qty("0.00001"))


@pytest.mark.parametrize("name", [USDM, SPOT])
def test_book_oracle(captures: Path, name: str) -> None:
    """After each depth message, the best levels are those of the latest best-quote message not after it."""
    quote_ids, quotes = read_quotes(captures / name)
    book = PriceLevelBook()
    judged = 0
    for _, event in BinanceCapture(captures / name):
        if not isinstance(event, DepthUpdate):
            continue
        apply(book, event)
        assert not book.is_crossed()
        index = bisect_right(quote_ids, event.seq) - 1
        if index < 0:
            continue
        judged += 1
        _, bid = book.get_best_bid_lvl()
        _, ask = book.get_best_ask_lvl()
        assert bid is not None
        assert ask is not None
        assert (bid.get_price(), bid.get_qty(), ask.get_price(), ask.get_qty()) == (
            Price(quotes[index]["b"]),
            Qty(quotes[index]["B"]),
            Price(quotes[index]["a"]),
            Qty(quotes[index]["A"]),
        ), f"after update {event.seq}"
    assert judged == {USDM: 6_548, SPOT: 3_450}[name]


def read_quotes(path: Path) -> tuple[list[int], list[dict[str, Any]]]:
    quotes = []
    with gzip.open(path) as lines:
        for line in lines:
            if b"bookTicker" in line:
                quotes.append(json.loads(line.split(b" ", 1)[1])["data"])
    quotes.sort(key=lambda quote: int(quote["u"]))
    return [quote["u"] for quote in quotes], quotes


def apply(book: PriceLevelBook, update: DepthUpdate) -> None:
    if update.is_snapshot:
        book.clear()
    for side, levels in ((Side.Buy, update.bids()), (Side.Sell, update.asks())):
        for price, qty in levels:
            if qty.is_zero():
                book.delete_lvl(side, price)
            else:
                book.add_lvl(side, price, qty)


# -- a made market ---------------------------------------------------------------------------------------------

NS = 10**18


def line(offset_ns: int, message: object) -> str:
    return f"{NS + offset_ns} {json.dumps(message)}\n"


def snapshot(last_id: int = 100, **more: Any) -> dict[str, Any]:
    return {
        "lastUpdateId": last_id,
        "E": 1001,
        "T": 1000,
        "bids": [["10.5", "2"], ["10.0", "4"]],
        "asks": [["11.0", "6"], ["11.5", "8"]],
        **more,
    }


def diff(first: int, last: int, prev: int | None = None, **more: Any) -> dict[str, Any]:
    data = {"e": "depthUpdate", "E": 1003, "T": 1002, "s": "BTCUSDT", "U": first, "u": last}
    data |= {"b": [["10.5", "4"]], "a": []}
    if prev is not None:
        data["pu"] = prev
    return {"stream": "btcusdt@depth", "data": data | more}


def trade(number: int = 7, **more: Any) -> dict[str, Any]:
    data = {"e": "trade", "E": 1005, "T": 1004, "s": "BTCUSDT", "t": number, "p": "10.5", "q": "2"}
    return {"stream": "btcusdt@trade", "data": data | {"X": "MARKET", "m": True} | more}


QUOTE = {"data": {"e": "bookTicker", "u": 99, "s": "BTCUSDT", "b": "1", "B": "1", "a": "2", "A": "1"}}


def write(path: Path, *messages: object, gap_ns: int = 10) -> Path:
    path.write_text("".join(line(index * gap_ns, message) for index, message in enumerate(messages)))
    return path


def played(path: Path) -> list[tuple[int, int]]:
    """The (seq, gap) of depth updates and (-trade id, gap) of trades."""
    return [
        (event.seq if isinstance(event, DepthUpdate) else -int(event.trade_id), gap_ns)
        for gap_ns, event in BinanceCapture(path)
    ]


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    return tmp_path / "market.txt"


def test_events_carry_what_the_venue_said(tape: Path) -> None:
    write(tape, snapshot(), diff(99, 105, 98), trade(), QUOTE, trade(8, m=False))
    events = [event for _, event in BinanceCapture(tape)]
    assert events[0] == DepthUpdate(
        [("10.5", "2"), ("10", "4")],
        [("11", "6"), ("11.5", "8")],
        is_snapshot=True,
        venue_ns=1000 * 10**6,
        recv_ns=NS,
        seq=100,
    )
    assert events[1] == DepthUpdate(
        [("10.5", "4")], [], venue_ns=1002 * 10**6, recv_ns=NS + 10, seq=105, prev_seq=98
    )
    assert events[2] == PublicTrade(
        Side.Sell, "10.5", "2", venue_ns=1004 * 10**6, recv_ns=NS + 20, trade_id="7"
    )
    assert isinstance(events[3], PublicTrade)
    assert events[3].taker_side is Side.Buy


def test_usdm_diffs_wait_for_the_snapshot(tape: Path) -> None:
    write(
        tape,
        diff(80, 90, 79),
        trade(1),
        diff(91, 99, 90),
        diff(101, 103, 99),
        diff(107, 109, 103),
        snapshot(100),
        trade(2),
        diff(110, 112, 109),
    )
    capture = BinanceCapture(tape)
    assert played(tape) == [(100, 0), (103, 0), (109, 0), (-2, 10), (112, 10)]
    assert len(list(capture)) == 5
    assert (capture.counts.stale_diffs, capture.counts.trades_before_snapshot) == (2, 1)


def test_spot_diffs_wait_for_the_snapshot(tape: Path) -> None:
    write(tape, diff(80, 99), diff(100, 103), snapshot(101), diff(104, 104), diff(105, 110))
    assert played(tape) == [(101, 0), (103, 0), (104, 10), (110, 10)]


def test_spot_snapshot_without_stamps_takes_the_latest(tape: Path) -> None:
    bare = snapshot(103)
    del bare["E"], bare["T"]
    write(tape, diff(100, 103), bare)
    assert next(iter(BinanceCapture(tape)))[1].venue_ns == 1002 * 10**6
    write(tape, bare, diff(104, 105))
    assert next(iter(BinanceCapture(tape)))[1].venue_ns == NS


def test_gaps_are_never_negative(tape: Path) -> None:
    stamps = [0, 10, 4, 8, 30]
    messages = [snapshot(), diff(101, 101), trade(), diff(102, 102), diff(103, 103)]
    tape.write_text("".join(line(*pair) for pair in zip(stamps, messages, strict=True)))
    capture = BinanceCapture(tape)
    assert [gap_ns for gap_ns, _ in capture] == [0, 10, 0, 0, 20]
    assert capture.counts.steps_back == 1


def test_what_took_nothing_from_the_book_is_no_trade(tape: Path) -> None:
    write(
        tape,
        snapshot(),
        diff(101, 101, 100),
        trade(1, X="INSURANCE_FUND"),
        trade(2, X="NA", p="0", q="0"),
        trade(3, p="0.00"),
        trade(4),
    )
    capture = BinanceCapture(tape)
    assert played(tape) == [(100, 0), (101, 10), (-4, 40)]
    assert len(list(capture)) == 3
    assert capture.counts.not_market_trades == 3


def test_other_messages_and_blank_lines_are_passed_over(tape: Path) -> None:
    write(
        tape, {"result": None, "id": 1}, snapshot(), QUOTE, {"data": {"e": 5}}, snapshot(300), diff(101, 101)
    )
    tape.write_text(tape.read_text() + "\n")
    capture = BinanceCapture(tape)
    assert len(list(capture)) == 2
    assert capture.counts.ignored == 4


def test_bare_messages_and_a_last_line_without_an_end(tape: Path) -> None:
    write(tape, snapshot(), diff(101, 101)["data"])
    tape.write_text(tape.read_text().rstrip("\n"))
    assert played(tape) == [(100, 0), (101, 10)]


@pytest.mark.parametrize(
    ("symbol", "prev", "name", "tick", "lot"),
    [
        ("BTCUSDT", 100, "byt:perp:BTC-USDT", "0.5", "2"),
        ("ETHBTC", None, "byt:spot:ETH-BTC", "0.5", "2"),
        ("SOLUSDC", None, "byt:spot:SOL-USDC", "0.5", "2"),
        ("BTCFDUSD", None, "byt:spot:BTC-FDUSD", "0.5", "2"),
        ("USDTBTC", None, "byt:spot:USDT-BTC", "0.5", "2"),
    ],
)
def test_instrument_from_symbol_and_data(
    tape: Path, symbol: str, prev: int | None, name: str, tick: str, lot: str
) -> None:
    write(tape, snapshot(), diff(101, 101, prev, s=symbol))
    instrument = BinanceCapture(tape).instrument
    assert instrument.get_instrument_name() == name
    assert instrument.get_exch_instr_id() == symbol
    assert instrument.get_price_tick_rules() == Price(tick)
    assert instrument.get_quantity_tick_rules() == Qty(lot)
    assert instrument.get_min_quantity() == Qty(lot)
    assert instrument.get_quantity_precision() == 0


@pytest.mark.parametrize("symbol", ["BTCEUR", "USDT", "BTCUSDT_240927"])
def test_unknown_quote_currency(tape: Path, symbol: str) -> None:
    write(tape, snapshot(), diff(101, 101, s=symbol))
    with pytest.raises(TapeError, match=f"expected a symbol that ends in one of USDT, .* got '{symbol}'"):
        _ = BinanceCapture(tape).instrument


def test_instrument_needs_depth_messages_and_levels(tape: Path) -> None:
    write(tape, snapshot(), trade())
    with pytest.raises(TapeError, match="expected depth messages beside the snapshot, got none"):
        _ = BinanceCapture(tape).instrument
    write(tape, snapshot(bids=[], asks=[]), diff(101, 101, b=[]))
    with pytest.raises(TapeError, match="tick and lot are unknown"):
        _ = BinanceCapture(tape).instrument


# -- missing messages ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("messages", "yielded", "text"),
    [
        ([snapshot(100), diff(102, 105)], 1, "line 2: .*continues update 100, got one that continues 101 "),
        ([diff(102, 105, 101), snapshot(100)], 0, "line 2: .*continues update 100, got .*continues 101 "),
        ([snapshot(100), diff(100, 105), diff(107, 108)], 2, "line 3: .*update 105, got .*continues 106 "),
        (
            [snapshot(100), diff(99, 105, 98), diff(107, 108, 106)],
            2,
            "line 3: .*update 105, got .*continues 106",
        ),
        ([snapshot(100), diff(100, 105), diff(105, 108)], 2, "line 3: .*update 105, got .*continues 104 "),
    ],
)
def test_gap(tape: Path, messages: list[object], yielded: int, text: str) -> None:
    write(tape, *messages)
    got: list[Any] = []
    with pytest.raises(GapError, match=text):
        play_into(got, tape)
    assert len(got) == yielded


def play_into(got: list[Any], path: Path) -> None:
    """Collect events as they come, so that what came before an error is kept."""
    for _, event in BinanceCapture(path):
        got.append(event)


# -- not a capture, or not all of one --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "expected a capture, got an empty file"),
        (b"\x89PNG\r\n\x1a\n", "line 1: expected '<receive time, ns> <JSON object>', got b'.*PNG"),
        (b"{}\n", "line 1: expected '<receive time, ns> <JSON object>'"),
        (b"-5 {}\n", "line 1: expected '<receive time, ns> <JSON object>', got b'-5 {}"),
        (b"9" * 25 + b" {}\n", "line 1: expected '<receive time, ns> <JSON object>'"),
        (b"9223372036854775808 {}\n", "line 1: expected '<receive time, ns> <JSON object>'"),
        (b"5\n", "line 1: expected '<receive time, ns> <JSON object>', got b'5"),
        (b"5 {x}\n", "line 1: expected a JSON object after the receive time, got b'{x}"),
        (b"5 [1]\n", "line 1: expected a JSON object after the receive time, got b'.1."),
        (b'5 {"a": "\xff"}\n', "line 1: expected a JSON object after the receive time"),
        (b"5 " + b'{"a":' * 5000 + b"\n", "line 1: expected a JSON object after the receive time"),
        (
            b"5 {}\n\n6 {}\n",
            "expected a depth snapshot in the first lines of a Binance capture, got none in 2",
        ),
        (b"time,price\n1,2\n", "line 1: expected '<receive time, ns> <JSON object>', got b'time,price"),
    ],
)
def test_not_a_capture(tape: Path, content: bytes, text: str) -> None:
    tape.write_bytes(content)
    for packed in (False, True):
        if packed:
            tape.write_bytes(gzip.compress(content))
        with pytest.raises(TapeError, match=text) as caught:
            list(BinanceCapture(tape))
        assert str(caught.value).startswith(str(tape))
        assert "\n" not in str(caught.value)
        with pytest.raises(TapeError, match=text):
            _ = BinanceCapture(tape).instrument


def test_the_snapshot_must_come_early(tape: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binance, "MAX_LINES_BEFORE_SNAPSHOT", 5)
    write(tape, *[diff(n, n) for n in range(6)], snapshot(5))
    with pytest.raises(TapeError, match=r"expected a depth snapshot in the first lines .* got none in 5"):
        list(BinanceCapture(tape))


def test_a_line_has_a_bound(tape: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture_lines, "MAX_LINE_BYTES", 1000)
    write(tape, snapshot(), {"x": "y" * 1000})
    got: list[Any] = []
    with pytest.raises(TapeError, match=r"line 2: expected at most 1000 bytes a line, got b'1000.*\.\.\.$"):
        play_into(got, tape)
    assert len(got) == 1


def test_cut_off_in_a_line(tape: Path) -> None:
    write(tape, snapshot(), diff(101, 101), trade())
    tape.write_bytes(tape.read_bytes()[:-20])
    got: list[Any] = []
    with pytest.raises(TapeError, match=r"line 3: expected a JSON object .* the file is cut off here"):
        play_into(got, tape)
    assert len(got) == 2


def market_lines(count: int) -> bytes:
    messages = [
        snapshot(),
        *(diff(n, n, b=[["10.5", str(n * 7919 % 1000 + 1)]]) for n in range(101, 100 + count)),
    ]
    return "".join(line(n, message) for n, message in enumerate(messages)).encode()


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.999])
def test_cut_off_gzip(tape: Path, kept: float) -> None:
    packed = gzip.compress(market_lines(5000))
    tape.write_bytes(packed[: int(len(packed) * kept)])
    got: list[Any] = []
    with pytest.raises(
        TapeError, match=r"line \d+: expected the end of the packed stream, the file is cut off"
    ) as caught:
        play_into(got, tape)
    assert f"line {len(got) + 1}:" in str(caught.value)
    assert len(got) > 5000 * kept * 0.8


def test_damaged_gzip(tape: Path) -> None:
    packed = bytearray(gzip.compress(market_lines(5000)))
    packed[len(packed) // 2 : len(packed) // 2 + 50] = b"\xff" * 50
    tape.write_bytes(packed)
    got: list[Any] = []
    with pytest.raises(TapeError, match=r"line \d+: "):
        play_into(got, tape)
    assert len(got) > 1000


def test_wrong_gzip_checksum(tape: Path) -> None:
    packed = bytearray(gzip.compress(market_lines(20)))
    packed[-8] ^= 0xFF
    tape.write_bytes(packed)
    got: list[Any] = []
    with pytest.raises(TapeError, match="line 21: cannot be read: CRC check failed"):
        play_into(got, tape)
    assert len(got) == 20


@pytest.mark.parametrize("name", ["", "missing.gz"])
def test_cannot_be_opened(tmp_path: Path, name: str) -> None:
    with pytest.raises(TapeError, match="cannot be opened: "):
        list(BinanceCapture(tmp_path / name))


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"data": [1]}, r"data: expected a JSON object, got \[1\]"),
        (diff(101, 102, b=None), "b: expected a list of .price, qty., got None"),
        (diff(101, 102, a={"1": "2"}), "a: expected a list of .price, qty., got {'1': '2'}"),
        (diff(101, 102, b=[["1"]]), r"bids\[0\]: expected a \(price, qty\) pair, got \['1'\]"),
        (diff(101, 102, a=[["1", "1"], ["x", "1"]]), r"asks\[1\]: price: expected decimal text, got 'x'"),
        (diff(101, 102, b=[[1.5, "1"]]), r"bids\[0\]: price: expected decimal text, got 1.5"),
        (diff(101, 102, u="102"), "u: expected an integer, got '102'"),
        (diff(101, 102, u=True), "u: expected an integer, got True"),
        (diff(101, 102, U=None), "U: expected an integer, got None"),
        (diff(101, 102, U=-1), "U: expected an integer from 0 to .*, got -1"),
        (diff(101, 102, u=2**63), "u: expected an integer from 0 to .*, got 9223372036854775808"),
        (diff(101, 100), "U, u: expected ids that grow, got U=101, u=100, continuing 100"),
        (diff(101, 102, 101), "U, u: expected ids that grow, got U=101, u=102, continuing 101"),
        (diff(101, 102, T=2**62), "T: expected an integer from 0 to "),
        (diff(101, 102, s=5), "s: expected a symbol, got 5"),
        (diff(101, 102, s="ETHUSDT"), "s: expected BTCUSDT as before, got ETHUSDT"),
        (trade(m=None), "m: expected true or false, got None"),
        (trade(p=None), "p: expected decimal text, got None"),
        (trade(p="-1"), "trade: price: expected more than 0, got '-1'"),
        (trade(q="x"), "trade: qty: expected decimal text, got 'x'"),
        (trade(t="7"), "t: expected an integer, got '7'"),
    ],
)
def test_wrong_fields(tape: Path, message: object, text: str) -> None:
    write(tape, snapshot(), trade(1), message)
    got: list[Any] = []
    with pytest.raises(TapeError, match=f"line 3: {text}"):
        play_into(got, tape)
    assert len(got) == 2


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (snapshot(bids=None), "bids: expected a list of .price, qty., got None"),
        (snapshot(asks=[["1", 2]]), r"asks\[0\]: qty: expected decimal text, got 2"),
        ({"lastUpdateId": "100"}, "bids: expected a list"),
        (snapshot(lastUpdateId="100"), "lastUpdateId: expected an integer, got '100'"),
    ],
)
def test_wrong_snapshot(tape: Path, message: object, text: str) -> None:
    write(tape, message)
    with pytest.raises(TapeError, match=f"line 1: {text}"):
        list(BinanceCapture(tape))
