"""The tape's cursor and its counterpart: what is written comes back, and nothing wrong is believed."""

from __future__ import annotations

import gc
import random
import tracemalloc
from array import array
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon._core.order_change import OrderChange, RateUpdate
from mlthon._core.tape_columns import ColumnsTooNarrow, TapeColumns
from mlthon._core.tape_cursor import COLUMN_NAMES, SMALL_COLUMNS, TapeCursor
from mlthon.basics.defs import Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.errors import TapeError

Event = DepthUpdate | PublicTrade | OrderChange | RateUpdate
Row = dict[str, int]

LAST, SNAPSHOT, EMPTY = 1, 2, 4
LEVEL: Row = {"recv_ns": 10, "venue_ns": 9, "kind": 0, "flags": LAST, "side": 0, "price": 95, "qty": 3}
LEVEL |= {"seq": 7, "prev_seq": 6, "id": -1}


def batch(*rows: Row) -> list[Any]:
    """Rows as the cursor takes them."""
    columns = [
        array("B" if name in SMALL_COLUMNS else "q", [row[name] for row in rows]) for name in COLUMN_NAMES
    ]
    return [len(rows), *columns, None]


def cursor(*batches: list[Any], **more: Any) -> TapeCursor:
    return TapeCursor(batches, price_decimals=1, qty_decimals=0, name="t", **more)


# -- there and back ----------------------------------------------------------------------------------------------

stamps = st.integers(0, 2**61)
prices = st.integers(1, 10**9).map(lambda count: Price.from_mantissa(count * 10**16))
qtys = st.integers(0, 10**9).map(lambda count: Qty.from_mantissa(count * 10**15))
levels = st.lists(st.tuples(prices, qtys), max_size=6)
depths = st.builds(
    DepthUpdate,
    levels,
    levels,
    is_snapshot=st.booleans(),
    venue_ns=stamps,
    recv_ns=stamps,
    seq=stamps,
    prev_seq=st.integers(-1, 2**61),
)
trade_ids = st.one_of(st.just(""), st.integers(0, 10**17).map(str), st.text(max_size=5))
positive = qtys.filter(bool)
trades = st.builds(
    PublicTrade,
    st.sampled_from(Side),
    prices,
    positive,
    venue_ns=stamps,
    recv_ns=stamps,
    trade_id=trade_ids.filter(
        lambda text: text.isprintable() and text.encode("utf-8", "replace").decode() == text
    ),
)
changes = st.builds(
    OrderChange,
    st.sampled_from(["add", "modify", "delete"]),
    st.integers(0, 2**61),
    st.sampled_from(Side),
    prices,
    positive,
    is_snapshot=st.booleans(),
    is_first=st.just(True),
    is_last=st.just(True),
    venue_ns=stamps,
    recv_ns=stamps,
    seq=stamps,
)
rates = st.builds(
    RateUpdate,
    st.sampled_from(["mark", "index"]),
    prices.map(str),
    venue_ns=stamps,
    recv_ns=stamps,
) | st.builds(
    RateUpdate,
    st.just("funding"),
    st.integers(-(10**12), 10**12).map(lambda count: f"{count}e-12"),
    due_ns=stamps,
    recv_ns=stamps,
)


def written(events: list[Event], rows_per_batch: int) -> Iterator[list[Any]]:
    """The events in batches; messages are cut wherever a batch is full."""
    columns = TapeColumns(price_decimals=2, qty_decimals=3, text_ids=True)
    for event in events:
        columns.append(event)
    rows, *buffers, texts = columns.take()
    assert isinstance(rows, int)
    for start in range(0, rows, rows_per_batch):
        end = min(start + rows_per_batch, rows)
        cut = [
            buffer[start:end] if name in SMALL_COLUMNS else buffer[start * 8 : end * 8]
            for name, buffer in zip(COLUMN_NAMES, buffers, strict=True)
        ]
        yield [end - start, *map(bytes, cut), texts_of(texts[start:end])]


