"""An exchange with one contract and a listener that writes down what it is told, for the tests of the exchange."""

from __future__ import annotations

from typing import Any

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon.basics.defs import Exchange, InstrumentType, Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.instruments.perpetual import Perpetual
from mlthon.sim.account import Account
from mlthon.sim.exchange import SimExchange
from mlthon.sim.orders import Limits, NewOrder, SimFill, SimOrder

SYMBOL = "BTCUSDT"


def perpetual(symbol: str = SYMBOL, **fields: Any) -> Perpetual:
    rules: dict[str, Any] = {
        "price_tick_rules": "0.5",
        "quantity_tick_rules": "0.001",
        "min_quantity": "0.001",
        "min_notional": "5",
        "multiplier": "1",
    }
    return Perpetual(
        exchange=Exchange.Bybit,
        instrument_type=InstrumentType.Perpetual,
        mlt_symbol=f"{symbol[:-4]}-USDT",
        exch_instr_id=symbol,
        quote_currency="USDT",
        settlement_method="linear",
        **{**rules, **fields},
    )


class Listener:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def on_order(self, order: SimOrder) -> None:
        self.told.append(("order", order))

    def on_fill(self, fill: SimFill) -> None:
        self.told.append(("fill", fill))

    def on_position(self, account: Account, symbol: str) -> None:
        self.told.append(("position", account.name, symbol))

    def on_wallet(self, account: Account, coin: str) -> None:
        self.told.append(("wallet", account.name, coin))

    def on_depth(self, symbol: str, update: DepthUpdate) -> None:
        self.told.append(("depth", symbol, update))

    def on_trade(self, symbol: str, trade: PublicTrade) -> None:
        self.told.append(("trade", symbol, trade))

    def take(self) -> list[tuple[Any, ...]]:
        told, self.told = self.told, []
        return told


class SimScene:
    """Two accounts of 100,000 USDT in one contract; time passes by one with every question for it."""

    def __init__(self, *, limits: Limits | None = None, **fields: Any) -> None:
        self.now = 0
        self.exchange = SimExchange([perpetual(**fields)], self.now_ns, limits=limits)
        self.alice = self.exchange.add_account("alice", {"USDT": Qty("100000")})
        self.bob = self.exchange.add_account("bob", {"USDT": Qty("100000")})
        self.listener = Listener()
        self.exchange.attach(self.listener)

    def now_ns(self) -> int:
        self.now += 1
        return self.now

    def depth(self, bids: list[tuple[str, str]], asks: list[tuple[str, str]], **stamps: Any) -> None:
        self.exchange.apply_depth(SYMBOL, DepthUpdate(bids, asks, **stamps))

    def trade(self, side: Side, price: str, qty: str, **stamps: Any) -> None:
        self.exchange.apply_trade(SYMBOL, PublicTrade(side, price, qty, **stamps))

    def buy(self, account: Account, qty: str, price: str | None, **fields: Any) -> SimOrder:
        return self.exchange.place(account, order(Side.Buy, qty, price, **fields))

    def sell(self, account: Account, qty: str, price: str | None, **fields: Any) -> SimOrder:
        return self.exchange.place(account, order(Side.Sell, qty, price, **fields))


def order(side: Side, qty: str, price: str | None, **fields: Any) -> NewOrder:
    limit = None if price is None else Price(price)
    return NewOrder(SYMBOL, side, Qty(qty), limit, **fields)
