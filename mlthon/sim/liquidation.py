"""Liquidation: what happens to an account whose equity no longer carries its positions.

In the coin in which it is bankrupt, its open orders are cancelled first, of contracts and of spot pairs that give
that coin away. If that does not help, all positions settled in the coin are taken over by the market at once, past
the book, at the prices at which the account has nothing left: each takes a part of the equity, in proportion to its
maintenance margin. Prices are rounded to the tick in the account's favour, so it does not end below nothing; what a
jump of the market has taken beyond its equity, the market bears. The large venues liquidate step by step, and through
the book where they can; this one does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlthon.basics.defs import Side
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.sim.account import Account
from mlthon.sim.ledger import ZERO
from mlthon.sim.orders import EndReason, OrderState, SimOrder
from mlthon.sim.settlement import Settlement
from mlthon.sim.symbol_market import SymbolMarket

__all__ = ["Liquidator"]


class Liquidator:
    """Looks for bankrupt accounts, and liquidates them."""

    def __init__(
        self, markets: Mapping[str, SymbolMarket], accounts: Sequence[Account], settlement: Settlement
    ) -> None:
        self._markets = markets
        self._accounts = accounts
        self._settlement = settlement

    def check(self, coins: Sequence[str]) -> None:
        """Liquidate whoever is bankrupt in one of the coins, and whoever that makes bankrupt."""
        while bankrupt := self._bankrupt(coins):
            for account, coin in bankrupt:
                self._liquidate(account, coin)

    def _bankrupt(self, coins: Sequence[str]) -> list[tuple[Account, str]]:
        return [(account, coin) for account in self._accounts for coin in coins if account.is_bankrupt(coin)]

    def _liquidate(self, account: Account, coin: str) -> None:
        for order in tuple(account.archive.open_orders()):
            if self._markets[order.symbol].terms.outlay_coin(order.side) == coin:
                self._cancel(account, order)
        # Freed margin changes no equity, but a book without those orders may be marked otherwise.
        if account.is_bankrupt(coin):
            self._take_over(account, coin)

    def _cancel(self, account: Account, order: SimOrder) -> None:
        market = self._markets[order.symbol]
        market.engine.cancel(order.order_id)
        ended = self._settlement.end(account, order, OrderState.Cancelled, EndReason.BeforeLiquidation)
        self._settlement.settle(market, changed=ended)

    def _take_over(self, account: Account, coin: str) -> None:
        wallet = account.wallet(coin)
        held = [
            market
            for market in self._markets.values()
            if market.terms.coin == coin and not market.terms.is_spot and account.value_at_mark(market.symbol)
        ]
        # All prices are of one moment, before the first position goes.
        prices = [
            bankruptcy_price(
                market,
                account,
                wallet.equity * (account.maintenance_margin(market.symbol) / wallet.maintenance_margin),
            )
            for market in held
        ]
        for market, price in zip(held, prices, strict=True):
            self._settlement.take_over(market, account, price)


def bankruptcy_price(market: SymbolMarket, account: Account, equity: MLDecimal) -> Price:
    """Where a position has lost all of the equity behind it, or a better price, on the tick."""
    size, terms = account.purse.position(market.symbol).size, market.terms
    is_long = size.sign() > 0
    gains = terms.gains_with_value(Side.Buy if is_long else Side.Sell)
    now = account.value_at_mark(market.symbol)
    value = now - equity if gains else now + equity
    price = terms.price_at(value, abs(size)) if value > ZERO else Price("0")
    return market.round_to_tick(price, up=is_long)
