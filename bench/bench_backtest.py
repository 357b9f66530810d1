"""What a backtest costs without its peers: from its start to the first event, and an event beside the bare book.

The market is the recorded perpetual, where the tests find it, as the tape that is made of it once.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from backtest_rows import CAPTURE, OURS, PACKAGE, Side

from mlthon.tape.opening import open_tape

STARTS = 9
MOST_S = 0.5
FIRST_EVENT = """
import os, sys
from mlthon.backtest.backtest import Backtest

class Strategy:
    def on_framework_connected(self, env):
        env.login("bench")
    def on_gateway_status(self, *news): ...
    def on_feed_handler_status(self, *news): ...
    def on_public_trade(self, *event):
        os._exit(0)

Backtest([sys.argv[1]], Strategy()).run()
sys.exit("the tape has no trade")
"""

pytestmark = pytest.mark.skipif(not CAPTURE.exists(), reason=f"no recorded market at {CAPTURE}")


@pytest.fixture(scope="module")
def tape() -> Path:
    """The tape of the recorded market, made if it is not there."""
    return open_tape(CAPTURE).path


def test_start_to_first_event(tape: Path, note: Callable[..., None], is_timed: bool) -> None:
    def start_s() -> tuple[float, float]:
        """The processor's time and the wall's, of a whole process that ends at its first event."""
        began, spent = time.perf_counter(), os.times()
        subprocess.run([sys.executable, "-c", FIRST_EVENT, str(CAPTURE)], check=True, cwd=PACKAGE.parent)
        now = os.times()
        cpu_s = now.children_user + now.children_system - spent.children_user - spent.children_system
        return cpu_s, time.perf_counter() - began

    starts = [start_s() for _ in range(STARTS if is_timed else 1)]
    cpu_s, wall_s = (statistics.median(column) for column in zip(*starts, strict=True))
    what = f"a backtest: start to first event of {tape.name.partition('.')[0]}"
    note(
        what,
        f"{cpu_s * 1e3:.0f} ms",
        f"{wall_s * 1e3:.0f} ms by the wall",
        "",
        f"at most {MOST_S * 1e3:.0f} ms",
    )
    assert cpu_s <= MOST_S or not is_timed


@pytest.mark.parametrize("work", ["best", "levels"])
def test_play(work: str, tape: Path, note: Callable[..., None], is_timed: bool) -> None:
    with Side(OURS, sys.executable, work, tape) as side:
        answers = [side.run() for _ in range(9 if is_timed else 1)]
    ns = statistics.median(said["cpu_s"] for said in answers) * 1e9 / answers[0]["events"]
    note(f"a backtest, {work}: an event", f"{ns:.0f} ns", f"{answers[0]['callbacks']:,} callbacks", "", "")
    assert answers[0]["callbacks"] > 20_000
