"""The engine gives back what it takes, also for orders that still rest; measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import gc, random, tracemalloc
from mlthon._core.depth_view import DepthView
from mlthon._core.enums import Side
from mlthon._core.fixed import Price, Qty
from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon._core.matching import MatchingEngine

def life(seed):
    rng = random.Random(seed)
    engine, view = MatchingEngine(), DepthView(5, 2, 2)
    for _ in range(3):
        engine.add_account()
    for order_id in range(1, 300):
        price = Price(rng.randint(90, 110))
        side = rng.choice((Side.Buy, Side.Sell))
        engine.place(order_id, rng.randrange(3), side, Qty(rng.randint(1, 9)), price,
                     immediate=rng.random() < 0.2, whole=rng.random() < 0.1, post_only=rng.random() < 0.2,
                     reduce_only=rng.random() < 0.2, self_trade=rng.randrange(4))
        if order_id in engine and rng.random() < 0.3:
            engine.amend(order_id, Price(rng.randint(90, 110)), Qty(3))
        if order_id in engine and rng.random() < 0.3:
            engine.cancel(order_id)
        engine.apply_depth(DepthUpdate([(str(rng.randint(90, 100)), "5")], [(str(rng.randint(100, 110)), "5")],
                                       is_snapshot=rng.random() < 0.5))
        engine.apply_trade(PublicTrade(side, price, Qty(2)))
        view.changes(engine.displayed), view.snapshot(), engine.last_changes()
        try:
            engine.place(order_id, 99, side, Qty(1), price)
        except ValueError:
            pass
    engine.take_fills(), engine.take_ended()
    assert len(engine) > 0

def traced():
    gc.collect()
    return tracemalloc.get_traced_memory()[0]

tracemalloc.start()
for _ in range(5):
    life(1)
before = traced()
for _ in range(20):
    life(1)
grown = traced() - before
assert grown < 1000, f"{grown} bytes more after 20 lives"
"""


def test_twenty_lives_leave_nothing_behind() -> None:
    finished = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120, check=False
    )
    assert finished.returncode == 0, finished.stderr
