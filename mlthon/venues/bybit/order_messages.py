"""Orders and executions as Bybit v5 JSON, in the shapes of contracts and of spot. Pure functions.

REST and the private stream carry the same objects; what only the stream has is added by `stream_order`. Where the
products differ, and what the differences are taken from:

* an order that a user cancels keeps no ``leavesQty`` on contracts, and what was left of it in spot (recorded);
* a post-only order that would take is ``Cancelled`` on contracts and ``Rejected`` in spot (field reports);
* one that ends with fills is ``Cancelled`` on contracts and ``PartiallyFilledCanceled`` in spot (documented);
* an order by value counts the quote coin in ``qty``, has 0 as ``leavesQty`` and its rest in ``leavesValue``, and is
  cancelled with EC_CancelForNoFullFill when the rest buys nothing (recorded);
* ``tpslMode`` and ``createType`` are there on contracts only: clients tell them from spot by the first.

A liquidation is told as an order that the client never sent: its ``orderLinkId`` is empty, and its execution is a
BustTrade. Funding is told as an execution without an order.
"""

from __future__ import annotations

from mlthon.basics.defs import OrderType, Side
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.qty import Qty
from mlthon.sim.orders import EndReason, OrderState, Origin, SelfTrade, SimFill, SimOrder, SimPayment
from mlthon.venues.bybit.market import Market
from mlthon.venues.bybit.wire import IdKind, WireIds, exact, to_ms

Json = dict[str, object]

SMP_TYPES = {
    SelfTrade.Allow: "None",
    SelfTrade.CancelMaker: "CancelMaker",
    SelfTrade.CancelTaker: "CancelTaker",
    SelfTrade.CancelBoth: "CancelBoth",
}

_NOTHING = MLDecimal("0")
_CONTRACT_STATUS = {
    OrderState.New: "New",
    OrderState.PartiallyFilled: "PartiallyFilled",
    OrderState.Filled: "Filled",
    OrderState.Cancelled: "Cancelled",
    OrderState.Rejected: "Cancelled",
}
_SPOT_STATUS = {**_CONTRACT_STATUS, OrderState.Rejected: "Rejected"}
_CANCEL_TYPE = {
    EndReason.ByUser: "CancelByUser",
    EndReason.ReduceOnly: "CancelByReduceOnly",
    EndReason.SelfTrade: "CancelBySmp",
    EndReason.BeforeLiquidation: "CancelAllBeforeLiq",
}
_REJECT_REASON = {
    EndReason.NotEnded: "EC_NoError",
    EndReason.ByUser: "EC_PerCancelRequest",
    EndReason.PostOnlyWouldCross: "EC_PostOnlyWillTakeLiquidity",
    EndReason.NoImmediateLiquidity: "EC_NoImmediateQtyToFill",
    EndReason.NotFillableWhole: "EC_CancelForNoFullFill",
    EndReason.ReduceOnly: "EC_Others",
    EndReason.SelfTrade: "EC_BySelfMatch",
    EndReason.ValueSpent: "EC_CancelForNoFullFill",
    EndReason.FundsSpent: "EC_NoEnoughQtyToFill",
    EndReason.BeforeLiquidation: "EC_Others",
}
_CREATE_TYPE = {Origin.Client: "CreateByUser", Origin.Liquidation: "CreateByTakeOver_PassThrough"}
_EXEC_TYPE = {Origin.Client: "Trade", Origin.Liquidation: "BustTrade"}


