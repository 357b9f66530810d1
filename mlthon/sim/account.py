"""A client's account: what he has, what he holds, what his orders could cost him, and when it is all gone.

Each coin stands for itself: what is owned of one is no collateral for another, and nothing is lent. Margin of
contracts is simple initial margin. A symbol's margin is the largest position, at cost, that its open orders could
lead to, by its leverage; what the position holds already is the position's part, the rest the orders'. Open spot
orders lock all that they would give away.

The maintenance margin of a position is a fraction of its value at the mark. An account whose equity in a coin, profit
that is not realised included, is below the maintenance margins of the positions settled in it is bankrupt there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mlthon.basics.defs import Side
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.sim.ledger import ZERO, Purse, total_of
from mlthon.sim.order_archive import OrderArchive
from mlthon.sim.orders import Limits, Position, SimOrder, Wallet
from mlthon.sim.terms import Terms

__all__ = ["Account"]


class Exposure:
    """What an account's open orders in one symbol could cost; reduce-only orders cost nothing."""

    __slots__ = ("_outlays", "buys", "sells")

    def __init__(self) -> None:
        self.buys = ZERO  # in the coin that buying takes
        self.sells = ZERO
        self._outlays: dict[int, MLDecimal] = {}  # by open order: what it counts in the sums above

    def __len__(self) -> int:
        """How many orders are open."""
        return len(self._outlays)

    def follow(self, terms: Terms, order: SimOrder) -> None:
        """Count what is open of an order, instead of what was counted of it before."""
        change = -self._outlays.pop(order.order_id, ZERO)
        if order.state.is_open:
            outlay = open_outlay(terms, order)
            self._outlays[order.order_id] = outlay
            change += outlay
        if order.side is Side.Buy:
            self.buys += change
        else:
            self.sells += change

    def worst_value(
        self, held: MLDecimal, more_buys: MLDecimal = ZERO, more_sells: MLDecimal = ZERO
    ) -> MLDecimal:
        """The largest position at cost, of either sign, that may come of `held`, of this and so much more.

        Orders on either side only add: the largest is all that is bought, or all that is sold.
        """
        return max(held + self.buys + more_buys, self.sells + more_sells - held)


