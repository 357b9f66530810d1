"""Recordings of every kind: recorded samples hold what is known of them, made ones show what is refused."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon._core.order_change import OrderChange, RateUpdate
from mlthon._core.price_book import PriceLevelBook
from mlthon.basics.defs import Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.errors import GapError, TapeError
from mlthon.order.books.order_book import OrderBook
from mlthon.tape.hftbacktest import FIELDS

np = pytest.importorskip("numpy", reason="tapes need the data extra")
pytest.importorskip("pyarrow", reason="tapes need the data extra")

from mlthon.tape.merged import MergedRecording  # noqa: E402
from mlthon.tape.opening import open_tape  # noqa: E402
from mlthon.tape.recordings import recording_at  # noqa: E402
from mlthon.tape.tape import Tape  # noqa: E402


@pytest.fixture(autouse=True)
def _cache_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


# -- recorded samples ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "instrument", "tick", "lot", "counts"),
    [
        ("bybit/2024-12-01_XRPUSDT_ob500.jsonl", "byt:perp:XRP-USDT", "0.0001", "1", (50, 3_966, 0, 0)),
        (
            "tardis/binance_futures_quotes_2020-02.csv.gz",
            "byt:perp:BTC-USDT",
            "0.01",
            "0.001",
            (9_999, 19_998, 0, 0),
        ),
        (
            "tardis/binance_futures_trades_2020-02.csv.gz",
            "byt:perp:BTC-USDT",
            "0.01",
            "0.001",
            (0, 0, 9_999, 0),
        ),
        ("tardis/bitmex_trades_XBTUSD.csv", "byt:perp:BTC-USD", "0.1", "1", (0, 0, 10, 0)),
        (
            "tardis/deribit_incremental_book_L2_BTC-PERPETUAL.csv",
            "byt:perp:BTC-USD",
            "0.5",
            "10",
            (1, 15, 0, 0),
        ),
        ("tardis/huobi-dm-swap_quotes_BTC-USD.csv", "byt:perp:BTC-USD", "0.1", "1", (10, 20, 0, 0)),
        ("bitstamp/btcusd_20150501.log.xz", "byt:spot:BTC-USD", "0.01", "0.00000001", (0, 0, 575, 50_414)),
        ("bitfinex/btcusd_r0_l3.json.gz", "byt:spot:BTC-USD", "0.00000001", "0.00000001", (0, 0, 0, 100_048)),
    ],
)
def test_samples(
    captures: Path, name: str, instrument: str, tick: str, lot: str, counts: tuple[int, int, int, int]
) -> None:
    tape = open_tape(captures / name)
    assert tape.instrument.get_instrument_name() == instrument
    assert tape.instrument.get_price_tick_rules() == Price(tick)
    assert tape.instrument.get_quantity_tick_rules() == Qty(lot)
    depth_messages, levels, trades, order_changes = counts
    kinds = Counter(type(event) for _, event in tape.cursor())
    assert kinds == +Counter({DepthUpdate: depth_messages, PublicTrade: trades, OrderChange: order_changes})
    assert tape.counts.levels == levels
    assert tape.clock_offset_ns == 0


def test_a_zipped_archive_of_books_says_the_same(captures: Path, tmp_path: Path) -> None:
    plain = captures / "bybit/2024-12-01_XRPUSDT_ob500.jsonl"
    packed = tmp_path / "2024-12-01_XRPUSDT_ob500.data.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(plain, "2024-12-01_XRPUSDT_ob500.data")
    events = [event for _, event in open_tape(packed).cursor()]
    assert events == [event for _, event in open_tape(plain).cursor()]
    frames = [json.loads(line) for line in plain.read_bytes().splitlines()]
    for event, frame in zip(events, frames, strict=True):
        assert isinstance(event, DepthUpdate)
        assert event.bids() == [(Price(price), Qty(qty)) for price, qty in frame["data"]["b"]]
        assert event.asks() == [(Price(price), Qty(qty)) for price, qty in frame["data"]["a"]]
        assert event.is_snapshot is (frame["type"] == "snapshot")
        assert (event.recv_ns, event.venue_ns) == (frame["ts"] * 10**6, frame["cts"] * 10**6)


def test_tardis_trades_are_those_of_the_file(captures: Path) -> None:
    path = captures / "tardis/bitmex_trades_XBTUSD.csv"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for (ns, trade), row in zip(open_tape(path).cursor(), rows, strict=True):
        assert isinstance(trade, PublicTrade)
        assert (trade.price, trade.qty, trade.trade_id) == (
            Price(row["price"]),
            Qty(row["amount"]),
            row["id"],
        )
        assert trade.taker_side is (Side.Buy if row["side"] == "buy" else Side.Sell)
        assert (trade.venue_ns, ns) == (int(row["timestamp"]) * 1000, int(row["local_timestamp"]) * 1000)


@pytest.mark.parametrize(
    ("name", "left", "ghosts"),
    [
        ("bitfinex/btcusd_r0_l3.json.gz", 50 + 37_009 - 37_021, 0),
        ("bitstamp/btcusd_20150501.log.xz", 24_894 - 24_918 + 208, 213),  # 208 of the ghosts are deletions
    ],
)
def test_order_by_order_tapes_make_a_book(captures: Path, name: str, left: int, ghosts: int) -> None:
    """Ghosts are passed on: the book counts as many changes of orders that it does not hold as the import did."""
    tape = open_tape(captures / name)
    book = OrderBook()
    for _, event in tape.cursor():
        if isinstance(event, PublicTrade):
            continue
        assert isinstance(event, OrderChange)
        known = book.get_order(event.order_id)
        if event.action == "delete":
            book.delete_order(event.order_id)
        elif event.action == "modify" and (known is None or known.get_price() == event.price):
            book.modify_order_qty(event.order_id, event.qty)
        else:
            book.add_order(event.order_id, event.side, event.price, event.qty)
    assert book.get_num_ignored() == tape.header.notes["ghosts"] == ghosts
    assert len(book) == left
    levels = PriceLevelBook()
    for _, played in tape:
        if isinstance(played, DepthUpdate):
            for side, changes in ((Side.Buy, played.bids()), (Side.Sell, played.asks())):
                for price, qty in changes:
                    levels.add_lvl(side, price, qty)
    for side_of in (OrderBook.bids, OrderBook.asks):
        of_orders = [(level.get_price(), level.get_qty()) for level in side_of(book)]
        side_of_levels = PriceLevelBook.bids if side_of is OrderBook.bids else PriceLevelBook.asks
        assert [(level.get_price(), level.get_qty()) for level in side_of_levels(levels)] == of_orders


# -- made files ----------------------------------------------------------------------------------------------------


def read(path: Path) -> list[object]:
    return list(recording_at(path).events())


BOOK = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount"
TRADES = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount"
QUOTES = "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount"
TICKER = (
    "exchange,symbol,timestamp,local_timestamp,funding_timestamp,funding_rate,predicted_funding_rate,"
    "open_interest,last_price,index_price,mark_price"
)


def csv_file(path: Path, *lines: str) -> Path:
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))
    return path


def test_tardis_rows_received_together_are_one_message(tmp_path: Path) -> None:
    events = read(
        csv_file(
            tmp_path / "book.csv.gz",
            BOOK,
            "bybit,BTCUSDT,5,10,false,bid,99,1",  # before the first snapshot
            "bybit,BTCUSDT,6,11,true,ask,101,2",
            "bybit,BTCUSDT,6,11,true,bid,100,3",
            "bybit,BTCUSDT,7,12,false,bid,100,0",
            "bybit,BTCUSDT,8,12,false,ask,101,4",
        )
    )
    assert events == [
        DepthUpdate([("100", "3")], [("101", "2")], is_snapshot=True, venue_ns=6_000, recv_ns=11_000),
        DepthUpdate([("100", "0")], [("101", "4")], venue_ns=8_000, recv_ns=12_000),
    ]


def test_tardis_quotes_and_rates(tmp_path: Path) -> None:
    quotes = csv_file(
        tmp_path / "quotes.csv.gz", QUOTES, "bybit,BTCUSDT,5,10,2,101,100,3", "bybit,BTCUSDT,6,11,,,100,4"
    )
    assert read(quotes) == [
        DepthUpdate([("100", "3")], [("101", "2")], is_snapshot=True, venue_ns=5_000, recv_ns=10_000),
        DepthUpdate([("100", "4")], [], is_snapshot=True, venue_ns=6_000, recv_ns=11_000),
    ]
    ticker = csv_file(
        tmp_path / "ticker.csv.gz",
        TICKER,
        "bybit,BTCUSDT,5,10,80,-0.0001,,,,,100.5",
        "bybit,BTCUSDT,6,11,80,-0.0001,,,,100.25,100.5",
        "bybit,BTCUSDT,7,12,80,0.0002,,,,100.25,100.5",
    )
    expected = [
        RateUpdate("funding", "-0.0001", due_ns=80_000, venue_ns=5_000, recv_ns=10_000),
        RateUpdate("mark", "100.5", venue_ns=5_000, recv_ns=10_000),
        RateUpdate("index", "100.25", venue_ns=6_000, recv_ns=11_000),
        RateUpdate("funding", "0.0002", due_ns=80_000, venue_ns=7_000, recv_ns=12_000),
    ]
    assert read(ticker) == expected
    assert [event for _, event in open_tape(ticker).cursor()] == expected


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ([BOOK, "bybit,BTCUSDT,6,11,true,both,101,2"], "line 2: side: expected bid or ask, got 'both'"),
        ([BOOK, "bybit,BTCUSDT,6,11,maybe,bid,101,2"], "line 2: is_snapshot: expected true or false"),
        (
            [BOOK, "bybit,BTCUSDT,6,11,true,bid,x,2"],
            r"line 2: bids\[0\]: price: expected decimal text, got 'x'",
        ),
        ([BOOK, "bybit,BTCUSDT,6,later,true,bid,1,2"], "line 2: local_timestamp: expected microseconds"),
        (
            ["exchange,symbol,timestamp,local_timestamp,asks[0].price", "bybit,BTCUSDT,6,11,5"],
            r"expected incremental_book_L2, trades, .* got columns asks\[0\]\.price",
        ),
        ([BOOK, f"bybit,BTCUSDT,6,{10**19},true,bid,1,2"], "line 2: local_timestamp: expected microseconds"),
        ([TRADES, "bybit,BTCUSDT,6,11,7,unknown,1,2"], "line 2: side: expected buy or sell, got 'unknown'"),
        ([TRADES, "bybit,BTCUSDT,6,11,7,buy,1"], "line 2: expected 8 fields, got 7"),
        ([TRADES, "bybit,BTCUSDT,6,11,7,buy,1,0"], "line 2: trade: qty: expected more than 0"),
        (
            [TRADES, "bybit,BTCUSDT,6,11,7,buy,1,2", "bybit,ETHUSDT,6,11,7,buy,1,2"],
            "line 3: expected BTCUSDT as before, got ETHUSDT: one file is one instrument",
        ),
    ],
)
def test_wrong_tardis_rows_are_named(tmp_path: Path, lines: list[str], text: str) -> None:
    with pytest.raises(TapeError, match=text):
        read(csv_file(tmp_path / "wrong.csv.gz", *lines))


def frame(kind: str, update_id: int, ts: int = 1_000, topic: str = "orderbook.500.BTCUSDT") -> str:
    data = {"s": "BTCUSDT", "b": [["100", "1"]], "a": [], "u": update_id, "seq": update_id + 7}
    return json.dumps({"topic": topic, "type": kind, "ts": ts, "data": data, "cts": ts - 3}) + "\n"


@pytest.mark.parametrize(
    ("frames", "error", "text"),
    [
        ([frame("snapshot", 5), frame("delta", 7)], GapError, "line 2: expected update 6, got 7"),
        (
            [frame("snapshot", 5), frame("delta", 6, topic="orderbook.500.X")],
            TapeError,
            "line 2: expected orderbook",
        ),
        (
            [frame("snapshot", 5), '{"topic":"orderbook.500.B'],
            TapeError,
            "line 2: .* the file is cut off here",
        ),
        ([frame("snapshot", 5), frame("delta", 6, ts=-1)], TapeError, "line 2: ts: expected milliseconds"),
        (
            [frame("snapshot", 5), frame("other", 6)],
            TapeError,
            "line 2: expected a snapshot or a delta with u",
        ),
        ([frame("snapshot", 5), "[]\n"], TapeError, "line 2: expected a frame with data"),
    ],
)
def test_wrong_bybit_frames_are_named(
    tmp_path: Path, frames: list[str], error: type[Exception], text: str
) -> None:
    path = tmp_path / "book.jsonl"
    path.write_text("".join(frames))
    with pytest.raises(error, match=text):
        read(path)


def test_bybit_books_start_with_a_snapshot_and_restart_at_one(tmp_path: Path) -> None:
    path = tmp_path / "book.jsonl"
    path.write_text(
        frame("delta", 4) + frame("snapshot", 5) + frame("delta", 6) + frame("delta", 1) + frame("delta", 2)
    )
    recording = recording_at(path)
    updates = [
        (event.seq - 7, event.is_snapshot) for event in recording.events() if isinstance(event, DepthUpdate)
    ]
    assert updates == [(5, True), (6, False), (1, True), (2, False)]
    assert recording.notes() == {"depth_before_snapshot": 1}


def test_bybit_trades(tmp_path: Path) -> None:
    path = csv_file(
        tmp_path / "BTCUSD2020-03-31.csv.gz",
        "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,foreignNotional",
        "1585612800.123456,BTCUSD,Sell,10,6421.5,MinusTick,ab-1,1,2,3",
        "1585612801.5,BTCUSD,Buy,20,6422,PlusTick,ab-2,1,2,3",
    )
    tape = open_tape(path)
    ns = 1585612800123456000
    assert [event for _, event in tape.cursor()] == [
        PublicTrade(Side.Sell, "6421.5", "10", venue_ns=ns, recv_ns=ns, trade_id="ab-1"),
        PublicTrade(
            Side.Buy, "6422", "20", venue_ns=ns + 1376544000, recv_ns=ns + 1376544000, trade_id="ab-2"
        ),
    ]
    assert tape.instrument.get_instrument_name() == "byt:perp:BTC-USD"


def test_bybit_spot_trades_are_named_by_their_file(tmp_path: Path) -> None:
    path = csv_file(
        tmp_path / "BTCUSDT_2024-01-01.csv.gz",
        "id,timestamp,price,volume,side",
        "1,1704067200123,42283.58,0.002,buy",
        "2,1704067200200,42283.5,0.001,sell",
    )
    tape = open_tape(path)
    ns = 1704067200123000000
    assert [event for _, event in tape.cursor()] == [
        PublicTrade(Side.Buy, "42283.58", "0.002", venue_ns=ns, recv_ns=ns, trade_id="1"),
        PublicTrade(
            Side.Sell, "42283.5", "0.001", venue_ns=ns + 77 * 10**6, recv_ns=ns + 77 * 10**6, trade_id="2"
        ),
    ]
    assert tape.instrument.get_instrument_name() == "byt:spot:BTC-USDT"


def test_recordings_of_one_market_are_merged_by_time(tmp_path: Path) -> None:
    book = csv_file(
        tmp_path / "book.csv.gz",
        BOOK,
        "bybit,BTCUSDT,6,11,true,ask,101,2",
        "bybit,BTCUSDT,8,13,false,ask,101,4",
    )
    trades = csv_file(
        tmp_path / "trades.csv.gz", TRADES, "bybit,BTCUSDT,7,12,1,buy,101,1", "bybit,BTCUSDT,8,13,2,buy,101,1"
    )
    merged = MergedRecording([recording_at(book), recording_at(trades)])
    kinds = [(type(event), event.recv_ns) for event in merged.events()]
    assert kinds == [
        (DepthUpdate, 11_000),
        (PublicTrade, 12_000),
        (DepthUpdate, 13_000),
        (PublicTrade, 13_000),
    ]
    other = csv_file(tmp_path / "other.csv.gz", TRADES, "bybit,ETHUSDT,7,12,1,buy,101,1")
    with pytest.raises(
        TapeError, match="expected recordings of one instrument, to merge them, got byt:perp:BTC"
    ):
        MergedRecording([recording_at(book), recording_at(other)])


BUY, SELL, BOTH = 1 << 29, 1 << 28, 3 << 30
DTYPE = list(zip(FIELDS, ["u8", "i8", "i8", "f8", "f8", "u8", "i8", "f8"], strict=True))


def npz(path: Path, *rows: tuple[int, int, int, float, float], order_id: int = 0) -> Path:
    np.savez_compressed(path, data=np.array([(*row, order_id, 0, 0.0) for row in rows], dtype=DTYPE))
    return path


def test_hftbacktest_events(tmp_path: Path) -> None:
    path = npz(
        tmp_path / "btcusdt_20240808.npz",
        (3 | BOTH | BUY, 5, 10, 99.0, 0.0),
        (4 | BOTH | BUY, 5, 10, 100.5, 0.003),
        (4 | BOTH | SELL, 5, 10, 100.6, 1.0),
        (1 | BOTH | BUY, 6, 11, 100.5, 0.0),
        (1 | BOTH | SELL, 6, 11, 100.6, 0.1),
        (1 | 1 << 31 | SELL, 7, 12, 100.7, 9.0),  # for the exchange only
        (2 | BOTH | SELL, 8, 13, 100.5, 0.002),
        (2 | BOTH | SELL, 8, 13, 100.5, 0.001),
    )
    expected = [
        DepthUpdate([("100.5", "0.003")], [("100.6", "1")], is_snapshot=True, venue_ns=5, recv_ns=10),
        DepthUpdate([("100.5", "0")], [("100.6", "0.1")], venue_ns=6, recv_ns=11),
        PublicTrade(Side.Sell, "100.5", "0.002", venue_ns=8, recv_ns=13),
        PublicTrade(Side.Sell, "100.5", "0.001", venue_ns=8, recv_ns=13),
    ]
    tape = open_tape(path)
    assert [event for _, event in tape.cursor()] == expected
    assert tape.header.notes == {"clears": 1, "exchange_only_rows": 1}
    assert tape.instrument.get_instrument_name() == "byt:perp:BTC-USDT"
    orders = npz(
        tmp_path / "BTCUSDT.orders.npz",
        (10 | BOTH | BUY, 1, 2, 100.0, 3.0),
        (12 | BOTH | BUY, 2, 3, 100.0, 2.0),
        (11 | BOTH | BUY, 3, 4, 100.0, 2.0),
        order_id=7,
    )
    assert read(orders) == [
        OrderChange("add", 7, Side.Buy, 100, 3, venue_ns=1, recv_ns=2),
        OrderChange("modify", 7, Side.Buy, 100, 2, venue_ns=2, recv_ns=3),
        OrderChange("delete", 7, Side.Buy, 100, 0, venue_ns=3, recv_ns=4),
    ]


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ((99 | BOTH | BUY, 1, 2, 1.0, 1.0), "row 0: ev: expected a known kind, got 99"),
        ((1 | BOTH, 1, 2, 1.0, 1.0), "row 0: ev: expected either a buy or a sell"),
        ((1 | BOTH | BUY, -1, 2, 1.0, 1.0), "row 0: expected stamps in nanoseconds, got 2, -1"),
        (
            (1 | BOTH | BUY, 1, 2, float("nan"), 1.0),
            r"rows from 0 on: bids\[0\]: price: expected decimal text, got 'nan'",
        ),
        ((2 | BOTH | BUY, 1, 2, 1.0, -1.0), "rows from 0 on: trade: qty: expected 0 or more"),
    ],
)
def test_wrong_hftbacktest_rows_are_named(
    tmp_path: Path, row: tuple[int, int, int, float, float], text: str
) -> None:
    with pytest.raises(TapeError, match=text):
        read(npz(tmp_path / "btcusdt.npz", row))


def array_bytes(array: object) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: array_bytes(np.zeros(3)), "expected rows of ev, exch_ts"),
        (lambda: array_bytes(np.zeros((2, 2), DTYPE)), r"in shape \(2, 2\)"),
        (lambda: array_bytes(np.zeros(3, DTYPE))[:-10], "expected 3 more rows, the file is cut off"),
        (
            lambda: array_bytes(np.zeros(3, DTYPE)).replace(b"(3,)", b"(9,)"),
            "expected 9 more rows, the file is cut off",
        ),
        (lambda: b"\x93NUMPY\x01\x00", "expected an npz that can be read"),
    ],
)
def test_other_arrays_are_refused(tmp_path: Path, make: Callable[[], bytes], text: str) -> None:
    path = tmp_path / "btcusdt.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.npy", make())
    with pytest.raises(TapeError, match=text):
        read(path)


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("btcusd.log", b"1430438404518 order_created {\n", "line 1: expected a JSON object"),
        (
            "btcusd.log",
            b'1430438404518 order_created {"id": 1, "order_type": 0}\n',
            "line 1: 'price' is missing",
        ),
        (
            "btcusd.log",
            b'1430438404518 trade {"price": "x", "amount": 1}\n',
            "line 1: price: expected decimal text, got 'x'",
        ),
        (
            "r0.json",
            b'[{"prec": "R0", "pair": "BTCUSD"}, [1, [2, 3]]]',
            r"frame 1: expected \[id, price, amount\]",
        ),
        ("r0.json", b'[{"prec": "R0", "pair": "BTCUSD"}, [1, [2, 3,', "expected a JSON array"),
        ("r0.json", b'[{"prec": "R0"}, [1, [2, "x", "y"]]]', "frame 1: expected .* in numbers, got"),
    ],
)
def test_wrong_order_logs_are_named(tmp_path: Path, name: str, content: bytes, text: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(TapeError, match=text):
        read(path)


def test_a_zip_of_several_files_and_a_cut_one_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "books.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.data", frame("snapshot", 1))
        archive.writestr("b.data", frame("snapshot", 1))
    with pytest.raises(TapeError, match="expected a zip of one file, got 2"):
        read(path)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(TapeError, match="expected a zip that can be read"):
        read(path)


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("nothing recorded\n")
    with pytest.raises(TapeError, match="line 1: expected '<receive time, ns> <JSON object>'"):
        open_tape(path)
    with pytest.raises(TapeError, match="cannot be opened"):
        Tape(tmp_path / "absent")


def test_changed_bytes_are_refused_in_one_line_or_read(tmp_path: Path) -> None:
    orders = '[{"prec":"R0","pair":"BTCUSD"},[1,[[1,100.5,2],[2,101.5,-3.25]]],[1,[1,0,1]],[1,[3,99,1.5]],[1,"hb"]]'
    order = {"price": "236.47", "amount": "2.00000000", "id": 65595247, "order_type": 0}
    log = "".join(
        f"{1430438404518 + n} order_{what} {json.dumps(order)}\n"
        for n, what in enumerate(("created", "deleted"))
    )
    whole = {
        "book.jsonl": (frame("snapshot", 5) + frame("delta", 6)).encode(),
        "book.csv": f"{BOOK}\nbybit,BTCUSDT,6,11,true,ask,101,2\nbybit,BTCUSDT,6,11,true,bid,100,3\n".encode(),
        "trades.csv.gz": gzip.compress(f"{TRADES}\nbybit,BTCUSDT,6,11,7,buy,1,2\n".encode()),
        "r0.json": orders.encode(),
        "btcusd.log": log.encode(),
        "btcusdt.npz": npz(tmp_path / "whole.npz", (4 | BOTH | BUY, 5, 10, 100.5, 0.003)).read_bytes(),
    }
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # shown on failure, whatever fails
    rng = random.Random(seed)
    spliced = [b"-", b"9" * 25, b"e99", b"null", b"[]", b"{}", b'"', b",", b"\n", b"1e-30", b"NaN", b"\xff"]
    for _ in range(600):
        name = rng.choice(list(whole))
        content = bytearray(whole[name])
        for _ in range(rng.choice([1, 1, 3])):
            at = rng.randrange(len(content))
            content[at : at + rng.choice([0, 0, 1, 5, 50])] = rng.choice(spliced)
        path = tmp_path / name
        path.write_bytes(content)
        try:
            recording_at(path).instrument  # noqa: B018  (reads the first events)
            read(path)
        except (TapeError, GapError) as error:
            assert len(str(error).splitlines()) == 1, f"seed {seed}"
            assert str(path) in str(error), f"seed {seed}"
