"""Noticing that the account's stream has stopped telling, though it is connected and answers pings.

Whatever a stream ought to have told and has not, it will not tell any more. Where that is about an order, the stream
is ended: what was missed is then found out as after any other gap. A position or a balance is just told as it is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from mlthon.basics.qty import Qty
from mlthon.engine.ports import OrderReport
from mlthon.errors import DecodeError, VenueError, VenueRefusal
from mlthon.exchanges.background import Background
from mlthon.exchanges.bybit.codec.account import Balance, PositionRow
from mlthon.exchanges.bybit.config import BybitConfig
from mlthon.exchanges.bybit.known_orders import KnownOrder, KnownOrders, has_ended
from mlthon.exchanges.bybit.queries import Queries
from mlthon.exchanges.bybit.reject_codes import is_about_the_question
from mlthon.exchanges.bybit.reports import Reports

__all__ = ["StreamCheck"]

log = logging.getLogger("mlthon.exchanges.bybit")

_ZERO = Qty("0")


class StreamCheck:
    """Compares the open orders, the positions and the balances with the venue's, now and then.

    `drop` is called with the reason when an order has traded or ended and nothing was told of it. An order counts
    as told while a request about it `is_pending`: whoever made that one asks, too.
    """

    def __init__(
        self,
        config: BybitConfig,
        queries: Queries,
        known: KnownOrders,
        reports: Reports,
        is_pending: Callable[[str], bool],
        drop: Callable[[str], None],
    ) -> None:
        self._every_s = config.account_every_ms / 1_000
        self._patience_s = config.request_timeout_ms / 1_000
        self._queries = queries
        self._known = known
        self._reports = reports
        self._is_pending = is_pending
        self._drop = drop
        self._tasks = Background()

    def start(self) -> None:
        """Begin to compare."""
        self._tasks.spawn(self._watch(), "comparing the account")

    async def close(self) -> None:
        """Stop comparing."""
        await self._tasks.close()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            try:
                untold = await self._untold()
                if untold is not None:
                    self._drop(f"it has not told what became of order {untold}")
                else:
                    await self._tell_positions()
                    await self._tell_balances()
            except (VenueError, DecodeError) as error:
                log.warning("the account was not compared: %s", error)

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
                try:
                    found = await self._queries.find_order(order.instrument, order.wire_id, order.exchange_id)
                except (VenueRefusal, DecodeError) as error:
                    if not is_about_the_question(error):
                        raise
                    log.error("what became of order %s is not known: %s", _key(last), error)
                    continue
                # A list that comes in pages may lack an order that is open all the same.
                if _is_news(found, last) and self._has_silence(order, last):
                    return _key(last)
        return None

    async def _tell_positions(self) -> None:
        """Tell the positions that are not as they were told, and have not been told since."""
        before = await self._other_positions()
        if before:
            await asyncio.sleep(self._patience_s)
            for number, (told, rows) in (await self._other_positions()).items():
                if before.get(number) == (told, rows):
                    instrument = rows[0].instrument
                    log.warning("the position in %s was not told", instrument.get_instrument_name())
                    self._reports.positions(instrument, rows, is_news=True)

    async def _other_positions(self) -> dict[int, tuple[Qty, list[PositionRow]]]:
        """What was told, and what the venue says, of the contracts in which that differs; by instrument id."""
        there: dict[int, list[PositionRow]] = {}
        for row in await self._queries.positions():
            there.setdefault(row.instrument.get_instrument_id(), []).append(row)
        for instrument in self._reports.in_question():
            if instrument.get_instrument_id() not in there:
                there[instrument.get_instrument_id()] = (
                    await self._queries.sensible_positions(instrument) or []
                )
        told = {number: self._reports.size(number) for number in there}
        return {
            number: (told[number], rows)
            for number, rows in there.items()
            if rows
            and (number in self._reports.unclear or sum((row.size for row in rows), _ZERO) != told[number])
        }

    async def _tell_balances(self) -> None:
        """Tell the balances that are not as they were told, and have not been told since."""
        before = await self._other_balances()
        if before:
            await asyncio.sleep(self._patience_s)
            for coin, (told, balance) in (await self._other_balances()).items():
                if coin in before and before[coin][0] == told and before[coin][1].total == balance.total:
                    log.warning("the balance of %s was not told", coin)
                    self._reports.balance(balance)

    async def _other_balances(self) -> dict[str, tuple[Qty | None, Balance]]:
        """What was told, and what the venue says, of the coins of which that differs."""
        told = self._reports.totals
        return {
            balance.coin: (told.get(balance.coin), balance)
            for balance in await self._queries.balances()
            if told.get(balance.coin) != balance.total
        }

    def _has_silence(self, order: KnownOrder, last: OrderReport) -> bool:
        """Whether nothing was heard of an order since it was last seen so."""
        still = self._known.find(order.wire_id, order.exchange_id)
        return still is order and order.last is last and not self._is_pending(_key(last))


def _is_news(report: OrderReport | None, last: OrderReport) -> bool:
    """Whether a report, or that there is none, shows that an order has traded or ended since it was last told."""
    return report is None or has_ended(report) or report.cum_qty > last.cum_qty


def _key(report: OrderReport) -> str:
    return report.wire_id or report.exchange_id
