"""Nothing that a strategy is told depends on what comes later: a tape that ends sooner tells the same until then."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

import pytest

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon.backtest.backtest import Backtest, MarketSource, Settings
from mlthon.backtest.latency import Latency, NormalDelay
from mlthon.sim.orders import QueueRule
from mlthon.sim.synthetic import SyntheticMarket
from mlthon.strats.demo_strat import DemoStrat
from mlthon.tape.opening import open_tape

SECOND_NS = 1_000_000_000


class Cut:
    """A market that ends early."""

    def __init__(self, market: MarketSource, events: int) -> None:
        self.instrument = market.instrument
        self._market, self._events = market, events

    def __iter__(self) -> Iterator[tuple[int, DepthUpdate | PublicTrade]]:
        return islice(iter(self._market), self._events)


class Heard:
    """A journal in memory: when, and what."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, str, str]] = []

    def record_request(self, engine_ns: int, name: str, arguments: Mapping[str, object]) -> None:
        self.lines.append((engine_ns, name, _shown(arguments.values())))

    def record_callback(self, engine_ns: int, name: str, arguments: Sequence[object]) -> None:
        self.lines.append((engine_ns, name, _shown(arguments)))


def _shown(values: Iterable[object]) -> str:
    """Values as text; environments and other objects without one by their kind."""
    return ", ".join(re.sub(r" at 0x[0-9a-f]+", "", repr(value)) for value in values)


def story(market: MarketSource, settings: Settings) -> tuple[list[tuple[int, str, str]], int]:
    """What a strategy asked and was told, and when the market ended."""
    heard = Heard()
    backtest = Backtest([market], DemoStrat({}), settings=settings, journal=heard)
    backtest.load()
    backtest.play()
    ended_ns = backtest.clock.now_ns()
    backtest.close()
    return heard.lines, ended_ns


@pytest.mark.parametrize("rule", QueueRule)
@pytest.mark.parametrize("events", [150, 700])
def test_a_tape_that_ends_sooner_tells_the_same_until_then(rule, events):
    def settings() -> Settings:
        delays = (NormalDelay(5_000_000, 3_000_000, seed=seed) for seed in range(3))
        return Settings(latency=Latency(*delays), queue_rule=rule, duration_s=30)

    whole, _ = story(SyntheticMarket(11), settings())
    part, ended_ns = story(Cut(SyntheticMarket(11), events), settings())
    until_ns = ended_ns - SECOND_NS  # what is under way when the tape ends is told after it
    told = [line for line in part if line[0] < until_ns]
    assert len(told) > 100
    assert told == [line for line in whole if line[0] < until_ns]


def test_a_recording_that_was_cut_tells_the_same_until_then(captures):
    tape = open_tape(captures / "binance" / "usdm_btcusdt_20240808.gz")
    whole, _ = story(tape, Settings(duration_s=60))
    part, ended_ns = story(Cut(tape, 1500), Settings())
    told = [line for line in part if line[0] < ended_ns - SECOND_NS]
    assert len(told) > 100
    assert told == whole[: len(told)]
