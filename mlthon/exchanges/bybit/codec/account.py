"""Positions, balances, funding and identity: the rows, wherever they come from."""

from __future__ import annotations

import math
from typing import NamedTuple

from mlthon.basics.qty import Qty
from mlthon.errors import DecodeError
from mlthon.exchanges.bybit.codec.fields import (
    Json,
    choice,
    integer,
    qty,
    refuse,
    rows,
    stamp_ms,
    text,
)
from mlthon.instruments.instrument import Instrument

__all__ = ["Balance", "PositionRow", "decode_balances", "decode_funding", "decode_position", "decode_user_id"]

_SIGNS = {"Buy": 1, "Sell": -1, "None": 0, "": 0}
_LEGS = (0, 1, 2)
_ZERO = Qty("0")
_DECIMALS = 18  # of a Qty
_LONGEST_COIN = 20
_FINEST = Qty("0.000000000000000001")


class PositionRow(NamedTuple):
    """One position. In hedge mode an instrument has two, told apart by `leg` (1: bought, 2: sold).

    `seq` grows with every change of the position, and is -1 before the first; None where a message does not carry it.
    """

    instrument: Instrument
    leg: int
    size: Qty  # signed
    seq: int | None


class Balance(NamedTuple):
    """The balance of one coin."""

    coin: str
    total: Qty
    available: Qty


def decode_position(row: Json, instrument: Instrument, where: str) -> PositionRow:
    """Decode a position row."""
    size = qty(row, "size", where)
    sign = choice(row, "side", where, _SIGNS)
    if sign == 0 and not size.is_zero():
        refuse(f"{where}.side", f"Buy or Sell for a position of {size}", row.get("side"))
    leg = integer(row, "positionIdx", where, default=0)
    if leg not in _LEGS:
        refuse(f"{where}.positionIdx", "0, 1 or 2", leg)
    return PositionRow(
        instrument,
        leg,
        size * sign,
        None if row.get("seq") in (None, "") else integer(row, "seq", where),
    )


def decode_balances(accounts: list[Json], where: str) -> tuple[list[Balance], list[str]]:
    """Decode the coins of all accounts in a wallet message; second, what is wrong with the odd ones."""
    balances: list[Balance] = []
    odd: list[str] = []
    for number, account in enumerate(accounts):
        for index, coin in enumerate(rows(account, "coin", f"{where}[{number}]")):
            try:
                balances.append(_decode_balance(coin, f"{where}[{number}].coin[{index}]"))
            except DecodeError as error:
                odd.append(f"{str(coin.get('coin'))[:_LONGEST_COIN]}: {error}")
    return balances, odd


def _decode_balance(row: Json, where: str) -> Balance:
    """The venue no longer tells what is available: it is the balance less what orders and positions hold.

    Held margin may exceed the balance where other coins back it; then nothing is available.
    """
    total = _signed(row, "walletBalance", where)
    parts = [_held(row, key, where) for key in ("locked", "totalOrderIM", "totalPositionIM")]
    try:
        available = max(total - sum(parts, _ZERO), _ZERO)
    except OverflowError:
        refuse(where, "what is held to sum up to a quantity", [str(part) for part in parts])
    return Balance(text(row, "coin", where), total, available)


def _held(row: Json, key: str, where: str) -> Qty:
    """What orders or positions hold of a balance. Margins are quotients: what is finer than a Qty is rounded up."""
    value = row.get(key)
    if type(value) is str:
        whole, _, decimals = value.partition(".")
        finer = decimals[_DECIMALS:]
        if finer.isdigit():
            value = f"{whole}.{decimals[:_DECIMALS]}"
            return qty({key: value}, key, where) + (_FINEST if finer.strip("0") else _ZERO)
    return qty(row, key, where)


def _signed(row: Json, key: str, where: str) -> Qty:
    """A balance, which is below zero where the coin is owed."""
    value = row.get(key)
    if type(value) is str and value.startswith("-"):
        return -qty({key: value[1:]}, key, where)
    return qty(row, key, where)


def decode_funding(row: Json, where: str) -> tuple[float, int]:
    """Decode the next funding of a ticker row: the rate, and when it is due, in milliseconds."""
    word = text(row, "fundingRate", where)
    try:
        rate = float(word)
    except ValueError:
        rate = math.nan
    if not math.isfinite(rate):
        refuse(f"{where}.fundingRate", "a finite number", word)
    return rate, stamp_ms(row, "nextFundingTime", where)


def decode_user_id(result: Json, where: str) -> str:
    """Decode whose key it is."""
    return str(integer(result, "userID", where))
