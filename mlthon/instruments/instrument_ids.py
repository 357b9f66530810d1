"""Instrument names and ids: the same on every machine and in every run.

A name is ``<exchange code>:<type id>:<SYMBOL>``. An id is the exchange's number times 10**10, plus n. For the
well-known instruments n comes from a table that is only ever added to; for all others it is a nine-digit hash
of the name, so two tables of instruments never have to be kept in step.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from mlthon.basics.defs import Exchange, InstrumentType
from mlthon.errors import InstrumentError

__all__ = ["assign_ids", "instrument_id", "instrument_name"]

IDS_PER_EXCHANGE = 10**10
HASHED_FROM = 10**8  # table entries stay below, hashes are in [10**8, 10**9)
HASHED_UNTIL = 10**9

# Never renumber, never reuse: ids stand in journals and recordings.
WELL_KNOWN = {
    # Bybit inverse perpetuals, margined and settled in the coin
    "byt:perp:BTC-USD": 0,
    "byt:perp:ETH-USD": 1,
    "byt:perp:XRP-USD": 2,
    "byt:perp:EOS-USD": 3,
    "byt:perp:SOL-USD": 4,
    "byt:perp:ADA-USD": 5,
    "byt:perp:DOT-USD": 6,
    "byt:perp:LTC-USD": 7,
    # Bybit linear perpetuals, settled in USDT
    "byt:perp:BTC-USDT": 1000,
    "byt:perp:ETH-USDT": 1001,
    "byt:perp:SOL-USDT": 1002,
    "byt:perp:XRP-USDT": 1003,
    "byt:perp:DOGE-USDT": 1004,
    "byt:perp:BNB-USDT": 1005,
    "byt:perp:ADA-USDT": 1006,
    "byt:perp:AVAX-USDT": 1007,
    "byt:perp:LINK-USDT": 1008,
    "byt:perp:LTC-USDT": 1009,
    "byt:perp:DOT-USDT": 1010,
    "byt:perp:TRX-USDT": 1011,
    "byt:perp:BCH-USDT": 1012,
    "byt:perp:EOS-USDT": 1013,
    # Bybit spot
    "byt:spot:BTC-USDT": 2000,
    "byt:spot:ETH-USDT": 2001,
    "byt:spot:SOL-USDT": 2002,
    "byt:spot:XRP-USDT": 2003,
    "byt:spot:DOGE-USDT": 2004,
    "byt:spot:LTC-USDT": 2005,
    "byt:spot:BTC-USDC": 2006,
    "byt:spot:ETH-USDC": 2007,
    "byt:spot:ETH-BTC": 2008,
    "byt:spot:USDC-USDT": 2009,
}


def instrument_name(exchange: Exchange, instr_type: InstrumentType, symbol: str) -> str:
    """Build an instrument's name; the symbol is put in upper case.

    >>> instrument_name(Exchange.Bybit, InstrumentType.Perpetual, "btc-usd")
    'byt:perp:BTC-USD'
    """
    return f"{exchange.exchange_code}:{instr_type.type_id}:{symbol.upper()}"


def instrument_id(exchange: Exchange, name: str) -> int:
    """Give the id of an instrument by its name.

    Raises ValueError when the name is not one of this exchange.

    >>> instrument_id(Exchange.Bybit, "byt:perp:BTC-USD")
    30000000000
    """
    code = f"{exchange.exchange_code}:"
    if not name.startswith(code):
        raise ValueError(
            f"instrument name on {exchange.name}: expected it to start with {code!r}, got {name!r}"
        )
    n = WELL_KNOWN.get(name)
    return exchange.value * IDS_PER_EXCHANGE + (hashed(name) if n is None else n)


def assign_ids(exchange: Exchange, names: Iterable[str]) -> dict[str, int]:
    """Give the ids of many instruments at once, in the order given.

    Raises InstrumentError, naming both, when two names share an id: nobody can then tell them apart.

    >>> assign_ids(Exchange.Bybit, ["byt:perp:BTC-USD", "byt:perp:BTC-USDT"])
    {'byt:perp:BTC-USD': 30000000000, 'byt:perp:BTC-USDT': 30000001000}
    """
    id_by_name: dict[str, int] = {}
    name_by_id: dict[int, str] = {}
    for name in names:
        number = id_by_name[name] = instrument_id(exchange, name)
        other = name_by_id.setdefault(number, name)
        if other != name:
            raise InstrumentError(
                f"instruments {other} and {name} share the id {number};"
                " give one of them a number in the table of mlthon.instruments.instrument_ids"
            )
    return id_by_name


def hashed(name: str) -> int:
    """Hash a name into nine digits, the same everywhere (Python's own hash differs from run to run)."""
    digest = hashlib.sha256(name.encode()).digest()
    return HASHED_FROM + int.from_bytes(digest[:8], "big") % (HASHED_UNTIL - HASHED_FROM)
