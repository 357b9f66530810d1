"""Candles: what traded in each minute since the venue's start, and in the longer intervals made of those."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty

__all__ = ["INTERVALS", "Candle", "Klines"]

_MINUTE_MS = 60_000
_DAY_MS = 86_400_000
_WEEK_MS = 7 * _DAY_MS
_FIRST_MONDAY_MS = 4 * _DAY_MS  # the epoch began on a Thursday
_REMEMBERED_MINUTES = 7 * 24 * 60
_NO_QTY, _NO_VALUE = Qty("0"), MLDecimal("0")

_WIDTHS_MS = {str(minutes): minutes * _MINUTE_MS for minutes in (1, 3, 5, 15, 30, 60, 120, 240, 360, 720)}
INTERVALS = (*_WIDTHS_MS, "D", "W", "M")
"""The venue's words for them: minutes, or a day, week or month of UTC."""


class Candle(NamedTuple):
    """What traded from `start_ms` on; a candle in which nothing did has the close before it as all its prices."""

    start_ms: int
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Qty
    turnover: MLDecimal


class Klines:
    """The candles of one market, a week back at most.

    >>> klines = Klines()
    >>> for at_ms, price in ((60_000, "10"), (61_000, "12"), (185_000, "11")):
    ...     klines.add(at_ms, Price(price), Qty("1"), MLDecimal(price))
    >>> for candle in klines.candles("1", now_ms=190_000):
    ...     print(candle.start_ms, candle.high, candle.volume)
    60000 12.00000000 2.00000000
    120000 12.00000000 0.00000000
    180000 11.00000000 1.00000000
    """

    def __init__(self) -> None:
        self._minutes: deque[Candle] = deque(maxlen=_REMEMBERED_MINUTES)  # those with trades, newest last

    def add(self, time_ms: int, price: Price, qty: Qty, value: MLDecimal) -> None:
        """Take in a trade; one that is stamped before the minute of the last one counts as of that."""
        traded = Candle(time_ms - time_ms % _MINUTE_MS, price, price, price, price, qty, value)
        if self._minutes and traded.start_ms <= self._minutes[-1].start_ms:
            self._minutes[-1] = _joined(self._minutes[-1], traded)
        else:
            self._minutes.append(traded)

    def candles(self, interval: str, now_ms: int) -> Iterator[Candle]:
        """All candles of one of `INTERVALS`, the present one included, oldest first."""
        current: Candle | None = None
        for minute in list(self._minutes):
            start_ms = _start_of(minute.start_ms, interval)
            if current is not None and start_ms == current.start_ms:
                current = _joined(current, minute)
                continue
            if current is not None:
                yield current
                yield from _quiet(current, start_ms, interval)
            current = minute._replace(start_ms=start_ms)
        if current is not None:
            yield current
            yield from _quiet(current, now_ms + 1, interval)


def _joined(first: Candle, second: Candle) -> Candle:
    """The first candle with what traded after it."""
    return first._replace(
        high=max(first.high, second.high),
        low=min(first.low, second.low),
        close=second.close,
        volume=first.volume + second.volume,
        turnover=first.turnover + second.turnover,
    )


def _quiet(last: Candle, until_ms: int, interval: str) -> Iterator[Candle]:
    """The candles after one that begin before an instant, if nothing has traded since."""
    close = last.close
    start_ms = _start_after(last.start_ms, interval)
    while start_ms < until_ms:
        yield Candle(start_ms, close, close, close, close, _NO_QTY, _NO_VALUE)
        start_ms = _start_after(start_ms, interval)


def _start_of(time_ms: int, interval: str) -> int:
    """When the interval began that an instant is in."""
    if interval == "M":
        day = datetime.fromtimestamp(time_ms // 1_000, UTC)
        return int(datetime(day.year, day.month, 1, tzinfo=UTC).timestamp()) * 1_000
    if interval == "W":
        return time_ms - (time_ms - _FIRST_MONDAY_MS) % _WEEK_MS
    return time_ms - time_ms % _width_ms(interval)


def _start_after(start_ms: int, interval: str) -> int:
    if interval == "M":
        return _start_of(start_ms + 31 * _DAY_MS, interval)
    return start_ms + (_WEEK_MS if interval == "W" else _width_ms(interval))


def _width_ms(interval: str) -> int:
    return _DAY_MS if interval == "D" else _WIDTHS_MS[interval]
