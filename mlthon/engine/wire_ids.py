"""Wire ids: the order ids that venues see.

A strategy's client ids may repeat from run to run; what goes to a venue never may. A wire id is the run's epoch
followed by a sequence number, both in base 36: at most 20 alphanumeric characters, which every venue accepts.
"""

from __future__ import annotations

import secrets
import string

__all__ = ["WireIds", "run_epoch"]

_DIGITS = string.digits + string.ascii_lowercase
_MAX_LENGTH = 20


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


class WireIds:
    """An endless supply of ids that no other run makes.

    >>> ids = WireIds("mc9x2k1a7")
    >>> ids.next(), ids.next()
    ('mc9x2k1a7000001', 'mc9x2k1a7000002')
    """

    def __init__(self, epoch: str) -> None:
        if not (epoch.isascii() and epoch.isalnum() and len(epoch) <= _MAX_LENGTH - 7):
            raise ValueError(f"run epoch: expected 1 to {_MAX_LENGTH - 7} alphanumerics, got {epoch!r}")
        self.epoch = epoch
        self._count = 0

    def next(self) -> str:
        """Return an id never returned before."""
        self._count += 1
        return self.epoch + _base36(self._count).rjust(6, "0")
