"""Imports point down only, and siblings do not know each other."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "mlthon"

# Highest first; the members of one row are siblings.
LAYERS = (
    ("run",),
    ("exchanges", "venues", "backtest", "ops", "strats"),
    ("engine", "sim", "tape"),
    ("api",),
    ("order", "instruments"),
    ("basics",),
    ("_core",),
    ("errors",),
)
RANK = {name: len(LAYERS) - row for row, names in enumerate(LAYERS) for name in names}

SOURCES = sorted(path for pattern in ("*.py", "*.pyx", "*.pxd", "*.pyi") for path in PACKAGE.rglob(pattern))


def layer_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_layers(path: Path) -> set[str]:
    """The layers a file names in its imports, cimports included."""
    names: set[str] = set()
    if path.suffix in (".pyx", ".pxd"):
        for line in path.read_text().splitlines():
            words = line.split()
            if words[:1] in (["from"], ["import"], ["cimport"]) and len(words) > 1:
                names.add(words[1])
    else:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: relative import"
                names.add(node.module or "")
                if node.module == "mlthon":
                    names.update(f"mlthon.{alias.name}" for alias in node.names)
    return {name.split(".")[1] for name in names if name.startswith("mlthon.")}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path):
    if path.parent == PACKAGE and path.stem == "__init__":
        return  # the top level re-exports
    layer = layer_of(path)
    for imported in imported_layers(path) - {layer}:
        assert imported in RANK, f"{imported} is in no layer"
        # A stub says of compiled values what they are handed: the enums of basics.
        if path.suffix == ".pyi" and imported == "basics":
            continue
        assert RANK[imported] < RANK[layer], f"{layer} must not import {imported}"


def test_every_package_has_a_layer():
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert packages <= set(RANK)


def test_top_level_holds_what_it_should():
    allowed = {"setup.py", "pyproject.toml", "mlthon", "tests", "bench", "tools", "docs"}
    documents = {"README.md", "CONTRIBUTING.md", "CHANGES.md", "LICENSE"}
    generated = {"build", "dist"}
    found = {entry.name for entry in ROOT.iterdir() if not entry.name.startswith(".")}
    assert found - {name for name in found if name.endswith(".egg-info")} <= allowed | documents | generated
