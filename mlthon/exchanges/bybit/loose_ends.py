"""Finding out what no stream tells: fills that an order counts, and ends that only a refusal has told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from mlthon.engine.ports import OrderReport
from mlthon.errors import DecodeError, VenueError
from mlthon.exchanges.background import Background
from mlthon.exchanges.backoff import Backoff
from mlthon.exchanges.bybit.config import BybitConfig
from mlthon.exchanges.bybit.known_orders import KnownOrder, KnownOrders
from mlthon.exchanges.bybit.queries import Queries
from mlthon.exchanges.bybit.reconcile import Reconciliation
from mlthon.exchanges.bybit.reports import Reports
from mlthon.instruments.instrument import Instrument

__all__ = ["LooseEnds"]

log = logging.getLogger("mlthon.exchanges.bybit")

_FILLS_LATE_S = 1.0


class LooseEnds:
    """Asks the venue about single orders, until it answers. One question at a time about each."""

    def __init__(
        self,
        config: BybitConfig,
        queries: Queries,
        known: KnownOrders,
        reports: Reports,
        reconciliation: Reconciliation,
    ) -> None:
        self._config = config
        self._queries = queries
        self._known = known
        self._reports = reports
        self._reconciliation = reconciliation
        self._tasks = Background()
        self._under_way: set[_Question] = set()

    def recover_fills(self, instrument: Instrument, wire_id: str, exchange_id: str) -> None:
        """Ask for all fills of an order; they are reported, known ones included."""
        question = _Question("fills", wire_id or exchange_id)
        self._pursue(question, lambda: self._ask_for_fills(instrument, wire_id, exchange_id))

    def on_missing_fills(self, report: OrderReport) -> None:
        """Give the fills that an open order counts a moment to come by themselves, then ask until they have."""
        instrument, wire_id = self._reports.instrument(report), report.wire_id
        self._pursue(
            _Question("missing fills", wire_id),
            lambda: self._ask_for_fills(instrument, wire_id, report.exchange_id),
            delay_s=_FILLS_LATE_S,
            is_open=lambda: self._known.lacks_fills(wire_id),
            repeat=True,
        )

    def on_doubt(self, order: KnownOrder) -> None:
        """Give an order that may have ended a moment to be told so, then ask."""
        self._pursue(
            _Question("end", order.wire_id or order.exchange_id),
            lambda: self._reconciliation.find_out(order),
            delay_s=self._config.request_timeout_ms / 1_000,
            is_open=lambda: self._known.find(order.wire_id, order.exchange_id) is order,
        )

    def leave_out(self, order: KnownOrder, error: Exception) -> None:
        """Let trading go on without what became of one order, and ask for that until it is known."""
        key = order.wire_id or order.exchange_id
        log.error("what became of order %s is not known, and is asked for again and again: %s", key, error)
        self.on_doubt(order)

    async def close(self) -> None:
        """Stop asking."""
        await self._tasks.close()
        self._under_way.clear()  # what was cancelled before its first step has not taken itself out

    async def _ask_for_fills(self, instrument: Instrument, wire_id: str, exchange_id: str) -> None:
        for fill in await self._queries.fills_of(instrument, wire_id, exchange_id):
            self._reports.fill(fill)

    def _pursue(
        self,
        question: _Question,
        ask: Callable[[], Awaitable[None]],
        *,
        delay_s: float = 0.0,
        is_open: Callable[[], bool] = lambda: True,
        repeat: bool = False,
    ) -> None:
        """Ask after a delay, where the question `is_open` then: until it is answered, or, with `repeat`, closed."""

        async def pursue() -> None:
            pauses = Backoff(self._config.retry_first_ms, self._config.retry_longest_ms)
            try:
                await asyncio.sleep(delay_s)
                while is_open():
                    log.info("asking for %s of %s", *question)
                    try:
                        await ask()
                    except (VenueError, DecodeError) as error:
                        log.warning("%s of %s: %s", *question, error)
                    else:
                        if not repeat:
                            return
                    await asyncio.sleep(pauses.next_s())
            finally:
                self._under_way.discard(question)

        if question not in self._under_way:
            self._under_way.add(question)
            self._tasks.spawn(pursue(), " of ".join(question))


class _Question(NamedTuple):
    what: str
    order_key: str
