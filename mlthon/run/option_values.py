"""What options of several commands mean."""

from __future__ import annotations

import logging
import sys

import yaml

from mlthon.errors import ConfigError

__all__ = ["log_to_stderr", "parse_params", "positive"]

_LONGEST_QUOTE = 60


def parse_params(pairs: list[str]) -> dict[str, object]:
    """Read ``key=value`` pairs whose values are YAML scalars; raises ConfigError.

    >>> parse_params(["size=3", "name=fast one", "edge='0.5'", "on=true", "skip=null"])
    {'size': 3, 'name': 'fast one', 'edge': '0.5', 'on': True, 'skip': None}
    """
    params: dict[str, object] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"--param: expected key=value, got {pair!r}")
        if key.strip() in params:
            raise ConfigError(f"--param: {key.strip()} is given twice")
        try:
            value = yaml.safe_load(text)
        except (yaml.YAMLError, ValueError, RecursionError):  # an impossible date is a ValueError
            raise ConfigError(
                f"--param {key}: expected a YAML scalar, got {text[:_LONGEST_QUOTE]!r}"
            ) from None
        if isinstance(value, dict | list):
            raise ConfigError(
                f"--param {key}: expected a YAML scalar, got a {type(value).__name__}: {text[:_LONGEST_QUOTE]!r}"
            )
        params[key.strip()] = value
    return params


def positive(option: str, value: float) -> float:
    """A number above 0; raises ConfigError for any other."""
    if not 0 < value < float("inf"):
        raise ConfigError(f"{option}: expected a number above 0, got {value:g}")
    return value


def log_to_stderr(verbose: bool) -> None:
    """Send logs to stderr: stdout is for results."""
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(asctime)s %(levelname)-7s %(message)s",
        datefmt="%H:%M:%S",
        stream=sys.stderr,
    )
    logging.getLogger("aiohttp.server").addFilter(_in_one_line)


def _in_one_line(record: logging.LogRecord) -> bool:
    """Say in a line what aiohttp would show a traceback for: a peer that does not speak HTTP is no fault of ours."""
    if record.exc_info is not None and record.exc_info[1] is not None:
        error = record.exc_info[1]
        record.msg = f"{record.getMessage()}: {type(error).__name__}: {' '.join(str(error).split())}"
        record.args = record.exc_info = None
    return True
