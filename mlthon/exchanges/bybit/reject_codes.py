"""What the venue's error codes mean in MLThon's terms, and which of them leave a request's fate open.

The numbers are the venue's documented ones; which class each belongs to is our reading of their texts. The venue's
own words always go with the code, so nothing is lost by a class being coarse. `docs/bybit.md` shows the table.
"""

from __future__ import annotations

from collections.abc import Mapping

from mlthon.basics.defs import GtwRejectCode
from mlthon.errors import DecodeError, VenueRefusal

__all__ = [
    "CLOCK_SKEW",
    "NOT_MODIFIED",
    "RATE_LIMITED",
    "RET_CODES",
    "SERVICE_RESTARTING",
    "UNKNOWN_OUTCOME",
    "is_about_the_question",
    "reject_code",
    "stream_reject_code",
]

CLOCK_SKEW = frozenset({10002, -1})

RATE_LIMITED = frozenset({429, 10006, 10018, 10403, 10429, 20003, 30035, 170005, 170222})

#: The venue says that nothing had to be changed: as good as done.
NOT_MODIFIED = frozenset({110025, 110026, 110043, 34040})

#: The request may or may not have been carried out: the order has to be asked for.
UNKNOWN_OUTCOME = frozenset({10000, 10016, 10019, 170007, 170032, 170146, 170147, 170310})

#: The service is going down: nothing new is taken on this connection.
SERVICE_RESTARTING = 10019

#: The venue's error codes, and HTTP statuses, by class. What is not here is `GtwRejectCode.Other`.
RET_CODES: Mapping[GtwRejectCode, tuple[int, ...]] = {
    GtwRejectCode.AuthFailed: (
        *(-2015, 401, 403, 10003, 10004, 10005, 10007, 10008, 10009, 10010, 10024, 10027, 10028, 10029),
        *(33004, 100028, 110018),
    ),
    GtwRejectCode.ClockSkew: tuple(sorted(CLOCK_SKEW)),
    GtwRejectCode.RateLimited: tuple(sorted(RATE_LIMITED)),
    GtwRejectCode.VenueFault: tuple(sorted(UNKNOWN_OUTCOME)),
    GtwRejectCode.InvalidRequest: (
        *(404, 10001, 10017, 10404, 110032, 110049, 110050, 130000, 170105, 170115, 170116, 170117, 170121),
        *(170130, 170148),
    ),
    GtwRejectCode.InvalidPrice: (
        *(30208, 30209, 110003, 110120, 110121, 170132, 170133, 170134, 170192, 170193, 170194),
        *(170371, 170372),
    ),
    GtwRejectCode.InvalidQty: (*(110064, 170124, 170135, 170136, 170137, 170313, 170341, 170381, 170382),),
    GtwRejectCode.InvalidNotional: (110094, 170140),
    GtwRejectCode.InsufficientFunds: (
        *(110004, 110006, 110007, 110012, 110014, 110044, 110045, 110051, 110052, 110053, 170033, 170131),
    ),
    GtwRejectCode.PositionLimit: (
        *(110005, 110009, 110011, 110016, 110020, 110021, 110022, 110023, 110035, 110039, 110040, 110042),
        *(110046, 110086, 110089, 110090, 170810),
    ),
    GtwRejectCode.ReduceOnlyRefused: (110017, 110034, 110082, 110083),
    GtwRejectCode.PostOnlyWouldCross: (110103, 170217, 170218),
    GtwRejectCode.DuplicateClientId: (10014, 20006, 110030, 110072, 170141),
    GtwRejectCode.UnknownOrder: (110001, 110019, 170143, 170213),
    GtwRejectCode.TooLate: (40004, 110008, 110010, 170139, 170142, 170190),
    GtwRejectCode.RequestPending: (110079, 170191, 170212),
    GtwRejectCode.MarketClosed: (
        *(30228, 110062, 110063, 110066, 110074, 110095, 110098, 110099, 170151, 170157),
    ),
}

_CLASS_OF = {code: kind for kind, codes in RET_CODES.items() for code in codes}

_STREAM_REASONS = {
    "EC_PostOnlyWillTakeLiquidity": GtwRejectCode.PostOnlyWouldCross,
    "EC_DuplicatedClOrdID": GtwRejectCode.DuplicateClientId,
    "EC_OrigClOrdIDDoesNotExist": GtwRejectCode.UnknownOrder,
    "EC_OrderNotExist": GtwRejectCode.UnknownOrder,
    "EC_TooLateToCancel": GtwRejectCode.TooLate,
    "EC_LimitOrderInvalidPrice": GtwRejectCode.InvalidPrice,
    "EC_InvalidPriceScale": GtwRejectCode.InvalidPrice,
    "EC_ReachRiskPriceLimit": GtwRejectCode.InvalidPrice,
    "EC_ReachMarketPriceLimit": GtwRejectCode.InvalidPrice,
    "EC_QtyCannotBeZero": GtwRejectCode.InvalidQty,
    "EC_EcInvalidQty": GtwRejectCode.InvalidQty,
    "EC_InvalidAmount": GtwRejectCode.InvalidNotional,
    "EC_InvalidSymbolStatus": GtwRejectCode.MarketClosed,
    "EC_InCallAuctionStatus": GtwRejectCode.MarketClosed,
    "EC_SecurityStatusFail": GtwRejectCode.MarketClosed,
    "EC_BySelfMatch": GtwRejectCode.SelfTrade,
    "EC_StopBySelfMatch": GtwRejectCode.SelfTrade,
    "EC_MarketOrderCannotBePostOnly": GtwRejectCode.InvalidRequest,
    "EC_MarketOrderNoSupportTIF": GtwRejectCode.InvalidRequest,
    "EC_UnknownOrderType": GtwRejectCode.InvalidRequest,
    "EC_UnknownSide": GtwRejectCode.InvalidRequest,
    "EC_UnknownTimeInForce": GtwRejectCode.InvalidRequest,
}


def reject_code(code: int) -> GtwRejectCode:
    """Class an error code (or HTTP status) of the venue; `GtwRejectCode.Other` where it is not in the table.

    >>> reject_code(110007), reject_code(110001), reject_code(123)
    (<GtwRejectCode.InsufficientFunds: 1008>, <GtwRejectCode.UnknownOrder: 1002>, <GtwRejectCode.Other: 1099>)
    """
    return _CLASS_OF.get(code, GtwRejectCode.Other)


def is_about_the_question(error: VenueRefusal | DecodeError) -> bool:
    """Whether a question would get no better answer if it were asked again soon, and others may.

    >>> is_about_the_question(VenueRefusal(10001, "symbol invalid", "GET /v5/order/realtime"))
    True
    """
    if isinstance(error, DecodeError):
        return True
    passing = CLOCK_SKEW | RATE_LIMITED | UNKNOWN_OUTCOME
    return error.code not in passing and reject_code(error.code) is not GtwRejectCode.AuthFailed


def stream_reject_code(reason: str) -> GtwRejectCode:
    """Class the `rejectReason` of an order message; `GtwRejectCode.Other` where it is not in the table."""
    return _STREAM_REASONS.get(reason, GtwRejectCode.Other)
