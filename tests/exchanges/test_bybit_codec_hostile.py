"""The Bybit codec on everything a message should not be: a decoder returns a value or raises DecodeError.

Three ways to spoil a message: cut it off anywhere, change its bytes at random, and put a wrong JSON value in place
of any part of it.
"""

from __future__ import annotations

import copy
import os
import random
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from bybit_messages import (
    NOW_MS,
    book_frame,
    by_symbol,
    encoded,
    fill_row,
    instrument_row,
    make_instruments,
    order_row,
    position_row,
    private_frame,
    trades_frame,
    wallet_row,
)

from mlthon.errors import DecodeError
from mlthon.exchanges.bybit.codec.account import decode_funding, decode_user_id
from mlthon.exchanges.bybit.codec.fields import FrameError, rows
from mlthon.exchanges.bybit.codec.private import decode_private
from mlthon.exchanges.bybit.codec.public import BookFrame, decode_public
from mlthon.exchanges.bybit.codec.rest import decode_envelope, decode_server_time_ns
from mlthon.exchanges.bybit.codec.trade import decode_trade
from mlthon.exchanges.bybit.instruments import decode_instruments

SYMBOLS = by_symbol(make_instruments())
SEED = int(os.environ.get("MLTHON_TEST_SEED", "20240808"))

Decoder = Callable[[bytes], object]


def public(data: bytes) -> object:
    return decode_public(data, 1)


def private(data: bytes) -> object:
    return decode_private(data, 1, SYMBOLS)


def instruments_answer(data: bytes) -> object:
    return decode_instruments(rows(decode_envelope(data, "t").result, "list", "t"), "linear")


def time_answer(data: bytes) -> object:
    return decode_server_time_ns(decode_envelope(data, "t").result, "t")


def ticker_answer(data: bytes) -> object:
    return [decode_funding(row, "t") for row in rows(decode_envelope(data, "t").result, "list", "t")]


def key_answer(data: bytes) -> object:
    return decode_user_id(decode_envelope(data, "t").result, "t")


