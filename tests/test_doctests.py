"""Every example in every docstring runs, in compiled modules as in plain ones."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path

import pytest

import mlthon

PACKAGE = Path(mlthon.__file__).parent
SOURCES = sorted([*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.pyx")])
EXAMPLE = re.compile(r"^\s*>>> ", re.MULTILINE)


def module_name(source: Path) -> str:
    parts = source.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


# Importing a __main__ runs it. An example in one would be missed, which the count below turns into a failure.
MODULES = [module_name(source) for source in SOURCES if source.stem != "__main__"]


def find_examples(name: str) -> list[doctest.DocTest]:
    return doctest.DocTestFinder().find(importlib.import_module(name))


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.REPORT_ONLY_FIRST_FAILURE)
    for found in find_examples(name):
        runner.run(found, out=report.append)
    assert runner.failures == 0, "".join(report)


def test_no_example_is_missed() -> None:
    written = {module_name(source): len(EXAMPLE.findall(source.read_text())) for source in SOURCES}
    found = {name: sum(len(test.examples) for test in find_examples(name)) for name in MODULES}
    differing = {
        name: (written[name], found.get(name, 0)) for name in written if written[name] != found.get(name, 0)
    }
    assert sum(written.values()) == sum(found.values()), f"module: (examples written, found) {differing}"
