#!/usr/bin/env python
"""Trade through hundreds of random fault plans, and compare the strategy's books with the venue's after each.

    python tools/soak/chaos.py                     500 runs, from a new seed on
    python tools/soak/chaos.py -n 50 --seed 7      fifty, of seeds 7 to 56
    python tools/soak/chaos.py -n 1 --seed 7 -v    the one of seed 7 again, with its plan and its log

A run is a second or two of a strategy that sends, changes and cancels orders all the time, behind the real connector
and real sockets, at a simulated Bybit whose faults are drawn from the run's seed. Runs that end in disagreement are
listed at the end, with how to repeat them, and make the exit code 1. What is drawn is the same every time; when it
meets which message is a matter of milliseconds, so a run that has failed may have to be repeated a few times.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import random
import sys
import time
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests" / "chaos")]

from chaos_run import TRADE_S, Outcome, chaos_run, plan_of  # noqa: E402

SECONDS_BETWEEN_REPORTS = 10


def main() -> int:
    options = parse_arguments()
    first = random.SystemRandom().getrandbits(31) if options.seed is None else options.seed
    seeds = range(first, first + options.runs)
    print(f"{options.runs} runs of seeds {seeds[0]} to {seeds[-1]}, {options.jobs} at a time")
    if options.verbose:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s.%(msecs)03d %(message)s", datefmt="%S")
        print("\n".join(fault.model_dump_json(exclude_unset=True) for fault in plan_of(first).faults))
    began = reported = time.monotonic()
    faults: Counter[str] = Counter()
    failed: dict[int, str] = {}
    requests = fills = 0
    with ProcessPoolExecutor(options.jobs) as pool:
        running = {pool.submit(one_run, seed, options.trade, options.verbose): seed for seed in seeds}
        for count, done in enumerate(as_completed(running), 1):
            outcome, complaint = done.result()
            if complaint:
                failed[running[done]] = complaint
                print(f"seed {running[done]}: {complaint}", flush=True)
            if outcome is not None:
                faults.update(outcome.faults)
                requests, fills = requests + outcome.requests, fills + outcome.fills
            if time.monotonic() - reported > SECONDS_BETWEEN_REPORTS:
                reported = time.monotonic()
                told = f"{count:>6} of {len(seeds)} after {reported - began:.0f} s, {len(failed)} failed"
                print(told, flush=True)
    print(f"{requests:,} requests, {fills:,} fills, {time.monotonic() - began:.0f} s")
    print("faults: " + ", ".join(f"{count:,} {name}" for name, count in sorted(faults.items())))
    for seed in sorted(failed):
        print(f"failed: python tools/soak/chaos.py -n 1 --seed {seed} -v")
    print(f"{len(seeds) - len(failed)} of {len(seeds)} runs agree")
    return 1 if failed else 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-n", "--runs", type=int, default=500, help="how many (default 500)")
    parser.add_argument("--seed", type=int, help="of the first; the next ones count on (default: a new one)")
    parser.add_argument("--trade", type=float, default=TRADE_S, help=f"seconds of it (default {TRADE_S})")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count(), help="processes (default: all)")
    parser.add_argument("-v", "--verbose", action="store_true", help="show the plan and the log")
    return parser.parse_args()


def one_run(seed: int, trade_s: float, verbose: bool) -> tuple[Outcome | None, str]:
    """What a run came to, and what is wrong with it in words, "" where nothing is."""
    if not verbose:
        logging.disable()
    try:
        return asyncio.run(chaos_run(seed, trade_s)), ""
    except Exception as error:
        where = traceback.format_exc() if verbose else ""
        return None, f"{type(error).__name__}: {error}\n{where}".rstrip()


if __name__ == "__main__":
    sys.exit(main())
