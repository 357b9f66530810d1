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

__all__ = ["Booked", "Holding", "Ledger"]

ZERO = MLDecimal("0")
ZERO_QTY = Qty("0")


@dataclass(frozen=True, slots=True)
class Booked:
    """What booking a fill came to."""

    closed_qty: Qty
    realised_pnl: MLDecimal


@dataclass(slots=True)
class Holding:
    """A position in one linear contract, at average cost.

    >>> holding = Holding()
    >>> _ = holding.book(Side.Buy, Price("100"), Qty("2"))
    >>> holding.book(Side.Sell, Price("110"), Qty("1")).realised_pnl
    MLDecimal('10.00000000')
    >>> holding.size, holding.entry_value
    (Qty('1.00000000'), MLDecimal('100.00000000'))
    """

    size: Qty = ZERO_QTY  # positive: long; negative: short
    entry_value: MLDecimal = ZERO  # what the size cost; has its sign
    realised_pnl: MLDecimal = ZERO
    fees: MLDecimal = ZERO

    def book(self, side: Side, price: Price, qty: Qty) -> Booked:
        """Add a fill: first it closes what is held the other way, then it opens.

        Closing takes a proportional part of the cost, rounded down at the 18th decimal. Whatever the rounding,
        what was made and what is still held at cost sum to the same.
        """
        closes = self.size.sign() == (-1 if side is Side.Buy else 1)
        closed_qty = min(qty, abs(self.size)) if closes else ZERO_QTY
        closed_value = price * closed_qty
        opened_value = price * qty - closed_value
        realised = ZERO
        if closes:
            cost = self._cost_of(closed_qty)
            realised = (closed_value if side is Side.Sell else -closed_value) - cost
            self.entry_value -= cost
            self.realised_pnl += realised
        self.size += qty if side is Side.Buy else -qty
        self.entry_value += opened_value if side is Side.Buy else -opened_value
        return Booked(closed_qty, realised)

    def avg_price(self) -> Price | None:
        """Average cost of one unit, rounded at the 18th decimal; None when flat."""
        return None if self.size.is_zero() else self.entry_value / self.size

    def unrealised_pnl(self, mark: Price | None) -> MLDecimal:
        """What closing at `mark` would realise; zero without a mark."""
        return ZERO if mark is None else mark * self.size - self.entry_value

    def _cost_of(self, closed_qty: Qty) -> MLDecimal:
        if closed_qty == abs(self.size):
            return self.entry_value
        # The product of two mantissas needs more than 128 bits: plain ints.
        return MLDecimal.from_mantissa(
            self.entry_value.mantissa * closed_qty.mantissa // abs(self.size).mantissa
        )


@dataclass(slots=True)
class Purse:
    """An account's money and holdings."""

    cash: dict[str, MLDecimal]  # by coin: deposits + realised pnl - fees
    holdings: dict[str, Holding] = field(default_factory=dict)  # by symbol

    def holding(self, symbol: str) -> Holding:
        return self.holdings.setdefault(symbol, Holding())

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

    def book(self, purse: Purse, symbol: str, side: Side, price: Price, qty: Qty, fee: MLDecimal) -> Booked:
        """Book a client's fill and its fee."""
        coin = self._coin_of[symbol]
        holding = purse.holding(symbol)
        booked = holding.book(side, price, qty)
        holding.fees += fee
        purse.move(coin, booked.realised_pnl - fee)
        self._fees.move(coin, fee)
        return booked

    def book_market(self, symbol: str, side: Side, price: Price, qty: Qty) -> None:
        """Book the market's side of a client's fill with it."""
        booked = self._market.holding(symbol).book(side, price, qty)
        self._market.move(self._coin_of[symbol], booked.realised_pnl)

    def check(self) -> None:
        """Raise AssertionError unless positions and money are conserved exactly."""
        everybody = [*self._purses, self._market, self._fees]
        for symbol in self._coin_of:
            size = sum((purse.holding(symbol).size for purse in everybody), ZERO_QTY)
            if not size.is_zero():
                raise AssertionError(f"{symbol}: positions sum to {size}, expected 0")
        for coin in set(self._coin_of.values()) | set(self._deposited):
            symbols = [symbol for symbol, settled_in in self._coin_of.items() if settled_in == coin]
            total = total_of(purse.cash.get(coin, ZERO) for purse in everybody)
            # Profit is booked when a position closes: until then, one side's may be in the other's cost.
            at_cost = total_of(purse.holding(symbol).entry_value for purse in everybody for symbol in symbols)
            deposited = self._deposited.get(coin, ZERO)
            if total - at_cost != deposited:
                raise AssertionError(
                    f"{coin}: cash {total} less positions at cost {at_cost}, expected {deposited}"
                )


def total_of(amounts: Iterable[MLDecimal]) -> MLDecimal:
    return sum(amounts, ZERO)
