"""The exchange's short way for plain orders: nobody can tell it from the long one."""

from __future__ import annotations

from random import Random

import pytest
from sim_scene import inverse, perpetual, spot

from mlthon._core.market_event import DepthUpdate
from mlthon.basics.defs import TIF, Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.sim.exchange import SimExchange
from mlthon.sim.orders import Limits, NewOrder, Refused, SelfTrade
from mlthon.sim.terms import symbol_of

ACTIONS = 400
OPEN_ORDERS = 12


class Told:
    """A listener that takes down everything."""

    def __init__(self):
        self.seen = []

    def on_order(self, order):
        self.seen.append(order)

    on_fill = on_funding = on_order

    def on_position(self, account, symbol):
        self.seen.append((account.name, account.position(symbol)))

    def on_wallet(self, account, coins):
        self.seen.append([account.wallet(coin) for coin in coins])

    def on_depth(self, symbol, update):
        self.seen.append((symbol, update))

    on_trade = on_depth


def act(exchange, accounts, random, number):
    """Do something at random; returns what came of it."""
    account, symbol = random.choice(accounts), random.choice(list(exchange.instruments))
    if random.random() < 0.35:
        link_id = f"a{random.randrange(number + 1)}"
        if random.random() < 0.1:
            return exchange.cancel(account, symbol, order_id=random.randrange(1, number + 2))
        return exchange.cancel(account, symbol, link_id=link_id)
    order = NewOrder(
        symbol,
        random.choice(list(Side)),
        Qty(random.choice(["1", "2", "5", "0.5", "0.0001", "40000", str(10**15)])),
        Price(random.choice(["98", "99", "99.5", "100", "100.5", "102", "90", "100.3", str(10**17), "0"])),
        tif=random.choice([TIF.GTC, TIF.GTC, TIF.GTC, TIF.IOC]),
        post_only=random.random() < 0.3,
        link_id=random.choice([f"a{number}", f"a{number}", "", "a1"]),
        self_trade=random.choice([SelfTrade.Allow, SelfTrade.Allow, SelfTrade.CancelMaker]),
        reduce_only=random.random() < 0.1,
    )
    return exchange.place(account, order)


def run(seed, *, is_short):
    random, now = Random(seed), [0]
    instruments = [perpetual(), inverse(), spot("ETHUSDT")]
    limits = Limits(max_open_orders=OPEN_ORDERS, history=20)
    exchange = SimExchange(instruments, lambda: now[0], limits=limits)
    if not is_short:
        exchange.place_plain = exchange.cancel_plain = lambda *_, **__: None
    told, came = Told(), []
    exchange.attach(told)
    deposits = {"USDT": Qty("60000"), "BTC": Qty("100"), "ETH": Qty("50")}
    accounts = [exchange.add_account(name, deposits) for name in ("alice", "bob")]
    for symbol in map(symbol_of, instruments):
        levels = DepthUpdate([("99", "30"), ("98.5", "10")], [("101", "30"), ("102", "9")], is_snapshot=True)
        exchange.apply_depth(symbol, levels)
    for number in range(ACTIONS):
        now[0] += 1
        try:
            came.append(act(exchange, accounts, random, number))
        except Refused as refused:
            came.append((refused.reason, refused.text))
        exchange.check_conservation()
    orders = [exchange.open_orders(account) + exchange.recent_orders(account) for account in accounts]
    return came, told.seen, orders


@pytest.mark.parametrize("seed", range(8))
def test_both_ways_tell_the_same_story(seed):
    short = run(seed, is_short=True)
    assert run(seed, is_short=False) == short
    assert len(short[1]) > ACTIONS // 4


def test_a_plain_order_takes_the_short_way():
    exchange = SimExchange([perpetual()], lambda: 0)
    account = exchange.add_account("alice", {"USDT": Qty("1000")})
    exchange.apply_depth("BTCUSDT", DepthUpdate([("99", "3")], [("101", "3")], is_snapshot=True))
    placed = exchange.place_plain(account, "BTCUSDT", "a1", Side.Buy, Price("98"), Qty("1"))
    assert placed is not None and exchange.find_order(account, link_id="a1") == placed
    assert exchange.place_plain(account, "BTCUSDT", "a1", Side.Buy, Price("98"), Qty("1")) is None
    assert exchange.cancel_plain(account, "BTCUSDT", "a1") == exchange.find_order(account, link_id="a1")
    assert exchange.cancel_plain(account, "BTCUSDT", "a1") is None
    assert exchange.open_orders(account) == []
