"""Signatures: the only place that holds the secret and uses it."""

from __future__ import annotations

import hashlib
import hmac

import orjson

__all__ = ["Signer"]


class Signer:
    """Signs requests for one account.

    A REST request is signed over ``timestamp + key + recv_window + payload``, the payload being the query string
    or the body exactly as sent; a websocket login over ``GET/realtime`` and its expiry. Both are HMAC-SHA256 in
    lower-case hex.

    >>> Signer("key", "secret", 5000)
    Signer(api_key=***)
    """

    __slots__ = ("_api_key", "_recv_window", "_secret")

    def __init__(self, api_key: str, api_secret: str, recv_window_ms: int) -> None:
        self._api_key = api_key
        self._secret = api_secret.encode()
        self._recv_window = str(recv_window_ms)

    def __repr__(self) -> str:
        return "Signer(api_key=***)"

    def masked(self, words: str) -> str:
        """Return the venue's words without the key: of a wrong signature it repeats what should have been signed.

        >>> Signer("key", "secret", 5000).masked("error sign! origin_string[1700000000000key5000]")
        'error sign! origin_string[1700000000000***5000]'
        """
        return words.replace(self._api_key, "***") if self._api_key else words

    def headers(self, timestamp_ms: int, payload: str) -> dict[str, str]:
        """Return the headers that authenticate a REST request."""
        timestamp = str(timestamp_ms)
        return {
            "X-BAPI-API-KEY": self._api_key,
            "X-BAPI-TIMESTAMP": timestamp,
            "X-BAPI-RECV-WINDOW": self._recv_window,
            "X-BAPI-SIGN": self._sign(timestamp + self._api_key + self._recv_window + payload),
        }

    def login(self, expires_ms: int) -> bytes:
        """Return the login message of a websocket; it is good until `expires_ms` of the venue's time."""
        arguments = [self._api_key, expires_ms, self._sign(f"GET/realtime{expires_ms}")]
        return orjson.dumps({"op": "auth", "args": arguments})

    def _sign(self, text: str) -> str:
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()
