"""Fixtures every layer's tests may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).resolve().parent.parent

# A busy machine is no failure, and a failure anywhere can be repeated here.
settings.register_profile("mlthon", deadline=None, print_blob=True)
settings.load_profile("mlthon")


@pytest.fixture(scope="session")
def captures() -> Path:
    """The folder of recorded market data; tests that ask for it skip where it is absent."""
    folder = Path(os.environ.get("MLTHON_CAPTURES", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no recorded market data at {folder} (set MLTHON_CAPTURES)")
    return folder
