"""Questions to the venue over REST, answered in MLThon's values."""

from __future__ import annotations

import logging
from collections.abc import Callable

from mlthon.engine.ports import FillReport, OrderReport
from mlthon.errors import DecodeError, VenueRefusal
from mlthon.exchanges.bybit.categories import INVERSE, LINEAR, SPOT, category_of, settle_coin
from mlthon.exchanges.bybit.clock import VenueClock
from mlthon.exchanges.bybit.codec.account import (
    Balance,
    PositionRow,
    decode_balances,
    decode_funding,
    decode_position,
    decode_user_id,
)
from mlthon.exchanges.bybit.codec.fields import Json, refuse, rows
from mlthon.exchanges.bybit.codec.orders import decode_fill, decode_order, is_fill, listed
from mlthon.exchanges.bybit.codec.status import Window, decode_window
from mlthon.exchanges.bybit.instruments import Instruments, Listing, decode_instruments
from mlthon.exchanges.bybit.reject_codes import is_about_the_question
from mlthon.exchanges.bybit.rest import RestClient
from mlthon.exchanges.bybit.tally import Tally
from mlthon.instruments.instrument import Instrument

__all__ = ["Queries"]

log = logging.getLogger("mlthon.exchanges.bybit")

_OPEN_ORDERS = "/v5/order/realtime"  # and, asked for by id or with openOnly=1, the latest closed ones
_OLD_ORDERS = "/v5/order/history"
_EXECUTIONS = "/v5/execution/list"
_POSITIONS = "/v5/position/list"
_WALLET = "/v5/account/wallet-balance"
_INSTRUMENTS = "/v5/market/instruments-info"

_NS_PER_MS = 1_000_000
_WEEK_MS = 7 * 24 * 3_600 * 1_000  # the widest window the venue answers executions for