class Account:
    """One client of the exchange; made by `SimExchange.add_account`."""

    def __init__(
        self,
        name: str,
        index: int,
        purse: Purse,
        terms: Mapping[str, Terms],
        mark_price: Callable[[str], Price | None],
        limits: Limits,
    ) -> None:
        self.name = name
        self.index = index  # the matching engines' number of it
        self.purse = purse
        self.archive = OrderArchive(limits.history)
        self._terms = terms
        self._mark_price = mark_price
        self._maintenance_rate = limits.maintenance_rate
        self._leverage = {s: limits.default_leverage for s, term in terms.items() if not term.is_spot}
        self._settled_in: dict[str, list[str]] = {}  # contracts, by coin
        for symbol in self._leverage:
            self._settled_in.setdefault(terms[symbol].coin, []).append(symbol)
        self._pairs = [term for term in terms.values() if term.is_spot]
        self._exposure = {symbol: Exposure() for symbol in terms}

    def __repr__(self) -> str:
        return f"<Account {self.name}>"

    # -- views -------------------------------------------------------------------------------------------------

    @property
    def coins(self) -> list[str]:
        """The coins it has, or has had, money in."""
        return sorted(self.purse.cash)

    def wallet(self, coin: str) -> Wallet:
        """Its money in one coin, as of now; zeros for a coin it never had."""
        contracts = self._settled_in.get(coin, ())
        position_margin = total_of(self.position_margin(symbol) for symbol in contracts)
        margin = total_of(self.margin(symbol) for symbol in contracts)
        return Wallet(
            coin=coin,
            balance=self.purse.cash.get(coin, ZERO),
            unrealised_pnl=total_of(self._unrealised(symbol) for symbol in contracts),
            maintenance_margin=total_of(self.maintenance_margin(symbol) for symbol in contracts),
            position_margin=position_margin,
            order_margin=margin - position_margin,
            locked=total_of(self._locked(terms, coin) for terms in self._pairs),
        )

    def position(self, symbol: str) -> Position:
        """Its position in one contract, as of now; raises KeyError for a spot pair, which has none."""
        held = self.purse.position(symbol)
        return Position(
            symbol=symbol,
            size=held.size,
            entry_value=held.entry_value,
            avg_price=held.avg_price,
            mark_price=self._mark_price(symbol),
            unrealised_pnl=self._unrealised(symbol),
            realised_pnl=held.realised,
            fees=held.fees,
            funding=self.purse.funding[symbol],
            margin=self.position_margin(symbol),
            maintenance_margin=self.maintenance_margin(symbol),
            liquidation_price=self.liquidation_price(symbol),
            leverage=self._leverage[symbol],
        )

    def leverage(self, symbol: str) -> MLDecimal:
        """The leverage of a contract; raises KeyError for a spot pair."""
        return self._leverage[symbol]

    def set_leverage(self, symbol: str, leverage: MLDecimal) -> None:
        """Change the leverage of a contract, position and open orders included.

        Raises ValueError below 1, and when the margin it would ask for is not there.
        """
        if leverage < MLDecimal("1"):
            raise ValueError(f"leverage: expected 1 or more, got {leverage}")
        before = self._leverage[symbol]
        self._leverage[symbol] = leverage
        if leverage < before and self.wallet(self._terms[symbol].coin).available < ZERO:
            self._leverage[symbol] = before
            raise ValueError(f"leverage: there is not enough margin for {leverage}")

    # -- margin ------------------------------------------------------------------------------------------------

    def margin(self, symbol: str) -> MLDecimal:
        """Initial margin of the position and the open orders of a contract together."""
        return self._exposure[symbol].worst_value(self._held_at_cost(symbol)) / self._leverage[symbol]

    def position_margin(self, symbol: str) -> MLDecimal:
        """Initial margin of the position in a contract."""
        return abs(self.purse.position(symbol).entry_value) / self._leverage[symbol]

    def maintenance_margin(self, symbol: str) -> MLDecimal:
        """The least equity that the position in a contract must have behind it."""
        return self.value_at_mark(symbol) * self._maintenance_rate

    def value_at_mark(self, symbol: str) -> MLDecimal:
        """What the position in a contract is worth at its mark; 0 when flat or without a mark."""
        size = self.purse.position(symbol).size
        mark = None if size.is_zero() else self._mark_price(symbol)
        return ZERO if mark is None else self._terms[symbol].value(mark, abs(size))

    def is_bankrupt(self, coin: str) -> bool:
        """Tell whether the equity in a coin no longer covers the maintenance margins of what is settled in it."""
        spare, is_held = self.purse.cash.get(coin, ZERO), False
        for symbol in self._settled_in.get(coin, ()):
            value = self.value_at_mark(symbol)
            if value:
                spare += self._unrealised(symbol) - value * self._maintenance_rate
                is_held = True
        return is_held and spare < ZERO

    def liquidation_price(self, symbol: str) -> Price | None:
        """The mark of a contract at which the account would be bankrupt in its coin; None: at none.

        At a value V of the position, its equity is that of now, more or less V - value now, and the maintenance
        margin is that of the other positions + rate * V.
        """
        size, now, terms = self.purse.position(symbol).size, self.value_at_mark(symbol), self._terms[symbol]
        if now.is_zero():
            return None
        contracts, one, rate = self._settled_in[terms.coin], MLDecimal("1"), self._maintenance_rate
        equity = self.purse.cash.get(terms.coin, ZERO) + total_of(map(self._unrealised, contracts))
        others = total_of(map(self.maintenance_margin, contracts)) - self.maintenance_margin(symbol)
        if terms.gains_with_value(Side.Buy if size.sign() > 0 else Side.Sell):
            value = (now - equity + others) / (one - rate)
        else:
            value = (now + equity - others) / (one + rate)
        return terms.average_price(value, abs(size)) if value > ZERO else None

    def can_afford(self, symbol: str, side: Side, outlay: MLDecimal) -> bool:
        """Tell whether open orders about `outlay` more on a side are covered. What adds no margin always is."""
        terms = self._terms[symbol]
        try:
            if terms.is_spot:
                return outlay <= self.wallet(terms.outlay_coin(side)).spendable
            exposure, held = self._exposure[symbol], self._held_at_cost(symbol)
            buys, sells = (outlay, ZERO) if side is Side.Buy else (ZERO, outlay)
            worse = exposure.worst_value(held, buys, sells) - exposure.worst_value(held)
            if worse <= ZERO:
                return True
            return worse / self._leverage[symbol] <= self._available(terms.coin)
        except OverflowError:
            return False

    def open_orders_in(self, symbol: str) -> int:
        """How many open orders count against a symbol's limit: a contract's own, or those of all spot pairs."""
        if not self._terms[symbol].is_spot:
            return len(self._exposure[symbol])
        return sum(len(exposure) for pair, exposure in self._exposure.items() if self._terms[pair].is_spot)

    def follow(self, order: SimOrder) -> None:
        """Keep up with an order of this account that is new, or has changed."""
        self._exposure[order.symbol].follow(self._terms[order.symbol], order)

    def _available(self, coin: str) -> MLDecimal:
        """The same as its wallet's, without the rest of the wallet: it is asked with every order."""
        available = self.purse.cash.get(coin, ZERO)
        for symbol in self._settled_in.get(coin, ()):
            available += self._unrealised(symbol) - self.margin(symbol)
        for terms in self._pairs:
            available -= self._locked(terms, coin)
        return available

    def _unrealised(self, symbol: str) -> MLDecimal:
        held = self.purse.position(symbol)
        mark = None if held.size.is_zero() else self._mark_price(symbol)
        return ZERO if mark is None else held.unrealised(mark)

    def _held_at_cost(self, symbol: str) -> MLDecimal:
        """What the position in a contract cost, with the sign of its size."""
        held = self.purse.position(symbol)
        return abs(held.entry_value) * held.size.sign()

    def _locked(self, terms: Terms, coin: str) -> MLDecimal:
        """What the open orders in a spot pair have locked of a coin."""
        exposure = self._exposure[terms.symbol]
        if coin == terms.quote:
            return exposure.buys
        return exposure.sells if coin == terms.base else ZERO


def open_outlay(terms: Terms, order: SimOrder) -> MLDecimal:
    """What the open part of an order counts for margin, or locks."""
    if order.price is None or order.reduce_only:
        return ZERO
    return terms.outlay(order.side, order.price, order.leaves_qty)
