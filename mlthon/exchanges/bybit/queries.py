"""Questions to the venue over REST, answered in MLThon's values."""

from __future__ import annotations

from mlthon.engine.ports import FillReport, OrderReport
from mlthon.errors import VenueRefusal
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
from mlthon.exchanges.bybit.codec.orders import CATEGORY, decode_fill, decode_order, is_fill, listed
from mlthon.exchanges.bybit.instruments import Instruments, Listing, decode_instruments
from mlthon.exchanges.bybit.rest import RestClient
from mlthon.instruments.instrument import Instrument

__all__ = ["Queries"]

_OPEN_ORDERS = "/v5/order/realtime"  # and, asked for by id or with openOnly=1, the latest closed ones
_OLD_ORDERS = "/v5/order/history"
_EXECUTIONS = "/v5/execution/list"
_POSITIONS = "/v5/position/list"
_WALLET = "/v5/account/wallet-balance"
_INSTRUMENTS = "/v5/market/instruments-info"

_NS_PER_MS = 1_000_000
_WEEK_MS = 7 * 24 * 3_600 * 1_000  # the widest window the venue answers executions for


class Queries:
    """Everything a connector asks. Raises what `RestClient` raises."""

    def __init__(self, rest: RestClient, instruments: Instruments, clock: VenueClock) -> None:
        self._rest = rest
        self._instruments = instruments
        self._clock = clock

    # -- orders and fills ------------------------------------------------------------------------------------

    async def open_orders(self, instrument: Instrument | None = None) -> list[OrderReport]:
        """All open orders, of one instrument or of the account."""
        return await self._orders(_OPEN_ORDERS, instrument, {"openOnly": "0"})

    async def closed_orders(self) -> list[OrderReport]:
        """The latest closed orders of the account: up to 500, and none from before the venue's last restart."""
        return await self._orders(_OPEN_ORDERS, None, {"openOnly": "1"})

    async def find_order(self, instrument: Instrument, wire_id: str, exchange_id: str) -> OrderReport | None:
        """One order, open or closed; None: the venue does not know it."""
        target = _order_target(instrument, wire_id, exchange_id)
        for path in (_OPEN_ORDERS, _OLD_ORDERS):
            result = await self._rest.get(path, target)
            for report in self._decode_orders(rows(result, "list", path), path):
                if (wire_id and report.wire_id == wire_id) or report.exchange_id == exchange_id:
                    return report
        return None

    async def fills_since(self, since_ms: int) -> list[FillReport]:
        """All fills of the account from an instant of the venue's time on, oldest first."""
        found: list[FillReport] = []
        start_ms, now_ms = since_ms, self._clock.now_ms()
        while start_ms <= now_ms:
            end_ms = start_ms + _WEEK_MS
            window = {
                "category": CATEGORY,
                "limit": "100",
                "startTime": str(start_ms),
                "endTime": str(end_ms),
            }
            found += self._decode_fills(await self._rest.pages(_EXECUTIONS, window))
            start_ms = end_ms
        return sorted(found, key=lambda fill: fill.exec_ms)

    async def fills_of(self, instrument: Instrument, wire_id: str, exchange_id: str) -> list[FillReport]:
        """All fills of one order, oldest first."""
        target = _order_target(instrument, "" if exchange_id else wire_id, exchange_id)
        found = self._decode_fills(await self._rest.pages(_EXECUTIONS, target | {"limit": "100"}))
        return sorted(found, key=lambda fill: fill.exec_ms)

    # -- the account -----------------------------------------------------------------------------------------

    async def positions(self, instrument: Instrument | None = None) -> list[PositionRow]:
        """The position in one instrument, flat ones included; or all of the account's that are not flat."""
        found: list[PositionRow] = []
        for scope in self._scopes(instrument):
            for index, row in enumerate(await self._rest.pages(_POSITIONS, scope | {"limit": "200"})):
                where = f"{_POSITIONS}.list[{index}]"
                about = listed(row, self._instruments.by_symbol, where)
                if about is not None:
                    found.append(decode_position(row, about, where))
        return found

    async def balances(self, coin: str | None = None) -> list[Balance]:
        """The balance of one coin, or of all that the account has had."""
        params = {"accountType": "UNIFIED"}
        if coin is not None:
            params["coin"] = coin
        result = await self._rest.get(_WALLET, params)
        return decode_balances(rows(result, "list", _WALLET), f"{_WALLET}.list")

    async def user_id(self) -> str:
        """Whose key it is."""
        path = "/v5/user/query-api"
        return decode_user_id(await self._rest.get(path, {}), path)

    # -- the market ------------------------------------------------------------------------------------------

    async def listing(self) -> Listing:
        """All instruments that can be traded."""
        found = await self._rest.pages(_INSTRUMENTS, {"category": CATEGORY, "limit": "1000"}, public=True)
        return decode_instruments(found, _INSTRUMENTS)

    async def funding(self, instrument: Instrument) -> tuple[float, int]:
        """The next funding: the rate, and when it is due, in milliseconds."""
        path = "/v5/market/tickers"
        params = {"category": CATEGORY, "symbol": instrument.get_exch_instr_id()}
        found = rows(await self._rest.get(path, params, public=True), "list", path)
        if len(found) != 1 or found[0].get("symbol") != instrument.get_exch_instr_id():
            refuse(path, f"the ticker of {instrument.get_exch_instr_id()}", found)
        return decode_funding(found[0], path)

    # -- a command -------------------------------------------------------------------------------------------

    async def cancel_all(self, instrument: Instrument) -> None:
        """Cancel everybody's open orders on an instrument."""
        path = "/v5/order/cancel-all"
        body = {"category": CATEGORY, "symbol": instrument.get_exch_instr_id()}
        result = await self._rest.post(path, body)
        if result.get("success") == "0":
            raise VenueRefusal(0, "not successful", path)

    # -- details ---------------------------------------------------------------------------------------------

    async def _orders(
        self, path: str, instrument: Instrument | None, params: dict[str, str]
    ) -> list[OrderReport]:
        found: list[OrderReport] = []
        for scope in self._scopes(instrument):
            found += self._decode_orders(await self._rest.pages(path, scope | params | {"limit": "50"}), path)
        return found

    def _scopes(self, instrument: Instrument | None) -> list[dict[str, str]]:
        """What the venue wants named: an instrument, or one settlement coin after the other."""
        if instrument is not None:
            return [{"category": CATEGORY, "symbol": instrument.get_exch_instr_id()}]
        return [{"category": CATEGORY, "settleCoin": coin} for coin in self._instruments.settle_coins()]

    def _decode_orders(self, found: list[Json], path: str) -> list[OrderReport]:
        recv_ms = self._clock.local_ns() // _NS_PER_MS
        reports = []
        for index, row in enumerate(found):
            where = f"{path}.list[{index}]"
            instrument = listed(row, self._instruments.by_symbol, where)
            if instrument is not None:
                reports.append(decode_order(row, instrument, recv_ms, where))
        return reports

    def _decode_fills(self, found: list[Json]) -> list[FillReport]:
        recv_ms = self._clock.local_ns() // _NS_PER_MS
        fills = []
        for index, row in enumerate(found):
            where = f"{_EXECUTIONS}.list[{index}]"
            instrument = listed(row, self._instruments.by_symbol, where)
            if instrument is not None and is_fill(row, where):
                fills.append(decode_fill(row, instrument, recv_ms, where))
        return fills


def _order_target(instrument: Instrument, wire_id: str, exchange_id: str) -> dict[str, str]:
    target = {"category": CATEGORY, "symbol": instrument.get_exch_instr_id()}
    if wire_id:
        target["orderLinkId"] = wire_id
    else:
        target["orderId"] = exchange_id
    return target
