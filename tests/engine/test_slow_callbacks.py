"""Slow user code gets a line in the log, and not more than one a second."""

from __future__ import annotations

import logging

import pytest

from mlthon.engine.slow_callbacks import SlowCallbacks

MS = 1_000_000


def test_one_line_a_second_that_counts_the_others(caplog):
    now_ns = 0
    slow = SlowCallbacks(5, lambda: now_ns)
    with caplog.at_level(logging.WARNING, "mlthon.engine"):
        for _ in range(4):
            slow.note("on_start", 7_300_000)
            now_ns += 300 * MS
        slow.note("timer of 500 ms", 5 * MS)
    assert [record.getMessage() for record in caplog.records] == [
        "slow: on_start took 7.3 ms, the budget is 5 ms",
        "slow: timer of 500 ms took 5.0 ms, the budget is 5 ms; 3 more since the last such line",
    ]


@pytest.mark.parametrize("budget_ms", [0, -1, float("nan")])
def test_a_budget_is_more_than_nothing(budget_ms):
    with pytest.raises(ValueError, match="slow_callback_ms: expected more than 0"):
        SlowCallbacks(budget_ms)


def test_the_environment_names_a_slow_callback(make_bench, make_recorder, caplog):
    recorder = make_recorder()
    bench = make_bench(recorder, slow_callback_ms=1e-6)
    with caplog.at_level(logging.WARNING, "mlthon.engine"):
        bench.start()
    assert caplog.records[0].getMessage().startswith("slow: on_framework_connected took")
    assert bench.env.dispatcher.slow_count > 1


def test_the_environment_knows_the_last_callback_of_a_message(make_bench, make_recorder):
    from mlthon._core.market_event import DepthUpdate
    from mlthon.api.istrat_env import MDSub
    from mlthon.basics.defs import Exchange

    recorder = make_recorder()
    bench = make_bench(recorder)
    bench.env.subscribe_to_market_data(Exchange.Bybit, ["BTC-USDT"], [MDSub.PriceLevelBook])
    bench.start()
    flags = []
    recorder.reactions["on_add_price_level"] = lambda *_args: flags.append(bench.env.last_in_batch)
    instrument_id = bench.instruments[0].get_instrument_id()
    bench.feed.listener.on_stream_ready(instrument_id)
    bench.feed.listener.on_depth(instrument_id, DepthUpdate([("100", "1")], [], is_snapshot=True))
    bench.feed.listener.on_depth(instrument_id, DepthUpdate([("99", "1"), ("98", "1")], []))
    assert flags == [True, False, True]
    assert bench.env.last_in_batch is True
