"""What a result's files need beyond what MLThon itself needs."""

from __future__ import annotations

from importlib.util import find_spec

from mlthon.errors import ConfigError

__all__ = ["require_extras"]


def require_extras(*, report: bool = False, tables: bool = False) -> None:
    """Raise ConfigError, naming the extra, where plotly for a report or pyarrow for Parquet files is missing.

    Costs next to nothing, so that a run can ask before it begins.
    """
    if report and find_spec("plotly") is None:
        raise ConfigError("a report needs plotly: install the extra 'report'")
    if tables and find_spec("pyarrow") is None:
        raise ConfigError("Parquet files need pyarrow: install the extra 'data'")
