"""MLThon, as a strategy sees it: an order from `on_best_bid_level_update`, its end in `on_order_cancelled`."""

import uvloop
from line import GONE, KEY, MODE, PRICE, QTY, REST, SECRET, WS, Quotes

from mlthon.api.istrat_env import MDSub
from mlthon.basics.defs import TIF, Exchange, Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.engine.clock import LiveClock
from mlthon.engine.live import LiveEngine
from mlthon.exchanges.bybit import BybitConfig, BybitConnector


class Strategy:
    def on_framework_connected(self, env):
        self.env = env
        env.login("bench")
        env.subscribe_to_market_data(Exchange.Bybit, ["byt:perp:BTC-USDT"], [MDSub.PriceLevelBook, MDSub.BBO])
        env.request_execution_connection(Exchange.Bybit, ["byt:perp:BTC-USDT"])


class Answering(Strategy):
    """Sends an order at every best bid."""

    price, qty = Price(PRICE), Qty(QTY)

    def on_best_bid_level_update(self, exchange, instrument_id, price, qty, recv_ts):
        self.env.send_new_order(
            None, exchange, instrument_id, Side.Buy, self.price, self.qty, time_in_force=TIF.IOC
        )

    def on_order_cancelled(self, exchange, client_ord_id, unsolicited, *rest):
        pass


class Watching(Strategy):
    """Is told every best bid and ask."""

    def __init__(self):
        self.quotes = Quotes()
        self.at_first = Price(str(GONE))
        self.moved = False

    def on_best_bid_level_update(self, exchange, instrument_id, price, qty, recv_ts):
        pass

    def on_best_ask_level_update(self, exchange, instrument_id, price, qty, recv_ts):
        self.quotes.on_ask(price.to_float())


async def main() -> None:
    clock = LiveClock()
    config = BybitConfig(
        REST,
        f"{WS}/v5/public",
        f"{WS}/v5/private",
        f"{WS}/v5/trade",
        api_key=KEY,
        api_secret=SECRET,
        silent_after_ms=None,
        rate_factor=1_000,
    )
    strategy = Answering() if MODE == "order" else Watching()
    engine = LiveEngine(strategy, [BybitConnector(config, clock.now_ns)], clock=clock)
    await engine.start()
    await engine.failed.wait()
    engine.env.session.raise_failure()


uvloop.run(main())
