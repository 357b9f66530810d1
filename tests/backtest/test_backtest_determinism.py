"""Same tape, same seed, same event log: byte for byte, in any process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def event_log(tmp_path: Path, hash_seed: int, *arguments: str) -> bytes:
    """The log of one run, in a process of its own with its own hashes."""
    log = tmp_path / f"{hash_seed}.jsonl"
    command = [sys.executable, "-W", "error", "-m", "mlthon.run", "backtest", "--slow-ms", "10000", "--json"]
    done = subprocess.run(
        [*command, "--event-log", str(log), *arguments],
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return log.read_bytes()


@pytest.mark.parametrize("deviation", ["0", "3"])
def test_the_synthetic_market(tmp_path, deviation):
    arguments = ("--duration", "20", "--seed", "7", "--latency-deviation", deviation)
    first, second = (event_log(tmp_path, hash_seed, *arguments) for hash_seed in (1, 2))
    assert first.count(b"\n") > 500
    assert first == second


def test_a_recording(tmp_path, captures):
    tape = captures / "binance" / "usdm_btcusdt_20240808.gz"
    arguments = ("--tape", str(tape), "--duration", "30")
    first, second = (event_log(tmp_path, hash_seed, *arguments) for hash_seed in (1, 2))
    assert first.count(b"\n") > 500
    assert first == second


def test_one_symbol_at_two_exchanges(tmp_path, captures):
    tape = captures / "binance" / "usdm_btcusdt_20240808.gz"
    arguments = ("--tape", f"{tape}@binance", "--tape", str(tape), "--duration", "15")
    delays = ("--feed-latency", "binance=30", "--order-latency", "binance=20", "--latency-deviation", "3")
    first, second = (event_log(tmp_path, hash_seed, *arguments, *delays) for hash_seed in (1, 2))
    assert first.count(b"\n") > 200
    assert first == second
