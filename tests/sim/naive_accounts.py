"""Slow accounts over the naive matcher, written to be obviously right: the oracle of the exchange's bookkeeping.

Everything is a fraction, worked out anew from what is held and what rests whenever it is asked for. Where the
exchange rounds (a fill's value, the cost of what is closed, a margin), this rounds the exact result once, half-even
at the 18th decimal. Nothing here is shared with the exchange but the rules.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from naive_matcher import BUY, SELL, NaiveMatcher, NaiveOrder

LINEAR, INVERSE, PAIR = "BTCUSDT", "BTCUSD", "BTC/USDT"
CONTRACTS = {LINEAR: "USDT", INVERSE: "BTC"}  # and what they are settled in
COINS = ("USDT", "BTC")
MAKER, TAKER, SPOT = Fraction("0.0002"), Fraction("0.00055"), Fraction("0.001")
LEVERAGE, MAINTENANCE = 20, Fraction("0.005")

Levels = list[tuple[Decimal, Decimal]]


def rounded(value: Fraction) -> Fraction:
    return Fraction(round(value * 10**18), 10**18)


def value_of(symbol: str, price: Decimal, qty: Decimal) -> Fraction:
    exact = Fraction(qty) / Fraction(price) if symbol == INVERSE else Fraction(price) * Fraction(qty)
    return rounded(exact)


def outlay_coin(symbol: str, side: int) -> str:
    if symbol == PAIR:
        return "USDT" if side == BUY else "BTC"
    return CONTRACTS[symbol]


def outlay(symbol: str, side: int, price: Decimal, qty: Decimal) -> Fraction:
    return Fraction(qty) if symbol == PAIR and side == SELL else value_of(symbol, price, qty)


@dataclass
class NaiveAccount:
    index: int
    cash: dict[str, Fraction]
    size: defaultdict[str, Fraction]
    cost: defaultdict[str, Fraction]  # of the open size, never negative


class NaiveExchange:
    def __init__(
        self, accounts: int, deposits: dict[str, Decimal], ticks: dict[str, Decimal], lot: Decimal
    ) -> None:
        self.matchers = {symbol: NaiveMatcher(accounts) for symbol in (LINEAR, INVERSE, PAIR)}
        self.last: dict[str, Decimal | None] = dict.fromkeys(self.matchers)
        self.ticks, self.lot = ticks, lot
        self.takeovers: list[tuple[int, str, Fraction]] = []
        self.sides: dict[int, tuple[int, int]] = {}  # account and side, by order
        self.accounts = [
            NaiveAccount(
                index,
                {coin: Fraction(amount) for coin, amount in deposits.items()},
                defaultdict(Fraction),
                defaultdict(Fraction),
            )
            for index in range(accounts)
        ]

    # -- what happens ----------------------------------------------------------------------------------------------

    def place(self, symbol: str, order: NaiveOrder) -> bool:
        """Place an order with a limit or at the market; False when funds do not cover it."""
        account = self.accounts[order.account]
        if not order.reduce_only and not self.covers(
            account, symbol, order.side, self.cost_of(symbol, order)
        ):
            return False
        if symbol == PAIR and order.price is None and order.side == BUY:
            spendable = max(self.spendable(account, "USDT"), Fraction(0))
            order.max_value, order.lot = (
                Decimal(spendable.numerator) / Decimal(spendable.denominator),
                self.lot,
            )
        self.sides[order.order_id] = (order.account, order.side)
        self.then(symbol, lambda matcher: matcher.place(order))
        return True

    def amend(self, symbol: str, order_id: int, price: Decimal, leaves: Decimal) -> bool:
        order = self.matchers[symbol].order(order_id)
        assert order.price is not None
        if not order.reduce_only:
            more = outlay(symbol, order.side, price, leaves) - outlay(
                symbol, order.side, order.price, order.leaves
            )
            if more > 0 and not self.covers(self.accounts[order.account], symbol, order.side, more):
                return False
        self.then(symbol, lambda matcher: matcher.amend(order_id, price, leaves))
        return True

    def cancel(self, symbol: str, order_id: int) -> None:
        self.then(symbol, lambda matcher: matcher.cancel(order_id))

    def trade(self, symbol: str, side: int, price: Decimal, qty: Decimal, at_ns: int) -> None:
        self.last[symbol] = price
        self.then(symbol, lambda matcher: matcher.trade(side, price, qty, at_ns))

    def depth(self, symbol: str, bids: Levels, asks: Levels, at_ns: int) -> None:
        self.then(symbol, lambda matcher: matcher.depth(bids, asks, True, at_ns))

    def pay_funding(self, symbol: str, rate: Fraction) -> None:
        mark = self.mark(symbol)
        if mark is None:
            return
        for account in self.accounts:
            size = account.size[symbol]
            owed = rounded(self.value_at_mark(account, symbol) * rate)
            account.cash[CONTRACTS[symbol]] -= owed if size > 0 else -owed
        self.liquidate(CONTRACTS[symbol])

    def then(self, symbol: str, act: Callable[[NaiveMatcher], None]) -> None:
        matcher = self.matchers[symbol]
        act(matcher)
        for order_id, price, qty, is_maker, _ in matcher.fills:
            self.book(symbol, order_id, price, qty, is_maker)
            self.last[symbol] = price
        matcher.fills.clear()
        for coin in COINS if symbol == PAIR else (CONTRACTS[symbol],):
            self.liquidate(coin)

    # -- bookkeeping -----------------------------------------------------------------------------------------------

    def book(self, symbol: str, order_id: int, price: Decimal, qty: Decimal, is_maker: bool) -> None:
        index, side = self.sides[order_id]
        account, value = self.accounts[index], value_of(symbol, price, qty)
        if symbol == PAIR:
            sign = 1 if side == BUY else -1
            account.cash["BTC"] += sign * Fraction(qty)
            account.cash["USDT"] -= sign * value
            account.size[symbol] += sign * Fraction(qty)
            received, amount = ("BTC", Fraction(qty)) if side == BUY else ("USDT", value)
            account.cash[received] -= rounded(amount * SPOT)
            return
        self.change(account, symbol, side, price, qty)
        account.cash[CONTRACTS[symbol]] -= rounded(value * (MAKER if is_maker else TAKER))

    def change(self, account: NaiveAccount, symbol: str, side: int, price: Decimal, qty: Decimal) -> None:
        """Change a position: first close what is held the other way, then open."""
        held, sign = account.size[symbol], 1 if side == BUY else -1
        closed = min(abs(held), Fraction(qty)) if held * sign < 0 else Fraction(0)
        whole = value_of(symbol, price, qty)
        closed_value = value_of(symbol, price, Decimal(closed.numerator) / Decimal(closed.denominator))
        if closed:
            part = rounded(account.cost[symbol] * closed / abs(held))
            sold_high = closed_value - part
            account.cash[CONTRACTS[symbol]] += (
                sold_high if (held > 0) is not (symbol == INVERSE) else -sold_high
            )
            account.cost[symbol] -= part
        account.cost[symbol] += whole - closed_value
        account.size[symbol] += sign * Fraction(qty)

    # -- margin ----------------------------------------------------------------------------------------------------

    def mark(self, symbol: str) -> Fraction | None:
        bids, asks = (self.matchers[symbol].displayed(side) for side in (BUY, SELL))
        if not bids or not asks:
            return None if self.last[symbol] is None else Fraction(self.last[symbol])
        return Fraction(int((Fraction(bids[0][0]) + Fraction(asks[0][0])) / 2 * 10**18), 10**18)

    def value_at_mark(self, account: NaiveAccount, symbol: str) -> Fraction:
        mark, size = self.mark(symbol), abs(account.size[symbol])
        if mark is None or not size:
            return Fraction(0)
        return rounded(size / mark if symbol == INVERSE else size * mark)

    def unrealised(self, account: NaiveAccount, symbol: str) -> Fraction:
        if self.mark(symbol) is None or not account.size[symbol]:
            return Fraction(0)
        grown = self.value_at_mark(account, symbol) - account.cost[symbol]
        return grown if (account.size[symbol] > 0) is not (symbol == INVERSE) else -grown

    def maintenance(self, account: NaiveAccount, symbol: str) -> Fraction:
        return rounded(self.value_at_mark(account, symbol) * MAINTENANCE)

    def equity(self, account: NaiveAccount, coin: str) -> Fraction:
        return account.cash[coin] + sum(self.unrealised(account, symbol) for symbol in settled_in(coin))

    def resting(self, account: NaiveAccount, symbol: str) -> Iterable[NaiveOrder]:
        orders = list(self.matchers[symbol].resting())
        return [order for order in orders if order.account == account.index]

    def open_outlay(self, account: NaiveAccount, symbol: str, side: int) -> Fraction:
        return sum(
            (
                outlay(symbol, side, order.price, order.leaves)
                for order in self.resting(account, symbol)
                if order.side == side and not order.reduce_only and order.price is not None
            ),
            Fraction(0),
        )

    def worst(
        self, account: NaiveAccount, symbol: str, more_buys: Fraction, more_sells: Fraction
    ) -> Fraction:
        held = account.cost[symbol] if account.size[symbol] > 0 else -account.cost[symbol]
        buys = self.open_outlay(account, symbol, BUY) + more_buys
        sells = self.open_outlay(account, symbol, SELL) + more_sells
        return max(abs(held), abs(held + buys), abs(held - sells))

    def margin(self, account: NaiveAccount, symbol: str) -> Fraction:
        return rounded(self.worst(account, symbol, Fraction(0), Fraction(0)) / LEVERAGE)

    def locked(self, account: NaiveAccount, coin: str) -> Fraction:
        return self.open_outlay(account, PAIR, BUY if coin == "USDT" else SELL)

    def available(self, account: NaiveAccount, coin: str) -> Fraction:
        margins = sum(self.margin(account, symbol) for symbol in settled_in(coin))
        return self.equity(account, coin) - margins - self.locked(account, coin)

    def spendable(self, account: NaiveAccount, coin: str) -> Fraction:
        profit = sum(self.unrealised(account, symbol) for symbol in settled_in(coin))
        return self.available(account, coin) - max(profit, Fraction(0))

    def cost_of(self, symbol: str, order: NaiveOrder) -> Fraction:
        """What an order ties up: at its limit, or at the best price, or at the last."""
        best = self.matchers[symbol].displayed(1 - order.side)
        price = order.price or (best[0][0] if best else self.last[symbol])
        return Fraction(0) if price is None else outlay(symbol, order.side, price, order.leaves)

    def covers(self, account: NaiveAccount, symbol: str, side: int, more: Fraction) -> bool:
        if symbol == PAIR:
            return more <= self.spendable(account, outlay_coin(symbol, side))
        buys, sells = (more, Fraction(0)) if side == BUY else (Fraction(0), more)
        none = Fraction(0)
        worse = self.worst(account, symbol, buys, sells) - self.worst(account, symbol, none, none)
        return worse <= 0 or rounded(worse / LEVERAGE) <= self.available(account, CONTRACTS[symbol])

    # -- liquidation -----------------------------------------------------------------------------------------------

    def is_bankrupt(self, account: NaiveAccount, coin: str) -> bool:
        symbols = settled_in(coin)
        if not any(self.value_at_mark(account, symbol) for symbol in symbols):
            return False
        return self.equity(account, coin) < sum(self.maintenance(account, symbol) for symbol in symbols)

    def liquidate(self, coin: str) -> None:
        while bankrupt := [account for account in self.accounts if self.is_bankrupt(account, coin)]:
            for account in bankrupt:
                for symbol, matcher in self.matchers.items():
                    for order in self.resting(account, symbol):
                        if outlay_coin(symbol, order.side) == coin:
                            matcher.cancel(order.order_id)
                if self.is_bankrupt(account, coin):
                    self.take_over(account, coin)

    def take_over(self, account: NaiveAccount, coin: str) -> None:
        (symbol,) = settled_in(coin)  # one contract a coin: all of the equity stands behind it
        mark, size, equity = self.mark(symbol), account.size[symbol], self.equity(account, coin)
        assert mark is not None
        if symbol == INVERSE:
            worth = abs(size) / mark + (equity if size > 0 else -equity)
            price = abs(size) / worth if worth > 0 else Fraction(0)
        else:
            price = max(mark - equity / size, Fraction(0))
        tick = Fraction(self.ticks[symbol])
        count = -(-price // tick) if size > 0 else max(price // tick, 1)
        on_tick = Decimal(int(count)) * self.ticks[symbol]
        qty = Decimal(abs(size).numerator) / Decimal(abs(size).denominator)
        self.matchers[symbol].move_position(account.index, -qty if size > 0 else qty)
        self.takeovers.append((account.index, symbol, Fraction(on_tick)))
        self.change(account, symbol, SELL if size > 0 else BUY, on_tick, qty)


def settled_in(coin: str) -> list[str]:
    return [symbol for symbol, settled in CONTRACTS.items() if settled == coin]
