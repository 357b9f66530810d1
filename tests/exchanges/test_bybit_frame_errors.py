"""A rejected public message says which byte is wrong and shows what is around it, however the message is written."""

from __future__ import annotations

import orjson
import pytest
from bybit_messages import book_frame, encoded, trades_frame

from mlthon.exchanges.bybit.codec.fields import FrameError
from mlthon.exchanges.bybit.codec.public import decode_public

BOOK = encoded(book_frame(7, [["50000.0", "1.5"], ["49999.9", "2"]], [["50000.1", "0"]]))
TRADES = encoded(trades_frame(("Buy", "50000.1", "0.2"), ("Sell", "50000", "0.3")))


def rejected(data: bytes | str) -> FrameError:
    with pytest.raises(FrameError) as caught:
        decode_public(data, 1)
    return caught.value


@pytest.mark.parametrize(
    ("data", "right", "wrong", "at"),
    [
        (BOOK, b'"49999.9"', b'"49 999"', b'"49 999"'),
        (BOOK, b'"1.5"', b'"-1.5"', b'"-1.5"'),
        (BOOK, b'"1.5"', b"1.5", b"1.5]"),
        (BOOK, b'["49999.9","2"]', b'["49999.9"]', b'["49999.9"]'),
        (BOOK, b'[["50000.1","0"]]', b'"none"', b'"none"'),
        (BOOK, b'"s":"BTCUSDT"', b'"s":"ETHUSDT"', b'"ETHUSDT"'),
        (BOOK, b'"u":7', b'"u":-7', b"-7"),
        (BOOK, b'"seq":7007', b'"seq":7e3', b"7e3"),
        (BOOK, b'"type":"delta"', b'"type":"gamma"', b'"gamma"'),
        (BOOK, b'"b":', b'"bids":', b'{"s":'),  # missing: where it should be
        (BOOK, b'"u":7', b'"u":7,"u":[]', b"[]"),  # the last one counts
        (BOOK, b'"u":7', b'"x":{"u":[1,{"b":"]"}]},"\\u0075":"seven"', b'"seven"'),
        (TRADES, b'"50000"', b'"5e-400"', b'{"T":'),
        (TRADES, b'"Sell"', b'"Hold"', b'"Hold"'),
    ],
)
def test_the_byte_of_a_wrong_value(data: bytes, right: bytes, wrong: bytes, at: bytes) -> None:
    assert data.count(right) == 1
    spoilt = data.replace(right, wrong)
    error = rejected(spoilt)
    assert error.offset == spoilt.rindex(at)
    assert f"at byte {error.offset}: {spoilt[max(0, error.offset - 20) :][:40]!r}" in str(error)


@pytest.mark.parametrize(
    ("data", "offset"),
    [
        (b"", 0),
        (b"[]", 0),
        (BOOK[:-1], len(BOOK) - 1),
        (BOOK + b"}", len(BOOK)),
        (b'{"topic":"\xe2\x82\xbf","ts":01}', 20),
        (b'{"topic":"\xe2\x82\xbf\xff"}', 13),
        (b'{"topic":"\x01"}', 10),
        (b'{"ts":1e999}', 6),
    ],
)
def test_the_byte_where_it_stops_being_a_message(data: bytes, offset: int) -> None:
    error = rejected(data)
    assert (error.offset, error.topic) == (offset, "")
    assert f"at byte {offset}: {data[max(0, offset - 20) :][:40]!r}" in str(error)


def test_every_spelling_of_a_message_is_searched_alike() -> None:
    message = orjson.loads(BOOK)
    message["data"]["b"][1][1] = "two"
    message = {"\u20bf": ['"', "\\"], "data": message.pop("data"), **message}
    for data in (orjson.dumps(message), orjson.dumps(message, option=orjson.OPT_INDENT_2)):
        error = rejected(data)
        assert error.offset == data.index(b'"two"')
        assert rejected(data.decode()).offset == error.offset
