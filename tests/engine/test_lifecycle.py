"""A strategy's life, in the published order, whatever it does."""

from __future__ import annotations

import pytest

from mlthon.basics.defs import Exchange, GtwRejectCode, GtwStatus
from mlthon.engine.session import SessionState
from mlthon.errors import NotLoggedInError, StrategyError, UsageError

BYBIT = Exchange.Bybit


def test_start_sequence(make_bench, make_recorder):
    recorder = make_recorder()
    bench = make_bench(recorder)
    bench.env.request_execution_connection(BYBIT, ["BTC-USDT"])
    bench.start()
    assert recorder.names() == [
        "on_framework_connected",
        "on_start",
        "on_instruments",
        "on_strat_params_update",
        "on_gateway_status",
    ]
    assert recorder.last("on_gateway_status") == ("on_gateway_status", BYBIT, GtwStatus.ReadyToTrade, "")
    assert recorder.last("on_instruments")[1] == bench.instruments


def test_a_strategy_that_does_not_log_in_is_told_so(make_bench):
    class Silent:
        def on_framework_connected(self, env):
            pass

    with pytest.raises(NotLoggedInError, match=r"Silent.*env\.login"):
        make_bench(Silent()).start()


def test_nothing_passes_between_the_stop_ack_and_the_next_start(bench, recorder):
    bench.env.session.stop("bye")
    assert recorder.seen == [("on_stop", "bye")]
    assert bench.env.session.state is SessionState.STOPPING
    bench.order("a1")
    assert len(bench.gateway.asked) == 1
    bench.env.send_stop_ack()
    bench.order("a2")
    assert recorder.last("on_new_order_reject")[2:4] == ("a2", GtwRejectCode.GtwNotReady)
    bench.env.session.start("again")
    bench.order("a3")
    assert len(bench.gateway.asked) == 2
    assert recorder.names().count("on_instruments") == 0  # told once, at the first start


def test_a_stop_that_is_not_acknowledged_ends_at_the_deadline(bench):
    bench.env.session.stop()
    bench.advance_ms(4_999)
    assert bench.env.session.state is SessionState.STOPPING
    bench.advance_ms(1)
    assert bench.env.session.state is SessionState.STOPPED


def test_out_of_turn_commands_are_usage_errors(bench):
    with pytest.raises(UsageError, match="start: the strategy is running"):
        bench.env.commands.execute("start")
    bench.env.commands.execute("STOP now please")
    with pytest.raises(UsageError, match="stop: the strategy is stopping"):
        bench.env.commands.execute("stop")


def test_start_and_stop_commands_pass_their_text_as_one_string(bench, recorder):
    bench.env.commands.execute("Stop now please")
    bench.env.send_stop_ack()
    bench.env.commands.execute("start  fast mode ")
    assert recorder.last("on_stop") == ("on_stop", "now please")
    assert recorder.last("on_start") == ("on_start", "fast mode")


def test_hooked_commands_get_a_list_and_any_case(bench):
    got = []
    bench.env.add_cmd_hook("Get_PnL", lambda words: got.append(words) or "42")
    assert bench.env.commands.execute("get_pnl usd  now") == "42"
    assert bench.env.commands.execute("GET_PNL") == "42"
    assert got == [["usd", "now"], []]


@pytest.mark.parametrize("name", ["start", "STOP", "", "two words", " pad"])
def test_unusable_command_names_are_refused(bench, name):
    with pytest.raises(ValueError, match="cmd_name_str"):
        bench.env.add_cmd_hook(name, print)


def test_framework_disconnected_comes_whatever_the_cause(bench, recorder):
    def fall_over(*_args):
        raise ZeroDivisionError("on purpose")

    recorder.reactions["on_best_bid_level_update"] = fall_over
    bench.env.dispatcher.call("on_best_bid_level_update", BYBIT, 1, None, None, 0)
    bench.env.dispatcher.call("on_account_info", BYBIT, "not delivered to a failed strategy")
    bench.env.session.close()
    assert recorder.names() == ["on_best_bid_level_update", "on_framework_disconnected"]
    with pytest.raises(StrategyError, match="Recorder raised ZeroDivisionError in on_best_bid_level_update"):
        bench.env.session.raise_failure()


def test_params_are_told_whole_on_every_change(bench, recorder):
    bench.env.session.update_params({"size": 1})
    bench.env.session.update_params({"edge": "2"})
    assert recorder.last("on_strat_params_update") == ("on_strat_params_update", {"size": 1, "edge": "2"})


@pytest.mark.parametrize(("name", "error"), [("", ValueError), ("  ", ValueError), (7, TypeError)])
def test_login_names_are_checked(make_bench, make_recorder, name, error):
    bench = make_bench(make_recorder())
    with pytest.raises(error, match="strat_name"):
        bench.env.login(name)


def test_nothing_is_told_before_the_strategy_is_connected(make_bench, make_recorder):
    from mlthon.basics.qty import Qty

    recorder = make_recorder()
    bench = make_bench(recorder)
    listener = bench.gateway.listener
    listener.on_wallet("USDT", Qty("100"), Qty("90"))
    listener.on_position(bench.instruments[0], Qty("1"))
    listener.on_rate_limit(10, 5, 0)
    assert recorder.seen == []
    bench.start()
    assert recorder.names()[-3:] == ["on_gateway_status", "on_position_info", "on_wallet_info"]
    listener.on_wallet("USDT", Qty("100"), Qty("90"))
    assert recorder.names()[-1] == "on_wallet_info"
    assert recorder.names().count("on_wallet_info") == 1
