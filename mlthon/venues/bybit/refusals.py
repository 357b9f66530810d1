"""The exchange's refusals in the venue's codes: contracts and spot have tables of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from mlthon.sim.orders import Refusal, Refused
from mlthon.venues.bybit.errors import ApiError, RetCode
from mlthon.venues.bybit.market import Market

_Args = ParamSpec("_Args")
_Result = TypeVar("_Result")

_CONTRACT_CODES = {
    Refusal.UnknownSymbol: RetCode.BAD_REQUEST,
    Refusal.BadPrice: RetCode.PRICE_OUT_OF_RANGE,
    Refusal.BadQty: RetCode.BAD_REQUEST,
    Refusal.BelowMinNotional: RetCode.BELOW_MIN_NOTIONAL,
    Refusal.BadCombination: RetCode.BAD_REQUEST,
    Refusal.DuplicateLinkId: RetCode.DUPLICATE_LINK_ID,
    Refusal.UnknownOrder: RetCode.UNKNOWN_ORDER,
    Refusal.OrderFilled: RetCode.ORDER_DONE,
    Refusal.OrderEnded: RetCode.ORDER_DONE,
    Refusal.InsufficientFunds: RetCode.INSUFFICIENT_FUNDS,
    Refusal.ReduceOnly: RetCode.NOTHING_TO_REDUCE,
    Refusal.TooManyOrders: RetCode.TOO_MANY_ORDERS,
    Refusal.NothingToChange: RetCode.BAD_REQUEST,
}
_SPOT_CODES = {
    Refusal.UnknownSymbol: RetCode.SPOT_BAD_SYMBOL,
    Refusal.BadPrice: RetCode.SPOT_PRICE_TOO_FINE,  # prices beyond the bounds have been refused before
    Refusal.BadQty: RetCode.SPOT_QTY_TOO_FINE,  # and quantities
    Refusal.BelowMinNotional: RetCode.SPOT_BELOW_MIN_VALUE,
    Refusal.BadCombination: RetCode.SPOT_BAD_PARAM,
    Refusal.DuplicateLinkId: RetCode.SPOT_DUPLICATE_LINK_ID,
    Refusal.UnknownOrder: RetCode.SPOT_UNKNOWN_ORDER,
    Refusal.OrderFilled: RetCode.SPOT_ORDER_FILLED,
    Refusal.OrderEnded: RetCode.SPOT_ORDER_CANCELLED,
    Refusal.InsufficientFunds: RetCode.SPOT_INSUFFICIENT_FUNDS,
    Refusal.ReduceOnly: RetCode.SPOT_BAD_PARAM,
    Refusal.TooManyOrders: RetCode.SPOT_TOO_MANY_ORDERS,
    Refusal.NothingToChange: RetCode.SPOT_BAD_PARAM,
}


def ask(market: Market, call: Callable[_Args, _Result], *args: _Args.args, **kwargs: _Args.kwargs) -> _Result:
    """Call the exchange; its refusal becomes the venue's."""
    try:
        return call(*args, **kwargs)
    except Refused as refused:
        codes = _SPOT_CODES if market.is_spot else _CONTRACT_CODES
        raise ApiError(codes[refused.reason], refused.text) from refused
