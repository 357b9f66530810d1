"""The player: events in order, at their time, whatever else keeps the loop busy.

Time is the event loop's own, and simulated: it stands still while code runs and jumps when the loop would sleep.
"""

from __future__ import annotations

import asyncio
import math
import selectors
from collections.abc import Callable, Coroutine, Iterator
from itertools import pairwise
from typing import Any

import pytest

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon.basics.defs import Side
from mlthon.errors import ConfigError, TapeError
from mlthon.instruments.instrument import Instrument
from mlthon.venues.player import EVENTS_BETWEEN_YIELDS, Progress, play

MS = 1_000_000


class JumpingSelector(selectors.DefaultSelector):
    """Instead of waiting for input, moves the time on."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "nothing is scheduled: the test would hang"
        self.now += timeout
        return super().select(0)


class SimulatedTimeLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.selector = JumpingSelector()
        super().__init__(self.selector)

    def time(self) -> float:
        return self.selector.now

    def pass_time(self, seconds: float) -> None:
        """Keep the loop busy for so long."""
        self.selector.now += seconds


def run(main: Callable[[SimulatedTimeLoop], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=SimulatedTimeLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, SimulatedTimeLoop)
        runner.run(main(loop))


class Market:
    """Numbered events with given gaps: even ones are depth updates, odd ones trades."""

    def __init__(self, gaps_ms: list[int], error: Exception | None = None) -> None:
        self.instrument = Instrument(exch_instr_id="BTCUSDT")
        self.gaps_ms = gaps_ms
        self.error = error
        self.closed = False

    def __iter__(self) -> Iterator[tuple[int, DepthUpdate | PublicTrade]]:
        try:
            for number, gap_ms in enumerate(self.gaps_ms):
                if number % 2 == 0:
                    yield gap_ms * MS, DepthUpdate([], [], seq=number)
                else:
                    yield gap_ms * MS, PublicTrade(Side.Buy, "1", "1", trade_id=str(number))
            if self.error is not None:
                raise self.error
        finally:
            self.closed = True


class Tape:
    """Writes down what was played, and when, in milliseconds since the start."""

    def __init__(self, loop: SimulatedTimeLoop, busy: dict[int, float] | None = None) -> None:
        self.loop = loop
        self.busy = busy or {}  # event number -> seconds that playing it takes
        self.started = loop.time()
        self.played: list[tuple[int, float]] = []

    def apply_depth(self, symbol: str, update: DepthUpdate) -> None:
        self.note(symbol, update.seq)

    def apply_trade(self, symbol: str, trade: PublicTrade) -> None:
        self.note(symbol, int(trade.trade_id))

    def note(self, symbol: str, number: int) -> None:
        assert symbol == "BTCUSDT"
        self.played.append((number, round((self.loop.time() - self.started) * 1000, 3)))
        self.loop.pass_time(self.busy.get(number, 0.0))


@pytest.mark.parametrize(
    ("speed", "times_ms"),
    [(1, [0, 10, 10, 40]), (20, [0, 0.5, 0.5, 2]), (0.5, [0, 20, 20, 80]), (math.inf, [0, 0, 0, 0])],
)
def test_gaps_are_divided_by_speed(speed: float, times_ms: list[float]) -> None:
    async def main(loop: SimulatedTimeLoop) -> None:
        tape = Tape(loop)
        progress = Progress()
        market = Market([0, 10, 0, 30])
        await play(market, tape, "BTCUSDT", speed, progress)
        assert tape.played == list(enumerate(times_ms))
        assert (progress.events, progress.source_ns) == (4, 40 * MS)
        assert market.closed

    run(main)


def test_a_delay_is_made_up_for() -> None:
    async def main(loop: SimulatedTimeLoop) -> None:
        tape = Tape(loop, busy={1: 0.035})
        await play(Market([0, 10, 10, 10, 10, 10]), tape, "BTCUSDT")
        assert tape.played == [(0, 0), (1, 10), (2, 45), (3, 45), (4, 45), (5, 50)]

    run(main)


def test_pauses_do_not_add_up() -> None:
    async def main(loop: SimulatedTimeLoop) -> None:
        count = 1000
        tape = Tape(loop, busy=dict.fromkeys(range(count), 0.0007))
        await play(Market([1] * count), tape, "BTCUSDT")
        assert tape.played == [(number, number + 1) for number in range(count)]

    run(main)


def test_others_get_their_turn_while_it_is_late() -> None:
    async def main(loop: SimulatedTimeLoop) -> None:
        tape = Tape(loop)
        turns: list[int] = []

        async def neighbour() -> None:
            while True:
                turns.append(len(tape.played))
                await asyncio.sleep(0)

        task = asyncio.create_task(neighbour())
        await play(Market([0] * 1000), tape, "BTCUSDT", math.inf)
        task.cancel()
        assert [number for number, _ in tape.played] == list(range(1000))
        steps = [after - before for before, after in pairwise(turns)]
        assert 0 < max(steps) <= EVENTS_BETWEEN_YIELDS

    run(main)


def test_progress_counts_only_what_was_played() -> None:
    async def main(loop: SimulatedTimeLoop) -> None:
        progress = Progress()
        task = asyncio.create_task(play(Market([0, 10, 30]), Tape(loop), "BTCUSDT", 1, progress))
        await asyncio.sleep(0.02)
        assert (progress.events, progress.source_ns) == (2, 10 * MS)
        await task
        assert (progress.events, progress.source_ns) == (3, 40 * MS)

    run(main)


def test_cancelling_lets_go_of_the_source() -> None:
    async def main(loop: SimulatedTimeLoop) -> None:
        market = Market([0, 10, 10])
        tape = Tape(loop)
        task = asyncio.create_task(play(market, tape, "BTCUSDT"))
        await asyncio.sleep(0.015)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert market.closed
        assert [number for number, _ in tape.played] == [0, 1]

    run(main)


def test_a_source_may_be_any_iterable() -> None:
    async def main(loop: SimulatedTimeLoop) -> None:
        class Listed(Market):
            def __iter__(self) -> Iterator[tuple[int, DepthUpdate | PublicTrade]]:
                return iter(list(super().__iter__()))

        tape = Tape(loop)
        await play(Listed([0, 5]), tape, "BTCUSDT")
        assert tape.played == [(0, 0), (1, 5)]

    run(main)


def test_errors_come_through_after_what_was_whole() -> None:
    async def main(loop: SimulatedTimeLoop) -> None:
        tape = Tape(loop)
        with pytest.raises(TapeError, match="cut off"):
            await play(Market([0, 5], TapeError("cut off")), tape, "BTCUSDT")
        assert tape.played == [(0, 0), (1, 5)]

    run(main)


@pytest.mark.parametrize("speed", [0, -1, math.nan, -math.inf])
def test_speed_must_be_positive(speed: float) -> None:
    async def main(loop: SimulatedTimeLoop) -> None:
        with pytest.raises(ConfigError, match=f"speed: expected more than 0, got {speed}"):
            await play(Market([0]), Tape(loop), "BTCUSDT", speed)

    run(main)
