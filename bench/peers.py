"""MLThon beside its peers: one table of medians and ratios, all measured in one process.

    python bench/peers.py                print the table
    python bench/peers.py --json         the same as one JSON object
    python bench/peers.py --venv DIR     keep the environment there

Makes a virtual environment of its own outside the repository, installs the peers in fixed versions and MLThon as a
wheel built from this tree, and measures there, ours and theirs in turns (see `interleave`, `peer_rows`). The first
run downloads and builds for some minutes; later ones build only what has changed. Market data is a recorded one where
the tests find theirs (MLTHON_CAPTURES, or ../shared/data), else a synthetic one, and the table says which.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

BENCH = Path(__file__).resolve().parent
REPOSITORY = BENCH.parent
PEERS = ("nautilus_trader==1.221.0", "order-book==0.6.1", "orjson==3.11.4")


def main() -> int:
    options = parse_arguments()
    python = prepare(options.venv)
    wheel = next(iter((options.venv / "wheel").glob("*.whl")))
    command = [str(python), str(BENCH / "peer_rows.py"), f"--wheel={wheel}"]
    if options.json:
        command.append("--json")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(command, env=environment, cwd=options.venv, check=False).returncode


def parse_arguments() -> argparse.Namespace:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    parser = argparse.ArgumentParser(description="Compare MLThon with its peers, in one process.")
    parser.add_argument("--venv", type=Path, default=cache / "mlthon" / "peers", metavar="DIR")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    options.venv = options.venv.resolve()
    return options


def prepare(folder: Path) -> Path:
    """Bring the environment up to date with the peers and with this tree; returns its Python."""
    python = folder / "bin" / "python"
    if not python.exists():
        tell(f"making a virtual environment in {folder}")
        venv.create(folder, with_pip=True)
    install_once(folder, "peers", "\n".join(PEERS), lambda: pip(python, "install", *PEERS))
    install_once(folder, "mlthon", digest_of_tree(), lambda: install_mlthon(python, folder / "wheel"))
    return python


def install_once(folder: Path, what: str, state: str, install: Callable[[], None]) -> None:
    """Install what has changed since the last time; `state` is what it depends on."""
    stamp = folder / f"{what}.installed"
    if stamp.exists() and stamp.read_text() == state:
        return
    tell(f"installing {what}")
    install()
    stamp.write_text(state)


def install_mlthon(python: Path, wheels: Path) -> None:
    for old in wheels.glob("*.whl"):
        old.unlink()
    pip(python, "wheel", "--no-deps", f"--wheel-dir={wheels}", str(REPOSITORY))
    pip(python, "install", *map(str, wheels.glob("*.whl")))
    pip(python, "install", "--no-deps", "--force-reinstall", *map(str, wheels.glob("*.whl")))


def digest_of_tree() -> str:
    """A digest of everything the wheel is made of, and of the Python it is made for."""
    digest = hashlib.sha256(sys.version.encode())
    sources = [REPOSITORY / "setup.py", REPOSITORY / "pyproject.toml", *(REPOSITORY / "mlthon").rglob("*.p*")]
    for source in sorted(path for path in sources if path.suffix in {".py", ".pyx", ".pxd", ".pyi", ".toml"}):
        digest.update(str(source.relative_to(REPOSITORY)).encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()


def pip(python: Path, *arguments: str) -> None:
    command = [str(python), "-m", "pip", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"peers: failed: pip {' '.join(arguments)}\n{done.stdout}{done.stderr}")


def tell(what: str) -> None:
    print(f"peers: {what} ...", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
