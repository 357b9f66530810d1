"""The venue's refusals: an error that becomes ``retCode`` and ``retMsg`` on whichever stream the request came."""

from __future__ import annotations

from enum import IntEnum


class RetCode(IntEnum):
    """The ``retCode`` values that this venue answers."""

    OK = 0
    BAD_REQUEST = 10001  #: a parameter is missing, malformed or unknown
    BAD_TIMESTAMP = 10002
    BAD_KEY = 10003
    BAD_SIGN = 10004
    RATE_LIMITED = 10006
    NOT_LOGGED_IN = 10007
    SERVER_ERROR = 10016
    UNKNOWN_OP = 10404
    ALREADY_LOGGED_IN = 20001
    DUPLICATE_REQUEST = 20006
    UNKNOWN_ORDER = 110001
    PRICE_OUT_OF_RANGE = 110003
    INSUFFICIENT_FUNDS = 110007
    ORDER_DONE = 110008  #: filled or cancelled already
    NOTHING_TO_REDUCE = 110017
    TOO_MANY_ORDERS = 110020
    POSITION_MODE_NOT_MODIFIED = 110025
    LEVERAGE_NOT_MODIFIED = 110043
    DUPLICATE_LINK_ID = 110072
    BELOW_MIN_NOTIONAL = 110094


class ApiError(Exception):
    """A request that the venue refuses; `text` says what was expected and what came."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{int(code)}: {text}")
        self.code = int(code)
        self.text = text