class Queries:
    """Everything a connector asks. Raises what `RestClient` raises.

    ``is_ours`` tells of an order's two ids, ours and the venue's, whether it was sent from here.
    """

    def __init__(self, rest: RestClient, instruments: Instruments, clock: VenueClock) -> None:
        self._rest = rest
        self._instruments = instruments
        self._clock = clock
        self.is_ours: Callable[[object, object], bool] = lambda *_: True
        self.on_odd_position: Callable[[Instrument | None, str], None] = lambda *_: None
        self.tally = Tally("questions")

    # -- orders and fills ------------------------------------------------------------------------------------

    async def open_orders(self, instrument: Instrument | None = None) -> list[OrderReport]:
        """All open orders, of one instrument or of the account."""
        return await self._orders(instrument, {"openOnly": "0"})

    async def closed_orders(self) -> list[OrderReport]:
        """The latest closed orders of the account: up to 500, and none from before the venue's last restart."""
        return await self._orders(None, {"openOnly": "1"})

    async def find_order(self, instrument: Instrument, wire_id: str, exchange_id: str) -> OrderReport | None:
        """One order, open or closed; None: the venue does not know it."""
        target = _order_target(instrument, wire_id, exchange_id)
        for path in (_OPEN_ORDERS, _OLD_ORDERS):
            result = await self._rest.get(path, target)
            for report in self._decode_orders(rows(result, "list", path), target["category"], path):
                if (wire_id and report.wire_id == wire_id) or report.exchange_id == exchange_id:
                    return report
        return None

    async def fills_since(self, since_ms: int) -> list[FillReport]:
        """All fills of the account from an instant of the venue's time on, oldest first."""
        found: list[FillReport] = []
        for category in self._instruments.categories():
            start_ms, now_ms = since_ms, self._clock.now_ms()
            while start_ms <= now_ms:
                end_ms = start_ms + _WEEK_MS
                window = {
                    "category": category,
                    "limit": "100",
                    "startTime": str(start_ms),
                    "endTime": str(end_ms),
                }
                pages = await self._rest.pages(_EXECUTIONS, window)
                found += self._decode_fills(pages, category, of_all=True)
                start_ms = end_ms
        return sorted(found, key=lambda fill: fill.exec_ms)

    async def fills_of(self, instrument: Instrument, wire_id: str, exchange_id: str) -> list[FillReport]:
        """All fills of one order, oldest first."""
        target = _order_target(instrument, "" if exchange_id else wire_id, exchange_id)
        pages = await self._rest.pages(_EXECUTIONS, target | {"limit": "100"})
        found = self._decode_fills(pages, target["category"])
        return sorted(found, key=lambda fill: fill.exec_ms)

    # -- the account -----------------------------------------------------------------------------------------

    async def positions(self, instrument: Instrument | None = None) -> list[PositionRow]:
        """The position in one contract, flat ones included; or all of the account's that are not flat.

        Spot pairs leave no position. Of all positions, one that makes no sense is handed to ``on_odd_position``.
        """
        found: list[PositionRow] = []
        for scope in self._scopes(instrument, by_coin=(LINEAR, INVERSE)):
            if scope["category"] == SPOT:
                continue
            for index, row in enumerate(await self._rest.pages(_POSITIONS, scope | {"limit": "200"})):
                where, about = f"{_POSITIONS}.list[{index}]", None
                try:
                    about = listed(row, self._instruments.by_symbol, where, scope["category"])
                    if about is not None:
                        found.append(decode_position(row, about, where))
                except DecodeError as error:
                    if instrument is not None:
                        raise
                    self.on_odd_position(about, str(error))
        return found

    async def sensible_positions(self, instrument: Instrument) -> list[PositionRow] | None:
        """The position in one contract; None where it makes no sense, which ``on_odd_position`` is told."""
        try:
            return await self.positions(instrument)
        except (VenueRefusal, DecodeError) as error:
            if not is_about_the_question(error):
                raise
            self.on_odd_position(instrument, str(error))
            return None

    async def sample_positions(self) -> list[PositionRow]:
        """The positions, flat or not, in one linear contract of each settlement coin: which tells the mode."""
        samples: dict[str, Instrument] = {}
        for (category, _), instrument in self._instruments.by_symbol.items():
            if category == LINEAR:
                samples.setdefault(settle_coin(instrument), instrument)
        return [row for instrument in samples.values() for row in await self.positions(instrument)]

    async def balances(self, coin: str | None = None) -> list[Balance]:
        """The balance of one coin, or of all that the account has had, those aside that make no sense."""
        params = {"accountType": "UNIFIED"}
        if coin is not None:
            params["coin"] = coin
        result = await self._rest.get(_WALLET, params)
        balances, odd = decode_balances(rows(result, "list", _WALLET), f"{_WALLET}.list")
        if odd and coin is not None:
            raise DecodeError(odd[0])
        for error in odd:
            log.error("a balance that makes no sense is passed over: %s", error)
        return balances

    async def user_id(self) -> str:
        """Whose key it is."""
        path = "/v5/user/query-api"
        return decode_user_id(await self._rest.get(path, {}), path)

    # -- the market ------------------------------------------------------------------------------------------

    async def listing(self, category: str, symbol: str | None = None) -> Listing:
        """What can be traded in a category; or what is said of one symbol, which may be nothing."""
        asked = {"category": category, "limit": "1000"} | ({} if symbol is None else {"symbol": symbol})
        return decode_instruments(await self._rest.pages(_INSTRUMENTS, asked, public=True), category)

    async def funding(self, instrument: Instrument) -> tuple[float, int]:
        """The next funding of a perpetual: the rate, and when it is due, in milliseconds."""
        path = "/v5/market/tickers"
        params = _named(instrument)
        found = rows(await self._rest.get(path, params, public=True), "list", path)
        if len(found) != 1 or found[0].get("symbol") != instrument.get_exch_instr_id():
            refuse(path, f"the ticker of {instrument.get_exch_instr_id()}", found)
        return decode_funding(found[0], path)

    async def maintenances(self) -> list[Window]:
        """The maintenances that the venue tells of, past and coming ones included."""
        path = "/v5/system/status"
        found = rows(await self._rest.get(path, {}, public=True), "list", path)
        return [decode_window(row, f"{path}.list[{index}]") for index, row in enumerate(found)]

    # -- a command -------------------------------------------------------------------------------------------

    async def cancel_all(self, instrument: Instrument) -> None:
        """Cancel everybody's open orders on an instrument."""
        path = "/v5/order/cancel-all"
        result = await self._rest.post(path, _named(instrument), is_cancel=True)
        if result.get("success") == "0":
            raise VenueRefusal(0, "not successful", path)

    # -- details ---------------------------------------------------------------------------------------------

    async def _orders(self, instrument: Instrument | None, params: dict[str, str]) -> list[OrderReport]:
        path = _OPEN_ORDERS
        found: list[OrderReport] = []
        for scope in self._scopes(instrument, by_coin=(LINEAR,)):
            pages = await self._rest.pages(path, scope | params | {"limit": "50"})
            found += self._decode_orders(pages, scope["category"], path, of_all=True)
        return found

    def _scopes(self, instrument: Instrument | None, *, by_coin: tuple[str, ...]) -> list[dict[str, str]]:
        """What the venue wants named: an instrument; or every category, some one settlement coin at a time."""
        if instrument is not None:
            return [_named(instrument)]
        scopes = []
        for category in self._instruments.categories():
            if category in by_coin:
                coins = self._instruments.settle_coins(category)
                scopes += [{"category": category, "settleCoin": coin} for coin in coins]
            else:
                scopes.append({"category": category})
        return scopes

    def _decode_orders(
        self, found: list[Json], category: str, path: str, *, of_all: bool = False
    ) -> list[OrderReport]:
        recv_ms = self._clock.local_ns() // _NS_PER_MS
        reports = []
        for index, row in enumerate(found):
            where = f"{path}.list[{index}]"
            try:
                instrument = listed(row, self._instruments.by_symbol, where, category)
                if instrument is not None:
                    reports.append(decode_order(row, instrument, recv_ms, where))
            except DecodeError as error:
                self._pass_over(row, error, of_all)
        return reports

    def _decode_fills(self, found: list[Json], category: str, *, of_all: bool = False) -> list[FillReport]:
        recv_ms = self._clock.local_ns() // _NS_PER_MS
        fills = []
        for index, row in enumerate(found):
            where = f"{_EXECUTIONS}.list[{index}]"
            try:
                instrument = listed(row, self._instruments.by_symbol, where, category)
                if instrument is not None and is_fill(row, where):
                    fills.append(decode_fill(row, instrument, recv_ms, where))
            except DecodeError as error:
                self._pass_over(row, error, of_all)
        return fills

    def _pass_over(self, row: Json, error: DecodeError, of_all: bool) -> None:
        """Leave out what makes no sense in a list of everybody's: it must not keep the account from being known.

        An order of ours then seems to be missing, or lacks fills, and so is asked for by itself: raises `error` then.
        """
        if not of_all:
            raise error
        wire_id, exchange_id = row.get("orderLinkId"), row.get("orderId")
        if self.is_ours(wire_id, exchange_id):
            log.error("a row about our order %s makes no sense: %s", wire_id or exchange_id, error)
        else:
            self.tally.count("row about another's order passed over", str(error))


def _named(instrument: Instrument) -> dict[str, str]:
    """How requests name an instrument."""
    return {"category": category_of(instrument), "symbol": instrument.get_exch_instr_id()}


def _order_target(instrument: Instrument, wire_id: str, exchange_id: str) -> dict[str, str]:
    if wire_id:
        return _named(instrument) | {"orderLinkId": wire_id}
    return _named(instrument) | {"orderId": exchange_id}
