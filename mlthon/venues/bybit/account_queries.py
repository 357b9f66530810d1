"""What an account may ask for: its orders, executions, positions, wallet, fees, and what its key may do.

Each method returns the ``result`` of the answer, or raises ApiError.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import merge

from mlthon.basics.mldecimal import MLDecimal
from mlthon.sim.account import Account
from mlthon.sim.exchange import SimExchange
from mlthon.sim.orders import SimFill, SimOrder, SimPayment
from mlthon.venues.bybit.account_messages import Json, position_row
from mlthon.venues.bybit.auth import ApiKey
from mlthon.venues.bybit.errors import ApiError, RetCode
from mlthon.venues.bybit.listing import CONTRACTS, Listing, category_of
from mlthon.venues.bybit.market_messages import MAX_LEVERAGE
from mlthon.venues.bybit.order_messages import (
    exec_type,
    execution_row,
    funding_row,
    order_row,
    status_name,
)
from mlthon.venues.bybit.paging import page
from mlthon.venues.bybit.params import Params, bad_param
from mlthon.venues.bybit.wallets import Wallets
from mlthon.venues.bybit.wire import IdKind, WireIds, exact, to_ms

_LONGEST_WINDOW_MS = 7 * 86_400_000
_RECENTLY_CLOSED = 500
_ONE_WAY, _HEDGE = 0, 3
_EXEC_TYPES = (
    "Trade",
    "Funding",
    "BustTrade",
    "AdlTrade",
    "Delivery",
    "Settle",
    "BlockTrade",
    "MovePosition",
)


class AccountQueries:
    """Answers the private queries of all accounts."""

    def __init__(
        self,
        exchange: SimExchange,
        listing: Listing,
        wallets: Wallets,
        ids: WireIds,
        now_ns: Callable[[], int],
    ) -> None:
        self._exchange = exchange
        self._listing = listing
        self._wallets = wallets
        self._ids = ids
        self._now_ns = now_ns

    # -- orders and executions ---------------------------------------------------------------------------------

    def open_orders(self, key: ApiKey, params: Params) -> Json:
        """Open orders, newest first; recently closed ones with openOnly=1, and an order in any state by its id."""
        category = category_of(params)
        if _names_order(params):
            return self._order_page(category, self._named_order(key.account, category, params), params)
        markets = self._listing.select(category, params, all_by_default=category != "linear")
        symbols = {market.traded_as for market in markets}
        if params.integer("openOnly", 0, 2, 0):
            orders = self._closed(key.account)[:_RECENTLY_CLOSED]
        else:
            orders = self._exchange.open_orders(key.account)[::-1]
        return self._order_page(category, [order for order in orders if order.symbol in symbols], params)

    def order_history(self, key: ApiKey, params: Params) -> Json:
        """Closed orders, newest first."""
        category = category_of(params)
        if _names_order(params):
            named = self._named_order(key.account, category, params)
            orders = [order for order in named if not order.is_open]
        else:
            symbols = self._wanted_symbols(category, params)
            begin_ms, end_ms = _window(params)
            orders = [
                order
                for order in self._closed(key.account)
                if order.symbol in symbols and begin_ms <= to_ms(order.created_ns) <= end_ms
            ]
        if params.is_given("orderStatus"):
            status = params.text("orderStatus")
            orders = [
                order for order in orders if status_name(order, self._listing.traded(order.symbol)) == status
            ]
        return self._order_page(category, orders, params)

    def executions(self, key: ApiKey, params: Params) -> Json:
        """Fills and funding, newest first."""
        category = category_of(params)
        symbols = self._wanted_symbols(category, params)
        begin_ms, end_ms = _window(params)
        kind = params.choice("execType", _EXEC_TYPES, "")
        executions = [
            execution
            for execution in self._executions(key.account, params)
            if execution.symbol in symbols
            and begin_ms <= to_ms(execution.exec_ns) <= end_ms
            and kind in ("", exec_type(execution))
        ]
        shown, cursor = page(executions, params, self._exec_id, most=100, default=50)
        return {
            "category": category,
            "list": [self._execution_row(execution) for execution in shown],
            "nextPageCursor": cursor,
        }

    def _executions(self, account: Account, params: Params) -> Iterator[SimFill | SimPayment]:
        """Fills and funding, newest first; only fills of an order where the request names one."""
        fills = reversed(self._exchange.fills(account))
        if params.is_given("orderId"):
            number = self._ids.order_number(params.text("orderId"))
            return (fill for fill in fills if fill.order_id == number)
        if params.is_given("orderLinkId"):
            link_id = params.text("orderLinkId")
            return (fill for fill in fills if fill.link_id == link_id)
        payments = reversed(self._exchange.payments(account))
        return merge(fills, payments, key=lambda execution: execution.exec_id, reverse=True)

    def _execution_row(self, execution: SimFill | SimPayment) -> Json:
        market = self._listing.traded(execution.symbol)
        if isinstance(execution, SimPayment):
            return funding_row(execution, market, self._ids)
        return execution_row(execution, market, self._ids)

    def _order_page(self, category: str, orders: list[SimOrder], params: Params) -> Json:
        shown, cursor = page(orders, params, self._order_id, most=50, default=20)
        rows = [order_row(order, self._listing.traded(order.symbol), self._ids) for order in shown]
        return {"category": category, "list": rows, "nextPageCursor": cursor}

    def _named_order(self, account: Account, category: str, params: Params) -> list[SimOrder]:
        """The one order that a request names, by the venue's id or else by the client's, if there is one."""
        if params.is_given("orderId"):
            number = self._ids.order_number(params.text("orderId"))
            order = None if number is None else self._exchange.find_order(account, order_id=number)
        else:
            order = self._exchange.find_order(account, link_id=params.text("orderLinkId"))
        if order is None or self._listing.traded(order.symbol).category != category:
            return []
        return [order]

    def _closed(self, account: Account) -> list[SimOrder]:
        return self._exchange.recent_orders(account)[::-1]

    def _wanted_symbols(self, category: str, params: Params) -> set[str]:
        """The symbols a request narrows itself to, as the exchange calls them; all of the category by default."""
        markets = self._listing.select(category, params, all_by_default=True)
        return {market.traded_as for market in markets}

    def _order_id(self, order: SimOrder) -> str:
        return self._ids.encode(IdKind.ORDER, order.order_id)

    def _exec_id(self, execution: SimFill | SimPayment) -> str:
        return self._ids.encode(IdKind.FILL, execution.exec_id)

    # -- positions ---------------------------------------------------------------------------------------------

    def positions(self, key: ApiKey, params: Params) -> Json:
        """The position of a symbol, flat or not; or by coin (inverse: or all) those that are not flat."""
        category = category_of(params, CONTRACTS)
        markets = self._listing.select(category, params, all_by_default=category == "inverse")
        now_ms = to_ms(self._now_ns())
        rows = [(market, key.account.position(market.traded_as)) for market in markets]
        if not params.is_given("symbol"):
            rows = [(market, position) for market, position in rows if not position.size.is_zero()]
        shown, cursor = page(rows, params, lambda row: row[0].symbol, most=200, default=20)
        return {
            "category": category,
            "list": [
                position_row(position, market, self._exchange.market_seq(market.traded_as), now_ms)
                for market, position in shown
            ],
            "nextPageCursor": cursor,
        }

    def set_leverage(self, key: ApiKey, params: Params) -> Json:
        category = category_of(params, CONTRACTS)
        symbol = self._listing.market(category, params.text("symbol")).traded_as
        leverage = params.decimal("buyLeverage")
        if leverage != params.decimal("sellLeverage"):
            raise bad_param(
                "buyLeverage and sellLeverage: expected one value, the account is in one-way mode"
            )
        if not MLDecimal("1") <= leverage <= MAX_LEVERAGE:
            raise bad_param(f"buyLeverage: expected 1 to {exact(MAX_LEVERAGE)}, got {exact(leverage)}")
        if leverage == key.account.leverage(symbol):
            raise ApiError(RetCode.LEVERAGE_NOT_MODIFIED, "leverage not modified")
        try:
            key.account.set_leverage(symbol, leverage)
        except ValueError as refused:
            raise ApiError(RetCode.INSUFFICIENT_FUNDS, str(refused)) from refused
        return {}

    def switch_mode(self, key: ApiKey, params: Params) -> Json:
        """One-way mode is all there is: asking for it changes nothing, asking for hedge mode is refused."""
        category_of(params, CONTRACTS)
        if params.integer("mode", _ONE_WAY, _HEDGE, _HEDGE) == _ONE_WAY:
            raise ApiError(RetCode.POSITION_MODE_NOT_MODIFIED, "position mode is not modified")
        raise bad_param("mode: this venue simulates one-way mode (0) only")

    # -- the account itself ------------------------------------------------------------------------------------

    def wallet_balance(self, key: ApiKey, params: Params) -> Json:
        params.choice("accountType", ("UNIFIED",))
        coins = params.text("coin").split(",") if params.is_given("coin") else None
        return {"list": [self._wallets.row(key.account, coins)]}

    def account_info(self, key: ApiKey, params: Params) -> Json:
        return {
            "marginMode": "REGULAR_MARGIN",
            "updatedTime": str(to_ms(self._now_ns())),
            "unifiedMarginStatus": 5,
            "dcpStatus": "OFF",
            "timeWindow": 0,
            "smpGroup": 0,
            "isMasterTrader": False,
            "spotHedgingStatus": "OFF",
        }

    def fee_rate(self, key: ApiKey, params: Params) -> Json:
        category = category_of(params)
        symbols = self._wanted_symbols(category, params)
        fees, is_spot = self._exchange.fees, category == "spot"
        rows = [
            {
                "symbol": market.symbol,
                "baseCoin": "",
                "takerFeeRate": exact(fees.rate(is_spot=is_spot, is_maker=False)),
                "makerFeeRate": exact(fees.rate(is_spot=is_spot, is_maker=True)),
            }
            for market in self._listing
            if market.traded_as in symbols
        ]
        return {"category": category, "list": rows}

    def key_info(self, key: ApiKey, params: Params) -> Json:
        """What a key may do: trade for its account, and nothing else."""
        user_id = 1_000_000 + key.account.index
        return {
            "id": str(user_id),
            "note": key.account.name,
            "apiKey": key.key,
            "readOnly": 0,
            "secret": "",
            "permissions": {
                "ContractTrade": ["Order", "Position"],
                "Spot": ["SpotTrade"],
                "Wallet": [],
                "Options": [],
                "Derivatives": ["DerivativesTrade"],
                "Exchange": [],
            },
            "ips": ["*"],
            "type": 1,
            "deadlineDay": 0,
            "expiredAt": "1970-01-01T00:00:00Z",
            "createdAt": "1970-01-01T00:00:00Z",
            "unified": 0,
            "uta": 1,
            "userID": user_id,
            "inviterID": 0,
            "vipLevel": "No VIP",
            "mktMakerLevel": "0",
            "affiliateID": 0,
            "rsaPublicKey": "",
            "isMaster": True,
            "parentUid": "0",
        }

    def coin_info(self, key: ApiKey, params: Params) -> Json:
        """The coins of the account. Nothing can be deposited or withdrawn, so none has a chain."""
        coins = [params.text("coin")] if params.is_given("coin") else key.account.coins
        rows = [{"name": coin, "coin": coin, "remainAmount": "0", "chains": []} for coin in coins]
        return {"rows": rows}


def _names_order(params: Params) -> bool:
    return params.is_given("orderId") or params.is_given("orderLinkId")


def _window(params: Params) -> tuple[int, int]:
    """The time span of a query, both ends included: seven days at most, the last seven when it says nothing."""
    begin_ms, end_ms = params.time_ms("startTime"), params.time_ms("endTime")
    if begin_ms is None and end_ms is None:
        return 0, _FOREVER_MS
    if begin_ms is None:
        assert end_ms is not None
        return end_ms - _LONGEST_WINDOW_MS, end_ms
    if end_ms is None:
        return begin_ms, begin_ms + _LONGEST_WINDOW_MS
    if not 0 <= end_ms - begin_ms <= _LONGEST_WINDOW_MS:
        raise bad_param("startTime and endTime: expected at most seven days, the later one last")
    return begin_ms, end_ms


_FOREVER_MS = 1 << 62
