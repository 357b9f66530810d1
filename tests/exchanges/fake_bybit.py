"""A small Bybit on real sockets, made to misbehave: it says what a test tells it to say.

It knows just enough to be connected to: signatures, logins, subscriptions, and lists of orders, executions,
positions and balances to answer questions from. Everything else is scripted.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import hmac
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from aiohttp import WSMsgType, web
from bybit_messages import instrument_row, order_row, private_frame, wallet_row

from mlthon.exchanges.bybit import BybitConfig
from mlthon.exchanges.bybit.codec.fields import Json
from mlthon.exchanges.socket import SocketLimits

KEY, SECRET = "the-key", "the-secret"

# What tests call the websockets. "public" is the linear one.
STREAMS = {
    "public/linear": "public",
    "public/inverse": "inverse",
    "public/spot": "spot",
    "public/misc/status": "status",
    "private": "private",
    "trade": "trade",
}
ORDER_PATHS = {f"/v5/order/{name}": f"order.{name}" for name in ("create", "amend", "cancel", "cancel-batch")}

RestAnswer = Callable[[web.Request], Awaitable[web.StreamResponse]]
OnTrade = Callable[["Session", Json], Awaitable[None]]


async def eventually(condition: Callable[[], Any], what: str = "", within_s: float = 5.0) -> None:
    """Wait until a condition holds; fails at the deadline."""
    deadline = asyncio.get_running_loop().time() + within_s
    while not condition():
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"did not come true within {within_s} s: {what or condition}")
        await asyncio.sleep(0.002)


class Session:
    """One connected websocket, seen from the venue."""

    def __init__(self, kind: str, socket: web.WebSocketResponse, request: web.Request) -> None:
        self.kind = kind
        self.socket = socket
        self.request = request
        self.received: list[Json] = []
        self.topics: set[str] = set()
        self.muted = False  # answers nothing, not even pings

    async def send(self, message: object) -> None:
        """Send a message; bytes and str go as they are."""
        if isinstance(message, bytes):
            message = message.decode("utf-8", "surrogateescape")
        text = message if isinstance(message, str) else orjson.dumps(message).decode()
        if self.is_live:
            await self.socket.send_str(text)

    @property
    def is_live(self) -> bool:
        transport = self.request.transport
        return not self.socket.closed and transport is not None and not transport.is_closing()

    async def close(self) -> None:
        """Close with a handshake."""
        await self.socket.close()

    def cut(self, half_sent: bytes = b"") -> None:
        """Break the line, after the first bytes of a longer frame if there are any."""
        transport = self.request.transport
        if transport is None:
            return
        if half_sent:
            transport.write(bytes([0x81, 126]) + (len(half_sent) + 500).to_bytes(2, "big") + half_sent)
            transport.close()
        else:
            transport.abort()


class RestOrder(Session):
    """An order request by REST, for scripts that were written for the trade stream."""

    def __init__(self, request: web.Request) -> None:
        super().__init__("rest", web.WebSocketResponse(), request)
        self.answers: list[Json] = []

    async def send(self, message: object) -> None:
        if isinstance(message, dict):
            self.answers.append(message)

    async def reply(self) -> web.StreamResponse:
        """The first answer, in REST's envelope; none breaks the line."""
        if not self.answers:
            return await hang_up(self.request)
        answer = self.answers[0]
        envelope = {key: answer.get(key, {}) for key in ("retCode", "retMsg", "retExtInfo")}
        return web.json_response(envelope | {"result": answer["data"]})


