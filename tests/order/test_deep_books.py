"""All books against their models in long runs: many levels, long queues, prices that differ by next to nothing."""

from __future__ import annotations

from random import Random

import pytest
from book_models import ONE, LevelTrial, OrderTrial, PriceTrial
from book_steps import PRICE_KINDS, price_steps, queue_steps, random_prices

from mlthon.basics.defs import Side


@pytest.mark.parametrize("levels", [70, 400, 3000])
@pytest.mark.parametrize("kind", PRICE_KINDS)
def test_levels_by_price(kind, levels):
    rnd = Random(f"{kind} {levels}")
    trial = PriceTrial()
    prices = random_prices(rnd, kind, levels)
    for _ in range(5):
        trial.run(price_steps(rnd, prices, 2000))


@pytest.mark.parametrize("make_trial", [LevelTrial, OrderTrial])
@pytest.mark.parametrize("levels", [3, 70, 1000])
@pytest.mark.parametrize("kind", PRICE_KINDS)
def test_levels_and_orders_by_id(kind, levels, make_trial):
    rnd = Random(f"{kind} {levels}")
    trial = make_trial()
    prices = random_prices(rnd, kind, levels)
    ids = [rnd.getrandbits(64) for _ in range(rnd.choice((20, 500)))]
    for _ in range(5):
        trial.run(queue_steps(rnd, prices, ids, 500))


@pytest.mark.parametrize("told", ["best first", "worst first", "anyhow"])
def test_a_snapshot_in_any_order_makes_the_same_book(told):
    rnd = Random(told)
    trial = PriceTrial()
    for side, best in ((Side.Buy, 100_000), (Side.Sell, 100_001)):
        steps = [("add", side, (best - n if side is Side.Buy else best + n) * ONE, ONE) for n in range(5000)]
        if told == "worst first":
            steps.reverse()
        elif told == "anyhow":
            rnd.shuffle(steps)
        trial.run(steps)
        trial.run(("delete", *step[1:3]) for step in rnd.sample(steps, 4900))


@pytest.mark.parametrize("seed", range(3))
def test_long_queues_keep_their_order(seed):
    """Hundreds of orders at one price: slots run out, gaps close, queues grow, and begin anew with the first size."""
    print(f"{seed=}")
    rnd = Random(seed)
    trial = OrderTrial()
    alive: list[int] = []
    for target in (900, 20, 300, 0, 40):
        while len(alive) != target:
            if not alive or rnd.random() < (0.7 if len(alive) < target else 0.3):
                alive.append(rnd.getrandbits(63))
                trial.step("add", alive[-1], Side.Buy, 100 * ONE, rnd.randint(1, 9))
            elif rnd.random() < 0.3:
                trial.step("modify", rnd.choice(alive), rnd.randint(1, 9))
            else:
                index = rnd.choice((0, len(alive) - 1, rnd.randrange(len(alive))))
                trial.step("delete", alive.pop(index))
        trial.check()
