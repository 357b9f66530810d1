"""An account's wallet message: its coins, valued in USD where the venue has a price for them."""

from __future__ import annotations

from collections.abc import Sequence

from mlthon.basics.mldecimal import MLDecimal
from mlthon.sim.account import Account
from mlthon.sim.exchange import SimExchange
from mlthon.venues.bybit.account_messages import Json, wallet_row
from mlthon.venues.bybit.listing import Listing

_DOLLARS = frozenset({"USD", "USDT", "USDC"})


class Wallets:
    """Builds wallet rows. A dollar coin is worth one; another coin what its first market is marked at, or nothing."""

    def __init__(self, exchange: SimExchange, listing: Listing) -> None:
        self._exchange = exchange
        self._listing = listing

    def row(self, account: Account, coins: Sequence[str] | None = None) -> Json:
        """The account's totals, and its coins: all of them, or the ones given, those it never had with zeros."""
        wallets = [(account.wallet(coin), self._usd(coin)) for coin in account.coins]
        row = wallet_row(wallets)
        if coins is not None:
            row["coin"] = wallet_row([(account.wallet(coin), self._usd(coin)) for coin in coins])["coin"]
        return row

    def _usd(self, coin: str) -> MLDecimal:
        if coin in _DOLLARS:
            return MLDecimal("1")
        for market in self._listing:
            if market.terms.base == coin and market.terms.quote in _DOLLARS:
                mark = self._exchange.mark_price(market.traded_as)
                if mark is not None:
                    return mark.to_mldecimal()
        return MLDecimal("0")
