#!/usr/bin/env python
"""Try the Bybit scanner on millions of messages, good and spoilt, against the full decoder.

    ./tools/soak/scanner.py                      10 million messages on all processors, a new seed
    ./tools/soak/scanner.py -n 1000000 --seed 7  a million, the ones of seed 7

Messages are drawn in batches of 50,000, each from the run's seed and its own number. A disagreement ends the run
with the message and the two readings, exit code 1; `--batch` tries one batch again. Recorded messages are spoilt
too where there are any: MLTHON_CAPTURES, or the folder beside the repository that the tests use.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests" / "core")]

from scanner_inputs import Inputs, disagreement, make_scanner  # noqa: E402

BATCH = 50_000
RECORDED_TOPIC = "orderbook.500.XRPUSDT"
SECONDS_BETWEEN_REPORTS = 10


def main() -> int:
    options = parse_arguments()
    seed = random.SystemRandom().getrandbits(32) if options.seed is None else options.seed
    batches = range(-(-options.inputs // BATCH)) if options.batch is None else [options.batch]
    total = len(batches) * BATCH
    recorded = recorded_messages()
    print(
        f"seed {seed}: {total:,} messages on {options.jobs} processes, {len(recorded)} recorded to start from"
    )
    counts: Counter[str] = Counter()
    began = reported = time.monotonic()
    with ProcessPoolExecutor(options.jobs) as pool:
        running = [pool.submit(try_batch, seed, batch, recorded) for batch in batches]
        for done in as_completed(running):
            found, complaint = done.result()
            if complaint:
                pool.shutdown(wait=False, cancel_futures=True)
                print(complaint, file=sys.stderr)
                return 1
            counts += found
            if time.monotonic() - reported > SECONDS_BETWEEN_REPORTS:
                reported = time.monotonic()
                print(f"{counts.total():>12,} of {total:,} after {reported - began:.0f} s", flush=True)
    print(f"seed {seed}: {counts.total():,} messages, no disagreement, {time.monotonic() - began:.0f} s")
    print(", ".join(f"{kind}: {count:,}" for kind, count in counts.most_common()))
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-n", "--inputs", type=int, default=10_000_000, help="how many (default 10 million)")
    parser.add_argument("--seed", type=int, help="which ones (default: new ones)")
    parser.add_argument("--batch", type=int, help="only this batch")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count(), help="processes (default: all)")
    return parser.parse_args()


def recorded_messages() -> list[bytes]:
    folder = Path(os.environ.get("MLTHON_CAPTURES", REPOSITORY.parent / "shared" / "data"))
    path = folder / "bybit" / "2024-12-01_XRPUSDT_ob500.jsonl"
    return path.read_bytes().splitlines()[1:] if path.is_file() else []


def try_batch(seed: int, batch: int, recorded: list[bytes]) -> tuple[Counter[str], str]:
    """How many messages the scanner took and left; and the first disagreement in words, "" where there is none."""
    inputs = Inputs(f"{seed}/{batch}", recorded)
    scanner = make_scanner()
    scanner.add(RECORDED_TOPIC, RECORDED_TOPIC)
    counts: Counter[str] = Counter()
    for number in range(BATCH):
        data = inputs.any()
        try:
            wrong = disagreement(scanner, data)
        except Exception as error:
            wrong = f"{type(error).__name__}: {error}"
        if wrong:
            return counts, f"seed {seed}, batch {batch}, message {number}: {wrong}\n{data!r}"
        counts["left" if scanner.owner is None else f"taken as {str(scanner.owner).partition('.')[0]}"] += 1
    return counts, ""


if __name__ == "__main__":
    sys.exit(main())
