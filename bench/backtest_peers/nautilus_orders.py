"""nautilus_trader: a `BacktestEngine` whose strategy submits at each trade tick, and cancels on acceptance.

Without latencies, with a request limit that nothing reaches, and without a log.
"""

import sys

from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.config import BacktestEngineConfig, LoggingConfig, RiskEngineConfig
from nautilus_trader.model.currencies import USDT
from nautilus_trader.model.data import TradeTick
from nautilus_trader.model.enums import AccountType, AggressorSide, OmsType, OrderSide
from nautilus_trader.model.identifiers import TradeId
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.trading.strategy import Strategy
from turns import serve

WORK, COUNT = sys.argv[1], int(sys.argv[2])
START_NS, GAP_NS = 1_700_000_000_000_000_000, 200_000_000
INSTRUMENT = TestInstrumentProvider.btcusdt_perp_binance()


class Quiet(Strategy):
    """Is told of every trade."""

    def __init__(self) -> None:
        super().__init__()
        self.done = 0

    def on_start(self) -> None:
        self.subscribe_trade_ticks(INSTRUMENT.id)

    def on_trade_tick(self, tick): ...


class Orders(Quiet):
    """Sends an order at every trade."""

    def on_start(self) -> None:
        super().on_start()
        self.price, self.qty = Price(50_000.0, 1), Quantity(0.010, 3)

    def on_trade_tick(self, tick):
        self.submit_order(self.order_factory.limit(INSTRUMENT.id, OrderSide.BUY, self.qty, self.price))

    def on_order_accepted(self, event):
        self.cancel_order(self.cache.order(event.client_order_id))

    def on_order_canceled(self, event):
        self.done += 1


def trades() -> list[TradeTick]:
    price, qty = Price(60_000.1, 1), Quantity(0.001, 3)
    times = (START_NS + (number + 1) * GAP_NS for number in range(COUNT))
    return [
        TradeTick(INSTRUMENT.id, price, qty, AggressorSide.BUYER, TradeId(str(number)), ns, ns)
        for number, ns in enumerate(times)
    ]


ticks = trades()
strategy: Quiet


def prepare() -> BacktestEngine:
    global strategy  # noqa: PLW0603 - of the run that is timed
    strategy = Orders() if WORK == "orders" else Quiet()
    limits = RiskEngineConfig(max_order_submit_rate="1000000/00:00:01")
    quiet = LoggingConfig(bypass_logging=True)
    engine = BacktestEngine(BacktestEngineConfig(logging=quiet, risk_engine=limits))
    engine.add_venue(
        INSTRUMENT.id.venue, OmsType.NETTING, AccountType.MARGIN, starting_balances=[Money(1_000_000, USDT)]
    )
    engine.add_instrument(INSTRUMENT)
    engine.add_data(ticks)
    engine.add_strategy(strategy)
    return engine


def seen(engine: BacktestEngine) -> dict[str, int]:
    engine.dispose()
    return {"cancelled": strategy.done}


serve(prepare, BacktestEngine.run, seen)
