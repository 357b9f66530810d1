"""Importing the package stays cheap."""

from __future__ import annotations

import json
import subprocess
import sys

PROBE = """
import json, sys
before = set(sys.modules)
import mlthon
assert mlthon.TickUnit.Cent.name == "Cent"
loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
print(json.dumps(sorted(loaded - sys.stdlib_module_names - {"mlthon"})))
"""


def test_importing_mlthon_loads_the_standard_library_and_the_core_only() -> None:
    run = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, check=True, timeout=60
    )
    # Cython's own run time registers modules for what its extensions share.
    assert [name for name in json.loads(run.stdout) if not name.lstrip("_").startswith("cython_")] == []