def order_row(order: SimOrder, market: Market, ids: WireIds) -> Json:
    """An order, as the order queries list it."""
    formats = market.formats
    leaves_qty, leaves_value = _leaves(order, market)
    return {
        "symbol": market.symbol,
        "orderId": ids.encode(IdKind.ORDER, order.order_id),
        "orderLinkId": order.link_id,
        "side": order.side.name,
        "orderType": order.order_type.name,
        "price": "0" if order.price is None else formats.price(order.price),
        "qty": exact(order.qty) if order.by_value else formats.qty(order.qty),
        "timeInForce": _time_in_force(order),
        "orderStatus": status_name(order, market),
        "cancelType": _CANCEL_TYPE.get(order.end_reason, "UNKNOWN"),
        "rejectReason": _REJECT_REASON[order.end_reason],
        "leavesQty": leaves_qty,
        "leavesValue": leaves_value,
        "cumExecQty": formats.qty(order.cum_qty),
        "cumExecValue": exact(order.cum_value),
        "cumExecFee": exact(sum(order.cum_fees.values(), _NOTHING)),
        "cumFeeDetail": {coin: exact(fee) for coin, fee in order.cum_fees.items()},
        "avgPrice": "" if order.avg_price is None else exact(order.avg_price),
        "createdTime": str(to_ms(order.created_ns)),
        "updatedTime": str(to_ms(order.updated_ns)),
        "reduceOnly": order.reduce_only,
        "smpType": SMP_TYPES[order.self_trade],
        "smpOrderId": ids.encode(IdKind.ORDER, order.met_order_id) if order.met_order_id else "",
        **_NO_CONDITIONS,
        **(_spot_fields(order) if market.is_spot else _contract_fields(order)),
    }


# What plain orders leave empty.
_NO_CONDITIONS: Json = {
    "positionIdx": 0,
    "closeOnTrigger": False,
    "placeType": "",
    "blockTradeId": "",
    "orderIv": "",
    "lastPriceOnCreated": "",
    "stopOrderType": "",
    "triggerPrice": "",
    "triggerDirection": 0,
    "triggerBy": "",
    "takeProfit": "",
    "stopLoss": "",
    "tpTriggerBy": "",
    "slTriggerBy": "",
    "tpLimitPrice": "",
    "slLimitPrice": "",
    "ocoTriggerBy": "",
    "smpGroup": 0,
    "slippageToleranceType": "UNKNOWN",
    "slippageTolerance": "",
}


def _contract_fields(order: SimOrder) -> Json:
    return {"isLeverage": "", "marketUnit": "", "tpslMode": "", "createType": _CREATE_TYPE[order.origin]}


def _spot_fields(order: SimOrder) -> Json:
    if order.order_type is not OrderType.Market:
        return {"isLeverage": "0", "marketUnit": ""}
    return {"isLeverage": "0", "marketUnit": "quoteCoin" if order.by_value else "baseCoin"}


def stream_order(order: SimOrder, market: Market, ids: WireIds) -> Json:
    """An order, as the ``order`` topic pushes it."""
    row = {
        "category": market.category,
        **order_row(order, market, ids),
        "feeCurrency": _fee_coin(order, market),
    }
    if not market.is_spot:
        row["closedPnl"] = exact(order.realised_pnl)
    return row


def execution_row(fill: SimFill, market: Market, ids: WireIds) -> Json:
    """A fill, in execution/list and on the ``execution`` topic."""
    formats = market.formats
    nothing = formats.qty(Qty("0"))
    return {
        "category": market.category,
        "symbol": market.symbol,
        "execId": ids.encode(IdKind.FILL, fill.exec_id),
        "orderId": ids.encode(IdKind.ORDER, fill.order_id),
        "orderLinkId": fill.link_id,
        "side": fill.side.name,
        "orderType": fill.order_type.name,
        "orderPrice": "0" if fill.order_price is None else formats.price(fill.order_price),
        "orderQty": nothing if fill.by_value else formats.qty(fill.order_qty),
        "leavesQty": nothing if fill.by_value else formats.qty(fill.leaves_qty),
        "execPrice": formats.price(fill.price),
        "execQty": formats.qty(fill.qty),
        "execValue": exact(fill.value),
        "execFee": exact(fill.fee),
        "execFeeV2": "",
        "feeRate": exact(fill.fee_rate),
        "feeCurrency": fill.fee_coin,
        "execType": exec_type(fill),
        "execTime": str(to_ms(fill.exec_ns)),
        "isMaker": fill.is_maker,
        "seq": fill.exec_id,
        **_NO_EXTRAS,
        **(_SPOT_EXECUTION if market.is_spot else _contract_execution(fill, market)),
    }


