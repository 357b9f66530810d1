"""Build the compiled core: every ``mlthon/_core/*.pyx`` becomes one extension module.

``MLTHON_BUILD`` chooses the mode:

* ``release`` (default): optimised, no run-time checks beyond the ones written in the source;
* ``checked``: bounds, None and overflow checks of Cython switched on, assertions kept;
* ``trace``: ``checked`` plus line tracing, for coverage and profilers.

The mode is stamped into ``mlthon._core.buildinfo``; a changed mode rebuilds everything.
"""

import os
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

ROOT = Path(__file__).resolve().parent
CORE = Path("mlthon/_core")
BUILD_TREE = Path("build")
MODES = ("release", "checked", "trace")

MODE = os.environ.get("MLTHON_BUILD", "release")
if MODE not in MODES:
    sys.exit(f"MLTHON_BUILD: expected one of {', '.join(MODES)}, got {MODE!r}")

CHECKED = MODE != "release"
DIRECTIVES = {
    "language_level": 3,
    "boundscheck": CHECKED,
    "wraparound": False,
    "initializedcheck": CHECKED,
    "nonecheck": CHECKED,
    "cdivision": True,
    "embedsignature": False,
    "auto_pickle": False,
    "autotestdict": False,
    "linetrace": MODE == "trace",
}
# -O2: with -O3 a backtest takes 3 % longer. -g0: Python's own flags ask for debug information, which is four fifths
# of a wheel; names stay, for profilers.
COMPILE_ARGS = ["-O2", "-g0", "-fno-math-errno", "-Wno-unused-function"] if not CHECKED else ["-O1", "-g"]
MACROS = [("MLTHON_BUILD_MODE", f'"{MODE}"')]
if not CHECKED:
    MACROS.append(("CYTHON_WITHOUT_ASSERTIONS", "1"))
if MODE == "trace":
    MACROS.append(("CYTHON_TRACE", "1"))


def mode_changed() -> bool:
    """Tell whether the last build in this tree was of another mode, and remember this one."""
    stamp = ROOT / BUILD_TREE / "mode"
    changed = not stamp.exists() or stamp.read_text() != MODE
    stamp.parent.mkdir(exist_ok=True)
    stamp.write_text(MODE)
    return changed


def extensions() -> list[Extension]:
    return [
        Extension(
            f"mlthon._core.{source.stem}",
            [str(source.relative_to(ROOT))],
            depends=[str(source.relative_to(ROOT))],  # cythonize puts C above; a source archive needs this
            extra_compile_args=COMPILE_ARGS,
            define_macros=MACROS,
        )
        for source in sorted((ROOT / CORE).glob("*.pyx"))
    ]


force = mode_changed()
setup(
    ext_modules=cythonize(
        extensions(),
        build_dir=str(BUILD_TREE / "cython"),
        compiler_directives=DIRECTIVES,
        force=force,
        nthreads=0,
    ),
    options={"build_ext": {"force": force, "parallel": os.cpu_count()}},
)
