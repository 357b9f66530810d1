from __future__ import annotations

import os
import subprocess
import sys

import pytest

from mlthon.basics.defs import Exchange
from mlthon.errors import InstrumentError
from mlthon.instruments.instrument_ids import HASHED_FROM, WELL_KNOWN, assign_ids, instrument_id

BYBIT = 30_000_000_000


def test_the_published_id():
    assert instrument_id(Exchange.Bybit, "byt:perp:BTC-USD") == 30000000000


def test_the_table_is_sound():
    assert len(set(WELL_KNOWN.values())) == len(WELL_KNOWN) >= 24
    assert all(0 <= n < HASHED_FROM for n in WELL_KNOWN.values())
    assert all(name == name[:9] + name[9:].upper() for name in WELL_KNOWN)


@pytest.mark.parametrize(
    ("exchange", "name", "expected"),
    [
        # Written down once: these stand in journals and recordings.
        (Exchange.Bybit, "byt:perp:BTC-USDT", BYBIT + 1000),
        (Exchange.Bybit, "byt:spot:BTC-USDT", BYBIT + 2000),
        (Exchange.Bybit, "byt:perp:PEPE-USDT", BYBIT + 373004362),
        (Exchange.Blade, "bld:perp:BTC-USD", 20_000_000_000 + 174356989),
    ],
)
def test_ids_never_change(exchange, name, expected):
    assert instrument_id(exchange, name) == expected


def test_ids_do_not_depend_on_the_process():
    code = (
        "from mlthon.basics.defs import Exchange;"
        "from mlthon.instruments.instrument_ids import instrument_id;"
        "print(instrument_id(Exchange.Bybit, 'byt:perp:PEPE-USDT'))"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert answers == {f"{BYBIT + 373004362}\n"}


def test_hashed_ids_have_nine_digits():
    ids = assign_ids(Exchange.Bybit, [f"byt:perp:X{i}-USDT" for i in range(1000)])
    assert all(10**8 <= number - BYBIT < 10**9 for number in ids.values())


def test_a_name_of_another_exchange_is_refused():
    with pytest.raises(ValueError, match="expected it to start with 'byt:', got 'bld:perp:BTC-USD'"):
        instrument_id(Exchange.Bybit, "bld:perp:BTC-USD")


def test_a_collision_names_both():
    # Found by search: these two hash alike.
    with pytest.raises(InstrumentError, match="byt:perp:A45305-USDT and byt:perp:A70290-USDT share the id"):
        assign_ids(Exchange.Bybit, ["byt:perp:A45305-USDT", "byt:perp:A70290-USDT"])


def test_the_same_name_twice_is_no_collision():
    assert len(assign_ids(Exchange.Bybit, ["byt:perp:BTC-USD", "byt:perp:BTC-USD"])) == 1
