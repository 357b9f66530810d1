"""Whether the venue is being maintained, as it announces it: then requests are not taken, and need not be tried.

Only what stops all trading that this connector is for counts: of every category, and of everybody. A maintenance of
less is logged, and what it refuses comes back as the venue's refusals.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

import aiohttp

from mlthon.errors import DecodeError, VenueError
from mlthon.exchanges.background import Background
from mlthon.exchanges.bybit.categories import INVERSE, LINEAR, SPOT
from mlthon.exchanges.bybit.clock import VenueClock
from mlthon.exchanges.bybit.codec.fields import FrameError
from mlthon.exchanges.bybit.codec.public import PING, encode_subscribe
from mlthon.exchanges.bybit.codec.status import STATUS_TOPIC, Window, decode_status
from mlthon.exchanges.bybit.config import BybitConfig
from mlthon.exchanges.bybit.queries import Queries
from mlthon.exchanges.socket import ReconnectingSocket

__all__ = ["MaintenanceWatch"]

log = logging.getLogger("mlthon.exchanges.bybit")

_FUTURES, _SPOT = 1, 2  # the venue's numbers of its products
_PRODUCTS = {LINEAR: _FUTURES, INVERSE: _FUTURES, SPOT: _SPOT}
_TRADING = frozenset({1, 2, 3})  # ... and of its services: trading at all, by HTTP, by websocket
_PRODUCTION = 1
_ASK_AGAIN_S = 10.0  # while it lasts: its end may be announced while the line is down


class MaintenanceWatch:
    """Listens to the venue's announcements, and asks for what was announced before.

    ``tell`` is called with the title of a maintenance when it begins to stop trading, and with None when it is over.
    """

    def __init__(
        self,
        config: BybitConfig,
        http: Callable[[], aiohttp.ClientSession],
        clock: VenueClock,
        queries: Queries,
        tell: Callable[[str | None], None],
    ) -> None:
        self._products = frozenset(_PRODUCTS[category] for category in config.categories)
        self._queries = queries
        self._tell = tell
        self._ongoing: dict[str, str] = {}  # titles, by id
        self._known: set[str] = set()  # ids of those that are ongoing and stop less than all trading
        self._tasks = Background()
        self._asking: asyncio.Task[None] | None = None
        self._socket: ReconnectingSocket | None = None
        if config.ws_status_url:
            self._socket = ReconnectingSocket(
                "bybit status",
                config.ws_status_url,
                self,
                http=http,
                ping=PING,
                now_ns=clock.local_ns,
                limits=config.socket,
            )

    def start(self) -> None:
        """Begin to listen; does nothing where there is nothing to listen to."""
        if self._socket is not None:
            self._socket.start()

    async def close(self) -> None:
        """Stop listening, and tell nobody."""
        await self._tasks.close()
        if self._socket is not None:
            await self._socket.close()
        self._ongoing.clear()

    # -- SocketListener --------------------------------------------------------------------------------------

    def on_open(self) -> None:
        assert self._socket is not None
        self._socket.send(encode_subscribe("status", [STATUS_TOPIC]))
        self._ask()

    def on_message(self, data: bytes, recv_ns: int) -> None:
        try:
            self._take(decode_status(data))
        except FrameError as error:
            log.warning("announcement ignored: %s", error)

    def on_closed(self, reason: str) -> None:
        """Nothing is forgotten: the socket comes back, and the venue is asked then."""

    # -- what is announced -----------------------------------------------------------------------------------

    def _take(self, windows: Iterable[Window]) -> None:
        was_on = bool(self._ongoing)
        for window in windows:
            if window.is_ongoing and window.env == _PRODUCTION:
                self._begin(window)
            else:
                self._ongoing.pop(window.id, None)
                self._known.discard(window.id)
        if self._ongoing and not was_on:
            self._tell(next(iter(self._ongoing.values())))
            self._ask(in_s=_ASK_AGAIN_S)
        elif was_on and not self._ongoing:
            self._tell(None)

    def _begin(self, window: Window) -> None:
        concerns_all = self._products <= window.products and not window.is_for_some
        if concerns_all and window.services & _TRADING:
            self._ongoing[window.id] = window.title
        elif window.id not in self._known:
            self._known.add(window.id)
            log.warning("the venue announces a maintenance that does not stop all trading: %s", window.title)

    def _ask(self, in_s: float = 0.0) -> None:
        if self._asking is not None:
            self._asking.cancel()
        self._asking = self._tasks.spawn(self._ask_until_over(in_s), "maintenance status")

    async def _ask_until_over(self, in_s: float) -> None:
        await asyncio.sleep(in_s)
        while True:
            try:
                windows = await self._queries.maintenances()
            except (VenueError, DecodeError) as error:
                log.warning("maintenance status: %s", error)
            else:
                listed = {window.id for window in windows}
                for gone in [number for number in self._ongoing if number not in listed]:
                    windows.append(Window.over(gone))
                self._take(windows)
            if not self._ongoing:
                return
            await asyncio.sleep(_ASK_AGAIN_S)
