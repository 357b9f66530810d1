"""Create, amend and cancel, single and in batches: the same for REST and for the trade websocket.

Accepting is not deciding: a post-only order that would take is accepted here, and ended on the order stream.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from mlthon.basics.defs import TIF, OrderType, Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.sim.account import Account
from mlthon.sim.exchange import SimExchange
from mlthon.sim.orders import NewOrder, Refusal, Refused, SimOrder
from mlthon.venues.bybit.account_messages import SMP_TYPES, Json
from mlthon.venues.bybit.errors import ApiError, RetCode
from mlthon.venues.bybit.listing import Listing
from mlthon.venues.bybit.market import Market
from mlthon.venues.bybit.params import Params, bad_param, category_of, shorten
from mlthon.venues.bybit.rate_limits import Endpoint
from mlthon.venues.bybit.wire import IdKind, WireIds, exact

_LINK_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")
_SMP_BY_NAME = {name: choice for choice, name in SMP_TYPES.items()}
_TIFS = {"GTC": TIF.GTC, "IOC": TIF.IOC, "FOK": TIF.FOK, "PostOnly": TIF.GTC}

# Parameters that would change what an order does, and that are not simulated: refused, never ignored.
_NOT_SIMULATED = (
    "triggerPrice",
    "triggerDirection",
    "takeProfit",
    "stopLoss",
    "tpslMode",
    "tpLimitPrice",
    "slLimitPrice",
    "bboSideType",
    "bboLevel",
    "slippageTolerance",
    "orderIv",
)
_UNSET = (None, "", "0", 0)

_CODES = {
    Refusal.UnknownSymbol: RetCode.BAD_REQUEST,
    Refusal.BadPrice: RetCode.PRICE_OUT_OF_RANGE,
    Refusal.BadQty: RetCode.BAD_REQUEST,
    Refusal.BelowMinNotional: RetCode.BELOW_MIN_NOTIONAL,
    Refusal.BadCombination: RetCode.BAD_REQUEST,
    Refusal.DuplicateLinkId: RetCode.DUPLICATE_LINK_ID,
    Refusal.UnknownOrder: RetCode.UNKNOWN_ORDER,
    Refusal.OrderDone: RetCode.ORDER_DONE,
    Refusal.InsufficientFunds: RetCode.INSUFFICIENT_FUNDS,
    Refusal.ReduceOnly: RetCode.NOTHING_TO_REDUCE,
    Refusal.TooManyOrders: RetCode.TOO_MANY_ORDERS,
    Refusal.NothingToChange: RetCode.BAD_REQUEST,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a request came to: ``result`` of the answer, and ``retExtInfo`` where a batch tells each item's fate."""

    result: Json
    ext_info: Json = field(default_factory=dict)


