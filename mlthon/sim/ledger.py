"""Exact bookkeeping: what is held, what it cost, what was made, what was paid.

Every fill is booked for both its sides: the client's, and the other client's or the market's. So in each contract
the sizes sum to zero and the costs to what has been made, and of each coin nothing comes or goes: `Ledger.check`
proves it after any event, to the last decimal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mlthon.basics.defs import Side
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.order.position import Closed, Position
from mlthon.sim.terms import Terms

__all__ = ["Ledger", "Purse"]

ZERO = MLDecimal("0")
ZERO_QTY = Qty("0")


@dataclass(slots=True)
class Purse:
    """An account's money and positions."""

    cash: dict[str, MLDecimal]  # by coin: deposits + realised pnl + what was traded for it - fees - funding
    positions: dict[str, Position]  # of every contract, by symbol
    bought: dict[str, Qty]  # of every spot pair, by symbol: less what was sold, before fees
    funding: dict[str, MLDecimal]  # paid for every contract, by symbol

    def position(self, symbol: str) -> Position:
        """The position in a contract."""
        return self.positions[symbol]

    def size(self, symbol: str) -> Qty:
        """What its fills in a symbol sum to."""
        position = self.positions.get(symbol)
        return self.bought[symbol] if position is None else position.size

    def move(self, coin: str, amount: MLDecimal) -> None:
        self.cash[coin] = self.cash.get(coin, ZERO) + amount


class Ledger:
    """The purses of all clients, of the market behind the anonymous levels, and of the fee collector."""

    def __init__(self, terms: Iterable[Terms]) -> None:
        self._terms = {term.symbol: term for term in terms}
        self._clients: list[Purse] = []
        self._deposited: dict[str, MLDecimal] = {}
        self._market = self._new_purse({})
        self._fees = self._new_purse({})

    def open_purse(self, deposits: Mapping[str, MLDecimal]) -> Purse:
        """A new client's purse."""
        purse = self._new_purse(deposits)
        self._clients.append(purse)
        for coin, amount in deposits.items():
            self._deposited[coin] = self._deposited.get(coin, ZERO) + amount
        return purse

    def book(self, purse: Purse, symbol: str, side: Side, price: Price, qty: Qty) -> Closed:
        """Book a client's fill; returns what it closed of a position."""
        terms = self._terms[symbol]
        if terms.is_spot:
            return _exchange(purse, terms, side, price, qty)
        closed = purse.position(symbol).apply_fill(side, price, qty)
        purse.move(terms.coin, closed.realised)
        return closed

    def book_market(self, symbol: str, side: Side, price: Price, qty: Qty) -> None:
        """Book the market's side of a client's fill with it."""
        self.book(self._market, symbol, side, price, qty)

    def book_fee(self, purse: Purse, symbol: str, coin: str, fee: MLDecimal) -> None:
        """Book a fee that a client has paid on a fill in a symbol; a negative one is a rebate."""
        purse.move(coin, -fee)
        self._fees.move(coin, fee)
        position = purse.positions.get(symbol)
        if position is not None:
            position.fees += fee

    def book_funding(self, purse: Purse, symbol: str, amount: MLDecimal) -> None:
        """Book what a client has paid for a position; the market, which holds the opposite one, receives it."""
        coin = self._terms[symbol].coin
        purse.move(coin, -amount)
        purse.funding[symbol] += amount
        self._market.move(coin, amount)
        self._market.funding[symbol] -= amount

    def check(self) -> None:
        """Raise AssertionError unless positions and money are conserved exactly."""
        everybody = [*self._clients, self._market, self._fees]
        for symbol in self._terms:
            size = sum((purse.size(symbol) for purse in everybody), ZERO_QTY)
            if not size.is_zero():
                raise AssertionError(f"{symbol}: positions sum to {size}, expected 0")
        coins = {coin for term in self._terms.values() for coin in term.coins}
        for coin in coins | set(self._deposited):
            contracts = [s for s, term in self._terms.items() if term.coin == coin and not term.is_spot]
            total = total_of(purse.cash.get(coin, ZERO) for purse in everybody)
            # Profit is booked when a position closes: until then, one side's may be in the other's cost.
            at_cost = total_of(
                purse.position(symbol).entry_value for purse in everybody for symbol in contracts
            )
            deposited = self._deposited.get(coin, ZERO)
            if total - at_cost != deposited:
                raise AssertionError(
                    f"{coin}: cash {total} less positions at cost {at_cost}, expected {deposited}"
                )

    def _new_purse(self, deposits: Mapping[str, MLDecimal]) -> Purse:
        contracts = {symbol: term for symbol, term in self._terms.items() if not term.is_spot}
        return Purse(
            cash=dict(deposits),
            positions={symbol: term.new_position() for symbol, term in contracts.items()},
            bought={symbol: ZERO_QTY for symbol in self._terms if symbol not in contracts},
            funding=dict.fromkeys(contracts, ZERO),
        )


def _exchange(purse: Purse, terms: Terms, side: Side, price: Price, qty: Qty) -> Closed:
    """Give one coin for the other."""
    sign = 1 if side is Side.Buy else -1
    purse.move(terms.base, qty.to_mldecimal() * sign)
    purse.move(terms.quote, terms.value(price, qty) * -sign)
    purse.bought[terms.symbol] += qty * sign
    return Closed(ZERO_QTY, ZERO)


def total_of(amounts: Iterable[MLDecimal]) -> MLDecimal:
    return sum(amounts, ZERO)
