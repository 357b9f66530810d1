"""Candles of a market, made from its trades."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.venues.bybit.klines import Klines


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000)


def klines(*trades: tuple[str, str]) -> Klines:
    made = Klines()
    for when, price in trades:
        made.add(at(when), Price(price), Qty("2"), MLDecimal("3"))
    return made


def starts(made: Klines, interval: str, now: str) -> list[str]:
    return [
        datetime.fromtimestamp(candle.start_ms / 1_000, UTC).strftime("%m-%d %H:%M")
        for candle in made.candles(interval, at(now))
    ]


def test_a_candle_sums_up_what_traded_in_it_and_a_quiet_one_keeps_the_last_price() -> None:
    made = klines(
        ("2026-07-01 10:00:05", "5"),
        ("2026-07-01 10:00:50", "9"),
        ("2026-07-01 10:01:10", "4"),
        ("2026-07-01 10:06", "6"),
    )
    busy, quiet, last = made.candles("3", at("2026-07-01 10:08:59"))
    assert busy[1:] == (Price("5"), Price("9"), Price("4"), Price("4"), Qty("6"), MLDecimal("9"))
    assert quiet[1:] == (*[Price("4")] * 4, Qty("0"), MLDecimal("0"))
    assert last[1:] == (*[Price("6")] * 4, Qty("2"), MLDecimal("3"))


def test_a_trade_with_an_older_stamp_counts_in_the_last_minute() -> None:
    made = klines(("2026-07-01 10:05:00", "5"), ("2026-07-01 10:04:59", "1"))
    ((start_ms, *prices, volume, _),) = made.candles("1", at("2026-07-01 10:05:01"))
    assert (start_ms, prices, volume) == (
        at("2026-07-01 10:05"),
        [Price("5"), Price("5"), Price("1"), Price("1")],
        Qty("4"),
    )


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ("720", ["12-31 12:00", "01-01 00:00", "01-01 12:00"]),
        ("D", ["12-31 00:00", "01-01 00:00"]),
        ("W", ["12-29 00:00"]),  # a Monday
        ("M", ["12-01 00:00", "01-01 00:00"]),
    ],
)
def test_intervals_begin_where_they_do_in_utc(interval: str, expected: list[str]) -> None:
    made = klines(("2025-12-31 23:59:59", "5"))
    assert starts(made, interval, "2026-01-01 12:00:00") == expected


def test_months_are_as_long_as_they_are() -> None:
    made = klines(("2027-01-31 12:00:00", "5"))
    assert starts(made, "M", "2027-04-01 00:00:00") == [
        "01-01 00:00",
        "02-01 00:00",
        "03-01 00:00",
        "04-01 00:00",
    ]


def test_before_the_first_trade_there_is_none() -> None:
    assert list(Klines().candles("1", at("2026-07-01 10:00"))) == []
