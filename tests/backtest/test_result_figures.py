"""Profit, drawdown, mark-outs and the order figures, against a slow reading of the same run with `decimal`."""

from __future__ import annotations

import itertools
import math
import random
import statistics as std
from decimal import Decimal

import pytest
from trace_run import NS_PER_S, START_NS, Run, perpetual

from mlthon.backtest.mark_outs import mark_outs
from mlthon.backtest.order_flow import order_flows
from mlthon.backtest.statistics import DrawdownMeter, SharpeMeter
from mlthon.backtest.trace import MAKER, TAKER
from mlthon.basics.defs import GtwRejectCode
from mlthon.engine.ports import OrderEvent, RequestKind

SEEDS = range(12)


def exact(mantissa):
    return Decimal(mantissa).scaleb(-18)


def mid_before(run, number, ns, *, including=False):
    """The last mid told before a time; of changes at one time, the last."""
    told = [
        mid for at, which, mid in run.history if which == number and (at < ns or (including and at <= ns))
    ]
    return told[-1] if told else None


def naive_net(run, number, ns, mid, *, including=False):
    """Cash plus position at the mid: knows nothing of average cost."""
    until = [
        fill
        for fill in run.fills
        if fill.instrument == number and (fill.ns < ns or (including and fill.ns <= ns))
    ]
    cash = sum((fill.price * fill.qty * (-1 if fill.is_buy else 1) - fill.fee for fill in until), Decimal(0))
    size = sum((fill.qty if fill.is_buy else -fill.qty for fill in until), Decimal(0))
    paid = [
        amount
        for at, which, amount in run.funding
        if which == number and (at < ns or (including and at <= ns))
    ]
    return cash + size * mid + sum(paid, Decimal(0)), size


