"""``python -m mlthon.run backtest``, as a user calls it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mlthon.backtest.latency import read_latencies
from mlthon.errors import ConfigError

RAISES = """
class Raises:
    def on_framework_connected(self, env):
        env.login("raises")

    def on_best_bid_level_update(self, *args):
        raise RuntimeError("no more")
"""


def test_a_config_file_speaks_for_the_options_that_are_not_given(mlthon_run, tmp_path):
    config, log = tmp_path / "run.yaml", tmp_path / "events.jsonl"
    config.write_text(
        "duration: 5\nqueue-rule: ahead\nparam: {order_qty: '0.02'}\ndeposit: {USDT: 5000}\njson: true\n"
    )
    done = mlthon_run("backtest", "--config", config, "--duration", "8", "--event-log", log)
    told = done.summary
    assert (told["mode"], told["params"]) == ("backtest", {"order_qty": "0.02"})
    assert told["coins"]["USDT"]["capital"].startswith("5000")
    assert 8 <= told["elapsed_s"] < 9
    assert {"levels", "messages", "trades", "load_s", "orders", "fills", "pnl", "venue"} <= set(told)
    assert told["venue"]["fills"] == told["fills"]
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert {line["kind"] for line in lines} == {"request", "callback"}


def test_the_demo_strategy_trades_what_is_on_the_tape(mlthon_run, tmp_path):
    tape = tmp_path / "trades.csv"
    head = "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount"
    rows = [f"bybit,XRPUSDT,{at}000000,{at}000001,500,0.5{at},0.4{at},700" for at in range(10, 20)]
    tape.write_text("\n".join([head, *rows, ""]))
    done = mlthon_run("backtest", "--tape", tape, "--json")
    assert done.summary["params"] == {"instrument": "byt:perp:XRP-USDT"}
    assert done.summary["callbacks"] > 10


def test_a_tape_without_a_book_is_remarked_upon(mlthon_run, tmp_path):
    tape = tmp_path / "trades.csv"
    head = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount"
    tape.write_text(f"{head}\nbybit,BTCUSDT,6000000,11000000,7,buy,60000.1,2\n")
    done = mlthon_run("backtest", "--tape", tape, "--json")
    assert "byt:perp:BTC-USDT: the tapes tell no book of it" in done.err


def test_a_strategy_that_raises_shows_its_traceback_and_exits_with_4(mlthon_run, tmp_path):
    path = tmp_path / "raises.py"
    path.write_text(RAISES)
    done = mlthon_run("backtest", "--strategy", f"{path}:Raises", "--duration", "5")
    assert done.code == 4
    assert "RuntimeError: no more" in done.err
    assert "raises.py" in done.err


def test_what_cannot_be_used_is_one_line_and_exit_code_2(mlthon_run, tmp_path):
    config, tape = tmp_path / "run.yaml", tmp_path / "tape"
    config.write_text("speed: 3\n")
    tape.write_text("nothing\n")
    for arguments, said in (
        (("--config", config), "speed: expected one of"),
        (("--tape", tape), "line 1"),
        (("--time-zone", "Nowhere"), "--time-zone"),
        (("--deposit", "USDT"), "COIN=AMOUNT"),
        (("--latencies", tape), "at least one measurement"),
    ):
        done = mlthon_run("backtest", *arguments)
        assert done.code == 2
        assert said in done.err.splitlines()[-1]


def test_where_nothing_can_be_written_is_said_before_the_run(mlthon_run, tmp_path):
    file = tmp_path / "file"
    file.touch()
    for option, value, said in (
        ("--report", tmp_path, "--report: expected a file to write, got a folder"),
        ("--report", tmp_path / "absent" / "a.html", "--report: expected a file in a folder that is there"),
        ("--save", file, "--save: expected a folder, got a file"),
    ):
        done = mlthon_run("backtest", "--duration", "2", option, value)
        assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 1)
        assert said in done.err


def test_a_result_that_cannot_be_told_is_a_failure_and_files_are_written_all_the_same(tmp_path):
    pytest.importorskip("pyarrow")
    words = [sys.executable, "-m", "mlthon.run", "backtest", "--duration", "2", "--json"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*words, "--save", str(tmp_path / "saved")],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.endswith("error: stdout: cannot write the result: No space left on device\n")
    assert json.loads((tmp_path / "saved" / "result.json").read_text())["mode"] == "backtest"


def test_measured_delays_are_replayed(mlthon_run, tmp_path):
    measured = tmp_path / "delays.csv"
    measured.write_text("sent_ns,exchange_ns,answered_ns\n0,3000000,10000000\n")
    done = mlthon_run("backtest", "--duration", "10", "--latencies", measured, "--json")
    assert done.summary["latency_ms"]["NewOrder"]["median"] == 10.0


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--duration", "1e300", "duration: expected more than 0 and at most"),
        ("--feed-latency", "inf", "latency: expected 0 ms to a day"),
        ("--order-latency", "1e15", "latency: expected 0 ms to a day"),
        ("--latency-deviation", "inf", "latency: expected 0 ms to a day"),
        ("--maker-fee", "5", "fee: expected a rate between -1 and 1"),
        ("--funding-rate", "-1", "funding rate: expected a rate between -1 and 1"),
        ("--deposit", "USDT=-5", "deposit: USDT: expected 0 or more"),
    ],
)
def test_numbers_that_can_only_be_slips_are_refused(mlthon_run, option, value, said):
    done = mlthon_run("backtest", "--duration", "2", option, value)
    assert done.code == 2
    assert said in done.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("9,10,11\n5,6,7\n", "in order of time"),
        ("5,4,6\n", "got -1 ns of what was sent at 5"),
        ("1,2,99999999999999999999999\n", "0 ns to a day"),
    ],
)
def test_impossible_delays_are_refused_with_their_file(tmp_path, lines, said):
    measured = tmp_path / "delays.csv"
    measured.write_text(lines)
    with pytest.raises(ConfigError, match=said) as caught:
        read_latencies(measured)
    assert str(measured) in str(caught.value)
