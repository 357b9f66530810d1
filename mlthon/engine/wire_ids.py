"""Wire ids: the order ids that venues see.

A strategy's client ids may repeat from run to run; what goes to a venue never may. A wire id is the run's epoch
followed by a sequence number, both in base 36: at most 20 alphanumeric characters, which every venue accepts.
"""

from __future__ import annotations

import secrets
import string

from mlthon._core.wire_ids import WireIds

__all__ = ["WireIds", "run_epoch"]

_DIGITS = string.digits + string.ascii_lowercase


def _base36(number: int) -> str:
    text = ""
    while True:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
        if number == 0:
            return text


def run_epoch(now_ns: int) -> str:
    """Name this run: its start in milliseconds, then four random characters against a second run in the same one."""
    return _base36(now_ns // 1_000_000) + "".join(secrets.choice(_DIGITS) for _ in range(4))
