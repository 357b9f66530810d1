"""The live engine: one strategy on the wall clock, driven by asyncio.

The same for a simulated venue, paper and real trading; only the connectors differ.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo

from mlthon.engine.clock import LiveClock
from mlthon.engine.instrument_table import InstrumentTable
from mlthon.engine.order_desk import DeskOrder
from mlthon.engine.ports import Connector, Journal
from mlthon.engine.session import SessionState
from mlthon.engine.slow_callbacks import DEFAULT_BUDGET_MS
from mlthon.engine.strat_env import StratEnv
from mlthon.engine.wire_ids import WireIds, run_epoch
from mlthon.engine.withdrawal import withdraw_orders
from mlthon.instruments.instrument import Instrument

__all__ = ["LiveEngine"]

log = logging.getLogger("mlthon.engine")

_NS_PER_S = 1_000_000_000


class LiveEngine:
    """Connects a strategy to its venues, keeps its timers, and winds it down without leaving orders behind.

    `start`, then wait for `failed` or whatever else ends the run, then `stop` and `close`, in this order, whatever
    happened.
    """

    def __init__(
        self,
        strategy: object,
        connectors: Sequence[Connector],
        *,
        clock: LiveClock,
        params: Mapping[str, object] | None = None,
        choose_defaults: Callable[[InstrumentTable], Sequence[Instrument]] = lambda _table: (),
        journal: Journal | None = None,
        time_zone: tzinfo | None = None,
        slow_callback_ms: float = DEFAULT_BUDGET_MS,
    ) -> None:
        self._strategy = strategy
        self._connectors = connectors
        self._clock = clock
        self._params = params
        self._choose_defaults = choose_defaults
        self._journal = journal
        self._time_zone = time_zone
        self._slow_callback_ms = slow_callback_ms
        self._timer: asyncio.TimerHandle | None = None
        self._changed = asyncio.Event()
        self._env: StratEnv | None = None
        self.failed = asyncio.Event()  #: the strategy raised: nothing more reaches it
        self._started_ns = self._stopped_ns = 0

    @property
    def was_started(self) -> bool:
        """Whether there is an environment to read results from."""
        return self._env is not None

    @property
    def elapsed_s(self) -> float:
        """How long the strategy has been running, or ran."""
        return ((self._stopped_ns or self._clock.now_ns()) - self._started_ns) / _NS_PER_S

    @property
    def left_open(self) -> list[DeskOrder]:
        """Orders that are not known to have ended: none, after an orderly `stop`."""
        if self._env is None:
            return []
        return [order for desk in self._env.desks.values() for order in desk.open_orders()]

    @property
    def env(self) -> StratEnv:
        """The strategy's environment; there from `start` on."""
        assert self._env is not None, "LiveEngine.env is there once start() has loaded the instruments"
        return self._env

    async def start(self) -> None:
        """Load instruments, connect, log the strategy in and start it; raises MLThonError."""
        lists = await asyncio.gather(*(connector.load_instruments() for connector in self._connectors))
        instruments = InstrumentTable(instrument for found in lists for instrument in found)
        self._env = env = StratEnv(
            self._strategy,
            {connector.exchange: connector for connector in self._connectors},
            instruments,
            self._clock,
            wire_ids=WireIds(run_epoch(self._clock.now_ns())),
            wake=self._wake,
            params=self._params,
            defaults=self._choose_defaults(instruments),
            journal=self._journal,
            time_zone=self._time_zone,
            slow_callback_ms=self._slow_callback_ms,
        )
        env.scheduler.on_change = self._arm
        env.session.on_change = self._changed.set
        for connector in self._connectors:
            await asyncio.gather(connector.gateway.connect(), connector.feed.connect())
        for connector in self._connectors:
            connector.watch_instruments(env.update_instruments)
        self._started_ns = self._clock.now_ns()
        env.session.connect(env)
        env.session.start()
        env.session.raise_failure()

    async def stop(self) -> None:
        """Stop the strategy, wait for its ack, and cancel what it has left open.

        A strategy that has failed is not asked any more; its orders are cancelled all the same.
        """
        if self._env is None:
            return
        session = self._env.session
        if session.state is SessionState.RUNNING and not self.failed.is_set():
            session.stop()
        while session.state is SessionState.STOPPING and not self.failed.is_set():
            self._changed.clear()
            await self._next_change()
        left = await withdraw_orders(self._env.desks.values())
        if left:
            log.error("%d orders did not end at the venue", len(left))

    async def close(self) -> None:
        """Tell the strategy that the framework goes, and release every socket; raises StrategyError if it failed."""
        self._stopped_ns = self._clock.now_ns()
        if self._timer is not None:
            self._timer.cancel()
        if self._env is not None:
            self._env.scheduler.on_change = lambda: None
            self._env.session.close()
        for connector in self._connectors:
            await connector.close()
        if self._env is not None:
            self._env.session.raise_failure()

    # -- details -----------------------------------------------------------------------------------------------

    async def _next_change(self) -> None:
        """Wait until the session moves on or the strategy fails."""
        waits = [asyncio.ensure_future(event.wait()) for event in (self._changed, self.failed)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _wake(self) -> None:
        asyncio.get_running_loop().call_soon(self._woken)

    def _woken(self) -> None:
        env = self.env
        env.dispatcher.deliver_waiting()
        if env.dispatcher.failure is not None:
            self.failed.set()

    def _arm(self) -> None:
        """Set the one asyncio timer to the next due time of the scheduler."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due_ns = self.env.scheduler.next_due_ns()
        if due_ns is not None:
            delay_s = max(due_ns - self._clock.now_ns(), 0) / _NS_PER_S
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._fire)

    def _fire(self) -> None:
        self._timer = None
        try:
            self.env.scheduler.fire_due()
        finally:
            self._arm()
