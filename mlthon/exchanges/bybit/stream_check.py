"""Noticing that the account's stream has stopped telling, though it is connected and answers pings.

Whatever a stream ought to have told and has not, it will not tell any more. So such a stream is ended: what was
missed is then found out as after any other gap.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from mlthon.engine.ports import OrderReport
from mlthon.errors import DecodeError, VenueError
from mlthon.exchanges.background import Background
from mlthon.exchanges.bybit.config import BybitConfig
from mlthon.exchanges.bybit.known_orders import KnownOrder, KnownOrders, has_ended
from mlthon.exchanges.bybit.queries import Queries

__all__ = ["StreamCheck"]

log = logging.getLogger("mlthon.exchanges.bybit")


class StreamCheck:
    """Compares the open orders with the venue's, now and then.

    `drop` is called with the reason when an order has traded or ended and nothing was told of it. An order counts
    as told while a request about it `is_pending`: whoever made that one asks, too.
    """

    def __init__(
        self,
        config: BybitConfig,
        queries: Queries,
        known: KnownOrders,
        is_pending: Callable[[str], bool],
        drop: Callable[[str], None],
    ) -> None:
        self._every_s = config.orders_every_ms / 1_000
        self._patience_s = config.request_timeout_ms / 1_000
        self._queries = queries
        self._known = known
        self._is_pending = is_pending
        self._drop = drop
        self._tasks = Background()

    def start(self) -> None:
        """Begin to compare."""
        self._tasks.spawn(self._watch(), "comparing open orders")

    async def close(self) -> None:
        """Stop comparing."""
        await self._tasks.close()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            try:
                untold = await self._untold()
            except (VenueError, DecodeError) as error:
                log.warning("open orders not compared: %s", error)
                continue
            if untold is not None:
                self._drop(f"it has not told what became of order {untold}")

    async def _untold(self) -> str | None:
        """An order of which there is news that was not told in time."""
        seen = [(order, order.last) for order in self._known.open() if order.reported]
        if not seen:
            return None
        listed = {_key(report): report for report in await self._queries.open_orders()}
        moved = [(order, last) for order, last in seen if _is_news(listed.get(_key(last)), last)]
        if not moved:
            return None
        await asyncio.sleep(self._patience_s)  # the news may have been on its way
        for order, last in moved:
            if self._has_silence(order, last):
                found = await self._queries.find_order(order.instrument, order.wire_id, order.exchange_id)
                # A list that comes in pages may lack an order that is open all the same.
                if _is_news(found, last) and self._has_silence(order, last):
                    return _key(last)
        return None

    def _has_silence(self, order: KnownOrder, last: OrderReport) -> bool:
        """Whether nothing was heard of an order since it was last seen so."""
        still = self._known.find(order.wire_id, order.exchange_id)
        return still is order and order.last is last and not self._is_pending(_key(last))


def _is_news(report: OrderReport | None, last: OrderReport) -> bool:
    """Whether a report, or that there is none, shows that an order has traded or ended since it was last told."""
    return report is None or has_ended(report) or report.cum_qty > last.cum_qty


def _key(report: OrderReport) -> str:
    return report.wire_id or report.exchange_id