class OrderEntry:
    """Turns order requests of any account into calls of the exchange."""

    def __init__(self, exchange: SimExchange, listing: Listing, ids: WireIds, batch_orders: int) -> None:
        self._exchange = exchange
        self._listing = listing
        self._ids = ids
        self._batch_orders = batch_orders
        self._singles: dict[Endpoint, _Handle] = {
            Endpoint.CREATE: self._create,
            Endpoint.AMEND: self._amend,
            Endpoint.CANCEL: self._cancel,
            Endpoint.CANCEL_ALL: self._cancel_all,
        }
        self._batches: dict[Endpoint, _Handle] = {
            Endpoint.CREATE_BATCH: self._create,
            Endpoint.AMEND_BATCH: self._amend,
            Endpoint.CANCEL_BATCH: self._cancel,
        }

    def weight(self, endpoint: Endpoint, params: Params) -> int:
        """How many units of its rate limit a request takes: a batch counts each of its orders."""
        if endpoint not in self._batches:
            return 1
        count = len(params.rows("request"))
        if not 1 <= count <= self._batch_orders:
            raise bad_param(f"request: expected 1 to {self._batch_orders} orders, got {count}")
        return count

    def perform(self, endpoint: Endpoint, account: Account, params: Params, granted: int) -> Outcome:
        """Carry out a request of which the rate limit granted `granted` units; raises ApiError."""
        if endpoint in self._batches:
            return self._batch(self._batches[endpoint], account, params, granted)
        if not granted:
            raise ApiError(RetCode.RATE_LIMITED, "too many requests in this second")
        category_of(params)
        return Outcome(self._singles[endpoint](account, params))

    # -- one request -------------------------------------------------------------------------------------------

    def _cancel_all(self, account: Account, params: Params) -> Json:
        markets = self._listing.select(params)
        if params.text("orderFilter", "Order") != "Order":
            markets = []  # conditional orders do not exist here
        cancelled = [
            order for market in markets for order in _ask(self._exchange.cancel_all, account, market.symbol)
        ]
        return {"list": [self._names(order) for order in cancelled], "success": "1"}

    def _create(self, account: Account, params: Params) -> Json:
        market = self._listing.market(params.text("symbol"))
        order = self._new_order(account, market, params)
        return self._names(_ask(self._exchange.place, account, order))

    def _amend(self, account: Account, params: Params) -> Json:
        market = self._listing.market(params.text("symbol"))
        _refuse_not_simulated(params)
        price = params.price("price") if params.is_given("price") else None
        qty = params.qty("qty") if params.is_given("qty") else None
        if price is None and qty is None:
            raise bad_param("an amend needs qty or price")
        _check_size(market, price, qty)
        order_id, link_id = self._order_key(params)
        return self._names(
            _ask(
                self._exchange.amend,
                account,
                market.symbol,
                order_id=order_id,
                link_id=link_id,
                price=price,
                qty=qty,
            )
        )

    def _cancel(self, account: Account, params: Params) -> Json:
        market = self._listing.market(params.text("symbol"))
        order_id, link_id = self._order_key(params)
        return self._names(
            _ask(self._exchange.cancel, account, market.symbol, order_id=order_id, link_id=link_id)
        )

    def _new_order(self, account: Account, market: Market, params: Params) -> NewOrder:
        _refuse_not_simulated(params)
        if params.integer("positionIdx", 0, 2, 0) != 0:
            raise bad_param(
                "position idx not match position mode: the account is in one-way mode, positionIdx 0"
            )
        order_type = OrderType[params.choice("orderType", ("Limit", "Market"))]
        is_limit = order_type is OrderType.Limit
        tif = params.choice("timeInForce", tuple(_TIFS), "GTC")
        closing = params.flag("reduceOnly") and params.flag("closeOnTrigger")
        qty = params.qty("qty")
        if closing and qty.is_zero():
            qty = abs(account.position(market.symbol).size)
        price = params.price("price") if is_limit else None
        _check_size(market, price, qty)
        return NewOrder(
            symbol=market.symbol,
            side=Side[params.choice("side", ("Buy", "Sell"))],
            qty=qty,
            price=price,
            order_type=order_type,
            tif=_TIFS[tif] if is_limit else TIF.IOC,
            post_only=is_limit and tif == "PostOnly",
            reduce_only=params.flag("reduceOnly") or params.flag("closeOnTrigger"),
            link_id=_link_id(params),
            self_trade=_SMP_BY_NAME[params.choice("smpType", tuple(_SMP_BY_NAME), "None")],
        )

    def _order_key(self, params: Params) -> tuple[int | None, str | None]:
        """Which order: by the venue's id, which wins, or by the client's."""
        if not params.is_given("orderId"):
            if not params.is_given("orderLinkId"):
                raise bad_param("orderId or orderLinkId is required")
            return None, params.text("orderLinkId")
        number = self._ids.order_number(params.text("orderId"))
        if number is None:
            raise ApiError(RetCode.UNKNOWN_ORDER, "no such order")
        return number, None

    def _names(self, order: SimOrder) -> Json:
        return {"orderId": self._ids.encode(IdKind.ORDER, order.order_id), "orderLinkId": order.link_id}

    # -- batches -----------------------------------------------------------------------------------------------

    def _batch(self, handle: _Handle, account: Account, params: Params, granted: int) -> Outcome:
        category = category_of(params)
        rows: list[Json] = []
        fates: list[Json] = []
        for index, item in enumerate(params.rows("request")):
            row: Json = {"category": category, "symbol": "", "orderId": "", "orderLinkId": ""}
            row |= {name: item[name] for name in ("symbol", "orderLinkId") if isinstance(item.get(name), str)}
            try:
                if index >= granted:
                    raise ApiError(RetCode.RATE_LIMITED, "too many orders in this second")
                row |= handle(account, Params(item))
            except ApiError as refused:
                fates.append({"code": refused.code, "msg": refused.text})
            else:
                fates.append({"code": 0, "msg": "OK"})
            rows.append(row)
        return Outcome({"list": rows}, {"list": fates})


_Handle = Callable[[Account, Params], Json]
_Args = ParamSpec("_Args")
_Result = TypeVar("_Result")


def _ask(call: Callable[_Args, _Result], *args: _Args.args, **kwargs: _Args.kwargs) -> _Result:
    """Call the exchange; its refusal becomes the venue's."""
    try:
        return call(*args, **kwargs)
    except Refused as refused:
        raise ApiError(_CODES[refused.reason], refused.text) from refused


def _refuse_not_simulated(params: Params) -> None:
    for name in _NOT_SIMULATED:
        if params.value(name) not in _UNSET:
            raise bad_param(f"{name} is not simulated: leave it out")


def _check_size(market: Market, price: Price | None, qty: Qty | None) -> None:
    """Hold orders to the bounds that instruments-info publishes beside the exchange's own."""
    if price is not None and price > market.max_price:
        raise ApiError(
            RetCode.PRICE_OUT_OF_RANGE, f"price: at most {exact(market.max_price)}, got {exact(price)}"
        )
    if qty is not None and qty > market.max_qty:
        raise bad_param(f"qty: at most {exact(market.max_qty)}, got {exact(qty)}")


def _link_id(params: Params) -> str:
    link_id = params.text("orderLinkId", "")
    if link_id and not _LINK_ID.fullmatch(link_id):
        raise bad_param(
            f"orderLinkId: expected up to 36 letters, digits, hyphens and underscores, got {shorten(link_id)}"
        )
    return link_id
