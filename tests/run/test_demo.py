"""The demo, end to end: strategy, engine, connector, sockets, venue, matching, and back."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SUMMARY_KEYS = {
    "mode", "strategy", "elapsed_s", "events", "callbacks", "orders", "fills", "volume", "position", "pnl", "venue",
}  # fmt: skip
LEGACY = Path(__file__).resolve().parent.parent / "strats" / "legacy_strategy.py"


def test_it_trades_and_the_ledgers_agree(mlthon_run):
    summary = mlthon_run("demo", "--speed", 10, "--duration", 6, "--seed", 3, "--json").summary
    assert summary.keys() >= SUMMARY_KEYS
    assert summary["orders"].keys() == {"sent", "acked", "rejected", "cancelled", "filled", "open"}
    assert summary["pnl"].keys() == {"realised", "unrealised", "fees"}
    assert summary["orders"]["acked"] > 0
    assert summary["orders"]["open"] == 0
    assert summary["fills"] > 0
    assert summary["volume"] > 0
    assert summary["venue"] == {"position": summary["position"], "fills": summary["fills"]}


@pytest.mark.parametrize(
    ("market", "instrument", "currency"),
    [("inverse", "byt:perp:BTC-USD", "BTC"), ("spot", "byt:spot:BTC-USDT", "USDT")],
)
def test_it_trades_inverse_contracts_and_spot(mlthon_run, market, instrument, currency):
    outcome = mlthon_run("demo", "--market", market, "--speed", 10, "--duration", 3, "--json")
    summary = outcome.summary
    assert (summary["instrument"], summary["currency"]) == (instrument, currency)
    assert summary["fills"] > 0
    assert summary["orders"]["open"] == 0
    assert summary["venue"] == {"position": summary["position"], "fills": summary["fills"]}
    assert "refused" not in outcome.err


def test_every_order_has_one_end(mlthon_run):
    orders = mlthon_run("--speed", 10, "--duration", 4, "--json").summary["orders"]
    assert orders["sent"] == orders["rejected"] + orders["cancelled"] + orders["filled"]


def test_a_person_sees_a_line_a_second_and_a_table(mlthon_run):
    outcome = mlthon_run(
        "--duration", 3.5, "--speed", 5, "--slow-ms", 2_000
    )  # a busy machine is not its fault
    assert outcome.code == 0, outcome.err
    lines = [line for line in outcome.out.splitlines() if re.match(r" +\d+ s  ", line)]
    assert len(lines) == 3
    assert "position" in lines[0]
    assert "events/s" in lines[0]
    assert "DemoStrat on byt:perp:BTC-USDT" in outcome.out
    assert outcome.err == ""


def test_the_capture_is_traded_and_the_ledgers_agree(mlthon_run, captures):
    tape = captures / "binance" / "usdm_btcusdt_20240808.gz"
    summary = mlthon_run("demo", "--tape", tape, "--speed", 40, "--json").summary
    assert summary["fills"] > 0
    assert summary["venue"] == {"position": summary["position"], "fills": summary["fills"]}


def test_a_strategy_of_the_older_kind_runs(mlthon_run):
    summary = mlthon_run(
        "demo", "--strategy", f"{LEGACY}:LegacyStrategy", "--speed", 10, "--duration", 6, "--json"
    ).summary
    assert summary["strategy"] == "LegacyStrategy"
    assert summary["orders"]["acked"] > 0
    assert summary["fills"] > 0


def test_the_event_log_holds_every_request_and_callback(mlthon_run, tmp_path):
    log = tmp_path / "events.jsonl"
    summary = mlthon_run("--duration", 3, "--speed", 10, "--json", "--event-log", log).summary
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert all(record.keys() == {"engine_ns", "kind", "name", "args"} for record in records)
    stamps = [record["engine_ns"] for record in records]
    assert stamps == sorted(stamps)
    callbacks = [record["name"] for record in records if record["kind"] == "callback"]
    sent = [record for record in records if record["name"] == "send_new_order"]
    assert callbacks[:4] == ["on_framework_connected", "on_start", "on_instruments", "on_strat_params_update"]
    assert callbacks[-1] == "on_framework_disconnected"
    assert len(callbacks) == summary["callbacks"]
    assert len(sent) >= summary["orders"]["sent"]
    assert len({record["args"]["wire_id"] for record in sent}) == len(sent)


def test_parameters_reach_the_strategy_as_yaml_scalars(mlthon_run, tmp_path):
    (tmp_path / "curious.py").write_text(
        "class Curious:\n"
        "    def on_framework_connected(self, env):\n        env.login('curious')\n"
        "    def on_strat_params_update(self, params):\n        raise SystemExit(repr(params))\n"
    )
    outcome = mlthon_run(
        "--strategy",
        f"{tmp_path}/curious.py:Curious",
        "--param",
        "a=1",
        "--param",
        "b='x'",
        "--param",
        "c=0.5",
    )
    assert outcome.code == 4
    assert "{'a': 1, 'b': 'x', 'c': 0.5}" in outcome.err


@pytest.mark.parametrize(("number", "name"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "termination")])
def test_an_interrupt_ends_it_cleanly(number, name):
    process = subprocess.Popen(
        [sys.executable, "-m", "mlthon.run", "--duration", "60", "--speed", "5"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if re.match(r" +2 s  ", line):
            break
    os.kill(process.pid, number)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0, f"{name}: {err}"
    assert "0 open" in out


def test_a_strategy_that_raises_is_stopped_and_its_orders_cancelled(mlthon_run, tmp_path):
    (tmp_path / "clumsy.py").write_text(
        "from mlthon.basics.defs import *\n"
        "class Clumsy:\n"
        "    def on_framework_connected(self, env):\n        self.env = env; env.login('clumsy')\n"
        "    def on_best_bid_level_update(self, exchange, instrument_id, price, qty, recv_ts):\n"
        "        self.env.send_new_order(None, exchange, instrument_id, Side.Buy, '1000', '0.1',\n"
        "            ExecInstructions.Unset, OrderType.Limit, TIF.GTC, False)\n"
        "    def on_new_order_ack(self, *args):\n        raise RuntimeError('oh dear')\n"
        "    def on_framework_disconnected(self):\n        print('told that the framework is gone')\n"
    )
    outcome = mlthon_run("--strategy", f"{tmp_path}/clumsy.py:Clumsy", "--duration", 30)
    assert outcome.code == 4
    assert "error: Clumsy raised RuntimeError in on_new_order_ack: oh dear" in outcome.err
    assert "may still be open" not in outcome.err
    assert "told that the framework is gone" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--strategy", "nonsense"], "expected module:Class or file.py:Class"),
        (["--param", "nonsense"], "expected key=value"),
        (["--param", "a=[1,2]"], "expected a YAML scalar"),
        (["--param", "a=1", "--param", "a=2"], "a is given twice"),
        (["--seed", "-1"], "--seed"),
        (["--speed", "0"], "--speed: expected a number above 0"),
        (["--duration", "nan"], "--duration: expected a number above 0"),
        (["--tape", "/no/such/file"], "/no/such/file"),
        (["--event-log", "/no/such/folder/log"], "cannot write"),
        (["--unheard-of"], "No such option"),
        (["unheard-of"], "No such command"),
    ],
)
def test_a_bad_command_line_is_one_clear_error(mlthon_run, arguments, text):
    outcome = mlthon_run(*arguments)
    assert outcome.code == 2
    assert text in outcome.err
    assert "Traceback" not in outcome.err


def test_a_strategy_that_does_not_log_in_is_told_so(mlthon_run, tmp_path):
    (tmp_path / "silent.py").write_text(
        "class Silent:\n    def on_framework_connected(self, env):\n        pass\n"
    )
    outcome = mlthon_run("--strategy", f"{tmp_path}/silent.py:Silent")
    assert outcome.code == 2
    assert "without calling env.login(name)" in outcome.err


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty", b""),
        ("text", b"hello\nworld\n"),
        ("binary", bytes(range(256)) * 20),
        ("cut.gz", gzip.compress(b"x" * 1000, mtime=0)[:-20]),
    ],
)
def test_what_is_no_tape_is_refused(mlthon_run, tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    outcome = mlthon_run("--tape", path, "--duration", 5)
    assert outcome.code == 2, outcome.err
    assert name in outcome.err
    assert "Traceback" not in outcome.err


def test_a_tape_that_breaks_off_while_trading_leaves_no_orders(mlthon_run, tmp_path, captures):
    whole = (captures / "binance" / "usdm_btcusdt_20240808.gz").read_bytes()
    path = tmp_path / "cut.gz"
    path.write_bytes(whole[: len(whole) // 8])
    outcome = mlthon_run("--tape", path, "--speed", 20)
    assert outcome.code == 2
    assert "cut.gz" in outcome.err
    assert "may still be open" not in outcome.err
    assert "Traceback" not in outcome.err


STRATEGY_HEAD = (
    "import os, time\n"
    "from mlthon.basics.defs import *\n"
    "BTC = 'byt:perp:BTC-USDT'\n"
    "class Mine:\n"
    "    n = 0\n"
    "    def on_framework_connected(self, env):\n        self.env = env; env.login('mine')\n"
    "    def rest(self, count=1):\n"
    "        for _ in range(count):\n"
    "            self.env.send_new_order(None, Exchange.Bybit, BTC, Side.Buy, '1000', '0.1',\n"
    "                ExecInstructions.Unset, OrderType.Limit, TIF.GTC, False)\n"
    "        return True\n"
)


@pytest.fixture
def strategy_file(tmp_path):
    def write(body):
        (tmp_path / "mine.py").write_text(STRATEGY_HEAD + body)
        return f"{tmp_path}/mine.py:Mine"

    return write


def test_a_reader_that_goes_away_does_not_end_the_run(tmp_path):
    log = tmp_path / "log"
    demo = f"{sys.executable} -m mlthon.run --duration 3 --slow-ms 2000 --event-log {log}"
    command = f"{demo} | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    names = [json.loads(line)["name"] for line in log.read_text().splitlines()]
    assert "send_stop_ack" in names
    assert names[-1] == "on_framework_disconnected"


def test_more_orders_than_a_venue_cancels_in_a_second_are_all_withdrawn(mlthon_run, strategy_file, tmp_path):
    spec = strategy_file(
        "    def on_gateway_status(self, *args):\n        self.env.setup_timer(1100, lambda: self.rest(9))\n"
        "    def on_stop(self, params):\n        self.env.send_stop_ack()\n"
        "    def seen(self, *args):\n        pass\n"
        "    on_order_cancelled = on_cancel_order_ack = on_cancel_order_reject = seen\n"
    )
    log = tmp_path / "log"
    summary = mlthon_run("--strategy", spec, "--duration", 3.5, "--json", "--event-log", log).summary
    assert summary["orders"]["acked"] > 10
    assert summary["orders"]["open"] == 0
    names = [json.loads(line)["name"] for line in log.read_text().splitlines()]
    assert "on_cancel_order_reject" not in names
    assert "on_cancel_order_ack" not in names
    assert names.count("on_order_cancelled") == summary["orders"]["cancelled"]


def test_slow_strategy_code_is_named(mlthon_run, strategy_file):
    spec = strategy_file("    def on_start(self, params):\n        sum(range(2_000_000))\n")
    outcome = mlthon_run("--strategy", spec, "--duration", 0.5, "--slow-ms", 1)
    assert "slow: on_start took" in outcome.err


def test_a_failure_still_ends_with_the_summary(mlthon_run, strategy_file):
    outcome = mlthon_run(
        "--strategy",
        strategy_file("    def on_gateway_status(self, *args):\n        self.rest(); 1 / 0\n"),
        "--json",
    )
    assert outcome.code == 4
    summary = json.loads(outcome.out.splitlines()[-1])
    assert (summary["orders"]["sent"], summary["orders"]["open"]) == (1, 0)


def test_an_impatient_user_is_told_what_is_left(strategy_file):
    spec = strategy_file(
        "    def on_gateway_status(self, *args):\n        self.rest()\n"
        "    def on_stop(self, params):\n        print('asked to stop', flush=True)\n"  # and never acknowledges
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "mlthon.run", "--strategy", spec, "--duration", "60"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if re.match(r" +1 s  ", line):
            os.kill(process.pid, signal.SIGINT)
        if line == "asked to stop\n":
            break
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 6
    assert "1 orders may still be open at the venue: 1 (" in err


def test_a_full_disk_ends_the_event_log_and_not_the_run(mlthon_run):
    outcome = mlthon_run("--event-log", "/dev/full", "--duration", 2, "--json")
    assert outcome.code == 2
    assert outcome.err.count("event log: cannot write /dev/full: No space left on device") == 2
    assert "Traceback" not in outcome.err
    assert json.loads(outcome.out.splitlines()[-1])["orders"]["acked"] > 0


def test_odd_parameters_do_not_break_the_event_log(mlthon_run, tmp_path, strategy_file):
    spec = strategy_file("    def on_strat_params_update(self, params):\n        print(params)\n")
    log = tmp_path / "log"
    big = 10**30
    outcome = mlthon_run("--strategy", spec, "--param", f"big={big}", "--duration", 1, "--event-log", log)
    assert outcome.code == 0, outcome.err
    records = [json.loads(line) for line in log.read_text().splitlines()]
    [update] = [record for record in records if record["name"] == "on_strat_params_update"]
    assert update["args"]["strat_params"] == {"big": big}


def test_what_a_strategy_prints_does_not_disturb_json(mlthon_run, strategy_file):
    spec = strategy_file("    def on_start(self, params):\n        print('hello from the strategy')\n")
    outcome = mlthon_run("--strategy", spec, "--duration", 1, "--json")
    assert len(outcome.out.splitlines()) == 1
    assert "hello from the strategy" in outcome.err


@pytest.mark.parametrize(
    "where", ["raise SystemExit(0)\n", "class Mine:\n    def __init__(self):\n        exit(0)\n"]
)
def test_a_strategy_that_exits_while_it_is_loaded_is_an_error(mlthon_run, tmp_path, where):
    (tmp_path / "quitter.py").write_text(where)
    outcome = mlthon_run("--strategy", f"{tmp_path}/quitter.py:Mine")
    assert outcome.code == 2
    assert "SystemExit" in outcome.err
