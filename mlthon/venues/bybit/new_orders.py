"""From the parameters of ``order.create`` to an order for the exchange."""

from __future__ import annotations

import re

from mlthon.basics.defs import TIF, OrderType, Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.sim.account import Account
from mlthon.sim.orders import NewOrder
from mlthon.venues.bybit.errors import ApiError, RetCode
from mlthon.venues.bybit.market import Market
from mlthon.venues.bybit.order_messages import SMP_TYPES
from mlthon.venues.bybit.params import Params, bad_param, shorten
from mlthon.venues.bybit.wire import exact

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
    "isLeverage",
)
_UNSET = (None, "", "0", 0)


def new_order(account: Account, market: Market, params: Params) -> NewOrder:
    """The order that a request asks for; raises ApiError for one that cannot be."""
    refuse_not_simulated(params)
    if params.integer("positionIdx", 0, 2, 0) != 0:
        raise bad_param("position idx not match position mode: the account is in one-way mode, positionIdx 0")
    order_type = OrderType[params.choice("orderType", ("Limit", "Market"))]
    is_limit = order_type is OrderType.Limit
    side = Side[params.choice("side", ("Buy", "Sell"))]
    tif = params.choice("timeInForce", tuple(_TIFS), "GTC")
    price = params.price("price") if is_limit else None
    by_value = _is_by_value(market, side, order_type, params)
    reduces = params.flag("reduceOnly") or params.flag("closeOnTrigger")
    qty = params.qty("qty")
    if market.is_spot:
        _check_spot(params, reduces)
    elif params.flag("reduceOnly") and params.flag("closeOnTrigger") and qty.is_zero():
        qty = abs(account.position(market.traded_as).size)
    check_size(market, price, None if by_value else qty)
    return NewOrder(
        symbol=market.traded_as,
        side=side,
        qty=qty,
        price=price,
        order_type=order_type,
        tif=_TIFS[tif] if is_limit else TIF.IOC,
        post_only=is_limit and tif == "PostOnly",
        reduce_only=reduces,
        link_id=_link_id(params),
        self_trade=_SMP_BY_NAME[params.choice("smpType", tuple(_SMP_BY_NAME), "None")],
        by_value=by_value,
    )


def refuse_not_simulated(params: Params) -> None:
    """Raise ApiError for a parameter that would change what an order does, and that is not simulated."""
    for name in _NOT_SIMULATED:
        if params.value(name) not in _UNSET:
            raise bad_param(f"{name} is not simulated: leave it out")


def check_size(market: Market, price: Price | None, qty: Qty | None) -> None:
    """Hold orders to the bounds that instruments-info publishes; raises ApiError."""
    if market.is_spot:
        _check_spot_size(market, price, qty)
        return
    if price is not None and price > market.max_price:
        raise ApiError(
            RetCode.PRICE_OUT_OF_RANGE, f"price: at most {exact(market.max_price)}, got {exact(price)}"
        )
    if qty is not None and qty > market.max_qty:
        raise bad_param(f"qty: at most {exact(market.max_qty)}, got {exact(qty)}")


def _check_spot_size(market: Market, price: Price | None, qty: Qty | None) -> None:
    """Spot has a code for each bound."""
    if price is not None and price > market.max_price:
        raise ApiError(
            RetCode.SPOT_PRICE_TOO_HIGH, f"Order price too high: at most {exact(market.max_price)}"
        )
    if price is not None and price.sign() <= 0:
        raise ApiError(RetCode.SPOT_PRICE_TOO_LOW, f"Order price lower than the minimum: {exact(price)}")
    if qty is None:
        return
    least = market.instrument.get_min_quantity()
    if qty < least:
        raise ApiError(
            RetCode.SPOT_QTY_TOO_SMALL, f"Order quantity lower than the minimum {exact(least)}: {exact(qty)}"
        )
    if qty > market.max_qty:
        raise ApiError(
            RetCode.SPOT_QTY_TOO_LARGE, f"Order quantity too large: at most {exact(market.max_qty)}"
        )


def _check_spot(params: Params, reduces: bool) -> None:
    """Refuse what spot orders of this venue cannot be."""
    if reduces:
        raise bad_param("reduceOnly and closeOnTrigger: a spot pair has no position")
    if params.text("orderFilter", "Order") != "Order":
        raise bad_param(f"orderFilter: expected Order, got {shorten(params.text('orderFilter'))}")


def _is_by_value(market: Market, side: Side, order_type: OrderType, params: Params) -> bool:
    """Whether ``qty`` counts the quote coin: in spot market orders that say so, and in purchases that say nothing."""
    if not market.is_spot or order_type is not OrderType.Market:
        return False
    default = "quoteCoin" if side is Side.Buy else "baseCoin"
    return params.choice("marketUnit", ("baseCoin", "quoteCoin"), default) == "quoteCoin"


def _link_id(params: Params) -> str:
    link_id = params.text("orderLinkId", "")
    if link_id and not _LINK_ID.fullmatch(link_id):
        raise bad_param(
            f"orderLinkId: expected up to 36 letters, digits, hyphens and underscores, got {shorten(link_id)}"
        )
    return link_id