def texts_of(texts: list[str | None]) -> tuple[Any, ...]:
    """Texts in Arrow's layout."""
    encoded = [(text or "").encode() for text in texts]
    offsets, validity = array("i", [0]), bytearray((len(texts) + 7) // 8)
    for index, text in enumerate(encoded):
        offsets.append(offsets[-1] + len(text))
        validity[index // 8] |= (texts[index] is not None) << index % 8
    return offsets, b"".join(encoded), validity


@given(
    events=st.lists(depths | trades | changes | rates, max_size=12),
    rows_per_batch=st.integers(1, 9),
    correction_ns=st.integers(-(2**40), 2**40),
)
def test_what_is_written_comes_back(events: list[Event], rows_per_batch: int, correction_ns: int) -> None:
    source = written(events, rows_per_batch)
    read = list(TapeCursor(source, price_decimals=2, qty_decimals=3, correction_ns=correction_ns))
    expected_ns = 0
    assert len(read) == len(events)
    for (ns, came), event in zip(read, events, strict=True):
        expected_ns = max(expected_ns, event.recv_ns + correction_ns)
        assert ns == came.recv_ns == expected_ns
        assert content_of(came) == content_of(event)
        assert came == event or expected_ns != event.recv_ns


def content_of(event: Event) -> tuple[Any, ...]:
    """All of an event but when it was received."""
    if isinstance(event, DepthUpdate):
        numbers = (event.is_snapshot, event.venue_ns, event.seq, event.prev_seq)
        return ("depth", event.bids(), event.asks(), *numbers)
    if isinstance(event, PublicTrade):
        return ("trade", event.taker_side, event.price, event.qty, event.venue_ns, event.trade_id)
    if isinstance(event, OrderChange):
        place = (event.is_snapshot, event.is_first, event.is_last, event.venue_ns, event.seq)
        return (event.action, event.order_id, event.side, event.price, event.qty, *place)
    return (event.kind, event.value, event.due_ns, event.venue_ns)


def test_values_that_need_wider_columns_say_which() -> None:
    columns = TapeColumns(price_decimals=1, qty_decimals=0)
    columns.append(DepthUpdate([("1.5", "3")], []))
    with pytest.raises(ColumnsTooNarrow) as raised:
        columns.append(DepthUpdate([("1", "2"), ("1.25", "3.001")], []))
    assert (raised.value.price_decimals, raised.value.qty_decimals, raised.value.text_ids) == (2, 3, False)
    with pytest.raises(ColumnsTooNarrow) as raised:
        columns.append(PublicTrade(Side.Buy, "1", "1", trade_id="007"))
    assert (raised.value.price_decimals, raised.value.qty_decimals, raised.value.text_ids) == (1, 0, True)
    assert len(columns) == 1  # nothing of what was refused
    with pytest.raises(TapeError, match="fit 64 bits with 2 and 0 decimals, got 999999999"):
        columns.append(PublicTrade(Side.Buy, "99999999999999999.12", "1"))
    with pytest.raises(TapeError, match="at most 12 decimals"):
        columns.append(RateUpdate("funding", "0.0000000000001"))
    with pytest.raises(TypeError, match="expected a market event, got str"):
        columns.append("trade")  # type: ignore[arg-type]


# -- what is wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "events", "text"),
    [
        ([LEVEL | {"kind": 8}], 0, "t: row 0: expected a kind from 0 to 7, got 8"),
        ([LEVEL | {"recv_ns": -1}], 0, "t: row 0: expected recv_ns from 0 to 2"),
        ([LEVEL, LEVEL | {"recv_ns": 2**62}], 1, "t: row 1: expected recv_ns from 0 to 2"),
        ([LEVEL | {"side": 2}], 0, "row 0: expected another level .* side 2"),
        ([LEVEL | {"price": 0}], 0, "row 0: expected another level .* price 0"),
        ([LEVEL | {"qty": -1}], 0, "row 0: expected another level .* qty -1"),
        ([LEVEL | {"flags": 0}], 0, "row 1: expected the rest of a depth message, the tape is cut off"),
        ([LEVEL, LEVEL | {"flags": 0, "side": 1}, LEVEL], 1, "row 2: expected another level .* side 0"),
        ([LEVEL | {"flags": 0}, LEVEL | {"kind": 1}], 0, "row 1: expected another level .* kind 1"),
        (
            [LEVEL | {"flags": 0}, LEVEL | {"flags": LAST | EMPTY}],
            0,
            "row 1: expected another level .* flags 5",
        ),
        ([LEVEL | {"kind": 1, "qty": 0}], 0, "row 0: expected a trade .* got 0, 95, 0"),
        ([LEVEL | {"kind": 1, "side": 2}], 0, "row 0: expected a trade .* got 2, 95, 3"),
        ([LEVEL | {"kind": 2, "price": 0}], 0, "row 0: expected an order .* above 0, got 0, 0, 3"),
        ([LEVEL | {"kind": 4, "price": -1}], 0, "row 0: expected an order .* of 0 or more, got 0, -1, 3"),
        ([LEVEL | {"kind": 6, "price": 0}], 0, "row 0: expected a price above 0, got 0"),
    ],
)
@pytest.mark.parametrize("batch_size", [1, 3])
def test_a_wrong_row_is_named(rows: list[Row], events: int, text: str, batch_size: int) -> None:
    batches = [batch(*rows[at : at + batch_size]) for at in range(0, len(rows), batch_size)]
    reading = cursor(*batches)
    for _ in range(events):
        next(reading)
    for _ in range(2):  # and again: nothing behind an error is read
        with pytest.raises(TapeError, match=text):
            next(reading)


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ((), TapeError, "t: row 1: expected a batch of 10 columns, got tuple"),
        (None, TypeError, "a bytes-like object is required"),
        (
            [2**31, *[b""] * 10, None],
            TapeError,
            "expected a batch of at most 1073741824 rows, got 2147483648",
        ),
        ([-1, *[b""] * 10, None], TapeError, "expected a batch of at most 1073741824 rows, got -1"),
        ([2**80, *[b""] * 10, None], OverflowError, "too large"),
        ([2, *batch(LEVEL)[1:]], TapeError, "column recv_ns: expected 2 values of 8 bytes, got 8 bytes"),
        (
            [*batch(LEVEL)[:3], b"", *batch(LEVEL)[4:]],
            TapeError,
            "column kind: expected 1 values of 1 bytes, got 0",
        ),
        (
            [*batch(LEVEL)[:-1], (b"", b"", None)],
            TapeError,
            "column text_id: expected 2 values of 4 bytes, got 0",
        ),
        (
            [*batch(LEVEL)[:6], memoryview(bytes(17))[1:], *batch(LEVEL)[7:]],
            TapeError,
            "column price: expected memory that is aligned to 8 bytes",
        ),
    ],
)
def test_a_wrong_batch_is_refused(change: Any, error: type[Exception], text: str) -> None:
    wrong = [1, *[None] * 11] if change is None else change
    reading = cursor(batch(LEVEL), wrong)
    next(reading)
    with pytest.raises(error, match=text):
        next(reading)


