"""Markets told order by order: the strategy's book of orders, exact queues, ghosts and crosses."""

from __future__ import annotations

import pytest
from scripted import LINEAR, MS_NS, START_NS, Scripted, Tape, book, order, trade

from mlthon._core.order_change import OrderChange
from mlthon.api.istrat_env import MDSub
from mlthon.backtest.backtest import Backtest, Settings
from mlthon.backtest.latency import Latency
from mlthon.basics.defs import Exchange, Side
from mlthon.basics.qty import Qty
from mlthon.order.books.order_book import OrderBook

AT_ONCE = Latency.constant_ms(0, 0, 0)


class OrderKeeper:
    """Keeps a book of orders from the callbacks that `MDSub.OrderBook` brings."""

    def __init__(self, name: str, *subs: MDSub) -> None:
        self.name = name
        self.subs = [MDSub.OrderBook, *subs]
        self.book = OrderBook()
        self.trades = self.refused = 0

    def on_framework_connected(self, env) -> None:
        self.env = env
        env.login("keeper")

    def on_start(self, params: str) -> None:
        self.env.subscribe_to_market_data(Exchange.Bybit, [self.name], self.subs)

    def on_add_level(self, exchange, instrument_id, side, level_id, price, qty, recv_ts) -> None:
        assert level_id not in self.book
        self.book.add_order(level_id, side, price, qty)

    def on_modify_level(self, exchange, instrument_id, side, level_id, new_qty, recv_ts) -> None:
        assert level_id in self.book
        self.book.modify_order_qty(level_id, new_qty)

    def on_delete_level(self, exchange, instrument_id, side, level_id, recv_ts) -> None:
        assert level_id in self.book
        self.book.delete_order(level_id)

    def on_public_trade(self, *_: object) -> None:
        self.trades += 1

    def on_request_reject(self, *_: object) -> None:
        self.refused += 1


def content(book: OrderBook) -> list[str]:
    return [
        str(order)
        for side, levels in ((Side.Buy, book.bids()), (Side.Sell, book.asks()))
        for level in levels
        for order in book.orders(side, level.get_price())
    ]


@pytest.mark.parametrize("delay_ms", [0, 7])
@pytest.mark.parametrize("capture", ["bitstamp/btcusd_20150501.log.xz", "bitfinex/btcusd_r0_l3.json.gz"])
def test_recordings_run_to_their_end(captures, capture, delay_ms):
    path = captures / capture
    keeper = OrderKeeper("BTC-USD", MDSub.PublicTrades)
    backtest = Backtest([path], keeper, settings=Settings(latency=Latency.constant_ms(delay_ms, 0, 0)))
    keeper.name = backtest.instruments[0].get_instrument_name()
    result = backtest.run()
    [market] = backtest.connectors[0].markets.values()
    assert len(keeper.book) > 10
    assert content(keeper.book) == content(market.orders.book)
    assert keeper.trades == result.facts.trades
    told = result.to_json()["venue"]
    assert told["ghost_orders"] == market.orders.ghosts
    assert told["crossed_books"] == market.orders.crosses
    assert market.orders.crosses > 0
    assert market.orders.ghosts > 0 or "bitfinex" in capture


def change(at_ms: float, action: str, number: int, side: Side, price: str, qty: str = "0") -> tuple:
    ns = START_NS + round(at_ms * MS_NS)
    return at_ms, OrderChange(action, number, side, price, qty, venue_ns=ns, recv_ns=ns)


def run(*events: tuple, acts: tuple) -> tuple[Scripted, Backtest]:
    strategy = Scripted(*acts)
    ask = change(0, "add", 1, Side.Sell, "100.1", "5")
    backtest = Backtest([Tape(ask, *events)], strategy, settings=Settings(latency=AT_ONCE))
    backtest.run()
    return strategy, backtest


def test_the_queue_is_exact_who_came_before_and_who_came_after():
    ahead: list[Qty] = []

    def look(env) -> None:
        [connector] = backtests[0].connectors
        [resting] = connector.sim.open_orders(connector.account)
        ahead.append(connector.sim.qty_ahead(resting))

    strategy = Scripted(
        (50, order("a1", Side.Buy, "100.0", "1")), (110, look), (210, look), (310, look), (410, look)
    )
    tape = Tape(
        change(0, "add", 1, Side.Sell, "100.1", "5"),
        change(10, "add", 2, Side.Buy, "100.0", "3"),
        change(20, "add", 3, Side.Buy, "100.0", "4"),
        change(100, "add", 4, Side.Buy, "100.0", "9"),
        change(200, "delete", 4, Side.Buy, "100.0"),  # behind: nothing changes
        change(300, "delete", 2, Side.Buy, "100.0"),  # in front
        change(400, "modify", 3, Side.Buy, "100.0", "1"),
        change(500, "add", 5, Side.Sell, "100.2", "1"),
    )
    backtests = [Backtest([tape], strategy, settings=Settings(latency=AT_ONCE))]
    backtests[0].run()
    assert ahead == [Qty("7"), Qty("7"), Qty("4"), Qty("1")]


@pytest.mark.parametrize("told_first", ["trade", "orders"])
def test_a_trade_is_counted_once_whichever_comes_first(told_first):
    taken = [change(100, "delete", 2, Side.Buy, "100.0"), trade(100.5, Side.Sell, "100.0", "3")]
    if told_first == "trade":
        taken = [trade(100, Side.Sell, "100.0", "3"), change(100.5, "delete", 2, Side.Buy, "100.0")]
    strategy, _ = run(
        change(10, "add", 2, Side.Buy, "100.0", "3"),
        change(20, "add", 3, Side.Buy, "100.0", "2"),
        *taken,
        trade(200, Side.Sell, "100.0", "3"),
        change(300, "delete", 3, Side.Buy, "100.0"),
        acts=((50, order("a1", Side.Buy, "100.0", "4")),),
    )
    fills = [args[4] for name, args in strategy.told if name == "on_order_execution"]
    assert fills == [Qty("1")]  # of the 3 of the second trade 2 stood in front


def test_orders_are_refused_where_the_tape_tells_levels():
    keeper = OrderKeeper(LINEAR.get_instrument_name())
    l2 = Tape(book(0, [("100.0", "5")], [("100.1", "3")], whole=True), book(500, [("99.9", "1")], []))
    unsupported: list[str] = []
    keeper.on_unsupported_op = lambda exchange, what: unsupported.append(what)
    Backtest([l2], keeper).run()
    assert unsupported == ["MarketData.OrderBook"]