_NO_EXTRAS: Json = {
    "isLeverage": "0",
    "marketUnit": "",
    "blockTradeId": "",
    "markPrice": "",
    "indexPrice": "",
    "underlyingPrice": "",
    "markIv": "",
    "tradeIv": "",
    "extraFees": "",
}
_SPOT_EXECUTION: Json = {"closedSize": "", "stopOrderType": ""}


def _contract_execution(fill: SimFill, market: Market) -> Json:
    return {
        "closedSize": market.formats.qty(fill.closed_qty),
        "execPnl": exact(fill.realised_pnl),
        "stopOrderType": "UNKNOWN",
        "createType": _CREATE_TYPE[fill.origin],
    }


def exec_type(execution: SimFill | SimPayment) -> str:
    """What kind of execution it is, in the venue's words."""
    return "Funding" if isinstance(execution, SimPayment) else _EXEC_TYPE[execution.origin]


def funding_row(payment: SimPayment, market: Market, ids: WireIds) -> Json:
    """Funding that was paid (or, with a negative fee, received), as an execution of the whole position."""
    mark = exact(payment.mark_price)
    return {
        "category": market.category,
        "symbol": market.symbol,
        "execId": ids.encode(IdKind.FILL, payment.exec_id),
        "orderId": ids.encode(IdKind.FUNDING, payment.exec_id),
        "orderLinkId": "",
        "side": payment.side.name,
        "orderType": "UNKNOWN",
        "orderPrice": "0",
        "orderQty": "0",
        "leavesQty": "0",
        "execPrice": mark,
        "execQty": market.formats.qty(payment.size),
        "execValue": exact(payment.value),
        "execFee": exact(payment.amount),
        "execFeeV2": "",
        "feeRate": exact(payment.rate),
        "feeCurrency": "",
        "execType": exec_type(payment),
        "execTime": str(to_ms(payment.exec_ns)),
        "isMaker": False,
        "seq": payment.exec_id,
        **_NO_EXTRAS,
        "markPrice": mark,
        "closedSize": "0",
        "execPnl": "0",
        "stopOrderType": "UNKNOWN",
        "createType": "",
    }


def fast_execution_row(fill: SimFill, market: Market, ids: WireIds) -> Json:
    """A fill on the ``execution.fast`` topic: the client's own id is there for takers only."""
    return {
        "category": market.category,
        "symbol": market.symbol,
        "execId": ids.encode(IdKind.FILL, fill.exec_id),
        "execPrice": market.formats.price(fill.price),
        "execQty": market.formats.qty(fill.qty),
        "orderId": ids.encode(IdKind.ORDER, fill.order_id),
        "isMaker": fill.is_maker,
        "orderLinkId": "" if fill.is_maker else fill.link_id,
        "side": fill.side.name,
        "execTime": str(to_ms(fill.exec_ns)),
        "seq": fill.exec_id,
    }


def status_name(order: SimOrder, market: Market) -> str:
    """Where an order is in its life, in the venue's words."""
    if not market.is_spot:
        return _CONTRACT_STATUS[order.state]
    if order.state is OrderState.Cancelled and not order.cum_qty.is_zero():
        return "PartiallyFilledCanceled"
    return _SPOT_STATUS[order.state]


def _leaves(order: SimOrder, market: Market) -> tuple[str, str]:
    """``leavesQty`` and ``leavesValue``."""
    if order.by_value:
        return market.formats.qty(Qty("0")), exact(order.unfilled_qty)
    if not market.is_spot and order.end_reason is EndReason.ByUser:
        return "", ""
    leaves_qty = order.unfilled_qty if market.is_spot else order.leaves_qty
    value = _NOTHING if order.price is None else market.terms.value(order.price, leaves_qty)
    return market.formats.qty(leaves_qty), exact(value)


def _fee_coin(order: SimOrder, market: Market) -> str:
    """What an order's fees are charged in, or would be."""
    if order.cum_fees:
        return list(order.cum_fees)[-1]
    is_purchase = market.is_spot and order.side is Side.Buy
    return market.terms.base if is_purchase else market.settle_coin


def _time_in_force(order: SimOrder) -> str:
    if order.post_only:
        return "PostOnly"
    return "IOC" if order.order_type is OrderType.Market else order.tif.name
