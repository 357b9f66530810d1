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
import os
import subprocess
import sys
from pathlib import Path

from environments import BENCH, CACHE, environment, install_mlthon, install_packages

PEERS = ("nautilus_trader==1.221.0", "order-book==0.6.1", "orjson==3.11.4")


def main() -> int:
    options = parse_arguments()
    where = environment(options.venv)
    install_packages(where, PEERS)
    install_mlthon(where)
    command = [str(where.python), str(BENCH / "peer_rows.py"), f"--wheel={where.wheel}"]
    if options.json:
        command.append("--json")
    surroundings = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(command, env=surroundings, cwd=options.venv, check=False).returncode


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare MLThon with its peers, in one process.")
    parser.add_argument("--venv", type=Path, default=CACHE / "peers", metavar="DIR")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    options.venv = options.venv.resolve()
    return options


if __name__ == "__main__":
    sys.exit(main())
