"""Finding out what happened while nobody was told: after every login, before anything is sent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from mlthon.engine.ports import OrderReport
from mlthon.errors import DecodeError, UnsupportedAccount, VenueRefusal
from mlthon.exchanges.backoff import Backoff
from mlthon.exchanges.bybit.clock import VenueClock
from mlthon.exchanges.bybit.codec.account import PositionRow
from mlthon.exchanges.bybit.config import BybitConfig
from mlthon.exchanges.bybit.known_orders import KnownOrder, KnownOrders
from mlthon.exchanges.bybit.order_entry import OrderEntry
from mlthon.exchanges.bybit.queries import Queries
from mlthon.exchanges.bybit.reject_codes import is_about_the_question
from mlthon.exchanges.bybit.reports import Reports

__all__ = ["Reconciliation"]

log = logging.getLogger("mlthon.exchanges.bybit")

_NS_PER_MS = 1_000_000
_OVERLAP_MS = 10_000  # fills of different instruments do not come in the order of their stamps


class Reconciliation:
    """Asks for orders, fills, positions and balances, and reports them.

    The private stream has to be live before: what happens during the questions comes over it. A fill or a state
    may then be told twice, but none is missed between the two.
    """

    def __init__(
        self,
        config: BybitConfig,
        queries: Queries,
        known: KnownOrders,
        entry: OrderEntry,
        reports: Reports,
        clock: VenueClock,
    ) -> None:
        self._config = config
        self._patience_s = (config.recv_window_ms + config.request_timeout_ms) / 1_000
        self._queries = queries
        self._known = known
        self._entry = entry
        self._reports = reports
        self._clock = clock
        self._mode_is_known = False

    async def run(self, leave_out: Callable[[KnownOrder, Exception], None] | None = None) -> None:
        """Bring the listener up to date; raises VenueError or DecodeError, and may then be run again.

        Where the venue gives no sensible answer about one order, that is handed to `leave_out` with the reason: one
        order must not keep all others from being traded for ever. Raises UnsupportedAccount for an account in hedge
        mode.
        """
        if not self._mode_is_known:
            check_one_way(await self._queries.sample_positions())
            self._mode_is_known = True
        believed_open = [(order, order.last) for order in self._known.open()]
        open_orders = await self._queries.open_orders()
        # A fill that was stamped with a wrong clock must not keep those after it from being asked for.
        known_until_ms = min(self._reports.last_fill_ms, self._clock.now_ms())
        fills = await self._queries.fills_since(known_until_ms - _OVERLAP_MS)
        # Fills before states: an order's end is complete when it comes.
        for fill in fills:
            self._reports.fill(fill)
        for report in open_orders:
            self._reports.order(report)
        listed = {_key(report) for report in open_orders}
        missing = [(order, seen) for order, seen in believed_open if _key(seen) not in listed]
        await self._settle(missing, leave_out)
        await self._positions()
        for balance in await self._queries.balances():
            self._reports.balance(balance)
        log.info(
            "reconciled: %d open orders, %d closed meanwhile, %d recent fills",
            len(open_orders),
            len(missing),
            len(fills),
        )

    async def find_out(self, order: KnownOrder) -> None:
        """Find out what became of one order that may have ended untold; raises VenueError or DecodeError."""
        await self._conclude(order, order.last, self._deadline())

    async def _settle(
        self,
        missing: list[tuple[KnownOrder, OrderReport]],
        leave_out: Callable[[KnownOrder, Exception], None] | None,
    ) -> None:
        """Find the end of orders that we believed open and the venue does not list."""
        if not missing:
            return
        deadline = self._deadline()
        closed = {_key(report): report for report in await self._queries.closed_orders()}
        for order, seen in missing:
            end = closed.get(_key(seen))
            if end is not None:
                self._reports.order(end)
                continue
            try:
                await self._conclude(order, seen, deadline)
            except (VenueRefusal, DecodeError) as error:
                if leave_out is None or not is_about_the_question(error):
                    raise
                leave_out(order, error)

    def _deadline(self) -> float:
        return asyncio.get_running_loop().time() + self._patience_s

    async def _conclude(self, order: KnownOrder, seen: OrderReport, deadline: float) -> None:
        """Ask for an order that was last `seen` so, until the venue knows it or somebody else has heard of it.

        The venue may take a while to list an order that has just ended. Only one that it does not know for as long
        as a request can be on its way is taken for gone.
        """
        loop = asyncio.get_running_loop()
        pauses = Backoff(self._config.retry_first_ms, self._config.retry_longest_ms)
        while self._is_open_question(order, seen):
            is_late = loop.time() >= deadline
            report = await self._queries.find_order(order.instrument, order.wire_id, order.exchange_id)
            if report is not None:
                self._reports.order(report)
                return
            if is_late:
                break
            await asyncio.sleep(pauses.next_s())
        if self._is_open_question(order, seen):
            log.error("order %s is not known to the venue any more", _key(seen))
            self._entry.presume_gone(order.wire_id)
            now_ms = self._clock.local_ns() // _NS_PER_MS
            self._reports.order(order.gone("the venue no longer knows the order", now_ms))

    def _is_open_question(self, order: KnownOrder, seen: OrderReport) -> bool:
        """Whether nothing was heard of an order since it was seen so, and nobody else is asking."""
        still = self._known.find(order.wire_id, order.exchange_id)
        return still is order and order.last is seen and not self._entry.is_pending(_key(seen))

    async def _positions(self) -> None:
        """Report all positions; the ones the venue does not list any more are asked for one by one."""
        by_instrument: dict[int, list[int]] = {}
        rows = await self._queries.positions()
        check_one_way(rows)
        for index, row in enumerate(rows):
            by_instrument.setdefault(row.instrument.get_instrument_id(), []).append(index)
        for indexes in by_instrument.values():
            self._reports.positions(rows[indexes[0]].instrument, [rows[index] for index in indexes])
        for instrument in self._reports.in_question():
            if instrument.get_instrument_id() not in by_instrument:
                single = await self._queries.sensible_positions(instrument)
                if single is not None:
                    self._reports.positions(instrument, single)


def check_one_way(rows: Iterable[PositionRow]) -> None:
    """Raise UnsupportedAccount where positions are those of an account in hedge mode: two in one contract."""
    for row in rows:
        if row.leg != 0:
            raise UnsupportedAccount(
                f"bybit: the account is in hedge mode (positionIdx {row.leg} of "
                f"{row.instrument.get_exch_instr_id()}): expected one-way mode, with one position in a contract"
            )


def _key(report: OrderReport) -> str:
    return report.wire_id or report.exchange_id
