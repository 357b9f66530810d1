"""nautilus_trader: a backtest engine over deltas and trades made beforehand, its book kept at venue and strategy.

Deltas come in a batch for each message (``best``), or one by one (``levels``). No latencies of orders, no fees.
"""

import sys

import numpy as np
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.config import BacktestEngineConfig, LoggingConfig
from nautilus_trader.model.currencies import USDT
from nautilus_trader.model.data import BookOrder, OrderBookDelta, OrderBookDeltas, TradeTick
from nautilus_trader.model.enums import (
    AccountType,
    AggressorSide,
    BookAction,
    BookType,
    OmsType,
    OrderSide,
    RecordFlag,
)
from nautilus_trader.model.identifiers import TradeId
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.trading.strategy import Strategy
from turns import serve

DEPTH, TRADE, LAST, SNAPSHOT = 0, 1, 1, 2
WORK, MARKET = sys.argv[1], sys.argv[2]
INSTRUMENT = TestInstrumentProvider.btcusdt_perp_binance()
ID = INSTRUMENT.id


class Empty(Strategy):
    """Does nothing with what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.top: list[float] = []

    def on_start(self) -> None:
        self.subscribe_order_book_deltas(ID, BookType.L2_MBP)
        self.subscribe_trade_ticks(ID)

    def on_order_book_deltas(self, deltas): ...

    def on_trade_tick(self, tick): ...

    def on_stop(self) -> None:
        book = self.cache.order_book(ID)
        self.top = [float(book.best_bid_price()), float(book.best_ask_price())]


def events() -> tuple[list[object], list[TradeTick]]:
    """The market as nautilus_trader's own data, in order of time."""
    books: list[object] = []
    trades: list[TradeTick] = []
    message: list[OrderBookDelta] = []
    market = np.load(MARKET)
    columns = (market[name].tolist() for name in ("ns", "kind", "flags", "side", "price", "qty"))
    for number, (ns, kind, flags, side, price, qty) in enumerate(zip(*columns, strict=True)):
        if kind == TRADE:
            taker = AggressorSide.BUYER if side == 0 else AggressorSide.SELLER
            size = Quantity(qty / 1_000, 3)
            trades.append(TradeTick(ID, Price(price / 10, 1), size, taker, TradeId(str(number)), ns, ns))
            continue
        if flags & SNAPSHOT and not message:
            message.append(OrderBookDelta.clear(ID, number, ns, ns))
        order = BookOrder(
            OrderSide.BUY if side == 0 else OrderSide.SELL, Price(price / 10, 1), Quantity(qty / 1_000, 3), 0
        )
        is_last = flags & LAST or WORK == "levels"
        action = BookAction.UPDATE if qty else BookAction.DELETE
        delta = OrderBookDelta(ID, action, order, RecordFlag.F_LAST if is_last else 0, number, ns, ns)
        message.append(delta)
        if flags & LAST:
            books += message if WORK == "levels" else [OrderBookDeltas(ID, message)]
            message = []
    return books, trades


strategy = Empty()
engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
engine.add_venue(
    ID.venue, OmsType.NETTING, AccountType.MARGIN, [Money(1_000_000, USDT)], book_type=BookType.L2_MBP
)
engine.add_instrument(INSTRUMENT)
engine.add_strategy(strategy)
for made in events():
    engine.add_data(made)


def prepare() -> BacktestEngine:
    engine.reset()
    return engine


serve(prepare, BacktestEngine.run, lambda _engine: {"top": strategy.top})
