"""Orders, executions, positions and wallets as Bybit v5 JSON, in the shapes of linear contracts. Pure functions.

REST and the private stream carry the same objects; what only the stream has is added by the ``stream_*`` functions.
"""

from __future__ import annotations

from collections.abc import Sequence

from mlthon.basics.defs import OrderType
from mlthon.basics.mldecimal import MLDecimal
from mlthon.sim.orders import EndReason, OrderState, Position, SelfTrade, SimFill, SimOrder, Wallet
from mlthon.venues.bybit.market import Market
from mlthon.venues.bybit.wire import IdKind, WireIds, exact, to_ms

Json = dict[str, object]

_NOTHING = MLDecimal("0")

# A post-only order that would have taken is Cancelled on linear contracts (spot says Rejected).
_STATUS = {
    OrderState.New: "New",
    OrderState.PartiallyFilled: "PartiallyFilled",
    OrderState.Filled: "Filled",
    OrderState.Cancelled: "Cancelled",
    OrderState.Rejected: "Cancelled",
}
_CANCEL_TYPE = {
    EndReason.NotEnded: "UNKNOWN",
    EndReason.ByUser: "CancelByUser",
    EndReason.PostOnlyWouldCross: "UNKNOWN",
    EndReason.NoImmediateLiquidity: "UNKNOWN",
    EndReason.NotFillableWhole: "UNKNOWN",
    EndReason.ReduceOnly: "CancelByReduceOnly",
    EndReason.SelfTrade: "CancelBySmp",
}
_REJECT_REASON = {
    EndReason.NotEnded: "EC_NoError",
    EndReason.ByUser: "EC_PerCancelRequest",
    EndReason.PostOnlyWouldCross: "EC_PostOnlyWillTakeLiquidity",
    EndReason.NoImmediateLiquidity: "EC_NoImmediateQtyToFill",
    EndReason.NotFillableWhole: "EC_CancelForNoFullFill",
    EndReason.ReduceOnly: "EC_Others",
    EndReason.SelfTrade: "EC_BySelfMatch",
}
SMP_TYPES = {
    SelfTrade.Allow: "None",
    SelfTrade.CancelMaker: "CancelMaker",
    SelfTrade.CancelTaker: "CancelTaker",
    SelfTrade.CancelBoth: "CancelBoth",
}


def order_row(order: SimOrder, market: Market, ids: WireIds) -> Json:
    """An order, as the order queries list it."""
    formats = market.formats
    leaves_value = "0" if order.price is None else exact(order.price * order.leaves_qty)
    return {
        "symbol": order.symbol,
        "orderId": ids.encode(IdKind.ORDER, order.order_id),
        "orderLinkId": order.link_id,
        "side": order.side.name,
        "orderType": order.order_type.name,
        "price": "0" if order.price is None else formats.price(order.price),
        "qty": formats.qty(order.qty),
        "timeInForce": _time_in_force(order),
        "orderStatus": status_name(order),
        "cancelType": _CANCEL_TYPE[order.end_reason],
        "rejectReason": _REJECT_REASON[order.end_reason],
        "leavesQty": "" if order.end_reason is EndReason.ByUser else formats.qty(order.leaves_qty),
        "leavesValue": "" if order.end_reason is EndReason.ByUser else leaves_value,
        "cumExecQty": formats.qty(order.cum_qty),
        "cumExecValue": exact(order.cum_value),
        "cumExecFee": exact(sum(order.cum_fees.values(), _NOTHING)),
        "cumFeeDetail": {coin: exact(fee) for coin, fee in order.cum_fees.items()},
        "avgPrice": "" if order.avg_price is None else exact(order.avg_price),
        "createdTime": str(to_ms(order.created_ns)),
        "updatedTime": str(to_ms(order.updated_ns)),
        "reduceOnly": order.reduce_only,
        "smpType": SMP_TYPES[order.self_trade],
        **_NO_CONDITIONS,
    }


# What plain orders leave empty. ``tpslMode`` must be there: clients tell contracts from spot by it.
_NO_CONDITIONS: Json = {
    "positionIdx": 0,
    "isLeverage": "",
    "closeOnTrigger": False,
    "createType": "CreateByUser",
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
    "tpslMode": "",
    "ocoTriggerBy": "",
    "smpGroup": 0,
    "smpOrderId": "",
    "marketUnit": "",
    "slippageToleranceType": "UNKNOWN",
    "slippageTolerance": "",
}


def stream_order(order: SimOrder, market: Market, ids: WireIds) -> Json:
    """An order, as the ``order`` topic pushes it."""
    return {"category": market.category, **order_row(order, market, ids), "feeCurrency": market.settle_coin}


