"""Running the command line as a user does: in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest


@dataclass(frozen=True)
class Outcome:
    """What a finished process left."""

    code: int
    out: str
    err: str

    @property
    def summary(self) -> dict[str, Any]:
        """The last line of stdout as JSON."""
        assert self.code == 0, self.err
        return json.loads(self.out.splitlines()[-1])


@pytest.fixture
def mlthon_run() -> Callable[..., Outcome]:
    """Run ``python -m mlthon.run ARGUMENTS`` to its end."""

    def run(*arguments: object, timeout_s: float = 90) -> Outcome:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "mlthon.run", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run
