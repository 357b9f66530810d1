"""What options of several commands mean."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from mlthon.basics.defs import Exchange
from mlthon.errors import ConfigError

__all__ = ["by_exchange", "exchange_named", "log_to_stderr", "parse_params", "positive", "tape_and_exchange"]

_LONGEST_QUOTE = 60
_EXCHANGES = {each.name.lower(): each for each in Exchange} | {each.exchange_code: each for each in Exchange}


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


def exchange_named(option: str, text: str) -> Exchange:
    """An exchange by its name or its three letters, in any case; raises ConfigError.

    >>> exchange_named("--exchange", "binance")
    <Exchange.Binance: 4>
    """
    exchange = _EXCHANGES.get(text.lower())
    if exchange is None:
        names = ", ".join(each.name.lower() for each in Exchange)
        raise ConfigError(f"{option}: expected one of {names}, got {text[:_LONGEST_QUOTE]!r}")
    return exchange


def tape_and_exchange(text: str) -> tuple[Path, Exchange | None]:
    """Read ``FILE`` or ``FILE@EXCHANGE``; a file that has such a name is meant itself. Raises ConfigError.

    >>> tape_and_exchange("days/btc.tape@binance")
    (PosixPath('days/btc.tape'), <Exchange.Binance: 4>)
    """
    name, at, exchange = text.rpartition("@")
    if not at or not name or os.sep in exchange or Path(text).exists():
        return Path(text), None
    return Path(name), exchange_named(f"--tape {name}@", exchange)


def by_exchange(option: str, texts: Sequence[str]) -> tuple[str | None, dict[Exchange, str]]:
    """Read ``VALUE`` and ``EXCHANGE=VALUE``: the value that holds for all, and those of single exchanges.

    >>> by_exchange("--feed-latency", ["5", "binance=80"])
    ('5', {<Exchange.Binance: 4>: '80'})
    """
    general, own = None, dict[Exchange, str]()
    for text in texts:
        name, equals, value = text.rpartition("=")
        exchange = exchange_named(option, name) if equals else None
        if general is not None if exchange is None else exchange in own:
            raise ConfigError(f"{option}: {text} comes after another value for the same")
        if exchange is None:
            general = value
        else:
            own[exchange] = value
    return general, own


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