def execution_row(fill: SimFill, market: Market, ids: WireIds) -> Json:
    """A fill, in execution/list and on the ``execution`` topic."""
    formats = market.formats
    return {
        "category": market.category,
        "symbol": fill.symbol,
        "execId": ids.encode(IdKind.FILL, fill.exec_id),
        "orderId": ids.encode(IdKind.ORDER, fill.order_id),
        "orderLinkId": fill.link_id,
        "side": fill.side.name,
        "orderType": fill.order_type.name,
        "orderPrice": "0" if fill.order_price is None else formats.price(fill.order_price),
        "orderQty": formats.qty(fill.order_qty),
        "leavesQty": formats.qty(fill.leaves_qty),
        "execPrice": formats.price(fill.price),
        "execQty": formats.qty(fill.qty),
        "execValue": exact(fill.value),
        "execFee": exact(fill.fee),
        "execFeeV2": "",
        "feeRate": exact(fill.fee_rate),
        "feeCurrency": market.settle_coin,
        "execType": "Trade",
        "execTime": str(to_ms(fill.exec_ns)),
        "execPnl": exact(fill.realised_pnl),
        "closedSize": formats.qty(fill.closed_qty),
        "isMaker": fill.is_maker,
        "seq": fill.exec_id,
        "createType": "CreateByUser",
        "stopOrderType": "UNKNOWN",
        "isLeverage": "0",
        "blockTradeId": "",
        "markPrice": "",
        "indexPrice": "",
        "underlyingPrice": "",
        "markIv": "",
        "tradeIv": "",
        "extraFees": "",
    }


def position_row(position: Position, market: Market, seq: int, now_ms: int) -> Json:
    """A position, as position/list shows it. Liquidation is not simulated: its prices are empty."""
    size, formats = position.size, market.formats
    is_flat = size.is_zero()
    average = "0" if position.avg_price is None else exact(position.avg_price)
    return {
        "positionIdx": 0,
        "riskId": 1,
        "riskLimitValue": "",
        "symbol": position.symbol,
        "side": "" if is_flat else "Buy" if size.sign() > 0 else "Sell",
        "size": "0" if is_flat else formats.qty(abs(size)),
        "avgPrice": average,
        "positionValue": exact(abs(position.entry_value)),
        "leverage": exact(position.leverage),
        "markPrice": "" if position.mark_price is None else exact(position.mark_price),
        "positionBalance": exact(position.margin),
        "positionIM": exact(position.margin),
        "positionIMByMp": exact(position.margin),
        "positionMM": "0",
        "positionMMByMp": "0",
        "unrealisedPnl": exact(position.unrealised_pnl),
        "curRealisedPnl": exact(position.realised_pnl - position.fees),
        "cumRealisedPnl": exact(position.realised_pnl - position.fees),
        "sessionAvgPrice": "",
        "tradeMode": 0,
        "positionStatus": "Normal",
        "autoAddMargin": 0,
        "adlRankIndicator": 0,
        "liqPrice": "",
        "bustPrice": "",
        "tpslMode": "Full",
        "takeProfit": "",
        "stopLoss": "",
        "trailingStop": "0",
        "isReduceOnly": False,
        "leverageSysUpdatedTime": "",
        "mmrSysUpdatedTime": "",
        "createdTime": str(now_ms),
        "updatedTime": str(now_ms),
        "seq": seq,
    }


def stream_position(position: Position, market: Market, seq: int, now_ms: int) -> Json:
    """A position, as the ``position`` topic pushes it: the average price has another name there."""
    row = position_row(position, market, seq, now_ms)
    row["entryPrice"] = row.pop("avgPrice")
    return {"category": market.category, **row}


def wallet_row(wallets: Sequence[tuple[Wallet, MLDecimal]]) -> Json:
    """An account's coins, each with what one of it is worth in USD, and the account's totals in USD."""
    zero = MLDecimal("0")
    equity = balance = unrealised = available = margin = zero
    for wallet, usd in wallets:
        equity += wallet.equity * usd
        balance += wallet.balance * usd
        unrealised += wallet.unrealised_pnl * usd
        available += wallet.available * usd
        margin += (wallet.position_margin + wallet.order_margin) * usd
    return {
        "accountType": "UNIFIED",
        "accountIMRate": "0" if equity.sign() <= 0 else f"{margin / equity:.4f}",
        "accountMMRate": "0",
        "accountLTV": "0",
        "totalEquity": exact(equity),
        "totalWalletBalance": exact(balance),
        "totalMarginBalance": exact(equity),
        "totalAvailableBalance": exact(max(available, zero)),
        "totalPerpUPL": exact(unrealised),
        "totalInitialMargin": exact(margin),
        "totalMaintenanceMargin": "0",
        "coin": [_coin_row(wallet, usd) for wallet, usd in wallets],
    }


def _coin_row(wallet: Wallet, usd: MLDecimal) -> Json:
    return {
        "coin": wallet.coin,
        "equity": exact(wallet.equity),
        "usdValue": exact(wallet.equity * usd),
        "walletBalance": exact(wallet.balance),
        "locked": "0",
        "unrealisedPnl": exact(wallet.unrealised_pnl),
        "totalPositionIM": exact(wallet.position_margin),
        "totalOrderIM": exact(wallet.order_margin),
        "totalPositionMM": "0",
        "cumRealisedPnl": "",
        "availableToWithdraw": "",
        "availableToBorrow": "",
        "borrowAmount": "0",
        "accruedInterest": "0",
        "bonus": "0",
        "spotBorrow": "0",
        "spotHedgingQty": "0",
        "collateralSwitch": True,
        "marginCollateral": True,
    }


def status_name(order: SimOrder) -> str:
    """Where an order is in its life, in the venue's words."""
    return _STATUS[order.state]


def _time_in_force(order: SimOrder) -> str:
    if order.post_only:
        return "PostOnly"
    return "IOC" if order.order_type is OrderType.Market else order.tif.name
