"""BybitVenue: a server that speaks Bybit v5 on loopback, in front of a simulated exchange.

    GET/POST /v5/...                    REST              rest.py
    /v5/public/{linear,inverse,spot}    market data       public_stream.py
    /v5/public/misc/status              maintenance       maintenance.py
    /v5/private                         the account       private_stream.py
    /v5/trade                           order entry       trade_stream.py

Perpetuals in one-way mode, linear and inverse, and spot pairs; conditional orders, hedge mode and borrowing are not
simulated, and requests that ask for them are refused. The signature and the timestamp of every private request are
checked.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon.errors import ConfigError
from mlthon.sim.account import Account
from mlthon.sim.exchange import SimExchange
from mlthon.sim.orders import SimFill, SimOrder, SimPayment
from mlthon.venues.bybit.account_queries import AccountQueries
from mlthon.venues.bybit.addresses import AddressLimits, refusal
from mlthon.venues.bybit.auth import KeyRing
from mlthon.venues.bybit.connection import Connection, Session
from mlthon.venues.bybit.limits import VenueLimits
from mlthon.venues.bybit.listing import CATEGORIES, Listing
from mlthon.venues.bybit.maintenance import Maintenance
from mlthon.venues.bybit.market_queries import MarketQueries
from mlthon.venues.bybit.order_entry import OrderEntry
from mlthon.venues.bybit.private_stream import PrivateHub, PrivateSession
from mlthon.venues.bybit.public_hub import PublicHub
from mlthon.venues.bybit.public_stream import PublicSession
from mlthon.venues.bybit.rate_limits import RateLimiter
from mlthon.venues.bybit.rest import RestApi
from mlthon.venues.bybit.seams import FaultSeams
from mlthon.venues.bybit.trade_stream import TradeSession
from mlthon.venues.bybit.wallets import Wallets
from mlthon.venues.bybit.wire import WireIds

_HOST = "127.0.0.1"
_STATUS_STREAM = "misc/status"
_ACTIVE_TIME = re.compile(r"([0-9]{1,3})(s|m)")


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a running venue is reached. The public address is completed by the category: ``/linear``."""

    rest: str
    ws_public: str
    ws_private: str
    ws_trade: str


