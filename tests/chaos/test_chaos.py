"""Random faults, a strategy that trades all the time, and in the end one story on both sides.

The seeds are those of this day's run of the tests, unless ``MLTHON_TEST_SEED`` says otherwise: ``tools/soak/chaos.py
--seed N -n 1`` repeats one of them, and tries many more.
"""

from __future__ import annotations

import os

import pytest
from chaos_run import LEAST_REQUESTS, chaos_run

FIRST_SEED = int(os.environ.get("MLTHON_TEST_SEED", "1"))
RUNS = 20


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + RUNS))
async def test_both_sides_tell_one_story(seed: int) -> None:
    print(f"seed {seed}: tools/soak/chaos.py --seed {seed} -n 1")
    outcome = await chaos_run(seed)
    print(f"{outcome.requests} requests, {outcome.fills} fills, faults: {dict(outcome.faults)}")
    assert outcome.requests >= LEAST_REQUESTS