class FakeBybit:
    """The venue. Set its lists and scripts before or while a client is connected."""

    def __init__(self) -> None:
        self.instruments: list[Json] = [instrument_row()]  # linear
        self.inverse: list[Json] = []
        self.spot: list[Json] = []
        self.left_out: set[str] = set()  # symbols that lists lack, and questions by name do not
        self.refuses_unlisted = False  # to say anything of a symbol that it does not list
        self.orders: dict[str, Json] = {}  # by link id, open and closed
        self.executions: list[Json] = []
        self.positions: list[Json] = []
        self.wallets: list[Json] = [wallet_row()]
        self.calls: list[tuple[str, dict[str, str]]] = []  # REST requests, in order
        self.scripts: dict[str, deque[RestAnswer]] = defaultdict(deque)  # by path, one for each request
        self.on_trade: OnTrade = self.take
        self.snapshots: dict[str, Callable[[], Json]] = {}  # made and sent upon subscribing, by topic
        self.refused_topics: dict[str, str] = {}  # topic -> words
        self.answer_subscribes = True
        self.refuse_login: tuple[int, str] | None = None
        self.clock_offset_ms = 0
        self.sessions: list[Session] = []
        self.opened: dict[str, int] = defaultdict(int)
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def __aenter__(self) -> FakeBybit:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        app = web.Application()
        for path, kind in STREAMS.items():
            app.router.add_get(f"/v5/{path}", functools.partial(self._serve, kind))
        app.router.add_route("*", "/{path:.*}", self._rest)
        self._runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]

    async def stop(self) -> None:
        for session in list(self.sessions):
            session.cut()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def config(self, **changes: Any) -> BybitConfig:
        """How to reach this venue, with short patience."""
        host = f"127.0.0.1:{self._port}"
        fields: dict[str, Any] = {
            "rest_url": f"http://{host}",
            "ws_public_url": f"ws://{host}/v5/public",
            "ws_private_url": f"ws://{host}/v5/private",
            "ws_trade_url": f"ws://{host}/v5/trade",
            "api_key": KEY,
            "api_secret": SECRET,
            "recv_window_ms": 200,
            "request_timeout_ms": 300,
            "retry_first_ms": 10,
            "retry_longest_ms": 40,
            "ready_timeout_ms": 5_000,
            "rate_factor": 1_000,
            "socket": SocketLimits(
                connect_timeout_ms=2_000, first_pause_ms=5, longest_pause_ms=40, stable_after_ms=60_000
            ),
        }
        return BybitConfig(**(fields | changes))

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self.clock_offset_ms

    # -- for tests -------------------------------------------------------------------------------------------

    def session(self, kind: str) -> Session:
        """The newest live connection of a kind."""
        return self.live_sessions(kind)[-1]

    def live_sessions(self, kind: str) -> list[Session]:
        """The live connections of a kind."""
        return [session for session in self.sessions if session.kind == kind and session.is_live]

    async def push(self, topic: str, *rows: Json) -> None:
        """Send a message on the private stream."""
        await self.session("private").send(private_frame(topic, *rows))

    def asked(self, path: str) -> list[dict[str, str]]:
        """The parameters of all requests of a path."""
        return [params for called, params in self.calls if called == path]

    async def take(self, session: Session, message: Json) -> None:
        """Take a request as the venue does: book the order, answer, then tell the private stream."""
        if message["op"] == "order.cancel-batch":
            await self._take_batch(session, message)
            return
        link_id = self.book(message["op"], message["args"][0])
        await self.answer(session, message)
        await self.push("order", self.orders[link_id])

    def book(self, op: str, body: Json) -> str:
        """Carry out a request; returns the order's id."""
        link_id: str = body["orderLinkId"]
        if op == "order.create":
            self.orders[link_id] = order_row(link_id, **self.row_of(body))
        elif op == "order.amend":
            self.orders[link_id] |= {key: body[key] for key in ("price", "qty") if key in body}
        else:
            self.orders[link_id] |= {
                "orderStatus": "Cancelled",
                "cancelType": "CancelByUser",
                "rejectReason": "EC_PerCancelRequest",
                "leavesQty": "",
            }
        self.orders[link_id]["updatedTime"] = str(self.now_ms())
        return link_id

    async def _take_batch(self, session: Session, message: Json) -> None:
        """Cancel what there is of a batch, and say of each order what became of it."""
        items = message["args"][0]["request"]
        known = [item for item in items if item["orderLinkId"] in self.orders]
        fates = [
            {"code": 0, "msg": "OK"} if item in known else {"code": 110001, "msg": "order not exists"}
            for item in items
        ]
        data = {"list": [item | {"orderId": f"venue-{item['orderLinkId']}"} for item in items]}
        for item in known:
            self.book("order.cancel", item)
        await self.answer(session, message, data=data, retExtInfo={"list": fates})
        await self.push("order", *[self.orders[item["orderLinkId"]] for item in known])

    async def book_silently(self, session: Session, message: Json) -> None:
        """Take a new order, and say nothing."""
        body = message["args"][0]
        self.orders[body["orderLinkId"]] = order_row(body["orderLinkId"], **self.row_of(body))

    async def say_nothing(self, session: Session, message: Json) -> None:
        """Lose a request."""

    def row_of(self, body: Json) -> Json:
        """The part of an order row that a create request decides."""
        keys = ("category", "symbol", "side", "orderType", "qty", "timeInForce", "reduceOnly")
        return {key: body[key] for key in keys if key in body} | {
            "price": body.get("price", ""),
            "updatedTime": str(self.now_ms()),
        }

    async def answer(
        self, session: Session, message: Json, code: int = 0, text: str = "OK", **more: Any
    ) -> None:
        """Answer a trade request."""
        body = message["args"][0]
        data = {"orderId": f"venue-{body.get('orderLinkId', '')}"} if code == 0 else {}
        reply = {
            "reqId": message["reqId"],
            "retCode": code,
            "retMsg": text,
            "op": message["op"],
            "data": data,
        }
        await session.send(reply | more)

    # -- websockets ------------------------------------------------------------------------------------------

    async def _serve(self, kind: str, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=True, timeout=0.2)
        await socket.prepare(request)
        session = Session(kind, socket, request)
        self.sessions.append(session)
        self.opened[kind] += 1
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    decoded = orjson.loads(message.data)
                    session.received.append(decoded)
                    await self._on_message(session, decoded)
        except ConnectionError:
            pass  # the test has cut the line
        finally:
            self.sessions.remove(session)
        return socket

    async def _on_message(self, session: Session, message: Json) -> None:
        op = message["op"]
        if session.muted:
            return
        if op == "ping":
            await session.send({"success": True, "ret_msg": "pong", "op": "ping"})
        elif op == "auth":
            await self._login(session, message["args"])
        elif op == "subscribe":
            await self._subscribe(session, message)
        elif op == "unsubscribe":
            session.topics -= set(message["args"])
            await session.send({"success": True, "ret_msg": "", "op": op, "req_id": message["req_id"]})
        else:
            await self.on_trade(session, message)

    async def _login(self, session: Session, args: list[Any]) -> None:
        key, expires, signature = args
        expected = hmac.new(SECRET.encode(), f"GET/realtime{expires}".encode(), hashlib.sha256).hexdigest()
        code, text = self.refuse_login or (0, "")
        if self.refuse_login is None and int(expires) <= self.now_ms():
            code, text = 10004, "expired"
        elif self.refuse_login is None and (key, signature) != (KEY, expected):
            code, text = 10004, "bad signature"
        if session.kind == "trade":
            await session.send({"retCode": code, "retMsg": text or "OK", "op": "auth", "connId": "c"})
        else:
            answer: Json = {"success": code == 0, "ret_msg": text, "op": "auth", "conn_id": "c"}
            await session.send(answer | ({"retCode": code} if code else {}))

    async def _subscribe(self, session: Session, message: Json) -> None:
        topics = message["args"]
        refused = [self.refused_topics[topic] for topic in topics if topic in self.refused_topics]
        if refused:
            await session.send({"success": False, "ret_msg": refused[0], "op": "subscribe"})
            return
        session.topics |= set(topics)
        if self.answer_subscribes:
            answer = {"success": True, "ret_msg": "", "op": "subscribe", "req_id": message["req_id"]}
            await session.send(answer)
        for topic in topics:
            if topic in self.snapshots:
                await session.send(self.snapshots[topic]())

    # -- REST ------------------------------------------------------------------------------------------------

    async def _rest(self, request: web.Request) -> web.StreamResponse:
        body = await request.text()
        params = orjson.loads(body) if body else dict(request.query)
        self.calls.append((request.path, params))
        if self.scripts[request.path]:
            return await self.scripts[request.path].popleft()(request)
        if not request.path.startswith(("/v5/market/", "/v5/system/")):
            problem = self._signature_problem(request, body or request.rel_url.raw_query_string)
            if problem:
                return web.json_response({"retCode": 10004, "retMsg": problem, "result": {}})
        if self.refuses_unlisted and request.path.endswith("instruments-info") and not self._listed(params):
            return await refusal(10001, "params error: symbol invalid")(request)
        if request.path in ORDER_PATHS:
            order = RestOrder(request)
            await self.on_trade(order, {"reqId": "", "op": ORDER_PATHS[request.path], "args": [params]})
            return await order.reply()
        return web.json_response({"retCode": 0, "retMsg": "OK", "result": self._result(request.path, params)})

    def _signature_problem(self, request: web.Request, payload: str) -> str:
        headers = request.headers
        stamp, window = headers.get("X-BAPI-TIMESTAMP", ""), headers.get("X-BAPI-RECV-WINDOW", "")
        text = f"{stamp}{headers.get('X-BAPI-API-KEY')}{window}{payload}"
        expected = hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
        return "" if headers.get("X-BAPI-SIGN") == expected else "bad signature"

    def _result(self, path: str, params: dict[str, str]) -> Json:
        if path == "/v5/market/time":
            nano = self.now_ms() * 1_000_000
            return {"timeSecond": str(nano // 10**9), "timeNano": str(nano)}
        lists: dict[str, Callable[[], list[Json]]] = {
            "/v5/market/instruments-info": lambda: self._listed(params),
            "/v5/market/tickers": lambda: [
                {"symbol": params["symbol"], "fundingRate": "0.0001", "nextFundingTime": "1700006400000"}
            ],
            "/v5/order/realtime": lambda: self._orders(params),
            "/v5/order/history": lambda: self._orders(params | {"openOnly": "1"}),
            "/v5/execution/list": lambda: self._executions(params),
            "/v5/position/list": lambda: self._positions(params),
            "/v5/account/wallet-balance": lambda: self.wallets,
        }
        if path in lists:
            # The category stands beside the list: rows name it on the private stream only.
            found = [{key: value for key, value in row.items() if key != "category"} for row in lists[path]()]
            return {"category": params.get("category", ""), "list": found, "nextPageCursor": ""}
        if path == "/v5/user/query-api":
            return {"userID": 1448939, "apiKey": "masked"}
        return {"success": "1", "list": []}

    def _listed(self, params: dict[str, str]) -> list[Json]:
        rows = {"linear": self.instruments, "inverse": self.inverse, "spot": self.spot}[params["category"]]
        if "symbol" in params:
            return [row for row in rows if row.get("symbol") == params["symbol"]]
        return [row for row in rows if row.get("symbol") not in self.left_out]

    def _orders(self, params: dict[str, str]) -> list[Json]:
        rows = [row for row in self.orders.values() if row["category"] == params["category"]]
        for key in ("orderId", "orderLinkId"):
            if key in params:
                return [row for row in rows if row[key] == params[key]]
        is_open = params.get("openOnly", "0") == "0"
        return [row for row in rows if (row["orderStatus"] in ("New", "PartiallyFilled")) == is_open]

    def _executions(self, params: dict[str, str]) -> list[Json]:
        found = [row for row in self.executions if row["category"] == params["category"]]
        for key in ("orderId", "orderLinkId"):
            if key in params:
                found = [row for row in found if row[key] == params[key]]
        if "startTime" in params:
            found = [row for row in found if int(row["execTime"]) >= int(params["startTime"])]
        return found

    def _positions(self, params: dict[str, str]) -> list[Json]:
        rows = [row for row in self.positions if row["category"] == params["category"]]
        if "symbol" in params:
            return [row for row in rows if row["symbol"] == params["symbol"]]
        return [row for row in rows if row["size"] != "0"]


# -- answers for scripts -------------------------------------------------------------------------------------------


def refusal(code: int, text: str = "no", headers: dict[str, str] | None = None) -> RestAnswer:
    """An envelope with an error code."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response({"retCode": code, "retMsg": text, "result": {}}, headers=headers)

    return answer


def http(status: int, body: str = "") -> RestAnswer:
    """A bare HTTP status."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=body)

    return answer


def result(value: Json, headers: dict[str, str] | None = None) -> RestAnswer:
    """A good answer."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response({"retCode": 0, "retMsg": "OK", "result": value}, headers=headers)

    return answer


async def never(request: web.Request) -> web.StreamResponse:
    """No answer; the client gives up, or the venue stops."""
    await asyncio.Event().wait()
    raise AssertionError("the wait has no end")


async def hang_up(request: web.Request) -> web.StreamResponse:
    """The line breaks instead of an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()
