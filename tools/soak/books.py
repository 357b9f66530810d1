#!/usr/bin/env python
"""Try the books on millions of random operations against their models.

    python tools/soak/books.py                      10 million operations on all processors, a new seed
    python tools/soak/books.py -n 1000000 --seed 7  a million, the ones of seed 7

Operations are drawn in batches of 20,000, each on one of the three books, from the run's seed and the batch's number:
prices of every kind, from a few crowded ones to thousands. What an operation answers is compared at once, everything
there is to ask for several times a batch. A disagreement ends the run with a traceback, exit code 1; `--batch` tries
that batch again.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests" / "order")]

from book_models import LevelTrial, OrderTrial, PriceTrial  # noqa: E402
from book_steps import PRICE_KINDS, price_steps, queue_steps, random_prices  # noqa: E402

BATCH = 20_000
CHECKS = 10  # of everything, a batch
TRIALS = (PriceTrial, LevelTrial, OrderTrial)
SECONDS_BETWEEN_REPORTS = 10


def main() -> int:
    options = parse_arguments()
    seed = random.SystemRandom().getrandbits(32) if options.seed is None else options.seed
    batches = range(-(-options.operations // BATCH)) if options.batch is None else [options.batch]
    total = len(batches) * BATCH
    print(f"seed {seed}: {total:,} operations on {options.jobs} processes")
    counts: Counter[str] = Counter()
    began = reported = time.monotonic()
    with ProcessPoolExecutor(options.jobs) as pool:
        running = [pool.submit(try_batch, seed, batch) for batch in batches]
        for done in as_completed(running):
            what, complaint = done.result()
            if complaint:
                pool.shutdown(wait=False, cancel_futures=True)
                print(complaint, file=sys.stderr)
                return 1
            counts[what] += BATCH
            if time.monotonic() - reported > SECONDS_BETWEEN_REPORTS:
                reported = time.monotonic()
                print(f"{counts.total():>12,} of {total:,} after {reported - began:.0f} s", flush=True)
    print(f"seed {seed}: {counts.total():,} operations, no disagreement, {time.monotonic() - began:.0f} s")
    print(", ".join(f"{what}: {count:,}" for what, count in sorted(counts.items())))
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "-n", "--operations", type=int, default=10_000_000, help="how many (default 10 million)"
    )
    parser.add_argument("--seed", type=int, help="which ones (default: new ones)")
    parser.add_argument("--batch", type=int, help="only this batch")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count(), help="processes (default: all)")
    return parser.parse_args()


def try_batch(seed: int, batch: int) -> tuple[str, str]:
    """What was tried, and the first disagreement in words, "" where there is none."""
    rnd = random.Random(f"{seed}/{batch}")
    trial = TRIALS[batch % len(TRIALS)]()
    kind = rnd.choice(PRICE_KINDS)
    prices = random_prices(rnd, kind, rnd.choice((3, 30, 300, 3000)))
    ids = [rnd.getrandbits(64) for _ in range(rnd.choice((10, 100, 1000)))]
    what = f"{type(trial.book).__name__} on {kind}"
    try:
        for _ in range(CHECKS):
            if isinstance(trial, PriceTrial):
                trial.run(price_steps(rnd, prices, BATCH // CHECKS))
            else:
                trial.run(queue_steps(rnd, prices, ids, BATCH // CHECKS))
    except Exception:
        return what, f"seed {seed}, batch {batch}: {what}\n{traceback.format_exc()}"
    return what, ""


if __name__ == "__main__":
    sys.exit(main())
