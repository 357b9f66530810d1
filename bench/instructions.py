"""How many instructions the core's work takes, by callgrind, beside the committed numbers.

    python bench/instructions.py              count, compare with instructions.json, exit 1 where it takes more
    python bench/instructions.py --update     count, and write instructions.json
    python bench/instructions.py NAME...      only these workloads

Wall time is noise; the number of instructions is the same to the last one from run to run on one machine (addresses
are not randomised, hashes are seeded, nothing reads a clock). It is not the cost itself: a cache miss counts as one.
What is counted is an operation's share of a section, without starting Python (see `instruction_workloads`), but
with the interpreter's own instructions around it. So the numbers belong to one interpreter and one compiler, which
are written down beside them; where another is at work nothing is compared, and the exit code is 0.

A count may differ from the committed one by 1 % without being told: allocators and hash tables shift a little with
the environment. More is a failure, fewer an invitation to --update.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from instruction_workloads import REPETITIONS, WORKLOADS

from mlthon._core import buildinfo

BENCH = Path(__file__).resolve().parent
COMMITTED = BENCH / "instructions.json"
TOLERANCE = 0.01
SECTION = "PyRun_StringFlags"  # the function that executes a string: exported by every CPython


def main() -> int:
    options = parse_arguments()
    reason = why_not()
    if reason is not None:
        print(f"instructions: skipped: {reason}")
        return 0
    committed = json.loads(COMMITTED.read_text()) if COMMITTED.exists() else {"made_by": None, "counts": {}}
    made_by = describe_toolchain()
    if committed["made_by"] != made_by and not options.update:
        print("instructions: skipped: the committed numbers are of another toolchain")
        print_difference(committed["made_by"] or {}, made_by)
        return 0
    counts = count(options.names or list(WORKLOADS))
    worse = print_table(counts, committed["counts"])
    if options.update:
        kept = committed["counts"] if options.names and committed["made_by"] == made_by else {}
        write(made_by, {**kept, **counts})
        return 0
    return 1 if worse else 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Count the instructions of the core's work with callgrind.")
    parser.add_argument("--update", action="store_true", help="write bench/instructions.json")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(WORKLOADS)}")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in WORKLOADS]
    if unknown:
        parser.error(f"expected names of workloads, got {', '.join(unknown)}")
    return options


# -- what the numbers belong to --------------------------------------------------------------------------------


def why_not() -> str | None:
    """Why nothing can be counted here; None when it can."""
    if not buildinfo.is_release():
        return f"expected a release build of the core, got {buildinfo.MODE!r}"
    if shutil.which("valgrind") is None:
        return "no valgrind on the PATH"
    if platform.python_implementation() != "CPython":
        return f"expected CPython, got {platform.python_implementation()}"
    return None


def describe_toolchain() -> dict[str, str]:
    """Everything that decides how many instructions the same source takes."""
    arguments = sysconfig.get_config_var("CONFIG_ARGS") or ""
    traits = [
        "shared library" if sysconfig.get_config_var("Py_ENABLE_SHARED") else "one executable",
        *(["optimised by profile"] if "--enable-optimizations" in arguments else []),
        *(["link-time optimised"] if "--with-lto" in arguments else []),
    ]
    return {
        "python": f"CPython {platform.python_version()}, {', '.join(traits)}",
        "python_compiler": platform.python_compiler(),
        "core_compiler": buildinfo.COMPILER,
        "cython": buildinfo.CYTHON,
        "platform": f"{platform.system()} {platform.machine()}, {' '.join(platform.libc_ver())}",
    }


def print_difference(theirs: dict[str, str], ours: dict[str, str]) -> None:
    for key, value in ours.items():
        if theirs.get(key) != value:
            print(f"  {key}: {theirs.get(key, 'none')} is committed, {value} is here")


# -- counting --------------------------------------------------------------------------------------------------


def count(names: list[str]) -> dict[str, float]:
    """Instructions of one operation, for each workload."""
    operations = {name: WORKLOADS[name]().operations for name in names}
    with tempfile.TemporaryDirectory(prefix="mlthon-callgrind-") as folder:
        sections = run_under_callgrind(names, Path(folder))
    if len(sections) < 2 * len(names) or not all(sections[-2 * len(names) :]):
        sys.exit(f"instructions: expected callgrind to tell {SECTION} apart, got {len(sections)} sections")
    pairs = sections[-2 * len(names) :]  # before them: strings that were executed while modules were loaded
    return {
        name: round((pairs[2 * n + 1] - pairs[2 * n]) / (REPETITIONS * operations[name]), 1)
        for n, name in enumerate(names)
    }


def run_under_callgrind(names: list[str], folder: Path) -> list[int]:
    """Run the workloads in a process of their own; returns the instructions of each executed string, in order."""
    command = [
        "valgrind",
        "--tool=callgrind",
        "--collect-atstart=no",
        f"--toggle-collect={SECTION}",
        f"--dump-after={SECTION}",
        f"--callgrind-out-file={folder / 'out'}",
        sys.executable,
        str(BENCH / "instruction_workloads.py"),
        *names,
    ]
    if shutil.which("setarch") is not None:
        command = ["setarch", "-R", *command]  # the same addresses every time
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(BENCH.parent), str(BENCH)]),
        "PYTHONHASHSEED": "0",
        "LC_ALL": "C.UTF-8",
    }
    done = subprocess.run(command, env=environment, cwd=BENCH, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"instructions: {' '.join(command[:2])} ... failed:\n{done.stderr.strip()}")
    dumps = sorted(folder.glob("out.*"), key=lambda path: int(path.suffix[1:]))
    return [instructions_in(dump) for dump in dumps]


def instructions_in(dump: Path) -> int:
    for line in dump.read_text().splitlines():
        if line.startswith("summary: "):
            return int(line.split()[1])
    return 0


# -- the result ------------------------------------------------------------------------------------------------


def print_table(counts: dict[str, float], committed: dict[str, float]) -> list[str]:
    """Print each count beside the committed one; returns the workloads that take more than they may."""
    width = max(map(len, counts))
    worse, better = [], []
    for name, now in counts.items():
        before = committed.get(name)
        change = now / before - 1 if before else 0.0
        verdict = "new" if before is None else f"{change:+.2%}"
        if change > TOLERANCE:
            worse.append(name)
            verdict += f"  more than {TOLERANCE:.0%} over the committed number"
        elif change < -TOLERANCE:
            better.append(name)
        print(f"{name:{width}}  {now:12,.1f}  {before if before is not None else '':>12}  {verdict}")
    if better and not worse:
        print(f"fewer than committed: {', '.join(better)}; commit it with --update")
    return worse


def write(made_by: dict[str, str], counts: dict[str, float]) -> None:
    ordered = {name: counts[name] for name in WORKLOADS if name in counts}
    COMMITTED.write_text(json.dumps({"made_by": made_by, "counts": ordered}, indent=2) + "\n")
    print(f"written: {COMMITTED.relative_to(BENCH.parent)}")


if __name__ == "__main__":
    sys.exit(main())
