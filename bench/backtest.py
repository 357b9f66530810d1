"""Backtests of MLThon beside those of its peers: the same recorded market, the same work, in turns.

    python bench/backtest.py                     print the table; fails over a limit
    python bench/backtest.py --json              the same as one JSON list
    python bench/backtest.py --only hftbacktest  beside these peers only
    python bench/backtest.py --venvs DIR         keep the environments there

Each side is a process of its own, in a virtual environment of its own outside the repository, which the first run
makes; MLThon is installed as a wheel built from this tree. All of them read the market ahead, and wait while another
one is timed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from environments import BENCH, CACHE, environment, install_mlthon, install_packages

PEERS = {
    "nautilus_trader": ("nautilus_trader==1.221.0",),
    "hftbacktest": ("hftbacktest==2.4.4", "numba==0.68.1"),
}
OURS = ("aiohttp==3.14.5", "orjson==3.13.0", "pyarrow==26.0.1", "numpy==2.4.6")


def main() -> int:
    options = parse_arguments()
    ours = environment(options.venvs / "mlthon")
    install_packages(ours, OURS)
    install_mlthon(ours)
    pythons = {"mlthon": str(ours.python)}
    for name in options.only:
        theirs = environment(options.venvs / name)
        install_packages(theirs, PEERS[name])
        pythons[name] = str(theirs.python)
    command = [str(ours.python), str(BENCH / "backtest_rows.py"), f"--pythons={json.dumps(pythons)}"]
    if options.json:
        command.append("--json")
    surroundings = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(command, env=surroundings, cwd=options.venvs, check=False).returncode


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare backtests of MLThon with those of its peers.")
    parser.add_argument("--venvs", type=Path, default=CACHE / "backtest", metavar="DIR")
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(PEERS), metavar="NAMES")
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    options = parser.parse_args()
    if unknown := set(options.only) - set(PEERS):
        parser.error(f"--only: expected {', '.join(PEERS)}, got {', '.join(sorted(unknown))}")
    options.venvs = options.venvs.resolve()
    return options


if __name__ == "__main__":
    sys.exit(main())
