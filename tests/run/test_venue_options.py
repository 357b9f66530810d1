"""What the command line says of a venue beside its market: a fault plan, and a certificate."""

from __future__ import annotations

import json
import re
import signal
import ssl
import subprocess
import sys
import urllib.request

import pytest

PLAN = """
seed: 3
faults:
  - {fault: lose_ack, every: 3}
  - {fault: delay, channel: private, kind: execution, delay_ms: 100, probability: 0.3}
  - {fault: restart, at_s: 1}
"""


def test_a_demo_through_faults_ends_with_one_truth(mlthon_run, tmp_path):
    (tmp_path / "plan.yaml").write_text(PLAN)
    outcome = mlthon_run("demo", "--duration", 3, "--faults", tmp_path / "plan.yaml", "--json")
    assert outcome.summary["fills"] == outcome.summary["venue"]["fills"]
    told = re.search(r"faults injected: (.*)", outcome.err)
    assert told is not None, outcome.err
    assert "1 restart" in told[1]
    assert "lose_ack" in told[1]


@pytest.mark.parametrize("command", [("demo",), ("venue", "bybit")])
def test_a_wrong_plan_is_one_clear_error(mlthon_run, tmp_path, command):
    (tmp_path / "plan.yaml").write_text("faults: [{fault: drop, chanel: private}]")
    outcome = mlthon_run(*command, "--faults", tmp_path / "plan.yaml")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == f"error: {tmp_path / 'plan.yaml'}: faults[0].chanel: unknown key\n"


def test_a_venue_with_a_certificate_serves_https(certificate):
    words = ["venue", "bybit", "--tls-cert", str(certificate[0]), "--tls-key", str(certificate[1])]
    process = subprocess.Popen(
        [sys.executable, "-m", "mlthon.run", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert ready["rest"].startswith("https://")
        assert ready["ws_public"].startswith("wss://")
        trusting = ssl.create_default_context(cafile=certificate[0])
        with urllib.request.urlopen(
            ready["rest"] + "/v5/market/time", timeout=10, context=trusting
        ) as answer:
            assert json.load(answer)["retCode"] == 0
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "")


def test_half_a_certificate_or_none_at_all_is_refused(mlthon_run, certificate, tmp_path):
    half = mlthon_run("venue", "bybit", "--tls-cert", certificate[0])
    assert (half.code, "--tls-key" in half.err) == (2, True)
    (tmp_path / "empty").write_text("")
    for key in (tmp_path / "empty", tmp_path / "absent"):
        outcome = mlthon_run("venue", "bybit", "--tls-cert", certificate[0], "--tls-key", key)
        assert (outcome.code, str(key) in outcome.err) == (2, True)
        assert "Traceback" not in outcome.err
