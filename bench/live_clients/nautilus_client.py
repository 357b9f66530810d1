"""nautilus_trader: an order from `on_order_book_deltas`, through its live node, its risk and execution engines."""

from decimal import Decimal

import nautilus_trader.adapters.bybit.factories as factories
from line import KEY, PRICE, QTY, REST, SECRET, WS
from nautilus_trader.adapters.bybit.common.enums import BybitProductType
from nautilus_trader.adapters.bybit.config import BybitDataClientConfig, BybitExecClientConfig
from nautilus_trader.adapters.bybit.factories import BybitLiveDataClientFactory, BybitLiveExecClientFactory
from nautilus_trader.config import (
    InstrumentProviderConfig,
    LiveExecEngineConfig,
    LoggingConfig,
    TradingNodeConfig,
)
from nautilus_trader.live.node import TradingNode
from nautilus_trader.model.enums import BookType, OrderSide, TimeInForce
from nautilus_trader.model.identifiers import InstrumentId, TraderId
from nautilus_trader.trading.strategy import Strategy

INSTRUMENT = InstrumentId.from_str("BTCUSDT-LINEAR.BYBIT")
factories.get_ws_base_url_public = lambda **_where: f"{WS}/v5/public/linear"


class Answering(Strategy):
    """Sends an order at every change of the book."""

    def on_start(self) -> None:
        self.instrument = self.cache.instrument(INSTRUMENT)
        self.price = self.instrument.make_price(Decimal(PRICE))
        self.qty = self.instrument.make_qty(Decimal(QTY))
        self.subscribe_order_book_deltas(INSTRUMENT, BookType.L2_MBP, depth=50)

    def on_order_book_deltas(self, _deltas: object) -> None:
        order = self.order_factory.limit(INSTRUMENT, OrderSide.BUY, self.qty, self.price, TimeInForce.IOC)
        self.submit_order(order)


provider = InstrumentProviderConfig(load_ids=frozenset({INSTRUMENT}))
account = {"api_key": KEY, "api_secret": SECRET, "base_url_http": REST, "instrument_provider": provider}
products = (BybitProductType.LINEAR,)
node = TradingNode(
    TradingNodeConfig(
        trader_id=TraderId("BENCH-001"),
        logging=LoggingConfig(log_level="ERROR"),
        exec_engine=LiveExecEngineConfig(reconciliation=False),
        data_clients={"BYBIT": BybitDataClientConfig(**account, product_types=products)},
        exec_clients={
            "BYBIT": BybitExecClientConfig(
                **account,
                product_types=products,
                base_url_ws_private=f"{WS}/v5/private",
                base_url_ws_trade=f"{WS}/v5/trade",
                use_ws_trade_api=True,
            )
        },
    )
)
node.add_data_client_factory("BYBIT", BybitLiveDataClientFactory)
node.add_exec_client_factory("BYBIT", BybitLiveExecClientFactory)
node.trader.add_strategy(Answering())
node.build()
node.run()
