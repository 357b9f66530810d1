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
    ADDRESS_LIMITED = 10018
    RESTARTING = 10019  #: order entry by websocket takes no requests
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
    SPOT_BAD_SYMBOL = 170121
    SPOT_BAD_PARAM = 170130
    SPOT_INSUFFICIENT_FUNDS = 170131
    SPOT_PRICE_TOO_HIGH = 170132
    SPOT_PRICE_TOO_LOW = 170133
    SPOT_PRICE_TOO_FINE = 170134  #: more decimals than the tick has
    SPOT_QTY_TOO_LARGE = 170135
    SPOT_QTY_TOO_SMALL = 170136
    SPOT_QTY_TOO_FINE = 170137
    SPOT_ORDER_FILLED = 170139
    SPOT_BELOW_MIN_VALUE = 170140
    SPOT_DUPLICATE_LINK_ID = 170141
    SPOT_ORDER_CANCELLED = 170142
    SPOT_UNKNOWN_ORDER = 170213
    SPOT_TOO_MANY_ORDERS = 170810


class ApiError(Exception):
    """A request that the venue refuses; `text` says what was expected and what came."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{int(code)}: {text}")
        self.code = int(code)
        self.text = text
