"""A fault plan as a YAML file.

seed: 7
faults:
  - {fault: lose_ack, nth: 3}
  - {fault: delay, channel: private, kind: execution, delay_ms: 200, probability: 0.05}
  - {fault: restart, at_s: 5}
  - fault: fill_while_disconnected
    after: {channel: trade, kind: order.create}
    nth: 10
"""

from __future__ import annotations

from pathlib import Path

import orjson
import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from mlthon.errors import ConfigError
from mlthon.venues.faults.plan import FaultPlan

__all__ = ["load_plan", "read_plan"]

_LONGEST_VALUE = 60
_UNKNOWN_KEY = "extra_forbidden"


def load_plan(path: Path) -> FaultPlan:
    """Read a plan from a file; raises ConfigError, which names the file, the place and what is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--faults {path}: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise ConfigError(f"--faults {path}: expected UTF-8 text") from None
    return read_plan(text, str(path))


def read_plan(text: str, source: str) -> FaultPlan:
    """Read a plan from YAML; `source` names it in errors. Raises ConfigError.

    >>> read_plan("faults: [{fault: restart, at_s: 5}]", "my plan").faults[0].at_s
    5.0
    >>> read_plan("faults: [{fault: restart, at_s: 5, tomorrow: 1}]", "my plan")
    Traceback (most recent call last):
    mlthon.errors.ConfigError: my plan: faults[0].tomorrow: unknown key
    """
    try:
        # A few lines of aliases of aliases unfold to more than any memory holds.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)):
            raise ConfigError(f"{source}: expected YAML without aliases (*name)")
        values = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # an impossible date is a ValueError
        raise ConfigError(f"{source}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{source}: expected the keys seed and faults, got {_shorten(values)}")
    try:
        return FaultPlan.model_validate_json(orjson.dumps(values), strict=True)
    except TypeError as error:  # keys that are no text, and the like
        raise ConfigError(f"{source}: {error}") from None
    except ValidationError as invalid:
        # A misspelt key is also a missing one: the first says more.
        first = min(invalid.errors(), key=lambda error: error["type"] != _UNKNOWN_KEY)
        raise ConfigError(f"{source}: {_describe(first)}") from None


def _describe(error: ErrorDetails) -> str:
    """A mistake in one line: where, and what was expected."""
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in _place(error)).lstrip(
        "."
    )
    if error["type"] == _UNKNOWN_KEY:
        return f"{where}: unknown key"
    if error["type"] == "missing":
        return f"{where}: is required"
    if error["type"] == "union_tag_not_found":
        return f"{where}.fault: is required"
    if error["type"] == "union_tag_invalid":
        context = error.get("ctx", {})
        return f"{where}.fault: expected one of {context.get('expected_tags')}, got {context.get('tag')!r}"
    reason = error["msg"].removeprefix("Value error, ")
    if error["type"] == "value_error":
        return f"{where}: {reason}"
    return f"{where}: {reason[:1].lower()}{reason[1:]}, got {_shorten(error['input'])}"


def _place(error: ErrorDetails) -> list[int | str]:
    """The place without the name of the fault, which pydantic puts behind its index."""
    place = list(error["loc"])
    if len(place) > 2 and place[0] == "faults":
        del place[2]
    return place


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."
