"""Where the venue is, who we are there, and how patient to be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from mlthon.errors import ConfigError
from mlthon.exchanges.bybit.categories import CATEGORIES, LINEAR
from mlthon.exchanges.socket import SocketLimits

__all__ = ["BybitConfig"]

_DEPTHS = (1, 50, 200, 1000)  # what books are published at
_LONGEST_RECV_WINDOW_MS = 60_000
_ORDER_ENTRIES = ("websocket", "rest")
_ABOVE_ZERO = (
    "request_timeout_ms",
    "retry_first_ms",
    "retry_longest_ms",
    "ready_timeout_ms",
    "instruments_every_ms",
    "account_every_ms",
    "rate_factor",
    "clock_every_ms",
)
# Where orders cost money: the venue's own hosts in all their countries, but for those that play.
_REAL_MONEY = re.compile(
    r"(?!(api|stream)-(testnet|demo)\.)(.+\.)?(bybit|bytick|bybit-tr|bybitgeorgia|manepa)(\.[a-z]+)+\.?"
)
_ABOVE_ZERO_OR_NONE = ("stale_after_ms", "silent_after_ms")


@dataclass(frozen=True, slots=True, repr=False)
class BybitConfig:
    """How to reach one account. The secret is never shown, not even by ``repr``.

    `categories` are what is traded: any of ``"linear"``, ``"inverse"`` and ``"spot"``, by one connector. Market data
    alone needs no key. Raises ConfigError for a value that cannot work.

    * `ws_public_url` ends with ``/v5/public``; the category is appended. `ws_trade_url` is "" where the venue has
      none, which asks for `order_entry` ``"rest"``. `ws_status_url` is where maintenance is announced; "": nowhere.
    * `depth`: how many levels a side books have: 1, 50, 200 or 1000.
    * `recv_window_ms`: how old a request may be when the venue reads it. `request_timeout_ms`: how long a request may
      stay unanswered before the venue is asked what became of it.
    * `stale_after_ms`: how far market data may lag behind the venue's own clock. `silent_after_ms`: how long a book
      may stay without a message before it is looked into; doubled as long as that brings nothing new, for a market
      may be quiet. None: any lag, any silence.
    * `instruments_every_ms`: how often the venue is asked whether the instruments have changed.
    * `account_every_ms`: how often open orders, positions and balances are compared with the venue's, lest the
      account's stream be alive and tell nothing.
    * `order_entry`: which way orders go. While the trade stream is down, they go by REST anyway. `rate_factor`
      multiplies the documented request rates, for simulated venues.
    * `real_money`: has to be True where a key comes with an address at which orders cost money.
    * `ca_file`: certificates (PEM) to trust instead of the system's, for a venue of one's own. There is no way to
      trust any.

    >>> BybitConfig("https://api.bybit.com", "wss://a/v5/public", "wss://a/v5/private", "wss://a/v5/trade",
    ...             categories=("linear", "spot"), api_key="key", api_secret="secret", real_money=True)
    BybitConfig(rest_url='https://api.bybit.com', categories=('linear', 'spot'), api_key=***, api_secret=***)
    """

    rest_url: str
    ws_public_url: str
    ws_private_url: str
    ws_trade_url: str
    ws_status_url: str = ""
    api_key: str = ""  # market data alone needs none
    api_secret: str = ""
    categories: tuple[str, ...] = (LINEAR,)
    depth: int = 50
    recv_window_ms: int = 5_000
    request_timeout_ms: int = 5_000
    stale_after_ms: int | None = 10_000
    silent_after_ms: int | None = 60_000
    instruments_every_ms: int = 300_000
    account_every_ms: int = 60_000
    retry_first_ms: int = 200  # the first pause before a question to the venue is repeated
    retry_longest_ms: int = 5_000
    order_entry: str = "websocket"  # or "rest"
    rate_factor: int = 1
    clock_every_ms: int = 60_000  # between two measurements of the venue's clock
    ready_timeout_ms: int = 30_000  # for the first login and all that has to be asked after it
    real_money: bool = False
    ca_file: str = ""
    socket: SocketLimits = field(default_factory=SocketLimits)

    @classmethod
    def at(cls, place: str, **settings: Any) -> BybitConfig:
        """Name one of Bybit's own venues, ``"mainnet"``, ``"testnet"`` or ``"demo"``, and any other settings.

        Demo trading shows the mainnet's market, and takes orders by REST only. Trading on the mainnet has to be asked
        for a second time, by `real_money`. Raises ConfigError for other places.

        >>> BybitConfig.at("testnet", categories=("spot",)).ws_public_url
        'wss://stream-testnet.bybit.com/v5/public'
        """
        addresses = _PLACES.get(place)
        if addresses is None:
            raise ConfigError(f"bybit: expected one of {', '.join(_PLACES)}, got {place!r}")
        return cls(**{**addresses, **settings})

    def __post_init__(self) -> None:
        _check_url("rest_url", self.rest_url, ("http", "https"))
        for name in ("ws_public_url", "ws_private_url"):
            _check_url(name, getattr(self, name), ("ws", "wss"))
        for name in ("ws_trade_url", "ws_status_url"):
            if getattr(self, name):
                _check_url(name, getattr(self, name), ("ws", "wss"))
        if bool(self.api_key) != bool(self.api_secret):
            raise ConfigError(
                "bybit: expected both an api_key and an api_secret, or neither, got one of them"
            )
        self._check_real_money()
        _check_categories(self.categories)
        self._check_one_of("depth", _DEPTHS)
        self._check_one_of("order_entry", _ORDER_ENTRIES)
        if self.order_entry == "websocket" and not self.ws_trade_url:
            raise ConfigError("bybit: order_entry: expected 'rest' where there is no ws_trade_url")
        if not 0 < self.recv_window_ms <= _LONGEST_RECV_WINDOW_MS:
            raise ConfigError(
                f"bybit: recv_window_ms: expected 1 to {_LONGEST_RECV_WINDOW_MS}, got {self.recv_window_ms}"
            )
        for name in _ABOVE_ZERO:
            if getattr(self, name) <= 0:
                raise ConfigError(f"bybit: {name}: expected more than 0, got {getattr(self, name)}")
        for name in _ABOVE_ZERO_OR_NONE:
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ConfigError(f"bybit: {name}: expected more than 0 or None, got {value}")

    def __repr__(self) -> str:
        return f"BybitConfig(rest_url={self.rest_url!r}, categories={self.categories!r}, api_key=***, api_secret=***)"

    def _check_real_money(self) -> None:
        """Raise ConfigError where orders would cost money, and that was not said, or everybody could listen."""
        for name in ("rest_url", "ws_private_url", "ws_trade_url") if self.api_key else ():
            parts = urlsplit(getattr(self, name))
            if _REAL_MONEY.fullmatch(parts.hostname or ""):
                if not self.real_money:
                    raise ConfigError(
                        f"bybit: {name}: expected real_money=True with a key for {parts.hostname}, where orders "
                        "cost money"
                    )
                if parts.scheme in ("http", "ws"):
                    raise ConfigError(
                        f"bybit: {name}: expected {parts.scheme}s:// with a key, got {parts.scheme}://"
                    )

    def _check_one_of(self, name: str, choices: tuple[object, ...]) -> None:
        if getattr(self, name) not in choices:
            raise ConfigError(f"bybit: {name}: expected one of {choices}, got {getattr(self, name)!r}")


_PLACES: Mapping[str, Mapping[str, str]] = {
    "mainnet": {
        "rest_url": "https://api.bybit.com",
        "ws_public_url": "wss://stream.bybit.com/v5/public",
        "ws_private_url": "wss://stream.bybit.com/v5/private",
        "ws_trade_url": "wss://stream.bybit.com/v5/trade",
        "ws_status_url": "wss://stream.bybit.com/v5/public/misc/status",
    },
    "testnet": {
        "rest_url": "https://api-testnet.bybit.com",
        "ws_public_url": "wss://stream-testnet.bybit.com/v5/public",
        "ws_private_url": "wss://stream-testnet.bybit.com/v5/private",
        "ws_trade_url": "wss://stream-testnet.bybit.com/v5/trade",
    },
    "demo": {
        "rest_url": "https://api-demo.bybit.com",
        "ws_public_url": "wss://stream.bybit.com/v5/public",
        "ws_private_url": "wss://stream-demo.bybit.com/v5/private",
        "ws_trade_url": "",
        "order_entry": "rest",
    },
}


def _check_categories(categories: tuple[str, ...]) -> None:
    known = [category for category in CATEGORIES if category in categories]
    if isinstance(categories, str) or not known or len(known) != len(categories):
        raise ConfigError(
            f"bybit: categories: expected some of {', '.join(CATEGORIES)}, each once, got {categories!r}"
        )


def _check_url(name: str, url: str, schemes: tuple[str, ...]) -> None:
    if "@" in url:  # before it is shown anywhere
        raise ConfigError(f"bybit: {name}: expected a URL without a user name or password in it")
    wrong = f"bybit: {name}: expected a URL starting with {' or '.join(schemes)}://, got {url!r}"
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in schemes and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError as error:  # brackets that do not match, a port that is none
        raise ConfigError(f"{wrong}: {error}") from None
    if not is_good:
        raise ConfigError(wrong)