def test_text_ids_outside_of_the_text_are_refused() -> None:
    trade = LEVEL | {"kind": 1}
    for offsets, text in (([0, 9], "0 to 9"), ([-1, 2], "-1 to 2"), ([2, 1], "2 to 1")):
        with pytest.raises(TapeError, match=f"row 0: expected a text id within 3 bytes, got {text}"):
            next(cursor([*batch(trade)[:-1], (array("i", offsets), b"abc", None)]))
    with pytest.raises(TapeError, match="row 0: expected a text id in UTF-8"):
        next(cursor([*batch(trade)[:-1], (array("i", [0, 1]), b"\xff", None)]))


def test_an_error_of_the_source_comes_after_what_was_whole() -> None:
    def source() -> Iterator[list[Any]]:
        yield batch(LEVEL)
        raise TapeError("t: batch 1: is gone")

    reading = TapeCursor(source(), price_decimals=1, qty_decimals=0)
    assert next(reading)[0] == 10
    with pytest.raises(TapeError, match="batch 1: is gone"):
        next(reading)


def test_decimals_and_corrections_have_bounds() -> None:
    for decimals in (-1, 19):
        with pytest.raises(TapeError, match="expected 0 to 18 decimals"):
            TapeCursor([], price_decimals=decimals, qty_decimals=0)
    with pytest.raises(TapeError, match="clock correction"):
        cursor(correction_ns=2**62)


def test_an_empty_tape_and_empty_batches_have_no_events() -> None:
    assert list(cursor()) == []
    assert list(cursor(batch(), batch())) == []
    assert len(list(cursor(batch(), batch(LEVEL), batch(), batch(LEVEL)))) == 2


def test_random_rows_never_crash_it() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # shown on failure, whatever fails
    rng = random.Random(seed)
    for _ in range(300):
        rows = [
            {
                name: rng.choice(
                    [0, 1, 2, 3, 7, 255] if name in SMALL_COLUMNS else [-1, 0, 1, 2**62, 2**63 - 1, -(2**63)]
                )
                if rng.random() < 0.1
                else LEVEL[name]
                for name in COLUMN_NAMES
            }
            for _ in range(rng.randrange(1, 40))
        ]
        cut = rng.randrange(len(rows) + 1)
        reading = cursor(batch(*rows[:cut]), batch(*rows[cut:]))
        try:
            for _, event in reading:
                assert event.recv_ns >= 0, f"seed {seed}"
        except TapeError:
            continue


def test_it_holds_one_batch_at_a_time_and_leaks_nothing() -> None:
    held: list[bytearray] = []

    def source() -> Iterator[list[Any]]:
        for _ in range(50):
            for buffer in held:
                buffer.append(0)  # BufferError while somebody holds it
            columns = [bytearray(column) for column in batch(LEVEL, LEVEL)[1:-1]]
            held[:] = columns
            yield [2, *columns, None]

    def read_all() -> None:
        held.clear()
        assert sum(1 for _ in TapeCursor(source(), price_decimals=1, qty_decimals=0)) == 100

    read_all()
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(20):
            read_all()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 20_000
