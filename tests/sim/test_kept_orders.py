"""What an exchange keeps of orders: found by both ids as long as it is remembered, and given back in the end."""

from __future__ import annotations

import gc
import sys
from random import Random

import pytest
from sim_scene import SYMBOL, perpetual

from mlthon._core.market_event import DepthUpdate
from mlthon.basics.defs import Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.sim.account import Account
from mlthon.sim.exchange import SimExchange
from mlthon.sim.orders import Limits, NewOrder, Refusal, Refused, SimOrder

ORDERS = 3_000
HISTORY = 300
OPEN = 100
BEYOND = (0, -1, 2**31, 2**63, -(2**63) - 1, 10**30)  # ids that nobody has


def exchange_of_two() -> tuple[SimExchange, list[Account]]:
    exchange = SimExchange(
        [perpetual()], now_ns=lambda: 0, limits=Limits(max_open_orders=OPEN, history=HISTORY)
    )
    exchange.apply_depth(SYMBOL, DepthUpdate([("99", "5")], [("101", "5")], is_snapshot=True))
    return exchange, [exchange.add_account(name, {"USDT": Qty(10**9)}) for name in ("alice", "bob")]


def link_ids(random: Random) -> list[str]:
    """Texts that differ in little: counted on as ids are, of any length, of any width of characters."""
    heads = ["", "mc9x2k1a7", "a" * 36, "order-é-", "注文", "\N{CHART WITH UPWARDS TREND}"]
    return [f"{random.choice(heads)}{number:x}{'0' * (number % 9)}|" for number in range(ORDERS)]


def place(exchange: SimExchange, account: Account, link_id: str) -> SimOrder:
    return exchange.place(account, NewOrder(SYMBOL, Side.Buy, Qty("1"), Price("90"), link_id=link_id))


@pytest.mark.parametrize("seed", range(2))
def test_orders_are_found_by_both_ids_until_they_are_forgotten(seed: int) -> None:
    random = Random(seed)
    exchange, accounts = exchange_of_two()
    opened: dict[str, list[SimOrder]] = {account.name: [] for account in accounts}
    closed: dict[str, list[SimOrder]] = {account.name: [] for account in accounts}
    for link_id in link_ids(random):
        account = random.choice(accounts)
        mine = opened[account.name]
        mine.append(place(exchange, account, link_id))
        if len(mine) > OPEN // 2:
            ending = mine.pop(random.randrange(len(mine)))
            closed[account.name].append(exchange.cancel(account, SYMBOL, link_id=ending.link_id))
    for account, other in (accounts, accounts[::-1]):
        kept = closed[account.name][-HISTORY:]
        assert exchange.open_orders(account) == opened[account.name]
        assert exchange.recent_orders(account) == kept
        for order in [*opened[account.name], *kept]:
            assert exchange.find_order(account, link_id=order.link_id) == order
            assert exchange.find_order(account, order_id=order.order_id) == order
            assert exchange.find_order(other, link_id=order.link_id) is None
            assert exchange.find_order(other, order_id=order.order_id) is None
        for order in closed[account.name][:-HISTORY]:
            assert exchange.find_order(account, link_id=order.link_id) is None
            assert exchange.find_order(account, order_id=order.order_id) is None
            with pytest.raises(Refused) as refused:
                place(exchange, account, order.link_id)
            assert refused.value.reason is Refusal.DuplicateLinkId
        assert all(exchange.find_order(account, order_id=order_id) is None for order_id in BEYOND)


def test_an_order_that_somebody_has_does_not_change_when_it_ends() -> None:
    exchange, (account, _) = exchange_of_two()
    before = place(exchange, account, "one")
    copy = before.replace()
    after = exchange.cancel(account, SYMBOL, link_id="one")
    assert before == copy
    assert after != before
    assert not after.is_open


def test_an_exchange_gives_back_what_it_kept() -> None:
    link_id = "".join(["kept", "here"])
    count = sys.getrefcount(link_id)
    exchange, accounts = exchange_of_two()
    for account in accounts:
        place(exchange, account, link_id)
    exchange.cancel(accounts[0], SYMBOL, link_id=link_id)
    del exchange, accounts, account
    gc.collect()
    assert sys.getrefcount(link_id) == count