@pytest.fixture(params=SEEDS, ids=lambda seed: f"seed {seed}")
def run(request):
    every_ns = (NS_PER_S, NS_PER_S // 4, 10 * NS_PER_S)[request.param % 3]
    instruments = [perpetual(0), perpetual(1, symbol="ETH-USDT")]
    return Run(request.param, instruments, every_ns=every_ns).play(160)


def test_pnl_and_position_at_every_sample(run):
    for number, books in enumerate(run.trace.books):
        curve = books.curve
        assert len(curve) > 10
        for row, (ns, net) in enumerate(zip(curve.ns, curve["net"], strict=True)):
            last = row == len(curve) - 1
            mid = mid_before(run, number, ns, including=last)
            assert exact(curve["mid"][row]) == mid
            expected, size = naive_net(run, number, ns, mid, including=last)
            assert exact(curve["position"][row]) == size
            # Closing a part of a position rounds at the 18th decimal; realised and unrealised still sum up.
            assert exact(net) == expected, f"{run.seed}: at {ns}"


def test_samples_come_at_whole_multiples_whatever_the_gaps(run):
    for books in run.trace.books:
        times = books.curve.ns
        assert list(times[:-1]) == sorted(set(times[:-1]))  # a sample may be due when the run ends
        assert all(ns % run.every_ns == 0 for ns in times[1:-1])
        assert times[-1] == run.trace.ended_ns == run.now_ns


def test_drawdown_of_all_instruments_together(run):
    (coin,) = run.trace.coins
    times, equity = coin.equity()
    slow = []
    for row, ns in enumerate(times):
        last = row == len(times) - 1
        slow.append(Decimal(0))
        for number, books in enumerate(run.trace.books):
            shown = [at for at in books.curve.ns if at <= ns]
            if shown:
                mid = mid_before(run, number, shown[-1], including=last)
                slow[-1] += naive_net(run, number, shown[-1], mid, including=last)[0]
    assert list(map(exact, equity)) == slow, run.seed
    found = coin.drawdown.worst
    assert found.money == max(high - low for at, high in enumerate(equity) for low in equity[at:])
    assert equity[times.index(found.from_ns)] - equity[times.index(found.to_ns)] == found.money


def test_mark_outs(run):
    books = run.trace.books
    compared = 0
    for number in range(2):
        for liquidity, is_maker in ((MAKER, True), (TAKER, False)):
            for found in mark_outs(run.trace, number, books[number], liquidity):
                count, money, notional = 0, Decimal(0), Decimal(0)
                for fill in run.fills:
                    due_ns = fill.ns + found.after_s * NS_PER_S
                    if fill.instrument != number or fill.is_maker != is_maker:
                        continue
                    if found.after_s and due_ns > run.now_ns:
                        continue
                    mid = mid_before(run, number, due_ns) if found.after_s else fill.mid
                    count += 1
                    money += (mid - fill.price) * fill.qty * (1 if fill.is_buy else -1)
                    notional += fill.price * fill.qty
                assert found.fills == count
                assert found.money.to_decimal() == money, f"{run.seed}: {found}"
                assert found.notional.to_decimal() == notional
                if count:
                    assert found.bps == pytest.approx(float(10_000 * money / notional))
                compared += count
    assert compared > 30


def test_order_figures(run):
    whole, flows = order_flows(run.trace)
    firsts = {}
    for fill in run.fills:
        firsts.setdefault(fill.order, fill.ns - fill.sent_ns)
    assert sorted(whole.times_to_fill_ns) == sorted(firsts.values())
    assert whole.fills == len(run.fills) == sum(flow.fills for flow in flows)
    assert whole.maker_share == pytest.approx(std.fmean(fill.is_maker for fill in run.fills))
    count = {event: sum(step[1] is event for step in run.steps) for event in OrderEvent}
    assert whole.orders["sent"] == count[OrderEvent.Sent]
    assert whole.fill_ratio == pytest.approx(len(firsts) / count[OrderEvent.Acked])
    asked = count[OrderEvent.Sent] + count[OrderEvent.CancelSent]
    assert whole.order_to_trade == pytest.approx(asked / len(run.fills))
    refused = whole.rejects[RequestKind.NewOrder, GtwRejectCode.PostOnlyWouldCross]
    assert refused == count[OrderEvent.Rejected] > 0
    sent = {client: ns for ns, event, client, _ in run.steps if event is OrderEvent.Sent}
    waits = [
        ns - sent[client]
        for ns, event, client, _ in run.steps
        if event in (OrderEvent.Acked, OrderEvent.Rejected)
    ]
    latency = whole.latency()[RequestKind.NewOrder]
    assert (latency.count, latency.max_ns) == (len(waits), max(waits))
    assert latency.median_ns == std.median_low(waits)


def test_inventory_is_the_time_weighted_position(run):
    for number, books in enumerate(run.trace.books):
        found = books.held.until(run.trace.ended_ns)
        own = [fill for fill in run.fills if fill.instrument == number]
        moments = [run.trace.started_ns, *(fill.ns for fill in own), run.trace.ended_ns]
        signed = [fill.qty if fill.is_buy else -fill.qty for fill in own]
        held = [float(size) for size in itertools.accumulate(signed, initial=Decimal(0))]
        weights = [after - before for before, after in itertools.pairwise(moments)]
        assert found.mean == pytest.approx(std.fmean(held, weights), abs=1e-15)
        assert found.mean_abs == pytest.approx(std.fmean(map(abs, held), weights), abs=1e-15)
        assert float(exact(found.max_abs)) == max(map(abs, held))
        flat = sum(weight for size, weight in zip(held, weights, strict=True) if size == 0)
        assert found.flat_share == pytest.approx(flat / sum(weights))


def test_inverse_contracts_are_counted_in_their_coin():
    run = Run(1, [perpetual(0, method="inverse", symbol="BTC-USD")])
    run.advance_to(START_NS)
    run.move_mid(0, "50000")
    order = run.send(0, True, "50000", "100")
    run.fill(order, "100", is_maker=True, fee="0", sent_ns=START_NS)
    run.advance_to(START_NS + NS_PER_S // 2)
    run.move_mid(0, "62500")
    run.advance_to(START_NS + 2 * NS_PER_S)
    run.trace.end(run.now_ns)
    (books,) = run.trace.books
    assert books.coin == "BTC"
    assert books.pnl().net.to_decimal() == Decimal("0.0004")  # 100 * (1/50000 - 1/62500)
    at_fill, after_1_s, after_5_s, _ = mark_outs(run.trace, 0, books, MAKER)
    assert at_fill.money.is_zero()
    assert after_1_s.money.to_decimal() == Decimal("0.0004")
    assert after_1_s.bps == pytest.approx(2000)  # of a notional of 0.002
    assert (after_5_s.fills, after_5_s.bps) == (0, None)


@pytest.mark.parametrize("seed", range(4))
def test_inverse_pnl_and_mark_outs_of_random_runs(seed):
    run = Run(seed, [perpetual(0, method="inverse", symbol="BTC-USD")]).play(150)
    (books,) = run.trace.books
    mid = mid_before(run, 0, run.now_ns, including=True)
    signed = [fill.qty if fill.is_buy else -fill.qty for fill in run.fills]
    coins = sum(qty / fill.price for qty, fill in zip(signed, run.fills, strict=True))
    paid = sum(fill.fee for fill in run.fills) - sum(amount for _, _, amount in run.funding)
    rounding = Decimal("1e-15")  # a value is rounded once a fill, at the 18th decimal
    assert abs(books.pnl().net.to_decimal() - (coins - sum(signed) / mid - paid)) < rounding
    at_fill = mark_outs(run.trace, 0, books, MAKER)[0]
    earned = sum(
        qty / fill.price - qty / fill.mid
        for qty, fill in zip(signed, run.fills, strict=True)
        if fill.is_maker
    )
    assert abs(at_fill.money.to_decimal() - earned) < rounding
    assert at_fill.fills > 10


@pytest.mark.parametrize(("hours", "days"), [(19, 0), (30, 0), (24 * 40, 40)])
def test_sharpe_takes_days_or_hours_and_is_absent_for_short_runs(hours, days):
    chance = random.Random(hours)
    times = [START_NS + n * 600 * NS_PER_S for n in range(hours * 6 + 1)]
    equity = [0]
    for _ in times[1:]:
        equity.append(equity[-1] + chance.randrange(-900, 1000))
    meter = SharpeMeter()
    for ns, value in zip(times, equity, strict=True):
        meter.add(ns, value)
    found = meter.ratio()
    if hours < 20:
        assert found is None
        return
    step = 144 if days else 6
    levels = equity[::step]
    profits = [after - before for before, after in itertools.pairwise(levels)]
    periods = 365 if days else 365 * 24
    assert found.returns == (days or hours)
    assert found.ratio == pytest.approx(std.mean(profits) / std.stdev(profits) * math.sqrt(periods))


def test_steps_and_fills_name_their_orders_by_number():
    run = Run(2, [perpetual(0)]).play(200)
    trace = run.trace
    ids = list(trace.orders.client_ids)
    assert ids == [f"c{n + 1}" for n in range(run.made)]
    assert [ids[order] for order in trace.orders.order] == [client_id for _, _, client_id, _ in run.steps]
    assert [ids[order] for order in trace.fills.order] == [fill.order for fill in run.fills] != []


def test_a_run_in_which_nothing_is_earned_has_no_sharpe():
    meter = SharpeMeter()
    assert meter.ratio() is None
    for hour in range(100):
        meter.add(hour * 3600 * NS_PER_S, 7)
    assert meter.ratio() is None
    assert DrawdownMeter().worst is None
