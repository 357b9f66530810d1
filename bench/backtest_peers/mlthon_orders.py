"""MLThon: a `Backtest` whose strategy sends an order at each trade, far from the market, and cancels it when acked.

Through `OrderMgr` and the environment, without latencies, as the peer; all else as it is by default, but for request
limits, which the peer has none of.
"""

import sys
from typing import Any

from turns import serve

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon.api.istrat_env import IStratEnv
from mlthon.backtest.backtest import Backtest, Settings
from mlthon.backtest.latency import Latency
from mlthon.backtest.request_limits import RequestRates
from mlthon.basics.defs import Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.order.order_mgr import OrderMgr
from mlthon.sim.synthetic import SyntheticMarket

WORK, COUNT = sys.argv[1], int(sys.argv[2])
START_NS, GAP_NS = 1_700_000_000_000_000_000, 200_000_000


class Trades:
    """As many trades as orders are to be sent, at even distances, over a book of one level a side."""

    def __init__(self) -> None:
        self.instrument = SyntheticMarket(1).instrument
        bids, asks = [("60000.0", "5")], [("60000.1", "5")]
        book = DepthUpdate(bids, asks, is_snapshot=True, venue_ns=START_NS, recv_ns=START_NS, seq=1)
        self.events: list[tuple[int, DepthUpdate | PublicTrade]] = [(0, book)]
        for number in range(COUNT + 1):  # the last one lets the answers to the one before arrive
            ns = START_NS + (number + 1) * GAP_NS
            trade = PublicTrade(Side.Buy, "60000.1", "0.001", venue_ns=ns, recv_ns=ns, trade_id=str(number))
            self.events.append((GAP_NS, trade))

    def __iter__(self):
        return iter(self.events)


class Quiet:
    """Is told of every trade."""

    def __init__(self) -> None:
        self.done = 0

    def on_framework_connected(self, env: IStratEnv) -> None:
        self.env = env
        env.login("bench")

    def on_stop(self, *_args: Any) -> None:
        self.env.send_stop_ack()

    def on_gateway_status(self, exchange, status, detail): ...

    def on_feed_handler_status(self, exchange, status, detail): ...

    def on_public_trade(self, exchange, instrument_id, side, price, qty, exec_ts, recv_ts): ...


class Orders(Quiet):
    """Sends an order at every trade."""

    def __init__(self) -> None:
        super().__init__()
        self.mgr = OrderMgr("bench")
        self.price, self.qty = Price("50000.0"), Qty("0.010")

    def on_public_trade(self, exchange, instrument_id, side, price, qty, exec_ts, recv_ts):
        if self.mgr.get_num_open_orders() or self.done == COUNT:
            return
        order = self.mgr.prepare_new_order(instrument_id, Side.Buy, self.price, self.qty)
        self.env.send_new_order(
            order.get_client_id(), exchange, instrument_id, Side.Buy, self.price, self.qty
        )

    def on_new_order_ack(
        self,
        exchange,
        client_id,
        exchange_id,
        instrument_id,
        side,
        price,
        qty,
        leaves,
        ord_type,
        tif,
        exec_instr,
    ):
        self.mgr.apply_new_order_ack(client_id, exchange_id, price, leaves)
        if self.mgr.prepare_cancel_order(client_id):
            self.env.send_cancel_order(exchange, instrument_id, client_id)

    def on_cancel_order_ack(self, exchange, client_id):
        self.mgr.apply_cancel_order_ack(client_id)

    def on_order_cancelled(self, exchange, client_id, unsolicited, exch_ts, recv_ts, code, reason):
        self.mgr.apply_order_cancelled(client_id)
        self.done += 1


market = Trades()
unlimited = RequestRates(orders=10**9)
settings = Settings(latency=Latency.constant_ms(0, 0, 0), rates=unlimited)
strategy: Quiet


def prepare() -> Backtest:
    global strategy  # noqa: PLW0603 - of the run that is timed
    strategy = Orders() if WORK == "orders" else Quiet()
    backtest = Backtest([market], strategy, settings=settings)
    backtest.load()
    return backtest


def seen(backtest: Backtest) -> dict[str, Any]:
    backtest.close()
    return {"cancelled": strategy.done}


serve(prepare, Backtest.play, seen)
