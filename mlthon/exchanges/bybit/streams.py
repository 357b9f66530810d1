"""The two sockets that need a login: what the account is told, and what it asks for.

Each logs in as soon as it is connected, and is live once the venue has said yes. A message that cannot be decoded
may have been about any order, so it ends the connection: what was missed is asked for after the next login.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol

import aiohttp

from mlthon.exchanges.bybit.clock import VenueClock
from mlthon.exchanges.bybit.codec.fields import Ack, FrameError, Unknown
from mlthon.exchanges.bybit.codec.orders import Symbols
from mlthon.exchanges.bybit.codec.private import (
    Fills,
    Login,
    Orders,
    Positions,
    Wallets,
    decode_private,
    encode_private_subscribe,
)
from mlthon.exchanges.bybit.codec.public import PING
from mlthon.exchanges.bybit.codec.trade import TradeAnswer, decode_trade
from mlthon.exchanges.bybit.config import BybitConfig
from mlthon.exchanges.bybit.signing import Signer
from mlthon.exchanges.bybit.tally import Tally
from mlthon.exchanges.socket import ReconnectingSocket

__all__ = ["PrivateOwner", "PrivateStream", "TradeOwner", "TradeStream"]

log = logging.getLogger("mlthon.exchanges.bybit")

_LOGIN_GOOD_FOR_MS = 10_000
_ALREADY_LOGGED_IN = 20001


class StreamOwner(Protocol):
    """Who is told when a stream comes and goes."""

    def on_stream_live(self) -> None: ...

    def on_stream_lost(self, reason: str) -> None: ...

    def on_refused(self, what: str, code: int, text: str) -> None:
        """The venue has refused the login or the subscription; `what` says which."""


class PrivateOwner(StreamOwner, Protocol):
    """Who is told what happens to the account."""

    def on_private(self, frame: Orders | Fills | Positions | Wallets) -> None: ...


class TradeOwner(StreamOwner, Protocol):
    """Who sent the requests that are answered."""

    def on_answer(self, answer: TradeAnswer) -> None: ...


class _LoggedInStream(ABC):
    """A socket with a login. Subclasses decode."""

    _owner: StreamOwner

    def __init__(
        self,
        name: str,
        url: str,
        config: BybitConfig,
        http: Callable[[], aiohttp.ClientSession],
        clock: VenueClock,
        signer: Signer,
        owner: StreamOwner,
    ) -> None:
        self.is_live = False
        self.tally = Tally(name)
        self._owner = owner
        self._clock = clock
        self._signer = signer
        self._timeout_s = config.request_timeout_ms / 1_000
        self._deadline: asyncio.TimerHandle | None = None
        self.socket = ReconnectingSocket(
            name, url, self, http=http, ping=PING, now_ns=clock.local_ns, limits=config.socket
        )

    def on_open(self) -> None:
        self._deadline = asyncio.get_running_loop().call_later(
            self._timeout_s, self.socket.drop, f"no answer to the login within {self._timeout_s:g} s"
        )
        self.socket.send(self._signer.login(self._clock.now_ms() + _LOGIN_GOOD_FOR_MS))

    @abstractmethod
    def on_message(self, data: bytes, recv_ns: int) -> None:
        """Decode a message and act on it."""

    def on_closed(self, reason: str) -> None:
        self._stop_deadline()
        self.is_live = False
        self._owner.on_stream_lost(reason)

    async def close(self) -> None:
        """Close the socket for good; the owner is not told."""
        await self.socket.close()
        self._stop_deadline()
        self.is_live = False

    def _went_live(self) -> None:
        self._stop_deadline()
        if not self.is_live:
            self.is_live = True
            log.info("%s: live", self.socket.name)
            self._owner.on_stream_live()

    def _refused(self, what: str, code: int, words: str) -> None:
        text = self._signer.masked(words)
        self._owner.on_refused(what, code, text)
        self.socket.drop(f"{what} refused: {code}: {text or 'no reason given'}")

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class PrivateStream(_LoggedInStream):
    """Orders, executions, positions and balances, as they change. Live once they are subscribed."""

    _owner: PrivateOwner

    def __init__(
        self,
        config: BybitConfig,
        http: Callable[[], aiohttp.ClientSession],
        clock: VenueClock,
        signer: Signer,
        symbols: Symbols,
        owner: PrivateOwner,
    ) -> None:
        super().__init__("bybit private", config.ws_private_url, config, http, clock, signer, owner)
        self._symbols = symbols

    def on_message(self, data: bytes, recv_ns: int) -> None:
        try:
            frame = decode_private(data, recv_ns, self._symbols)
        except FrameError as error:
            self.socket.drop(str(error))
            return
        if isinstance(frame, Orders | Fills | Positions | Wallets):
            self._owner.on_private(frame)
        elif isinstance(frame, Login):
            if frame.success:
                self.socket.send(encode_private_subscribe("private"))
            else:
                self._refused("login", frame.code, frame.text)
        elif isinstance(frame, Ack):
            if frame.success:
                self._went_live()
            else:
                self._refused("subscription", 0, frame.text)
        elif isinstance(frame, Unknown):
            self.tally.count("unknown message ignored", frame.what)


class TradeStream(_LoggedInStream):
    """Where order requests go. Live once logged in."""

    _owner: TradeOwner

    def __init__(
        self,
        config: BybitConfig,
        http: Callable[[], aiohttp.ClientSession],
        clock: VenueClock,
        signer: Signer,
        owner: TradeOwner,
    ) -> None:
        super().__init__("bybit trade", config.ws_trade_url, config, http, clock, signer, owner)

    def on_message(self, data: bytes, recv_ns: int) -> None:
        try:
            frame = decode_trade(data)
        except FrameError as error:
            self.socket.drop(str(error))
            return
        if isinstance(frame, TradeAnswer):
            self._owner.on_answer(frame)
        elif isinstance(frame, Login):
            if frame.success or frame.code == _ALREADY_LOGGED_IN:
                self._went_live()
            else:
                self._refused("login", frame.code, frame.text)
        elif isinstance(frame, Unknown):
            self.tally.count("unknown message ignored", frame.what)
