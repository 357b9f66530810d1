"""A simulated Bybit with a small market in it, and a client that speaks its protocol in raw messages."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

import aiohttp
import orjson
from yarl import URL

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon.basics.defs import Exchange, InstrumentType, Side
from mlthon.basics.qty import Qty
from mlthon.instruments.instrument import Instrument
from mlthon.instruments.perpetual import Perpetual
from mlthon.instruments.spot import Spot
from mlthon.sim.exchange import SimExchange
from mlthon.sim.funding import FundingRules
from mlthon.sim.orders import Fees
from mlthon.venues.bybit import BybitVenue, Endpoints, VenueLimits
from mlthon.venues.bybit.seams import FaultSeams

Json = dict[str, Any]

DEADLINE_S = 10.0
KEY, SECRET = "key-of-alice", "secret-of-alice"
OTHER_KEY, OTHER_SECRET = "key-of-bob", "secret-of-bob"
UNLIMITED = VenueLimits(
    orders_per_s=10_000,
    spot_orders_per_s=10_000,
    queries_per_s=10_000,
    fee_queries_per_s=10_000,
    address_requests=100_000,
)


def perpetual(symbol: str = "BTCUSDT", base: str = "BTC") -> Perpetual:
    return Perpetual(
        exchange=Exchange.Bybit,
        instrument_type=InstrumentType.Perpetual,
        exch_instr_id=symbol,
        mlt_symbol=f"{base}-USDT",
        base_currency=base,
        quote_currency="USDT",
        price_tick_rules="0.10",
        quantity_tick_rules="0.001",
        min_quantity="0.001",
        max_quantity="100",
        min_notional="5",
        price_precision=1,
        quantity_precision=3,
        multiplier="1",
        quantification="base",
        settlement_method="linear",
    )


def inverse() -> Perpetual:
    return Perpetual(
        exchange=Exchange.Bybit,
        instrument_type=InstrumentType.Perpetual,
        exch_instr_id="BTCUSD",
        mlt_symbol="BTC-USD",
        base_currency="BTC",
        quote_currency="USD",
        price_tick_rules="0.50",
        quantity_tick_rules="1",
        min_quantity="1",
        max_quantity="1000000",
        price_precision=2,
        quantity_precision=0,
        quantification="contracts",
        settlement_method="inverse",
    )


def spot() -> Spot:
    """Under the same symbol as the linear contract."""
    return Spot(
        exchange=Exchange.Bybit,
        instrument_type=InstrumentType.Spot,
        exch_instr_id="BTCUSDT",
        mlt_symbol="BTC-USDT",
        base_currency="BTC",
        quote_currency="USDT",
        price_tick_rules="0.01",
        quantity_tick_rules="0.000001",
        min_quantity="0.000048",
        max_quantity="200",
        min_notional="1",
        price_precision=2,
        quantity_precision=6,
        multiplier="1",
        quantification="base",
    )


class Stage:
    """The exchange, its accounts and its market, as a test needs them: linear contracts, unless it says otherwise."""

    def __init__(
        self,
        now_ns: Callable[[], int] = time.time_ns,
        limits: VenueLimits = UNLIMITED,
        instruments: Sequence[Instrument] | None = None,
        deposits: Mapping[str, Qty] = MappingProxyType({"USDT": Qty("1000000")}),
        fees: Fees | None = None,
        funding: FundingRules | None = None,
        faults: FaultSeams | None = None,
    ) -> None:
        instruments = instruments or [perpetual(), perpetual("ETHUSDT", "ETH")]
        self.exchange = SimExchange(instruments, now_ns, fees=fees, funding=funding)
        self.alice = self.exchange.add_account("alice", deposits)
        self.bob = self.exchange.add_account("bob", deposits)
        self.venue = BybitVenue(
            self.exchange,
            now_ns,
            api_keys={KEY: (SECRET, self.alice), OTHER_KEY: (OTHER_SECRET, self.bob)},
            limits=limits,
            faults=faults,
        )
        self._seq = 0
        self.depth(
            [("60000.0", "2"), ("59999.9", "5")], [("60000.1", "3"), ("60000.2", "4")], is_snapshot=True
        )

    @classmethod
    def of_all_products(cls, **options: Any) -> Stage:
        """Linear BTCUSDT, inverse BTCUSD and spot BTCUSDT, all with books; the accounts have both coins."""
        deposits = {"USDT": Qty("1000000"), "BTC": Qty("10")}
        stage = cls(instruments=[perpetual(), inverse(), spot()], deposits=deposits, **options)
        stage.depth([("60000.0", "50000")], [("60000.5", "60000")], is_snapshot=True, symbol="BTCUSD")
        stage.depth([("59990", "2")], [("60000", "0.5"), ("60010", "3")], is_snapshot=True, symbol="BTC/USDT")
        return stage

    def depth(
        self,
        bids: list[tuple[str, str]],
        asks: list[tuple[str, str]],
        *,
        is_snapshot: bool = False,
        symbol: str = "BTCUSDT",
    ) -> None:
        self._seq += 1
        update = DepthUpdate(bids, asks, is_snapshot=is_snapshot, seq=self._seq, venue_ns=time.time_ns())
        self.exchange.apply_depth(symbol, update)

    def trade(self, taker_side: Side, price: str, qty: str, symbol: str = "BTCUSDT") -> None:
        self.exchange.apply_trade(symbol, PublicTrade(taker_side, price, qty, venue_ns=time.time_ns()))


def signature(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


class Client:
    """One user of the venue."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        endpoints: Endpoints,
        key: str = KEY,
        secret: str = SECRET,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.endpoints = endpoints
        self._now_ns = now_ns
        self.key = key
        self.secret = secret
        self.http = http

    async def get(self, path: str, **params: object) -> Json:
        """A public request."""
        async with self.http.get(
            self.endpoints.rest + path, params={k: str(v) for k, v in params.items()}
        ) as answer:
            assert answer.status == 200
            return await answer.json()

    async def ask(self, path: str, **params: object) -> Json:
        """A signed GET."""
        answer, _ = await self.signed("GET", path, urlencode(params))
        return answer

    async def post(self, path: str, **body: object) -> Json:
        """A signed POST."""
        answer, _ = await self.signed("POST", path, orjson.dumps(body).decode())
        return answer

    async def signed(
        self, method: str, path: str, payload: str, headers: dict[str, str] | None = None
    ) -> tuple[Json, dict[str, str]]:
        """A signed request of any payload; `headers` replace the right ones. Returns answer and headers."""
        stamp = str(self._now_ns() // 1_000_000)
        right = {
            "X-BAPI-API-KEY": self.key,
            "X-BAPI-TIMESTAMP": stamp,
            "X-BAPI-RECV-WINDOW": "5000",
            "X-BAPI-SIGN": signature(self.secret, f"{stamp}{self.key}5000{payload}"),
        }
        url = self.endpoints.rest + path + (f"?{payload}" if method == "GET" and payload else "")
        async with self.http.request(
            method,
            URL(url, encoded=True),
            data=payload if method == "POST" else None,
            headers={**right, **(headers or {})},
        ) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json(), dict(answer.headers)

    async def place(self, **fields: object) -> Json:
        """Create an order by REST, a limit order unless the fields say otherwise; returns the whole answer."""
        order = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.5"}
        return await self.post("/v5/order/create", **{**order, "price": "59000.0", **fields})

    @asynccontextmanager
    async def public(self, category: str = "linear") -> AsyncIterator[Socket]:
        async with self.http.ws_connect(f"{self.endpoints.ws_public}/{category}") as ws:
            yield Socket(ws)

    @asynccontextmanager
    async def private(self, *topics: str) -> AsyncIterator[Socket]:
        """The private stream, logged in and subscribed."""
        async with self.http.ws_connect(self.endpoints.ws_private) as ws:
            socket = Socket(ws)
            assert (await socket.ask(self.login()))["success"]
            if topics:
                assert (await socket.ask({"op": "subscribe", "args": list(topics)}))["success"]
            yield socket

    @asynccontextmanager
    async def trading(self) -> AsyncIterator[Socket]:
        """The trade stream, logged in."""
        async with self.http.ws_connect(self.endpoints.ws_trade) as ws:
            socket = Socket(ws)
            assert (await socket.ask(self.login()))["retCode"] == 0
            yield socket

    @asynccontextmanager
    async def raw(self, url: str) -> AsyncIterator[Socket]:
        async with self.http.ws_connect(url) as ws:
            yield Socket(ws)

    def login(self, ahead_ms: int = 5000) -> Json:
        expires = self._now_ns() // 1_000_000 + ahead_ms
        return {"op": "auth", "args": [self.key, expires, signature(self.secret, f"GET/realtime{expires}")]}


class Socket:
    """A websocket whose waits all have a deadline."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws

    async def send(self, message: Json | str | bytes) -> None:
        if isinstance(message, bytes):
            await self.ws.send_bytes(message)
        else:
            await self.ws.send_str(message if isinstance(message, str) else orjson.dumps(message).decode())

    async def receive(self) -> Json:
        async with asyncio.timeout(DEADLINE_S):
            frame = await self.ws.receive()
        assert frame.type is aiohttp.WSMsgType.TEXT, frame
        message: Json = orjson.loads(frame.data)
        return message

    async def ask(self, message: Json | str | bytes) -> Json:
        await self.send(message)
        return await self.receive()

    async def take(self, count: int) -> list[Json]:
        return [await self.receive() for _ in range(count)]

    async def until(self, is_it: Callable[[Json], bool]) -> list[Json]:
        """Everything up to the first message that fits, itself included."""
        messages = [await self.receive()]
        while not is_it(messages[-1]):
            messages.append(await self.receive())
        return messages

    async def closed(self) -> int | None:
        """Wait until the venue has closed the connection; returns the close code."""
        async with asyncio.timeout(DEADLINE_S):
            while not self.ws.closed:
                await self.ws.receive()
        return self.ws.close_code
