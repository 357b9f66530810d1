"""``python -m mlthon.run venue bybit``: an offline Bybit for any client."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request

import pytest


def test_it_says_where_it_is_and_serves_until_interrupted():
    process = subprocess.Popen(
        [sys.executable, "-m", "mlthon.run", "venue", "bybit", "--seed", "5"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert list(ready) == ["rest", "ws_public", "ws_private", "ws_trade", "api_key", "api_secret"]
        assert ready["rest"].startswith("http://127.0.0.1:")
        assert ready["ws_public"].endswith("/v5/public")
        with urllib.request.urlopen(ready["rest"] + "/v5/market/time", timeout=10) as answer:
            assert json.load(answer)["retCode"] == 0
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "")


def test_a_recording_of_spot_is_served_as_spot(captures):
    tape = captures / "binance" / "spot_btcusdt_20240808.gz"
    process = subprocess.Popen(
        [sys.executable, "-m", "mlthon.run", "venue", "bybit", "--tape", str(tape), "--speed", "20"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        rest = json.loads(process.stdout.readline())["rest"]
        listed = {}
        for category in ("spot", "linear"):
            with urllib.request.urlopen(
                f"{rest}/v5/market/instruments-info?category={category}", timeout=10
            ) as answer:
                listed[category] = [row["symbol"] for row in json.load(answer)["result"]["list"]]
        assert listed == {"spot": ["BTCUSDT"], "linear": []}
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "")


def test_a_taken_port_is_one_clear_error(mlthon_run):
    process = subprocess.Popen(
        [sys.executable, "-m", "mlthon.run", "venue", "bybit"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        port = json.loads(process.stdout.readline())["rest"].rsplit(":", 1)[1]
        outcome = mlthon_run("venue", "bybit", "--port", port)
        assert outcome.code == 2
        assert f"port {port}" in outcome.err
        assert "Traceback" not in outcome.err
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    assert process.returncode == 0


@pytest.mark.parametrize("port", ["-1", "70000", "http"])
def test_a_port_that_is_none_is_refused(mlthon_run, port):
    assert mlthon_run("venue", "bybit", "--port", port).code == 2