class BybitVenue:
    """A Bybit of one's own.

    `api_keys` maps each API key to its secret and the account it trades for. `now_ns` is the venue's clock, against
    which timestamps are checked. `rate_scale` multiplies the request rates of `limits`. `faults` go wrong from
    `start` to `close`.

    >>> import asyncio, time
    >>> async def endpoints():
    ...     venue = BybitVenue(SimExchange([], time.time_ns), time.time_ns, api_keys={})
    ...     try:
    ...         return await venue.start()
    ...     finally:
    ...         await venue.close()
    >>> asyncio.run(endpoints()).rest.startswith("http://127.0.0.1:")
    True
    """

    def __init__(
        self,
        exchange: SimExchange,
        now_ns: Callable[[], int],
        *,
        api_keys: Mapping[str, tuple[str, Account]],
        limits: VenueLimits | None = None,
        rate_scale: float = 1.0,
        faults: FaultSeams | None = None,
    ) -> None:
        if faults is not None:
            now_ns = faults.clock(now_ns)
        limits = (limits or VenueLimits()).faster(rate_scale)
        ids = WireIds(now_ns())
        listing = Listing(exchange.instruments, ids)
        wallets = Wallets(exchange, listing)
        self.exchange = exchange
        self.accounts = [account for _, account in api_keys.values()]
        self._limits = limits
        self._faults = faults
        self._now_ns = now_ns
        self._addresses = AddressLimits(limits, now_ns)
        self._keys = KeyRing(api_keys, self._addresses)
        self._limiter = RateLimiter(limits, now_ns)
        self._entry = OrderEntry(exchange, listing, ids, limits)
        self._public = PublicHub(exchange, listing, now_ns)
        self._maintenance = Maintenance(now_ns)
        self._private = PrivateHub(exchange, listing, wallets, ids, now_ns)
        self._rest = RestApi(
            self._keys,
            self._limiter,
            MarketQueries(exchange, listing, self._public, now_ns),
            AccountQueries(exchange, listing, wallets, ids, now_ns),
            self._entry,
            self._maintenance,
            now_ns,
        )
        self._connect = Connection if faults is None else faults.connection
        self._connections: set[Connection] = set()
        self._runner: web.AppRunner | None = None
        exchange.attach(_Listener(self._public, self._private))

    async def start(self, port: int = 0, tls: ssl.SSLContext | None = None) -> Endpoints:
        """Listen on loopback, on a free port by default, with `tls` for https and wss.

        Raises ConfigError when the port cannot be had.
        """
        middlewares = [self._addresses.middleware()]
        if self._faults is not None:
            middlewares.append(self._faults.middleware())
        app = web.Application(client_max_size=self._limits.body_bytes, middlewares=middlewares)
        app.add_routes(self._rest.routes())
        app.add_routes(
            [
                *(
                    web.get(
                        f"/v5/public/{category}", self._serve(self._open_public(category), is_private=False)
                    )
                    for category in CATEGORIES
                ),
                web.get(f"/v5/public/{_STATUS_STREAM}", self._serve(self._open_status, is_private=False)),
                web.get("/v5/private", self._serve(self._open_private, is_private=True)),
                web.get("/v5/trade", self._serve(self._open_trade, is_private=True)),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, _HOST, port, ssl_context=tls)
        try:
            await site.start()
        except OSError as taken:
            await self.close()
            raise ConfigError(f"port {port} on {_HOST}: {taken.strerror or taken}") from taken
        self._public.start()
        if self._faults is not None:
            self._faults.start(self)
        address, s = f"{_HOST}:{self._runner.addresses[0][1]}", "s" if tls is not None else ""
        return Endpoints(
            rest=f"http{s}://{address}",
            ws_public=f"ws{s}://{address}/v5/public",
            ws_private=f"ws{s}://{address}/v5/private",
            ws_trade=f"ws{s}://{address}/v5/trade",
        )

    async def close(self) -> None:
        """Close every connection and stop listening; the exchange stays as it is."""
        if self._faults is not None:
            self._faults.stop()
        await self._public.close()
        await asyncio.gather(*(connection.close() for connection in tuple(self._connections)))
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    # -- what a venue may do to its clients --------------------------------------------------------------------

    def restart(self, *, drop_connections: bool = True) -> None:
        """Restart the public service: its books' messages are numbered from ``u == 1`` again.

        The exchange and its accounts go on. With `drop_connections` every websocket ends without a word, private
        and trade ones too; without, subscribers of books are sent a snapshot with ``u == 1`` on the connection they
        have, as Bybit does now and then.
        """
        if drop_connections:
            self.drop_connections()
        self._public.restart()

    def drop_connections(self) -> None:
        """End every websocket without a word."""
        for connection in tuple(self._connections):
            connection.drop()

    def begin_maintenance(self, title: str = "Maintenance", expected_s: float = 60.0) -> None:
        """Take no orders and no private requests from now on (10019 and 10016), and announce it."""
        self._maintenance.begin(title, expected_s)

    def end_maintenance(self) -> None:
        """Take them again, and announce it."""
        self._maintenance.end()

    # -- websockets --------------------------------------------------------------------------------------------

    def _serve(
        self, open_session: Callable[[Connection], Session], *, is_private: bool
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def serve(request: web.Request) -> web.StreamResponse:
            wish = request.query.get("max_active_time", "")
            idle_s = active_s(wish, self._limits.idle_s) if is_private else None
            if not self._addresses.admits_connection(request.remote or "", len(self._connections)):
                return refusal()
            connection = self._connect(request, self._limits, idle_s)
            self._connections.add(connection)
            try:
                return await connection.run(open_session)
            finally:
                self._connections.discard(connection)

        return serve

    def _open_public(self, category: str) -> Callable[[Connection], Session]:
        def open_session(connection: Connection) -> Session:
            args = self._limits.spot_args if category == "spot" else None
            find = partial(self._public.find, category)
            return PublicSession(connection, find, self._limits.topic_chars, args)

        return open_session

    def _open_status(self, connection: Connection) -> Session:
        return PublicSession(connection, self._maintenance.find, self._limits.topic_chars)

    def _open_private(self, connection: Connection) -> Session:
        return PrivateSession(connection, self._private, self._keys, self._now_ns)

    def _open_trade(self, connection: Connection) -> Session:
        return TradeSession(
            connection, self._keys, self._limiter, self._entry, self._maintenance, self._now_ns
        )


def active_s(wish: str, default_s: float) -> float:
    """How long a connection may stay silent: what its address asks for, from 30 seconds to 10 minutes.

    >>> active_s("45s", 600.0), active_s("1m", 600.0), active_s("2h", 600.0), active_s("5s", 600.0)
    (45.0, 60.0, 600.0, 600.0)
    """
    match = _ACTIVE_TIME.fullmatch(wish)
    if match is None:
        return default_s
    seconds = float(match[1]) * (60 if match[2] == "m" else 1)
    return seconds if 30 <= seconds <= 600 else default_s


class _Listener:
    """What the exchange tells, passed on to the stream that it belongs to."""

    def __init__(self, public: PublicHub, private: PrivateHub) -> None:
        self._public = public
        self._private = private

    def on_order(self, order: SimOrder) -> None:
        self._private.on_order(order)

    def on_fill(self, fill: SimFill) -> None:
        self._private.on_fill(fill)
        self._public.on_fill(fill)

    def on_funding(self, payment: SimPayment) -> None:
        self._private.on_funding(payment)

    def on_position(self, account: Account, symbol: str) -> None:
        self._private.on_position(account, symbol)

    def on_wallet(self, account: Account, coins: tuple[str, ...]) -> None:
        self._private.on_wallet(account, coins)

    def on_depth(self, symbol: str, update: DepthUpdate) -> None:
        self._public.on_depth(symbol, update)

    def on_trade(self, symbol: str, trade: PublicTrade) -> None:
        self._public.on_trade(symbol, trade)
