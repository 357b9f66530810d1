"""A client's account: what he has, what he holds, and what his orders could cost him.

Margin is simple initial margin. A symbol's margin is the largest position, at cost, that its open orders could lead
to, by its leverage; what the position holds already is the position's part, the rest the orders'. Nobody is
liquidated: an account that has lost everything cannot add to its risk, and that is all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mlthon.basics.defs import Side
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.sim.ledger import ZERO, Purse
from mlthon.sim.orders import Position, SimOrder, Wallet

__all__ = ["Account"]


@dataclass(slots=True)
class Exposure:
    """What an account's open orders in one symbol could add; reduce-only orders add nothing."""

    buy_value: MLDecimal = ZERO
    sell_value: MLDecimal = ZERO
    open_orders: int = 0

    def worst_value(self, held: MLDecimal) -> MLDecimal:
        """The largest position at cost, of either sign, that may come of `held`."""
        return max(abs(held), abs(held + self.buy_value), abs(held - self.sell_value))


class Account:
    """One client of the exchange; made by `SimExchange.add_account`."""

    def __init__(
        self,
        name: str,
        index: int,
        purse: Purse,
        coin_of: dict[str, str],
        mark_price: Callable[[str], Price | None],
        default_leverage: MLDecimal,
    ) -> None:
        self.name = name
        self.index = index  # the matching engines' number of it
        self.purse = purse
        self._coin_of = coin_of
        self._mark_price = mark_price
        self._leverage = dict.fromkeys(coin_of, default_leverage)
        self._exposure = {symbol: Exposure() for symbol in coin_of}

    def __repr__(self) -> str:
        return f"<Account {self.name}>"

    # -- views -------------------------------------------------------------------------------------------------

    @property
    def coins(self) -> list[str]:
        """The coins it has, or has had, money in."""
        return sorted(self.purse.cash)

    def wallet(self, coin: str) -> Wallet:
        """Its money in one coin, as of now; zeros for a coin it never had."""
        unrealised, position_margin, order_margin = ZERO, ZERO, ZERO
        for symbol, settled_in in self._coin_of.items():
            if settled_in != coin:
                continue
            held, mark = self.purse.position(symbol), self._mark_price(symbol)
            if mark is not None and not held.size.is_zero():
                unrealised += held.unrealised(mark)
            margin = self.position_margin(symbol)
            position_margin += margin
            order_margin += self.margin(symbol) - margin
        return Wallet(coin, self.purse.cash.get(coin, ZERO), unrealised, position_margin, order_margin)

    def position(self, symbol: str) -> Position:
        """Its position in one symbol, as of now."""
        held = self.purse.position(symbol)
        mark = self._mark_price(symbol)
        return Position(
            symbol=symbol,
            size=held.size,
            entry_value=held.entry_value,
            avg_price=held.avg_price,
            mark_price=mark,
            unrealised_pnl=ZERO if mark is None else held.unrealised(mark),
            realised_pnl=held.realised,
            fees=held.fees,
            margin=self.position_margin(symbol),
            leverage=self._leverage[symbol],
        )

    def leverage(self, symbol: str) -> MLDecimal:
        return self._leverage[symbol]

    def set_leverage(self, symbol: str, leverage: MLDecimal) -> None:
        """Change the leverage of a symbol, position and open orders included.

        Raises ValueError below 1, and when the margin it would ask for is not there.
        """
        if leverage < MLDecimal("1"):
            raise ValueError(f"leverage: expected 1 or more, got {leverage}")
        before = self._leverage[symbol]
        self._leverage[symbol] = leverage
        if leverage < before and self.wallet(self._coin_of[symbol]).available < ZERO:
            self._leverage[symbol] = before
            raise ValueError(f"leverage: there is not enough margin for {leverage}")

    # -- margin ------------------------------------------------------------------------------------------------

    def margin(self, symbol: str) -> MLDecimal:
        """Initial margin of the position and the open orders together."""
        held = self.purse.position(symbol).entry_value
        return self._exposure[symbol].worst_value(held) / self._leverage[symbol]

    def position_margin(self, symbol: str) -> MLDecimal:
        return abs(self.purse.position(symbol).entry_value) / self._leverage[symbol]

    def can_afford(self, symbol: str, side: Side, more_value: MLDecimal) -> bool:
        """Tell whether open orders worth `more_value` more on a side are covered. What adds no margin always is."""
        exposure = self._exposure[symbol]
        trial = Exposure(exposure.buy_value, exposure.sell_value)
        try:
            add_value(trial, side, more_value)
            held = self.purse.position(symbol).entry_value
            worse = trial.worst_value(held) - exposure.worst_value(held)
            if worse <= ZERO:
                return True
            return worse / self._leverage[symbol] <= self.wallet(self._coin_of[symbol]).available
        except OverflowError:
            return False

    def open_orders_in(self, symbol: str) -> int:
        return self._exposure[symbol].open_orders

    def follow(self, before: SimOrder | None, after: SimOrder) -> None:
        """Keep up with an order of this account that changed from `before` (None: new) to `after`."""
        exposure = self._exposure[after.symbol]
        if before is not None and before.is_open:
            add_value(exposure, before.side, -open_value(before))
            exposure.open_orders -= 1
        if after.is_open:
            add_value(exposure, after.side, open_value(after))
            exposure.open_orders += 1


def open_value(order: SimOrder) -> MLDecimal:
    """What the open part of an order counts for margin."""
    if order.price is None or order.reduce_only:
        return ZERO
    return order.price * order.leaves_qty


def add_value(exposure: Exposure, side: Side, value: MLDecimal) -> None:
    if side is Side.Buy:
        exposure.buy_value += value
    else:
        exposure.sell_value += value
