"""Create, amend and cancel, single and in batches: the same for REST and for the trade websocket.

Accepting is not deciding: a post-only order that would take is accepted here, and ended on the order stream.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from mlthon.sim.account import Account
from mlthon.sim.exchange import SimExchange
from mlthon.sim.orders import SimOrder
from mlthon.venues.bybit.errors import ApiError, RetCode
from mlthon.venues.bybit.limits import VenueLimits
from mlthon.venues.bybit.listing import Listing, category_of
from mlthon.venues.bybit.market import Market
from mlthon.venues.bybit.new_orders import check_size, new_order, refuse_not_simulated
from mlthon.venues.bybit.order_messages import Json
from mlthon.venues.bybit.params import Params, bad_param
from mlthon.venues.bybit.rate_limits import Endpoint
from mlthon.venues.bybit.refusals import ask
from mlthon.venues.bybit.wire import IdKind, WireIds


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a request came to: ``result`` of the answer, and ``retExtInfo`` where a batch tells each item's fate."""

    result: Json
    ext_info: Json = field(default_factory=dict)


class OrderEntry:
    """Turns order requests of any account into calls of the exchange."""

    def __init__(self, exchange: SimExchange, listing: Listing, ids: WireIds, limits: VenueLimits) -> None:
        self._exchange = exchange
        self._listing = listing
        self._ids = ids
        self._limits = limits
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
        most = self._limits.spot_batch_orders if is_spot(params) else self._limits.batch_orders
        if not 1 <= count <= most:
            raise bad_param(f"request: expected 1 to {most} orders, got {count}")
        return count

    def perform(self, endpoint: Endpoint, account: Account, params: Params, granted: int) -> Outcome:
        """Carry out a request of which the rate limit granted `granted` units; raises ApiError."""
        if endpoint in self._batches:
            return self._batch(self._batches[endpoint], account, params, granted)
        if not granted:
            raise ApiError(RetCode.RATE_LIMITED, "too many requests in this second")
        return Outcome(self._singles[endpoint](account, category_of(params), params))

    # -- one request -------------------------------------------------------------------------------------------

    def _create(self, account: Account, category: str, params: Params) -> Json:
        market = self._market(category, params)
        order = new_order(account, market, params)
        return self._names(ask(market, self._exchange.place, account, order))

    def _amend(self, account: Account, category: str, params: Params) -> Json:
        market = self._market(category, params)
        refuse_not_simulated(params)
        price = params.price("price") if params.is_given("price") else None
        qty = params.qty("qty") if params.is_given("qty") else None
        if price is None and qty is None:
            raise bad_param("an amend needs qty or price")
        check_size(market, price, qty)
        order_id, link_id = self._order_key(market, params)
        return self._names(
            ask(
                market,
                self._exchange.amend,
                account,
                market.traded_as,
                order_id=order_id,
                link_id=link_id,
                price=price,
                qty=qty,
            )
        )

    def _cancel(self, account: Account, category: str, params: Params) -> Json:
        market = self._market(category, params)
        order_id, link_id = self._order_key(market, params)
        return self._names(
            ask(market, self._exchange.cancel, account, market.traded_as, order_id=order_id, link_id=link_id)
        )

    def _cancel_all(self, account: Account, category: str, params: Params) -> Json:
        """Contracts must be narrowed down; in spot a request that says nothing more means all."""
        markets = self._listing.select(category, params, all_by_default=category == "spot")
        if params.text("orderFilter", "Order") != "Order":
            markets = []  # conditional orders do not exist here
        cancelled = [
            order
            for market in markets
            for order in ask(market, self._exchange.cancel_all, account, market.traded_as)
        ]
        return {"list": [self._names(order) for order in cancelled], "success": "1"}

    def _market(self, category: str, params: Params) -> Market:
        symbol = params.text("symbol")
        if category == "spot" and not self._listing.is_listed(category, symbol):
            raise ApiError(RetCode.SPOT_BAD_SYMBOL, "Invalid symbol.")
        return self._listing.market(category, symbol)

    def _order_key(self, market: Market, params: Params) -> tuple[int | None, str | None]:
        """Which order: by the venue's id, which wins, or by the client's."""
        if not params.is_given("orderId"):
            if not params.is_given("orderLinkId"):
                raise bad_param("orderId or orderLinkId is required")
            return None, params.text("orderLinkId")
        number = self._ids.order_number(params.text("orderId"))
        if number is None:
            code = RetCode.SPOT_UNKNOWN_ORDER if market.is_spot else RetCode.UNKNOWN_ORDER
            raise ApiError(code, "no such order")
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
                row |= handle(account, category, Params(item))
            except ApiError as refused:
                fates.append({"code": refused.code, "msg": refused.text})
            else:
                fates.append({"code": 0, "msg": "OK"})
            rows.append(row)
        return Outcome({"list": rows}, {"list": fates})


_Handle = Callable[[Account, str, Params], Json]


def is_spot(params: Params) -> bool:
    """Whether a request says that it is about spot; it need not be a right one."""
    return params.value("category") == "spot"
