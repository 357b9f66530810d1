"""The same strategy on the same market twice, in a backtest and at the simulated venue, and what the two tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest

from told_story import Step, Story
from turnstile import Delays
from venue_run import VenueRun

from mlthon.backtest.backtest import Backtest, MarketSource, Settings
from mlthon.backtest.latency import ConstantDelay, Latency
from mlthon.basics.qty import Qty
from mlthon.engine.strat_env import StratEnv
from mlthon.instruments.instrument import Instrument
from mlthon.instruments.spot import Spot
from mlthon.sim.account import Account
from mlthon.sim.exchange import SimExchange
from mlthon.sim.orders import QueueRule
from mlthon.sim.terms import symbol_of

__all__ = ["Case", "Telling", "compare", "in_backtest", "at_venue"]


@dataclass(frozen=True)
class Case:
    """What is run: a market, a strategy anew each time, for how long, and how long messages take."""

    market: Callable[[], MarketSource]
    strategy: Callable[[], object]
    duration_s: float
    delays: Delays = field(default_factory=Delays)
    queue_rule: QueueRule = QueueRule.Behind
    deposits: Mapping[str, Qty] | None = None  # None: what is usual


@dataclass(frozen=True)
class Telling:
    """What one side told: the steps, and the two ledgers in the end."""

    story: Story
    ledger: dict[str, str]


def in_backtest(case: Case) -> Telling:
    story, delays = Story(), case.delays
    backtest = Backtest(
        [case.market()],
        case.strategy(),
        settings=Settings(
            latency=Latency(
                feed=ConstantDelay(delays.feed_ns),
                order=ConstantDelay(delays.order_ns),
                response=ConstantDelay(delays.response_ns),
            ),
            queue_rule=case.queue_rule,
            duration_s=case.duration_s,
            deposits=case.deposits,
        ),
        journal=story,
        slow_callback_ms=10**9,
    )
    backtest.load()
    until_ns = backtest.clock.now_ns() + round(case.duration_s * 1e9)
    backtest.play()
    backtest.replay.play_quietly(until_ns, lambda: False)  # both stop at the same moment
    backtest.close()
    backtest.check_ledgers()
    [connector] = backtest.connectors
    [instrument] = backtest.instruments
    return Telling(story, ledger(backtest.env, connector.sim, connector.account, instrument))


def at_venue(case: Case) -> Telling:
    story = Story()
    run = VenueRun(
        case.market(),
        case.strategy(),
        story,
        case.duration_s,
        case.delays,
        case.queue_rule,
        case.deposits,
    )
    run.run()
    run.exchange.check_conservation()
    return Telling(story, ledger(run.env, run.exchange, run.account, run.instrument))


def ledger(env: StratEnv, exchange: SimExchange, account: Account, instrument: Instrument) -> dict[str, str]:
    """Both sides' books: of the strategy's portfolio, and of the exchange."""
    own = env.portfolio.position(instrument)
    figures: dict[str, object] = {
        "fills told": env.portfolio.fills,
        "fills booked": exchange.fill_count(account),
        "position told": own.size,
        "realised told": own.realised,
        "fees told": own.fees,
        **{f"booked {coin}": amount for coin, amount in account.purse.cash.items()},
    }
    if not isinstance(instrument, Spot):
        booked = account.purse.position(symbol_of(instrument))
        figures["position booked"] = booked.size
        figures["realised booked"] = booked.realised
        figures["fees booked"] = booked.fees
        figures["funding booked"] = account.purse.funding[symbol_of(instrument)]
        figures["fundings booked"] = [(each.exec_ns, each.amount) for each in exchange.payments(account)]
    return {name: str(figure) for name, figure in figures.items()}


def compare(here: Telling, there: Telling) -> str:
    """The first difference, with the steps before it; "" where there is none."""
    before: list[Step | None] = []
    for number, (ours, theirs) in enumerate(zip_longest(here.story.steps, there.story.steps)):
        if ours != theirs:
            said = "\n".join(f"  both:     {step}" for step in before[-8:])
            return f"step {number}:\n{said}\n  backtest: {ours}\n  venue:    {theirs}"
        before.append(ours)
    wrong = [name for name in here.ledger if here.ledger[name] != there.ledger.get(name)]
    return "\n".join(
        f"{name}: backtest {here.ledger[name]}, venue {there.ledger.get(name)}" for name in wrong
    )
