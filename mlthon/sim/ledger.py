"""Exact bookkeeping of linear contracts: what is held, what it cost, what was made, what was paid.

Every fill is booked for both its sides: the client's, and the other client's or the market's. So in each symbol
the sizes sum to zero and the costs to what has been made, and in each coin no money comes or goes: `Ledger.check`
proves it after any event, to the last decimal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mlthon.basics.defs import Side
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.order.position import Closed, Position

__all__ = ["Ledger", "Purse"]

ZERO = MLDecimal("0")
ZERO_QTY = Qty("0")


@dataclass(slots=True)
class Purse:
    """An account's money and positions."""

    cash: dict[str, MLDecimal]  # by coin: deposits + realised pnl - fees
    positions: dict[str, Position] = field(default_factory=dict)  # by symbol

    def position(self, symbol: str) -> Position:
        return self.positions.setdefault(symbol, Position())

    def move(self, coin: str, amount: MLDecimal) -> None:
        self.cash[coin] = self.cash.get(coin, ZERO) + amount


class Ledger:
    """The purses of all clients, of the market behind the anonymous levels, and of the fee collector."""

    def __init__(self, coin_of: Mapping[str, str]) -> None:
        self._coin_of = coin_of  # settlement coin by symbol
        self._purses: list[Purse] = []
        self._deposited: dict[str, MLDecimal] = {}
        self._market = Purse({})
        self._fees = Purse({})

    def open_purse(self, deposits: Mapping[str, MLDecimal]) -> Purse:
        """A new client's purse."""
        purse = Purse(dict(deposits))
        self._purses.append(purse)
        for coin, amount in deposits.items():
            self._deposited[coin] = self._deposited.get(coin, ZERO) + amount
        return purse

    def book(self, purse: Purse, symbol: str, side: Side, price: Price, qty: Qty, fee: MLDecimal) -> Closed:
        """Book a client's fill and its fee."""
        coin = self._coin_of[symbol]
        closed = purse.position(symbol).apply_fill(side, price, qty, fee)
        purse.move(coin, closed.realised - fee)
        self._fees.move(coin, fee)
        return closed

    def book_market(self, symbol: str, side: Side, price: Price, qty: Qty) -> None:
        """Book the market's side of a client's fill with it."""
        closed = self._market.position(symbol).apply_fill(side, price, qty)
        self._market.move(self._coin_of[symbol], closed.realised)

    def check(self) -> None:
        """Raise AssertionError unless positions and money are conserved exactly."""
        everybody = [*self._purses, self._market, self._fees]
        for symbol in self._coin_of:
            size = sum((purse.position(symbol).size for purse in everybody), ZERO_QTY)
            if not size.is_zero():
                raise AssertionError(f"{symbol}: positions sum to {size}, expected 0")
        for coin in set(self._coin_of.values()) | set(self._deposited):
            symbols = [symbol for symbol, settled_in in self._coin_of.items() if settled_in == coin]
            total = total_of(purse.cash.get(coin, ZERO) for purse in everybody)
            # Profit is booked when a position closes: until then, one side's may be in the other's cost.
            at_cost = total_of(
                purse.position(symbol).entry_value for purse in everybody for symbol in symbols
            )
            deposited = self._deposited.get(coin, ZERO)
            if total - at_cost != deposited:
                raise AssertionError(
                    f"{coin}: cash {total} less positions at cost {at_cost}, expected {deposited}"
                )


def total_of(amounts: Iterable[MLDecimal]) -> MLDecimal:
    return sum(amounts, ZERO)
