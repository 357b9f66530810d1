"""Virtual environments for benchmarks: peers in fixed versions, and MLThon as a wheel of this tree.

They lie outside the repository and are kept; what has not changed since the last time is not installed again.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["BENCH", "CACHE", "Environment", "environment", "install_mlthon", "install_packages"]

BENCH = Path(__file__).resolve().parent
REPOSITORY = BENCH.parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlthon"


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment in a folder."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def wheel(self) -> Path:
        """The wheel of MLThon that is installed there."""
        return next(iter((self.folder / "wheel").glob("*.whl")))


def environment(folder: Path) -> Environment:
    """The environment of a folder, made if it is not there."""
    made = Environment(folder)
    if not made.python.exists():
        tell(f"making a virtual environment in {folder}")
        venv.create(folder, with_pip=True)
    return made


def install_packages(where: Environment, packages: Sequence[str]) -> None:
    """Install peers."""
    _install_once(where, "packages", "\n".join(packages), lambda: _pip(where, "install", *packages))


def install_mlthon(where: Environment) -> None:
    """Install MLThon as this tree is now."""
    _install_once(where, "mlthon", _digest_of_tree(), lambda: _install_wheel(where))


def _install_once(where: Environment, what: str, state: str, install: Callable[[], None]) -> None:
    """Install what has changed since the last time; `state` is what it depends on."""
    stamp = where.folder / f"{what}.installed"
    if stamp.exists() and stamp.read_text() == state:
        return
    tell(f"installing {what} in {where.folder.name}")
    install()
    stamp.write_text(state)


def _install_wheel(where: Environment) -> None:
    wheels = where.folder / "wheel"
    for old in wheels.glob("*.whl"):
        old.unlink()
    _pip(where, "wheel", "--no-deps", f"--wheel-dir={wheels}", str(REPOSITORY))
    _pip(where, "install", str(where.wheel))
    _pip(where, "install", "--no-deps", "--force-reinstall", str(where.wheel))


def _digest_of_tree() -> str:
    """A digest of everything the wheel is made of, and of the Python it is made for."""
    digest = hashlib.sha256(sys.version.encode())
    sources = [REPOSITORY / "setup.py", REPOSITORY / "pyproject.toml", *(REPOSITORY / "mlthon").rglob("*.p*")]
    for source in sorted(path for path in sources if path.suffix in {".py", ".pyx", ".pxd", ".pyi", ".toml"}):
        digest.update(str(source.relative_to(REPOSITORY)).encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()


def _pip(where: Environment, *arguments: str) -> None:
    command = [str(where.python), "-m", "pip", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"failed: pip {' '.join(arguments)}\n{done.stdout}{done.stderr}")


def tell(what: str) -> None:
    print(f"{what} ...", file=sys.stderr)
