"""What an order costs in a backtest, beside nautilus_trader: submitted, acknowledged, cancelled, told so.

    python bench/order_round_trip.py                  print the table; fails over the limit
    python bench/order_round_trip.py --json           the same as one JSON object
    python bench/order_round_trip.py --ours P --theirs P   with these Pythons, as they are

On both sides a strategy in plain Python sends a limit order far from the market at every trade, and cancels it when
it is accepted. A run without orders is taken off, so what is left is the cost of the orders alone: the difference of
the medians, of the processor's time. Runs take turns, each side in a process and, unless told otherwise, in an
environment of its own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from backtest import OURS, PEERS
from environments import BENCH, CACHE, environment, install_mlthon, install_packages

ORDERS = 3_000
ROUNDS = 11
AT_MOST = 1 / 40
SCRIPTS = {"mlthon": "mlthon_orders.py", "nautilus_trader": "nautilus_orders.py"}
WORKS = ("orders", "quiet")


def main() -> int:
    options = parse_arguments()
    pythons = {"mlthon": options.ours, "nautilus_trader": options.theirs}
    if not options.ours:
        ours = environment(options.venvs / "mlthon")
        install_packages(ours, OURS)
        install_mlthon(ours)
        pythons["mlthon"] = ours.python
    if not options.theirs:
        theirs = environment(options.venvs / "nautilus_trader")
        install_packages(theirs, PEERS["nautilus_trader"])
        pythons["nautilus_trader"] = theirs.python
    us = {name: cost_us(taken) for name, taken in take_turns(pythons).items()}
    ratio = us["mlthon"] / us["nautilus_trader"]
    if options.json:
        print(json.dumps({"us": us, "ratio": ratio, "at_most": AT_MOST}))
    else:
        for name, cost in us.items():
            print(f"{name:16} {cost:8.2f} us an order")
        print(f"ratio {ratio:.4f}, 1 to {1 / ratio:.1f}; at most {AT_MOST:.4f}")
    return 0 if ratio <= AT_MOST else 1


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare what an order costs in a backtest.")
    parser.add_argument("--venvs", type=Path, default=CACHE / "backtest", metavar="DIR")
    parser.add_argument("--ours", metavar="PYTHON", help="a Python that has MLThon")
    parser.add_argument("--theirs", metavar="PYTHON", help="a Python that has nautilus_trader")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args()


def take_turns(pythons: dict[str, Any]) -> dict[str, dict[str, list[float]]]:
    """The processor's seconds of every run, by side and work; the first round is for warming up."""
    samples: dict[str, dict[str, list[float]]] = {name: {work: [] for work in WORKS} for name in pythons}
    with ExitStack() as stack:
        sides = [
            (name, work, stack.enter_context(side(str(python), SCRIPTS[name], work)))
            for name, python in pythons.items()
            for work in WORKS
        ]
        for turn in range(ROUNDS + 1):
            for name, work, process in sides:
                said = ask(process)
                expected = ORDERS if work == "orders" else 0
                if said["cancelled"] != expected:
                    sys.exit(f"{name}: expected {expected} orders cancelled, got {said['cancelled']}")
                if turn:
                    samples[name][work].append(said["cpu_s"])
            sides.reverse()
    return samples


def cost_us(taken: dict[str, list[float]]) -> float:
    """What one order costs, in microseconds."""
    with_orders, without = (statistics.median(taken[work]) for work in WORKS)
    return (with_orders - without) / ORDERS * 1e6


def side(python: str, script: str, work: str) -> subprocess.Popen[str]:
    """A process that is ready to run."""
    process = subprocess.Popen(
        [python, str(BENCH / "backtest_peers" / script), work, str(ORDERS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    answer_of(process)
    return process


def ask(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Have a side run once; returns what it says of it."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return answer_of(process)


def answer_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        sys.exit(f"order_round_trip: {process.args!r} has ended early: run it by hand to see why")
    said: dict[str, Any] = json.loads(line)
    return said


if __name__ == "__main__":
    sys.exit(main())