def envelope(**result: Any) -> dict[str, Any]:
    return {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": NOW_MS}


LEVELS = [["50000.0", "1.5"], ["49999.9", "2"]]
TRADE_ANSWER = {
    "reqId": "r1",
    "retCode": 0,
    "retMsg": "OK",
    "op": "order.create",
    "data": {"orderId": "v1", "orderLinkId": "w1"},
    "header": {"X-Bapi-Limit": "10", "X-Bapi-Limit-Status": "9", "X-Bapi-Limit-Reset-Timestamp": "1"},
}
MESSAGES: dict[str, tuple[Decoder, dict[str, Any]]] = {
    "book": (public, book_frame(7, LEVELS, [["50000.1", "0"]])),
    "trades": (public, trades_frame(("Buy", "50000.1", "0.2"), ("Sell", "50000", "0.3"))),
    "public ack": (
        public,
        {"success": True, "ret_msg": "", "conn_id": "c", "req_id": "1", "op": "subscribe"},
    ),
    "order": (private, private_frame("order", order_row("a"), order_row("b", orderStatus="Filled"))),
    "execution": (private, private_frame("execution", fill_row("e", "a"))),
    "position": (private, private_frame("position", position_row())),
    "wallet": (private, private_frame("wallet", wallet_row())),
    "login": (private, {"success": True, "ret_msg": "", "op": "auth", "conn_id": "c"}),
    "answer": (decode_trade, TRADE_ANSWER),
    "instruments": (instruments_answer, envelope(list=[instrument_row()], nextPageCursor="")),
    "time": (time_answer, envelope(timeSecond="1", timeNano="1700000000000000000")),
    "ticker": (
        ticker_answer,
        envelope(list=[{"symbol": "BTCUSDT", "fundingRate": "0.0001", "nextFundingTime": "1"}]),
    ),
    "key": (key_answer, envelope(userID=7)),
}

WRONG: list[Any] = [
    *(None, True, False, 0, 1, -1, 2**63, 2**64, 1.5, 1e300, -0.0),
    *("", "abc", "-1", "1e5", "1E-30", "0x10", " 1 ", "1_000", "٣", "9" * 50, "9" * 5_000, "NaN", "Infinity"),
    *("\x00", "BTCUSDT", "Buy", [], {}, [[]], [{}], [None], {"": 0}, [["1", "2", "3"]], [[1, 2]], [["1"]]),
    *([["0", "1"]], [["1", "-1"]], [["-1", "1"]], [["1e400", "1"]], [["nan", "1"]], "x" * 10_000),
]


def survives(decode: Decoder, data: bytes, what: str) -> None:
    """Decode, and fail with the recipe for any other exception than the one that is promised."""
    try:
        decode(data)
    except DecodeError as error:
        text = str(error)
        assert text, what
        assert "\n" not in text, what
        assert len(text) < 1_000, what
    except Exception as error:
        pytest.fail(f"{what}: {type(error).__name__}: {error} on {data[:200]!r} (seed {SEED})")


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths to all parts of a JSON value."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield from places(child, (*path, key))


def spoiled(message: Any, path: tuple[Any, ...], wrong: Any) -> Any:
    """The message with another value at a path."""
    if not path:
        return wrong
    twin = copy.deepcopy(message)
    parent = twin
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = wrong
    return twin


@pytest.mark.parametrize("name", MESSAGES)
def test_the_message_itself_is_good(name: str) -> None:
    decode, message = MESSAGES[name]
    assert decode(encoded(message)) is not None


@pytest.mark.parametrize("name", MESSAGES)
def test_cut_off_anywhere(name: str) -> None:
    decode, message = MESSAGES[name]
    data = encoded(message)
    for length in range(len(data)):
        with pytest.raises(DecodeError):
            decode(data[:length])
        survives(decode, data[length:], f"{name} from byte {length}")


@pytest.mark.parametrize("name", MESSAGES)
def test_bytes_changed_at_random(name: str) -> None:
    decode, message = MESSAGES[name]
    rng = random.Random(f"{SEED} {name}")
    data = encoded(message)
    for number in range(1_500):
        spoilt = bytearray(data)
        for _ in range(rng.randint(1, 4)):
            action, place = rng.randrange(3), rng.randrange(len(spoilt))
            if action == 0:
                pool = b'"\\{}[],:0123456789.-eE \x00\xff' if rng.random() < 0.7 else bytes(range(256))
                spoilt[place] = rng.choice(pool)
            elif action == 1:
                del spoilt[place : place + rng.randint(1, 8)]
            else:
                spoilt[place:place] = spoilt[place : place + rng.randint(1, 8)]
            if not spoilt:
                break
        survives(decode, bytes(spoilt), f"{name}, change {number}")


@pytest.mark.parametrize("name", MESSAGES)
def test_a_wrong_value_anywhere(name: str) -> None:
    decode, message = MESSAGES[name]
    for path in places(message):
        for wrong in WRONG:
            try:
                data = orjson.dumps(spoiled(message, path, wrong))
            except TypeError:
                continue  # JSON has no such number
            survives(decode, data, f"{name} with {str(wrong)[:40]!r} at {path}")


@pytest.mark.parametrize("name", MESSAGES)
def test_a_missing_key_anywhere(name: str) -> None:
    decode, message = MESSAGES[name]
    for path in places(message):
        if path and isinstance(path[-1], str):
            twin = copy.deepcopy(message)
            parent = twin
            for key in path[:-1]:
                parent = parent[key]
            del parent[path[-1]]
            survives(decode, encoded(twin), f"{name} without {path}")


@pytest.mark.parametrize(
    "data",
    [b"", b"null", b"[]", b'"x"', b"7", b"{", b"\xff\xfe", b"[" * 100_000, b'{"topic":' * 50_000, b"{}" * 2],
    ids=lambda data: repr(data[:12]),
)
@pytest.mark.parametrize("decode", [public, private, decode_trade, instruments_answer])
def test_things_that_are_no_message(decode: Decoder, data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(data)


def test_a_bad_message_tells_whose_it_was_and_what_was_wrong() -> None:
    message = book_frame(7, [["50000.0", "1.5"], ["49999.9", "two"]], [])
    with pytest.raises(FrameError) as caught:
        decode_public(encoded(message), 1)
    assert caught.value.topic == "orderbook.50.BTCUSDT"
    assert "bids[1]" in str(caught.value)
    assert "'two'" in str(caught.value)
    with pytest.raises(FrameError) as caught:
        decode_public(b'{"topic":"orderbook.50.BTCUSDT",', 1)
    assert caught.value.topic == ""


def test_a_message_about_another_symbol_than_its_topic_is_refused() -> None:
    message = book_frame(7, LEVELS, [])
    message["data"]["s"] = "ETHUSDT"
    with pytest.raises(FrameError, match="expected 'BTCUSDT', got 'ETHUSDT'"):
        decode_public(encoded(message), 1)


def test_numbers_beyond_64_bits_do_not_wrap() -> None:
    for key in ("u", "seq"):
        message = book_frame(7, LEVELS, [])
        message["data"][key] = 2**63
        with pytest.raises(FrameError, match=key):
            decode_public(encoded(message), 1)
    message = book_frame(7, LEVELS, [])
    message["data"]["seq"] = 2**63 - 1
    frame = decode_public(encoded(message), 1)
    assert isinstance(frame, BookFrame)
    assert frame.update.seq == 2**63 - 1


@pytest.mark.parametrize(
    ("topic", "rows", "error"),
    [
        (
            "order",
            (order_row("a", qty="-1"), order_row("b")),
            "order.data[0].qty: expected 0 or more, got '-1'",
        ),
        (
            "execution",
            (fill_row("e1", "a", execPrice="-1"), fill_row("e2", "b")),
            "execution.data[0].execPrice: expected 0 or more, got '-1'",
        ),
        (
            "execution",
            (fill_row("e1", "a", execType=7), fill_row("e2", "b")),
            "execution.data[0].execType: expected text, got 7",
        ),
        (
            "position",
            (position_row(side="Up", orderLinkId="a"), position_row()),
            "position.data[0].side: expected one of Buy, Sell, None, '', got 'Up'",
        ),
    ],
)
def test_one_bad_row_spoils_no_other(topic: str, rows: tuple[dict[str, Any], ...], error: str) -> None:
    frame: Any = private(encoded(private_frame(topic, *rows)))
    assert len(frame[0]) == 1
    ((instrument, wire_id, _, told),) = frame.odd
    assert (instrument, wire_id, told) == (SYMBOLS["linear", "BTCUSDT"], "a", error)


def test_a_balance_that_makes_no_sense_spoils_no_other() -> None:
    wallet = wallet_row()
    wallet["coin"].insert(0, wallet_row("SHIB", f"0.{'1' * 19}")["coin"][0])
    frame: Any = private(encoded(private_frame("wallet", wallet)))
    assert [balance.coin for balance in frame.balances] == ["USDT"]
    assert frame.odd[0].startswith("SHIB: wallet.data[0].coin[0].walletBalance: expected decimal text")


def test_held_balances_that_sum_up_to_more_than_there_can_be_are_refused() -> None:
    most = "170141183460469231731"
    wallet = wallet_row(locked=most, totalOrderIM=most)
    frame: Any = private(encoded(private_frame("wallet", wallet)))
    assert frame.balances == []
    assert "expected what is held to sum up to a quantity" in frame.odd[0]


def test_rows_of_others_are_not_even_read() -> None:
    foreign = [
        {"category": "option", "symbol": 5},
        {"category": "spot", "symbol": "BTCUSDT", "orderStatus": "Unheard-of"},
        {"category": "linear", "symbol": "DOGEUSDT", "orderStatus": "Unheard-of"},
    ]
    frame = private(encoded(private_frame("order", *foreign, order_row("a"))))
    assert frame.foreign == 3  # type: ignore[attr-defined]
    assert [report.wire_id for report in frame.reports] == ["a"]  # type: ignore[attr-defined]


def test_a_state_we_do_not_know_is_an_error_not_a_guess() -> None:
    frame: Any = private(encoded(private_frame("order", order_row("a", orderStatus="Dormant"))))
    assert frame.reports == []
    assert "orderStatus: expected one of New, " in frame.odd[0].error
