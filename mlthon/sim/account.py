"""A client's account: what he has, what he holds, what his orders could cost him, and when it is all gone.

Each coin stands for itself: what is owned of one is no collateral for another, and nothing is lent. Margin of
contracts is simple initial margin. A symbol's margin is the largest position, at cost, that its open orders could
lead to, by its leverage; what the position holds already is the position's part, the rest the orders'. Open spot
orders lock all that they would give away.

The maintenance margin of a position is a fraction of its value at the mark. An account whose equity in a coin, profit
that is not realised included, is below the maintenance margins of the positions settled in it is bankrupt there.
"""

from __future__ import annotations

from collections.abc import Callable

from mlthon._core.funds import Funds
from mlthon._core.order_archive import KeptOrders
from mlthon.basics.defs import Side
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.sim.ledger import ZERO, Purse, total_of
from mlthon.sim.orders import Limits, Position, Wallet
from mlthon.sim.terms import Terms

__all__ = ["Account"]


class Account(Funds):
    """One client of the exchange; made by `SimExchange.add_account`."""

    def __init__(
        self,
        name: str,
        index: int,
        purse: Purse,
        terms: dict[str, Terms],
        mark_price: Callable[[str], Price | None],
        orders: KeptOrders,
        limits: Limits,
    ) -> None:
        contracts = [symbol for symbol, term in terms.items() if not term.is_spot]
        leverages = dict.fromkeys(contracts, limits.default_leverage)
        super().__init__(name, index, purse, terms, leverages, mark_price, orders, limits.history)
        self._maintenance_rate = limits.maintenance_rate

    def __repr__(self) -> str:
        return f"<Account {self.name}>"

    # -- views -------------------------------------------------------------------------------------------------

    @property
    def coins(self) -> list[str]:
        """The coins it has, or has had, money in."""
        return sorted(self.purse.cash)

    def wallet(self, coin: str) -> Wallet:
        """Its money in one coin, as of now; zeros for a coin it never had."""
        contracts = self.settled_in.get(coin, ())
        position_margin = total_of(self.position_margin(symbol) for symbol in contracts)
        margin = total_of(self.margin(symbol) for symbol in contracts)
        return Wallet(
            coin=coin,
            balance=self.purse.cash.get(coin, ZERO),
            unrealised_pnl=total_of(self.unrealised(symbol) for symbol in contracts),
            maintenance_margin=total_of(self.maintenance_margin(symbol) for symbol in contracts),
            position_margin=position_margin,
            order_margin=margin - position_margin,
            locked=self.locked(coin),
        )

    def position(self, symbol: str) -> Position:
        """Its position in one contract, as of now; raises KeyError for a spot pair, which has none."""
        held = self.purse.position(symbol)
        return Position(
            symbol=symbol,
            size=held.size,
            entry_value=held.entry_value,
            avg_price=held.avg_price,
            mark_price=self.mark_price(symbol),
            unrealised_pnl=self.unrealised(symbol),
            realised_pnl=held.realised,
            fees=held.fees,
            funding=self.purse.funding[symbol],
            margin=self.position_margin(symbol),
            maintenance_margin=self.maintenance_margin(symbol),
            liquidation_price=self.liquidation_price(symbol),
            leverage=self.leverages[symbol],
        )

    def leverage(self, symbol: str) -> MLDecimal:
        """The leverage of a contract; raises KeyError for a spot pair."""
        return self.leverages[symbol]

    def set_leverage(self, symbol: str, leverage: MLDecimal) -> None:
        """Change the leverage of a contract, position and open orders included.

        Raises ValueError below 1, and when the margin it would ask for is not there.
        """
        if leverage < MLDecimal("1"):
            raise ValueError(f"leverage: expected 1 or more, got {leverage}")
        before = self.leverages[symbol]
        self.leverages[symbol] = leverage
        if leverage < before and self.wallet(self.terms[symbol].coin).available < ZERO:
            self.leverages[symbol] = before
            raise ValueError(f"leverage: there is not enough margin for {leverage}")

    # -- margin ------------------------------------------------------------------------------------------------

    def position_margin(self, symbol: str) -> MLDecimal:
        """Initial margin of the position in a contract."""
        cost: MLDecimal = self.purse.position(symbol).entry_value
        return abs(cost) / self.leverages[symbol]

    def maintenance_margin(self, symbol: str) -> MLDecimal:
        """The least equity that the position in a contract must have behind it."""
        return self.value_at_mark(symbol) * self._maintenance_rate

    def value_at_mark(self, symbol: str) -> MLDecimal:
        """What the position in a contract is worth at its mark; 0 when flat or without a mark."""
        size = self.purse.position(symbol).size
        mark = None if size.is_zero() else self.mark_price(symbol)
        return ZERO if mark is None else self.terms[symbol].value(mark, abs(size))

    def is_bankrupt(self, coin: str) -> bool:
        """Tell whether the equity in a coin no longer covers the maintenance margins of what is settled in it."""
        spare, is_held = self.purse.cash.get(coin, ZERO), False
        for symbol in self.settled_in.get(coin, ()):
            value = self.value_at_mark(symbol)
            if value:
                spare += self.unrealised(symbol) - value * self._maintenance_rate
                is_held = True
        return is_held and spare < ZERO

    def liquidation_price(self, symbol: str) -> Price | None:
        """The mark of a contract at which the account would be bankrupt in its coin; None: at none.

        At a value V of the position, its equity is that of now, more or less V - value now, and the maintenance
        margin is that of the other positions + rate * V.
        """
        size, now, terms = self.purse.position(symbol).size, self.value_at_mark(symbol), self.terms[symbol]
        if now.is_zero():
            return None
        contracts, one, rate = self.settled_in[terms.coin], MLDecimal("1"), self._maintenance_rate
        equity = self.purse.cash.get(terms.coin, ZERO) + total_of(map(self.unrealised, contracts))
        others = total_of(map(self.maintenance_margin, contracts)) - self.maintenance_margin(symbol)
        if terms.gains_with_value(Side.Buy if size.sign() > 0 else Side.Sell):
            value = (now - equity + others) / (one - rate)
        else:
            value = (now + equity - others) / (one + rate)
        return terms.average_price(value, abs(size)) if value > ZERO else None
