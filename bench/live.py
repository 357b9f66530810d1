"""MLThon beside its peers, live: from a frame to the order that answers it, and how many frames a second.

    python bench/live.py                        print the table; fails over a limit
    python bench/live.py --json                 the same as one JSON list
    python bench/live.py --only aiohttp,pybit   beside these clients only
    python bench/live.py --venvs DIR            keep the environments there

Every client speaks Bybit's protocol to one venue on loopback, which has a processor of its own; the clients share the
other one and take turns. Each peer has a virtual environment of its own outside the repository, which the first run
makes; MLThon is installed as a wheel built from this tree.
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
    "pybit": ("pybit==5.17.0",),
    "ccxt": ("ccxt==4.5.90",),
    "nautilus_trader": ("nautilus_trader==1.221.0",),
    "cryptofeed": ("cryptofeed==2.4.1",),
}
OURS = ("aiohttp==3.14.5", "orjson==3.13.0", "uvloop==0.23.0")  # on the same loop, with the same library


def main() -> int:
    options = parse_arguments()
    ours = environment(options.venvs / "mlthon")
    install_packages(ours, OURS)
    install_mlthon(ours)
    pythons = {"mlthon": str(ours.python), "aiohttp": str(ours.python)}
    for name, packages in PEERS.items():
        if name in options.only:
            theirs = environment(options.venvs / name)
            install_packages(theirs, packages)
            pythons[name] = str(theirs.python)
    command = [str(ours.python), str(BENCH / "live_rows.py"), f"--pythons={json.dumps(pythons)}"]
    if options.json:
        command.append("--json")
    surroundings = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(command, env=surroundings, cwd=options.venvs, check=False).returncode


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare MLThon with its peers, live, over loopback.")
    parser.add_argument("--venvs", type=Path, default=CACHE / "live", metavar="DIR")
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(PEERS), metavar="NAMES")
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    options = parser.parse_args()
    options.venvs = options.venvs.resolve()
    return options


if __name__ == "__main__":
    sys.exit(main())
