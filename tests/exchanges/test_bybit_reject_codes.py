"""The venue's error codes: one table in the code, and the same in the document."""

from __future__ import annotations

import re
from pathlib import Path

from mlthon.basics.defs import GtwRejectCode
from mlthon.exchanges.bybit.reject_codes import (
    CLOCK_SKEW,
    NOT_MODIFIED,
    RATE_LIMITED,
    RET_CODES,
    UNKNOWN_OUTCOME,
    reject_code,
)
from mlthon.venues.bybit.errors import RetCode

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "bybit.md"
ROW = re.compile(r"^\| (?:`(\w+)`|done) \| [^|]+ \| ([-\d, ]+) \|$", re.MULTILINE)
ABOUT_LOGINS = {RetCode.OK, RetCode.ALREADY_LOGGED_IN}


def test_the_document_shows_the_table() -> None:
    shown = {
        name: [int(code) for code in codes.split(", ")] for name, codes in ROW.findall(DOCUMENT.read_text())
    }
    expected = {kind.name: list(codes) for kind, codes in RET_CODES.items()} | {"": sorted(NOT_MODIFIED)}
    assert shown == expected


def test_a_code_has_one_meaning() -> None:
    codes = [code for codes in RET_CODES.values() for code in codes] + list(NOT_MODIFIED)
    assert len(codes) == len(set(codes)) >= 120
    assert all(list(codes) == sorted(codes) for codes in RET_CODES.values())


def test_what_the_connector_acts_on_is_in_its_class() -> None:
    assert set(RET_CODES[GtwRejectCode.ClockSkew]) == CLOCK_SKEW
    assert set(RET_CODES[GtwRejectCode.RateLimited]) == RATE_LIMITED
    assert set(RET_CODES[GtwRejectCode.VenueFault]) == UNKNOWN_OUTCOME
    assert reject_code(0) is GtwRejectCode.Other


def test_every_code_of_the_simulated_venue_is_understood() -> None:
    strange = [code for code in RetCode if reject_code(code) is GtwRejectCode.Other]
    assert set(strange) - NOT_MODIFIED == ABOUT_LOGINS
