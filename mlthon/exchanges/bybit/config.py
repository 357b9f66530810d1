"""Where the venue is, who we are there, and how patient to be."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from mlthon.errors import ConfigError
from mlthon.exchanges.bybit.categories import CATEGORIES, LINEAR
from mlthon.exchanges.socket import SocketLimits

__all__ = ["BybitConfig"]

_DEPTHS = (1, 50, 200, 1000)  # what books are published at
_LONGEST_RECV_WINDOW_MS = 60_000


@dataclass(frozen=True, slots=True, repr=False)
class BybitConfig:
    """How to reach one account. The secret is never shown, not even by ``repr``.

    `ws_public_url` ends with ``/v5/public``; the category is appended. `recv_window_ms`: how old a request may
    be when the venue reads it. `request_timeout_ms`: how long a request may stay unanswered before the venue is
    asked what became of it. `stale_after_ms`: how far market data may lag behind the venue's own clock; None:
    any lag is accepted. Raises ConfigError for a value that cannot work.

    >>> BybitConfig("https://api.bybit.com", "wss://a/v5/public", "wss://a/v5/private", "wss://a/v5/trade",
    ...             api_key="key", api_secret="secret")
    BybitConfig(rest_url='https://api.bybit.com', categories=('linear',), api_key=***, api_secret=***)
    """

    rest_url: str
    ws_public_url: str
    ws_private_url: str
    ws_trade_url: str
    api_key: str = ""  # market data alone needs none
    api_secret: str = ""
    categories: tuple[str, ...] = (LINEAR,)
    depth: int = 50
    recv_window_ms: int = 5_000
    request_timeout_ms: int = 5_000
    stale_after_ms: int | None = 10_000
    retry_first_ms: int = 200  # the first pause before a question to the venue is repeated
    retry_longest_ms: int = 5_000
    ready_timeout_ms: int = 30_000  # for the first login and all that has to be asked after it
    socket: SocketLimits = field(default_factory=SocketLimits)

    def __post_init__(self) -> None:
        _check_url("rest_url", self.rest_url, ("http", "https"))
        for name in ("ws_public_url", "ws_private_url", "ws_trade_url"):
            _check_url(name, getattr(self, name), ("ws", "wss"))
        if bool(self.api_key) != bool(self.api_secret):
            raise ConfigError(
                "bybit: expected both an api_key and an api_secret, or neither, got one of them"
            )
        if not self.categories or len(set(self.categories) & set(CATEGORIES)) != len(self.categories):
            raise ConfigError(
                f"bybit: categories: expected some of {', '.join(CATEGORIES)}, each once, got {self.categories!r}"
            )
        if self.depth not in _DEPTHS:
            raise ConfigError(f"bybit: depth: expected one of {_DEPTHS}, got {self.depth!r}")
        if not 0 < self.recv_window_ms <= _LONGEST_RECV_WINDOW_MS:
            raise ConfigError(
                f"bybit: recv_window_ms: expected 1 to {_LONGEST_RECV_WINDOW_MS}, got {self.recv_window_ms}"
            )
        for name in ("request_timeout_ms", "retry_first_ms", "retry_longest_ms", "ready_timeout_ms"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"bybit: {name}: expected more than 0, got {getattr(self, name)}")
        if self.stale_after_ms is not None and self.stale_after_ms <= 0:
            raise ConfigError(
                f"bybit: stale_after_ms: expected more than 0 or None, got {self.stale_after_ms}"
            )

    def __repr__(self) -> str:
        return f"BybitConfig(rest_url={self.rest_url!r}, categories={self.categories!r}, api_key=***, api_secret=***)"


def _check_url(name: str, url: str, schemes: tuple[str, ...]) -> None:
    parts = urlsplit(url)
    if parts.scheme not in schemes or not parts.hostname:
        raise ConfigError(
            f"bybit: {name}: expected a URL starting with {' or '.join(schemes)}://, got {url!r}"
        )
    if parts.username or parts.password:
        raise ConfigError(f"bybit: {name}: expected a URL without a user name or password in it")
