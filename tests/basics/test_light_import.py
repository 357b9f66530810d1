"""Importing stays cheap: the standard library and the core, nothing heavier."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

PROBE = """
import importlib, json, sys
before = set(sys.modules)
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps(sorted(set(sys.modules) - before)))
"""

WHAT_A_STRATEGY_IMPORTS = [
    "mlthon.api.istrat_env",
    "mlthon.api.istrategy",
    "mlthon.basics.defs",
    "mlthon.basics.mldecimal",
    "mlthon.basics.price",
    "mlthon.basics.qty",
    "mlthon.basics.tick_format",
    "mlthon.instruments.future",
    "mlthon.instruments.instrument_utils",
    "mlthon.instruments.perpetual",
    "mlthon.instruments.spot",
    "mlthon.order.books.level_book",
    "mlthon.order.books.price_level_book",
    "mlthon.order.order_mgr",
]


def loaded_by(*modules: str) -> list[str]:
    """The modules that importing these loads, in a process of its own."""
    run = subprocess.run(
        [sys.executable, "-c", PROBE, *modules], capture_output=True, text=True, check=True, timeout=60
    )
    return json.loads(run.stdout)


def third_party(modules: list[str]) -> list[str]:
    tops = {name.partition(".")[0] for name in modules} - sys.stdlib_module_names - {"mlthon"}
    # Cython's own run time registers modules for what its extensions share.
    return sorted(name for name in tops if not name.lstrip("_").startswith("cython_"))


@pytest.mark.parametrize("modules", [["mlthon"], WHAT_A_STRATEGY_IMPORTS], ids=["mlthon", "a strategy"])
def test_importing_loads_the_standard_library_and_the_core_only(modules: list[str]) -> None:
    assert third_party(loaded_by(*modules)) == []


def test_importing_mlthon_loads_next_to_nothing() -> None:
    """Every other name is imported from its own module; most processes need few of them."""
    loaded = loaded_by("mlthon")
    assert {name for name in loaded if name.startswith("mlthon.")} <= {
        "mlthon._core",
        "mlthon._core.enums",
        "mlthon.basics",
        "mlthon.basics.mlt_enum",
        "mlthon.basics.tick_unit",
    }
    assert len(loaded) < 40, loaded


def test_nothing_that_a_strategy_imports_brings_sockets_or_an_event_loop() -> None:
    heavy = {"asyncio", "socket", "ssl", "http", "email", "unittest", "multiprocessing"}
    assert heavy.isdisjoint(loaded_by(*WHAT_A_STRATEGY_IMPORTS))
