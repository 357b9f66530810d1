#!/usr/bin/env python
"""Run strategies in a backtest and at the simulated venue, and hold what the two tell against each other.

    python tools/soak/fidelity.py                         20 seeds, all markets and strategies, each twice
    python tools/soak/fidelity.py --seed 7 -n 1           all of seed 7
    python tools/soak/fidelity.py --seed 7 -n 1 --only linear/timed

Every run is made twice on either side: the four stories have to be the same, byte for byte, and the ledgers too.
Markets are synthetic ones, linear, inverse and spot, the first two also with marks, funding rates and liquidations,
and the recorded USD-M capture to its end, where MLTHON_CAPTURES says it is; how long messages take depends on the
seed. What differs is shown with the steps before it, and makes the exit code 1.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import product
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests" / "fidelity")]

from fidelity_cases import DELAYS, TRADERS, on_market, synthetic, told_rates  # noqa: E402
from fidelity_run import Case, at_venue, compare, in_backtest  # noqa: E402

from mlthon.sim.terms import Product  # noqa: E402
from mlthon.tape.opening import open_tape  # noqa: E402

CAPTURE = "binance/usdm_btcusdt_20240808.gz"
CAPTURED_S = 120.0  # longer than it is
TOLD = "told-"  # with marks and funding rates
MARKETS = (*(each.value for each in Product), f"{TOLD}linear", f"{TOLD}inverse", "capture")
SECONDS_BETWEEN_REPORTS = 10


def main() -> int:
    options = parse_arguments()
    names = list(case_names(options))
    seeds = range(options.seed, options.seed + options.runs)
    print(f"{len(names)} runs of seeds {seeds[0]} to {seeds[-1]}, each twice, {options.jobs} at a time")
    began = reported = time.monotonic()
    steps: Counter[str] = Counter()
    failed: list[str] = []
    with ProcessPoolExecutor(options.jobs) as pool:
        running = {pool.submit(one_run, name, options.seconds): name for name in names}
        for count, done in enumerate(as_completed(running), 1):
            counts, complaint = done.result()
            steps.update(counts)
            if complaint:
                failed.append(running[done])
                print(f"{running[done]}: {complaint}", flush=True)
            if time.monotonic() - reported > SECONDS_BETWEEN_REPORTS:
                reported = time.monotonic()
                told = f"{count:>6} of {len(names)} after {reported - began:.0f} s, {len(failed)} differ"
                print(told, flush=True)
    print(f"{steps.total():,} steps compared, {time.monotonic() - began:.0f} s")
    print(", ".join(f"{count:,} {kind}" for kind, count in sorted(steps.items())))
    for name in sorted(failed):
        seed, only = name.split(" ")
        print(f"differs: python tools/soak/fidelity.py -n 1 --seed {seed} --only {only}")
    print(f"{len(names) - len(failed)} of {len(names)} runs agree")
    return 1 if failed else 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-n", "--runs", type=int, default=20, help="how many seeds (default 20)")
    parser.add_argument("--seed", type=int, default=1, help="the first; the next ones count on (default 1)")
    parser.add_argument("--seconds", type=float, default=20.0, help="of synthetic markets (default 20)")
    parser.add_argument("--only", default="", help="market/strategy, or a part of it")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count(), help="processes (default: all)")
    return parser.parse_args()


def case_names(options: argparse.Namespace) -> Iterator[str]:
    """What is to be run: "seed market/strategy", the capture only where it is there."""
    has_capture = captured().is_file()
    if not has_capture:
        print(f"no capture at {captured()} (set MLTHON_CAPTURES): synthetic markets only")
    for seed in range(options.seed, options.seed + options.runs):
        for market, trader in product(MARKETS, TRADERS):
            name = f"{market}/{trader}"
            if options.only in name and (market != "capture" or has_capture):
                yield f"{seed} {name}"


def captured() -> Path:
    return Path(os.environ.get("MLTHON_CAPTURES", REPOSITORY.parent / "shared" / "data")) / CAPTURE


def case_of(name: str, seconds: float) -> Case:
    number, what = name.split(" ")
    market, trader = what.split("/")
    seed = int(number)
    delays = list(DELAYS)[seed % len(DELAYS)]
    if market == "capture":
        return on_market(open_tape(captured()), seed, trader, delays, CAPTURED_S)
    if market.startswith(TOLD):
        return told_rates(seed, trader, Product(market.removeprefix(TOLD)), delays, seconds)
    return synthetic(seed, trader, Product(market), delays, seconds)


def one_run(name: str, seconds: float) -> tuple[Counter[str], str]:
    """How often each step came, and what is wrong, "" where nothing is."""
    logging.disable()
    case = case_of(name, seconds)
    try:
        here, there = in_backtest(case), at_venue(case)
        complaint = compare(here, there)
        if in_backtest(case).story.text() != here.story.text():
            complaint += "\nthe same backtest tells another story the second time"
        if at_venue(case).story.text() != there.story.text():
            complaint += "\nthe same venue tells another story the second time"
    except Exception as error:
        return Counter(), f"{type(error).__name__}: {error}"
    return Counter(step.kind for step in here.story.steps), complaint


if __name__ == "__main__":
    sys.exit(main())
