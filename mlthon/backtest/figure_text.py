"""Figures as text for people: on the terminal and in the tearsheet. Nothing here is read back."""

from __future__ import annotations

import math
from collections.abc import Iterable

from mlthon.backtest.mark_outs import MarkOut
from mlthon.backtest.result import CoinResult, InstrumentResult
from mlthon.backtest.statistics import Distribution
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.qty import Qty

__all__ = [
    "UNKNOWN",
    "bps",
    "coin_places",
    "exact_size",
    "mark_out_places",
    "money",
    "percent",
    "places_for",
    "sharpe_text",
    "size",
    "span",
    "spread",
]

UNKNOWN = "-"
_HUNDRED = MLDecimal("100")
_ONE = MLDecimal("1")
_SHARPE_NEEDS_S = 20 * 3_600
_SIGNIFICANT = 6


def places_for(amounts: Iterable[MLDecimal]) -> int:
    """How many decimals amounts that stand together are shown with: fewer where one of them is large.

    >>> places_for([MLDecimal("-1200"), MLDecimal("0.04")]), places_for([MLDecimal("0.0004")])
    (2, 8)
    """
    largest = max((abs(amount) for amount in amounts), default=MLDecimal("0"))
    if largest.is_zero() or largest >= _HUNDRED:
        return 2
    return 4 if largest >= _ONE else 8


def coin_places(coin: CoinResult) -> int:
    """For the pnl in one coin and its parts."""
    pnl, fall = coin.pnl, coin.drawdown
    deepest = MLDecimal.from_mantissa(0 if fall is None else fall.money)
    return places_for([pnl.realised, pnl.unrealised, pnl.fees, pnl.funding, pnl.net, deepest])


def mark_out_places(entry: InstrumentResult) -> int:
    """For what the fills of an instrument had earned after some time."""
    return places_for(mark.money for mark in (*entry.maker, *entry.taker))


def money(value: MLDecimal, places: int) -> str:
    """Signed, unless nothing of it can be seen.

    >>> money(MLDecimal("-1234.567"), 2), money(MLDecimal("-0.001"), 2)
    ('-1,234.57', '0.00')
    """
    return _unsigned_zero(f"{value:+,.{places}f}")


def exact_size(qty: Qty | MLDecimal) -> str:
    """All decimals that a quantity has, and no zeros behind them.

    >>> exact_size(Qty("-1200.0500"))
    '-1,200.05'
    """
    return _short(f"{qty:,.18f}")


def size(value: float, *, signed: bool = False) -> str:
    """A mean of quantities, to six digits, never with an exponent.

    >>> size(1234567.89), size(-0.000012345678, signed=True), size(0.0, signed=True)
    ('1,234,568', '-0.0000123457', '0')
    """
    if value == 0:
        return "0"
    places = min(max(_SIGNIFICANT - 1 - math.floor(math.log10(abs(value))), 0), 18)
    text = f"{value:+,.{places}f}" if signed else f"{value:,.{places}f}"
    return _unsigned_zero(_short(text) if places else text)


def percent(share: float | None) -> str:
    """With more decimals where it is less than one.

    >>> percent(0.8682), percent(-0.000114), percent(-1e-9)
    ('86.82 %', '-0.0114 %', '0.0000 %')
    """
    if share is None:
        return UNKNOWN
    places = 2 if share == 0 or abs(share) >= 0.01 else 4
    return _unsigned_zero(f"{100 * share:,.{places}f}") + " %"


def bps(mark: MarkOut) -> str:
    return UNKNOWN if mark.bps is None else _unsigned_zero(f"{mark.bps:+,.2f}")


def spread(times: Distribution | None) -> str:
    """Median and 95th percentile, in a unit that suits the latter.

    >>> spread(Distribution.of([40_000, 350_000])), spread(Distribution.of([46_100_000, 3_300_000_000]))
    ('40 / 350 us', '46.1 / 3,300.0 ms')
    """
    if times is None:
        return UNKNOWN
    if times.p95_ns < 1_000_000:
        return f"{times.median_ns / 1e3:,.0f} / {times.p95_ns / 1e3:,.0f} us"
    if times.p95_ns < 10_000_000_000:
        return f"{times.median_ns / 1e6:,.1f} / {times.p95_ns / 1e6:,.1f} ms"
    return f"{times.median_ns / 1e9:,.1f} / {times.p95_ns / 1e9:,.1f} s"


def sharpe_text(coin: CoinResult) -> str:
    """The ratio and the returns behind it, or why there is none."""
    if coin.sharpe is not None:
        period = "days" if coin.sharpe.period_s == 86_400 else "hours"
        return f"{_unsigned_zero(f'{coin.sharpe.ratio:,.2f}')} ({coin.sharpe.returns:,} {period})"
    is_short = not coin.times or coin.times[-1] - coin.times[0] < _SHARPE_NEEDS_S * 10**9
    return f"{UNKNOWN} (needs 20 hours)" if is_short else f"{UNKNOWN} (all periods alike)"


def span(seconds: float) -> str:
    """A duration as people say it.

    >>> span(90061), span(95.5), span(0.25)
    ('1 d 1 h 1 min', '1 min 36 s', '0.25 s')
    """
    if seconds < 10:
        return f"{seconds:.3g} s"
    whole = round(seconds)
    parts = [(whole // 86_400, "d"), (whole // 3_600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    told = [f"{count} {unit}" for count, unit in parts if count]
    return " ".join(told[:3])


def _short(text: str) -> str:
    return text.rstrip("0").removesuffix(".")


def _unsigned_zero(text: str) -> str:
    """What was rounded to nothing has no direction."""
    return text if text.strip("+-0.,") else text.lstrip("+-")
