"""What starting costs: ``import mlthon``, and all that a strategy imports, over the bare interpreter.

Each start is a process of its own; they take turns, and medians are compared.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROUNDS = 11
BARE = "pass"
PACKAGE = "import mlthon"
STRATEGY = (
    "from mlthon.api.istrat_env import IStratEnv, MDSub\n"
    "from mlthon.api.istrategy import IStrategy\n"
    "from mlthon.basics.defs import *\n"
    "from mlthon.basics.tick_format import TickFormat\n"
    "from mlthon.order.books.price_level_book import PriceLevelBook\n"
    "from mlthon.order.order_mgr import OrderMgr"
)
RESIDENT = "\nfrom pathlib import Path\nprint(Path('/proc/self/statm').read_text().split()[1])"
PAGE_KIB = 4


def start_ms(code: str) -> float:
    """How long a process takes that does no more than that, start and end included."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return (time.perf_counter() - began) * 1e3


def resident_mb(code: str) -> float:
    """How much memory a process holds that has done that."""
    done = subprocess.run([sys.executable, "-c", code + RESIDENT], check=True, capture_output=True, text=True)
    return int(done.stdout) * PAGE_KIB / 1024


@pytest.fixture(params=[PACKAGE, STRATEGY], ids=["import mlthon", "what a strategy imports"])
def start(request) -> tuple[str, str]:
    """A start: what it is called, and the code it runs."""
    return request.node.callspec.id, request.param


def test_time_to_import(start, note, is_timed):
    what, code = start
    spent = [(start_ms(code), start_ms(BARE)) for _ in range(ROUNDS if is_timed else 1)]
    ours, bare = (statistics.median(column) for column in zip(*spent, strict=True))
    note(
        f"{what}: time",
        f"{ours:.1f} ms",
        f"{bare:.1f} ms bare interpreter",
        f"+{ours - bare:.1f} ms",
        "at most +80",
    )
    assert ours - bare <= 80 or not is_timed


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="tells resident memory by /proc")
def test_memory_to_import(start, note):
    what, code = start
    ours, bare = resident_mb(code), resident_mb(BARE)
    note(
        f"{what}: memory",
        f"{ours:.1f} MB",
        f"{bare:.1f} MB bare interpreter",
        f"+{ours - bare:.1f} MB",
        "at most +25",
    )
    assert ours - bare <= 25
