"""An exchange with one instrument and a listener that writes down what it is told, for the tests of the exchange."""

from __future__ import annotations

from typing import Any, ClassVar

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon.basics.defs import Exchange, InstrumentType, Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.instruments.instrument import Instrument
from mlthon.instruments.perpetual import Perpetual
from mlthon.instruments.spot import Spot
from mlthon.sim.account import Account
from mlthon.sim.exchange import SimExchange
from mlthon.sim.funding import FundingRules
from mlthon.sim.orders import Fees, Limits, NewOrder, QueueRule, SimFill, SimOrder, SimPayment
from mlthon.sim.terms import symbol_of

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


def inverse(symbol: str = "BTCUSD", **fields: Any) -> Perpetual:
    rules: dict[str, Any] = {"price_tick_rules": "0.5", "quantity_tick_rules": "1", "min_quantity": "1"}
    return Perpetual(
        exchange=Exchange.Bybit,
        instrument_type=InstrumentType.Perpetual,
        mlt_symbol=f"{symbol[:-3]}-USD",
        exch_instr_id=symbol,
        base_currency=symbol[:-3],
        quote_currency="USD",
        settlement_method="inverse",
        quantification="contracts",
        **{**rules, **fields},
    )


def spot(symbol: str = "BTCUSDT", **fields: Any) -> Spot:
    rules: dict[str, Any] = {
        "price_tick_rules": "0.5",
        "quantity_tick_rules": "0.001",
        "min_quantity": "0.001",
        "min_notional": "5",
    }
    return Spot(
        exchange=Exchange.Bybit,
        instrument_type=InstrumentType.Spot,
        mlt_symbol=f"{symbol[:-4]}-USDT",
        exch_instr_id=symbol,
        base_currency=symbol[:-4],
        quote_currency="USDT",
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

    def on_funding(self, payment: SimPayment) -> None:
        self.told.append(("funding", payment))

    def on_position(self, account: Account, symbol: str) -> None:
        self.told.append(("position", account.name, symbol))

    def on_wallet(self, account: Account, coins: tuple[str, ...]) -> None:
        self.told.append(("wallet", account.name, coins))

    def on_depth(self, symbol: str, update: DepthUpdate) -> None:
        self.told.append(("depth", symbol, update))

    def on_trade(self, symbol: str, trade: PublicTrade) -> None:
        self.told.append(("trade", symbol, trade))

    def take(self) -> list[tuple[Any, ...]]:
        told, self.told = self.told, []
        return told


class BookFollower(Listener):
    """Keeps a symbol's book from what it is told, which must be the displayed one whenever it is told of it."""

    def __init__(self, exchange: SimExchange, symbol: str) -> None:
        super().__init__()
        self.exchange = exchange
        self.symbol = symbol
        self.levels = self.displayed()
        self.updates = 0
        exchange.attach(self)

    def on_depth(self, symbol: str, update: DepthUpdate) -> None:
        if symbol != self.symbol:
            return
        self.updates += 1
        for side, levels in ((Side.Buy, update.bids()), (Side.Sell, update.asks())):
            for price, qty in levels:
                self.levels.pop((side, price), None)
                if not qty.is_zero():
                    self.levels[side, price] = qty
        assert self.levels == self.displayed()

    def displayed(self) -> dict[tuple[Side, Price], Qty]:
        book = self.exchange.book(self.symbol)
        return {
            (level.get_side(), level.get_price()): level.get_qty() for level in (*book.bids(), *book.asks())
        }


class SimScene:
    """Two rich accounts in one instrument, a linear contract by default; time passes with every question for it."""

    deposits: ClassVar = {"USDT": Qty("100000"), "BTC": Qty("10")}

    def __init__(
        self,
        instrument: Instrument | None = None,
        *,
        limits: Limits | None = None,
        fees: Fees | None = None,
        funding: FundingRules | None = None,
        queue_rule: QueueRule = QueueRule.Behind,
        **fields: Any,
    ) -> None:
        self.now = 0
        instrument = instrument or perpetual(**fields)
        self.symbol = symbol_of(instrument)
        self.exchange = SimExchange(
            [instrument], self.now_ns, limits=limits, fees=fees, funding=funding, queue_rule=queue_rule
        )
        self.alice = self.exchange.add_account("alice", self.deposits)
        self.bob = self.exchange.add_account("bob", self.deposits)
        self.listener = Listener()
        self.exchange.attach(self.listener)

    def now_ns(self) -> int:
        self.now += 1
        return self.now

    def depth(self, bids: list[tuple[str, str]], asks: list[tuple[str, str]], **stamps: Any) -> None:
        self.exchange.apply_depth(self.symbol, DepthUpdate(bids, asks, **stamps))

    def trade(self, side: Side, price: str, qty: str, **stamps: Any) -> None:
        self.exchange.apply_trade(self.symbol, PublicTrade(side, price, qty, **stamps))

    def buy(self, account: Account, qty: str, price: str | None, **fields: Any) -> SimOrder:
        return self.exchange.place(account, order(Side.Buy, qty, price, symbol=self.symbol, **fields))

    def sell(self, account: Account, qty: str, price: str | None, **fields: Any) -> SimOrder:
        return self.exchange.place(account, order(Side.Sell, qty, price, symbol=self.symbol, **fields))


def order(side: Side, qty: str, price: str | None, symbol: str = SYMBOL, **fields: Any) -> NewOrder:
    limit = None if price is None else Price(price)
    return NewOrder(symbol, side, Qty(qty), limit, **fields)
