"""Who is calling: API keys, signatures and timestamps, for REST requests and websocket logins.

A signature is the lower-case hex HMAC-SHA256 of

    timestamp + api key + recv window + (raw query string | raw body)      for a REST request,
    "GET/realtime" + expiry                                                for a websocket login,

over the exact bytes that were sent. RSA keys are not served.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

from mlthon.sim.exchange import Account
from mlthon.venues.bybit.addresses import AddressLimits
from mlthon.venues.bybit.errors import ApiError, RetCode
from mlthon.venues.bybit.params import milliseconds

_DEFAULT_RECV_WINDOW_MS = 5000
_MAX_AHEAD_MS = 1000


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key, its secret, and the account it trades for."""

    key: str
    secret: str = field(repr=False)
    account: Account


class KeyRing:
    """All keys of the venue."""

    def __init__(self, api_keys: Mapping[str, tuple[str, Account]], addresses: AddressLimits) -> None:
        self._addresses = addresses
        self._keys = {key: ApiKey(key, secret, account) for key, (secret, account) in api_keys.items()}

    def check_request(self, headers: Mapping[str, str], payload: bytes, now_ms: int) -> ApiKey:
        """The key that signed a REST request; raises ApiError for a wrong key, clock or signature."""
        key_text = headers.get("X-BAPI-API-KEY", "")
        timestamp = headers.get("X-BAPI-TIMESTAMP", "")
        sign = headers.get("X-BAPI-SIGN", "")
        recv_window = headers.get("X-BAPI-RECV-WINDOW", "")
        if not (key_text and timestamp and sign):
            raise ApiError(
                RetCode.BAD_REQUEST,
                "a private request needs the headers X-BAPI-API-KEY, X-BAPI-TIMESTAMP and X-BAPI-SIGN",
            )
        key = self._find(key_text)
        check_timestamp(timestamp, recv_window, now_ms)
        signed = f"{timestamp}{key_text}{recv_window}".encode() + payload
        _check_sign(key, signed, sign)
        return key

    def check_login(self, args: object, now_ms: int, address: str) -> ApiKey:
        """The key behind ``[key, expires_ms, sign]``; raises ApiError. `expires_ms` may be a number or its text."""
        self._addresses.check_logins(address)
        try:
            return self._login(args, now_ms)
        except ApiError:
            self._addresses.note_failed_login(address)
            raise

    def _login(self, args: object, now_ms: int) -> ApiKey:
        if not isinstance(args, list) or len(args) != 3:
            raise ApiError(RetCode.BAD_REQUEST, "auth: expected args [api key, expires in ms, signature]")
        key_text, expires, sign = args
        if not isinstance(key_text, str) or not isinstance(sign, str):
            raise ApiError(RetCode.BAD_REQUEST, "auth: the api key and the signature are strings")
        key = self._find(key_text)
        if milliseconds(expires, "auth: expires") <= now_ms:
            raise ApiError(RetCode.BAD_SIGN, f"auth: expires {expires} has passed, server time is {now_ms}")
        _check_sign(key, f"GET/realtime{expires}".encode(), sign)
        return key

    def _find(self, key_text: str) -> ApiKey:
        key = self._keys.get(key_text)
        if key is None:
            raise ApiError(RetCode.BAD_KEY, "API key is invalid")
        return key


def check_timestamp(timestamp: object, recv_window: object, now_ms: int) -> None:
    """Raise ApiError unless ``now - recv_window <= timestamp < now + 1000``, all in milliseconds."""
    stamp_ms = milliseconds(timestamp, "X-BAPI-TIMESTAMP")
    window_ms = (
        _DEFAULT_RECV_WINDOW_MS
        if recv_window in ("", None)
        else milliseconds(recv_window, "X-BAPI-RECV-WINDOW")
    )
    if not now_ms - window_ms <= stamp_ms < now_ms + _MAX_AHEAD_MS:
        raise ApiError(
            RetCode.BAD_TIMESTAMP,
            "check the clock or recv_window: "
            f"req_timestamp[{stamp_ms}],server_timestamp[{now_ms}],recv_window[{window_ms}]",
        )


def _check_sign(key: ApiKey, signed: bytes, sign: str) -> None:
    expected = hmac.new(key.secret.encode(), signed, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), sign.encode("utf-8", "surrogateescape")):
        raise ApiError(RetCode.BAD_SIGN, f"error sign! origin_string[{signed.decode(errors='replace')}]")
