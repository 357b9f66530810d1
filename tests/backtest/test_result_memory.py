"""A result does not grow with the tape, and what its curves leave out does not change its figures."""

from __future__ import annotations

import itertools
import math
import random
import statistics as std
import tracemalloc
from bisect import bisect_right

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trace_run import NS_PER_S, START_NS, Run, perpetual

from mlthon.backtest import curve as curve_module
from mlthon.backtest.curve import Curve
from mlthon.backtest.result import Result, RunFacts
from mlthon.backtest.statistics import DrawdownMeter, InventoryMeter, SharpeMeter
from mlthon.backtest.tearsheet_charts import equity_chart
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price

UNIT = 10**18
points = st.lists(st.tuples(st.integers(0, 40), st.integers(-6, 6)), min_size=1, max_size=200)


def in_order(gaps):
    """Points whose times never go back; some are equal."""
    ns = 0
    for gap, value in gaps:
        ns += gap
        yield ns, value


# -- curves ----------------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(points, st.integers(4, 40), st.integers(1, 30))
def test_a_curve_keeps_its_bound_its_ends_and_its_extremes(gaps, most, spacing_ns):
    curve = Curve(("value", "other"), turning=("value",), spacing_ns=spacing_ns, most=most)
    told = list(in_order(gaps))
    for row, (ns, value) in enumerate(told, start=1):
        curve.add(ns, MLDecimal(value), MLDecimal(-value))
        assert 1 <= len(curve) <= most
        kept = list(zip(curve.ns, (mantissa // UNIT for mantissa in curve.mantissas("value")), strict=True))
        assert set(kept) <= set(told[:row])
        assert (kept[0], kept[-1]) == (told[0], told[row - 1])
        values = [value for _, value in told[:row]]
        assert (min(v for _, v in kept), max(v for _, v in kept)) == (min(values), max(values))
        assert [-mantissa for mantissa in curve.mantissas("other")] == list(curve.mantissas("value"))
    assert curve.is_thinned is (len(told) > most)
    if not curve.is_thinned:
        assert kept == told


# -- figures against a slow reading ----------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(points)
def test_the_drawdown_is_the_deepest_fall(gaps):
    meter, told = DrawdownMeter(), list(in_order(gaps))
    for ns, value in told:
        meter.add(ns, value)
    falls = [(high - low, at, to) for (at, high), (to, low) in itertools.combinations(told, 2)]
    assert meter.worst.money == max([0, *(fall for fall, _, _ in falls)])
    if meter.worst.money:
        assert (meter.worst.money, meter.worst.from_ns, meter.worst.to_ns) in falls


@settings(max_examples=60, deadline=None)
@given(points, st.sampled_from([60, 1_800, 7_200, 40_000]))
def test_sharpe_is_that_of_the_levels_at_the_ends_of_the_periods(gaps, unit_s):
    meter, told = SharpeMeter(), [(ns * unit_s * NS_PER_S, value) for ns, value in in_order(gaps)]
    for ns, value in told:
        meter.add(ns, value)
    times, values = [ns for ns, _ in told], [value for _, value in told]
    found, slow = meter.ratio(), None
    for period_s in (86_400, 3_600):
        count = (times[-1] - times[0]) // (period_s * NS_PER_S)
        if count >= 20:
            marks = [times[0] + n * period_s * NS_PER_S for n in range(count + 1)]
            levels = [values[0], *(values[bisect_right(times, mark) - 1] for mark in marks[1:])]
            profits = [after - before for before, after in itertools.pairwise(levels)]
            if any(profit != profits[0] for profit in profits):
                slow = std.fmean(profits) / std.stdev(profits) * math.sqrt(365 * 86_400 / period_s)
            break
    assert (found is None) is (slow is None)
    if found is not None:
        assert (found.period_s, found.returns) == (period_s, count)
        assert found.ratio == pytest.approx(slow)


@settings(max_examples=100, deadline=None)
@given(points, st.integers(0, 50))
def test_inventory_weighs_each_size_by_its_time(gaps, rest_ns):
    meter, told = InventoryMeter(), list(in_order(gaps))
    for ns, size in told:
        meter.change(ns, size * UNIT)
    ended_ns = told[-1][0] + rest_ns
    found = meter.until(ended_ns)
    moments = [
        size for (at, size), (to, _) in itertools.pairwise([*told, (ended_ns, 0)]) for _ in range(at, to)
    ]
    if not moments:
        assert found is None
        return
    assert found.mean == pytest.approx(std.fmean(moments), abs=1e-12)
    assert found.mean_abs == pytest.approx(std.fmean(map(abs, moments)), abs=1e-12)
    assert found.max_abs == max(abs(size) for _, size in told) * UNIT
    assert found.flat_share == pytest.approx(moments.count(0) / len(moments))


# -- whole results ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_figures_do_not_hang_on_what_the_curves_keep(seed, monkeypatch):
    instruments = [perpetual(0), *([perpetual(1, symbol="ETH-USDT")] if seed % 2 else [])]
    whole = Result.of(Run(seed, instruments).play(400).trace, RunFacts("Long"))
    monkeypatch.setattr(curve_module, "MOST_ROWS", 24)
    thinned = Result.of(Run(seed, instruments).play(400).trace, RunFacts("Long"))
    assert thinned.to_json() == whole.to_json()
    [coin] = thinned.coins
    assert len(whole.coins[0].times) > 200
    assert len(coin.times) <= 24 + 2
    fall = max(high - low for at, high in enumerate(coin.equity) for low in coin.equity[at:])
    assert fall == coin.drawdown.money > 0, seed
    drawn = equity_chart(coin)["data"]
    assert min(drawn[1]["y"]) == pytest.approx(-fall / 1e18)
    assert drawn[0]["y"][-1] == pytest.approx(coin.pnl.net.to_float())
    for entry in thinned.instruments:
        assert len(entry.books.curve) <= 24
        assert len(entry.books.positions) <= 24


def grown_by(run, seconds):
    """Bytes that are held after so many more seconds in each of which the mid moves."""
    before, _ = tracemalloc.get_traced_memory()
    chance = random.Random(3)
    for _ in range(seconds):
        run.advance_to(run.now_ns + NS_PER_S)
        run.mids[run.instruments[0].get_instrument_id()] = Price(f"6{chance.randrange(10**4):04}.5")
    return tracemalloc.get_traced_memory()[0] - before


def test_memory_is_flat_in_the_length_of_the_tape(monkeypatch):
    monkeypatch.setattr(curve_module, "MOST_ROWS", 1_000)
    run = Run(1, [perpetual(0)])
    run.advance_to(START_NS)
    run.move_mid(0, "60000.5")
    order = run.send(0, True, "60000.5", "0.5")
    run.fill(order, "0.5", is_maker=True, fee="0.1", sent_ns=START_NS)
    tracemalloc.start()
    try:
        until_full = grown_by(run, 2_000)
        later = [grown_by(run, 10_000) for _ in range(2)]
    finally:
        tracemalloc.stop()
    assert until_full > 100_000  # the curves, of 1,000 rows
    assert max(later) < 50_000, later  # 20,000 seconds more; 340 bytes a second would be 3.4 MB each
    run.trace.end(run.now_ns)
    [coin] = Result.of(run.trace, RunFacts("Holds")).coins
    assert coin.sharpe is None
    assert len(coin.times) <= 1_002
