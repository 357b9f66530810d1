"""A strategy at the simulated venue, over real sockets, on a clock that only this run moves.

What `mlthon.backtest` does in one loop is done here by the real parts, in the same order: at each moment timers
first, then what is private, then news, and last the next event of the market. After everything that reaches one side
or the other the run waits until nothing is on its way.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping

from manual_loop import ManualLoop
from turnstile import Delays, Turnstile

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon._core.order_change import RateUpdate
from mlthon.backtest.backtest import MarketSource
from mlthon.basics.qty import Qty
from mlthon.engine.clock import ManualClock
from mlthon.engine.instrument_table import InstrumentTable
from mlthon.engine.ports import Journal
from mlthon.engine.session import SessionState
from mlthon.engine.strat_env import StratEnv
from mlthon.engine.wire_ids import WireIds
from mlthon.engine.withdrawal import withdraw
from mlthon.exchanges.bybit import BybitConfig, BybitConnector
from mlthon.sim.account import Account
from mlthon.sim.deposits import deposits_for
from mlthon.sim.exchange import SimExchange
from mlthon.sim.orders import QueueRule
from mlthon.sim.terms import Terms, symbol_of
from mlthon.venues.bybit import BybitVenue, Endpoints

__all__ = ["VenueRun"]

_NS_PER_S = 1_000_000_000
_LONGEST_STOP_NS = 60 * _NS_PER_S
_FOREVER_MS = 10**9


class VenueRun:
    """One run: make it, `run` it, and read the exchange's books and the strategy's."""

    def __init__(
        self,
        market: MarketSource,
        strategy: object,
        journal: Journal,
        duration_s: float,
        delays: Delays,
        queue_rule: QueueRule = QueueRule.Behind,
        deposits: Mapping[str, Qty] | None = None,
    ) -> None:
        self._events: Iterator[tuple[int, DepthUpdate | PublicTrade | RateUpdate]] = iter(market)
        _, self._next = next(self._events)
        self._next_ns: int | None = self._next.recv_ns
        self.clock = ManualClock(self._next.recv_ns)
        self.instrument = market.instrument
        self.symbol = symbol_of(market.instrument)
        self.exchange = SimExchange([market.instrument], self.clock.now_ns, queue_rule=queue_rule)
        self.account: Account = self.exchange.add_account(
            "trader", deposits or deposits_for([market.instrument])
        )
        self._strategy = strategy
        self._journal = journal
        self._until_ns = self.clock.now_ns() + round(duration_s * _NS_PER_S)
        self._turnstile = Turnstile(self.clock, delays)
        self._loop: ManualLoop
        self.env: StratEnv

    def run(self) -> None:
        """Play the market, stop the strategy, and cancel what it left open."""

        def make_loop() -> ManualLoop:
            self._loop = ManualLoop(self.clock)
            return self._loop

        with asyncio.Runner(loop_factory=make_loop) as runner:
            runner.run(self._run())

    async def _run(self) -> None:
        self._play_event()
        venue = BybitVenue(
            self.exchange,
            self.clock.now_ns,
            api_keys={"key": ("secret", self.account)},
            faults=self._turnstile,
        )
        connector = self._connector(await venue.start())
        try:
            await self._trade(connector)
        finally:
            self._turnstile.stop()
            await connector.close()
            await venue.close()

    async def _trade(self, connector: BybitConnector) -> None:
        instruments = await connector.load_instruments()
        self.env = env = StratEnv(
            self._strategy,
            {connector.exchange: connector},
            InstrumentTable(instruments),
            self.clock,
            wire_ids=WireIds("venue"),
            wake=self._wake,
            journal=self._journal,
            slow_callback_ms=_FOREVER_MS,
        )
        await asyncio.gather(connector.gateway.connect(), connector.feed.connect())
        self._turnstile.close()
        env.session.connect(env)
        env.session.start()
        env.session.raise_failure()
        await self._turnstile.settle()
        await self._play()
        await self._pass(self._until_ns, lambda: False)
        await self._stop()
        env.session.close()
        env.session.raise_failure()

    def _connector(self, endpoints: Endpoints) -> BybitConnector:
        config = BybitConfig(
            rest_url=endpoints.rest,
            ws_public_url=endpoints.ws_public,
            ws_private_url=endpoints.ws_private,
            ws_trade_url=endpoints.ws_trade,
            api_key="key",
            api_secret="secret",
            categories=(Terms.of(self.instrument).product.value,),
            depth=1000,
            stale_after_ms=None,
            silent_after_ms=None,
            clock_every_ms=_FOREVER_MS,
            instruments_every_ms=_FOREVER_MS,
        )
        connector = BybitConnector(config, self.clock.now_ns, self.clock.now_ns)
        connector._http().trace_configs.append(self._turnstile.tracing())
        return connector

    def _wake(self) -> None:
        self._loop.call_soon(self.env.dispatcher.deliver_waiting)

    # -- what is due -------------------------------------------------------------------------------------------

    async def _play(self) -> None:
        """Play the market for the duration, and what is due until then; the whole tape, if it is shorter."""
        while True:
            due_ns = self._due_ns()
            if self._next_ns is not None and self._next_ns <= self._until_ns:
                if due_ns is None or self._next_ns < due_ns:
                    self._advance(self._next_ns)
                    self._play_event()
                    continue
            elif due_ns is None or due_ns > self._last_ns():
                return
            assert due_ns is not None
            await self._do_next(due_ns)

    async def _stop(self) -> None:
        session = self.env.session
        session.stop()
        await self._turnstile.settle()
        await self._pass(
            self.clock.now_ns() + _LONGEST_STOP_NS, lambda: session.state is not SessionState.STOPPING
        )
        desks = list(self.env.desks.values())
        for _ in range(100):
            if not self._left_open():
                return
            withdraw(desks)
            await self._turnstile.settle()
            await self._pass(self.clock.now_ns() + _NS_PER_S, lambda: not self._left_open())
        raise AssertionError("orders are still open at the venue")

    async def _pass(self, until_ns: int, is_done: Callable[[], bool]) -> None:
        """Let pass what is due, without the market, until a time, or until it is done."""
        while not is_done():
            due_ns = self._due_ns()
            if due_ns is None or due_ns > until_ns:
                self._advance(until_ns)
                return
            await self._do_next(due_ns)

    def _left_open(self) -> bool:
        return any(desk.open_orders() for desk in self.env.desks.values())

    def _last_ns(self) -> int:
        """Until when what is due is still done, once the market has ended."""
        return (
            self._until_ns if self._next_ns is not None else min(self._until_ns, self._turnstile.last_news_ns)
        )

    def _due_ns(self) -> int | None:
        """When something is due besides the market."""
        due = (
            self.env.scheduler.next_due_ns(),
            self._loop.next_due_ns(),
            self._turnstile.private_due_ns,
            self._turnstile.news_due_ns,
        )
        return min((each for each in due if each is not None), default=None)

    async def _do_next(self, due_ns: int) -> None:
        """Do the one thing that is due first, and wait until all that it caused has arrived."""
        self._advance(due_ns)
        turnstile = self._turnstile
        if self.env.scheduler.next_due_ns() == due_ns:
            self.env.scheduler.fire_due()
        elif self._loop.next_due_ns() == due_ns:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        elif turnstile.private_due_ns == due_ns:
            await turnstile.pass_private()
        else:
            await turnstile.pass_news()
        await turnstile.settle()
        self.env.session.raise_failure()

    def _advance(self, to_ns: int) -> None:
        if to_ns > self.clock.now_ns():
            self.clock.advance(to_ns - self.clock.now_ns())

    def _play_event(self) -> None:
        """Let the market's next event happen at the exchange."""
        if isinstance(self._next, DepthUpdate):
            self.exchange.apply_depth(self.symbol, self._next)
        elif isinstance(self._next, PublicTrade):
            self.exchange.apply_trade(self.symbol, self._next)
        else:
            self.exchange.apply_rate(self.symbol, self._next)
        following = next(self._events, None)
        if following is None:
            self._next_ns = None
        else:
            gap_ns, self._next = following
            assert self._next_ns is not None
            self._next_ns += gap_ns


logging.getLogger("aiohttp").setLevel(logging.ERROR)
