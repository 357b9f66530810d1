"""The venue that `live.py` times clients against: websockets that do as little as they can.

It runs as a process of its own. Each client has a port of its own; who connects there to a path with ``public``,
``private`` or ``trade`` in it gets that stream. Everything else that a client asks for at its start, the simulated
Bybit of MLThon answers over REST. Frames are written and read here by hand, for a library's time would be part of
every client's.

Tick to order is timed here, around both ends: from just before a frame is handed to the kernel until the bytes of an
order have been read from the same client; meanwhile the venue polls, and does not sleep. Inbound is timed from the
first of many frames until the client says that its callback has seen the last.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import sys
import time
from typing import cast

import orjson

SYMBOL = "BTCUSDT"
BEST_BID, BEST_ASK = 60_000_0, 60_000_1  # in tenths
LEVELS = 50
PAUSE_S = 0.002  # between an order and the next tick: whoever is still busy with the last one gets the time
ORDER_WITHIN_NS = 500_000_000
TRIES = 10
SEEN_WITHIN_S = 60.0
SEEN = b"SEEN\n"

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_RATE = {"X-Bapi-Limit": "1000000", "X-Bapi-Limit-Status": "999999", "X-Bapi-Limit-Reset-Timestamp": "0"}


class Market:
    """The frames of one made-up book: a snapshot, and changes of the best bid."""

    def __init__(self) -> None:
        self._update = 1
        self.has_ask = True

    def snapshot(self) -> bytes:
        bids = [[_price(BEST_BID - level), "1.000"] for level in range(LEVELS)]
        asks = [[_price(BEST_ASK + level), "1.000"] for level in range(LEVELS)]
        self._update = 1_000
        return self._frame("snapshot", bids, asks)

    def tick(self, changes: int = 1) -> bytes:
        """The best bid's quantity changes, and that of some levels behind it."""
        qty = f"{1 + self._update % 7}.{self._update % 1000:03}"
        return self._frame("delta", [[_price(BEST_BID - level), qty] for level in range(changes)], [])

    def last(self) -> bytes:
        """The best ask moves away: the sign for the end of a burst."""
        self.has_ask = False
        return self._frame("delta", [], [[_price(BEST_ASK), "0"]])

    def first(self) -> bytes:
        """It comes back."""
        self.has_ask = True
        return self._frame("delta", [], [[_price(BEST_ASK), "1.000"]])

    def _frame(self, kind: str, bids: list[list[str]], asks: list[list[str]]) -> bytes:
        self._update += 1
        now_ms = time.time_ns() // 1_000_000
        data = {"s": SYMBOL, "b": bids, "a": asks, "u": self._update, "seq": self._update}
        topic = f"orderbook.{LEVELS}.{SYMBOL}"
        return frame(orjson.dumps({"topic": topic, "type": kind, "ts": now_ms, "data": data, "cts": now_ms}))


class Client:
    """One client's streams, and what is being timed of it."""

    def __init__(self, name: str, burst: int) -> None:
        self.name = name
        self._burst = burst  # frames
        self.market = Market()
        self.streams: dict[str, Stream] = {}
        self.ordered: asyncio.Future[int] | None = None
        self.seen: asyncio.Future[int] | None = None
        self.subscribed = asyncio.Event()
        self.can_trade = asyncio.Event()
        self.missed = 0  # ticks that no order answered

    async def tick_to_order(self) -> int:
        """One tick, one order; returns the nanoseconds between.

        A client that was not listening yet, or not any more, is given another tick: its last one was still at work.
        """
        for _ in range(TRIES):
            self.ordered = asyncio.get_running_loop().create_future()
            tick = self.market.tick()
            began = time.perf_counter_ns()
            self.streams["public"].write(tick)
            late = began + ORDER_WITHIN_NS
            # To be woken up takes longer than some clients need to answer: stay awake.
            while not self.ordered.done() and time.perf_counter_ns() < late:  # noqa: ASYNC110
                await asyncio.sleep(0)
            if self.ordered.done():
                await asyncio.sleep(PAUSE_S)
                return self.ordered.result() - began
            self.missed += 1
        sys.exit(
            f"live: {self.name} answered none of {TRIES} ticks with an order within {ORDER_WITHIN_NS / 1e9:g} s"
        )

    async def inbound(self, changes: int) -> float:
        """Many frames at once; returns how many a second the client has seen to its callback."""
        if self.market.has_ask:  # the snapshot's, which may not have been news to the callback
            await self._until_seen(self.market.last())
        await self._until_seen(self.market.first())
        burst = b"".join([self.market.tick(changes) for _ in range(self._burst)]) + self.market.last()
        began = time.perf_counter_ns()
        ended = await self._until_seen(burst)
        return (self._burst + 1) * 1e9 / (ended - began)

    async def _until_seen(self, frames: bytes) -> int:
        self.seen = asyncio.get_running_loop().create_future()
        self.streams["public"].write(frames)
        try:
            return await asyncio.wait_for(self.seen, SEEN_WITHIN_S)
        except TimeoutError:
            sys.exit(f"live: {self.name} has not seen the last frame within {SEEN_WITHIN_S:g} s")

    # -- what the streams hear -------------------------------------------------------------------------------------

    def on_seen(self) -> None:
        """The client says that its callback has seen the sign."""
        if self.seen is not None and not self.seen.done():
            self.seen.set_result(time.perf_counter_ns())

    def on_message(self, stream: Stream, data: bytes, arrived: int) -> None:
        message = orjson.loads(data)
        op = message.get("op")
        if op == "order.create":
            if self.ordered is not None and not self.ordered.done():
                self.ordered.set_result(arrived)
            self._take_order(stream, message)
        elif op == "ping":
            stream.send(
                {"success": True, "ret_msg": "pong", "op": "ping", "req_id": message.get("req_id", "")}
            )
        elif op == "auth":
            stream.send(_login(stream.kind, message))
            if stream.kind == "trade":
                self.can_trade.set()
        elif op == "subscribe":
            stream.send(
                {
                    "success": True,
                    "ret_msg": "",
                    "op": op,
                    "req_id": message.get("req_id", ""),
                    "conn_id": "1",
                }
            )
            if stream.kind == "public":
                stream.write(self.market.snapshot())
                self.subscribed.set()

    def _take_order(self, stream: Stream, message: dict[str, object]) -> None:
        """Accept an order, and cancel it at once: it takes what is not there."""
        order = message["args"][0]  # type: ignore[index]
        now_ms = str(time.time_ns() // 1_000_000)
        ids = {"orderId": f"o{now_ms}", "orderLinkId": order.get("orderLinkId", "")}
        stream.send(
            {
                "reqId": message.get("reqId", ""),
                "retCode": 0,
                "retMsg": "OK",
                "op": "order.create",
                "data": ids,
                "retExtInfo": {},
                "header": {**_RATE, "Timenow": now_ms},
                "connId": "1",
            }
        )
        private = self.streams.get("private")
        if private is not None:
            private.send(
                {
                    "id": now_ms,
                    "topic": "order",
                    "creationTime": int(now_ms),
                    "data": [_ended(order, ids, now_ms)],
                }
            )


class Stream(asyncio.Protocol):
    """One connection: a websocket after its handshake."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._buffer = bytearray()
        self._open = False
        self._transport: asyncio.Transport
        self.kind = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=0)  # else uvloop keeps a frame until its round is over

    def data_received(self, data: bytes) -> None:
        arrived = time.perf_counter_ns()
        self._buffer += data
        if self._buffer.startswith(SEEN):
            self._buffer.clear()
            self._client.on_seen()
            return
        if not self._open:
            self._shake_hands()
        while self._open and (message := self._next_message()) is not None:
            opcode, payload = message
            if opcode == 1:
                self._client.on_message(self, payload, arrived)
            elif opcode == 8:
                self._transport.close()
            elif opcode == 9:
                self._transport.write(bytes((0x8A, len(payload))) + payload)

    def write(self, frames: bytes) -> None:
        self._transport.write(frames)

    def send(self, message: object) -> None:
        self.write(frame(orjson.dumps(message)))

    def _shake_hands(self) -> None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._buffer[:end])
        del self._buffer[: end + 4]
        path = head.split(b" ", 2)[1].decode()
        self.kind = next(kind for kind in ("public", "private", "trade") if kind in path)
        headers = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
        key = next(value for name, value in headers.items() if name.lower() == b"sec-websocket-key")
        accept = base64.b64encode(hashlib.sha1(key.strip() + _GUID).digest())
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        self._open = True
        self._client.streams[self.kind] = self

    def _next_message(self) -> tuple[int, bytes] | None:
        """The next whole frame of a client: masked, and never in parts."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        length, at = buffer[1] & 127, 2
        if length == 126:
            length, at = int.from_bytes(buffer[2:4], "big"), 4
        elif length == 127:
            length, at = int.from_bytes(buffer[2:10], "big"), 10
        if len(buffer) < at + 4 + length:
            return None
        mask = int.from_bytes((bytes(buffer[at : at + 4]) * (length // 4 + 1))[:length], "big")
        payload = (int.from_bytes(buffer[at + 4 : at + 4 + length], "big") ^ mask).to_bytes(length, "big")
        opcode = buffer[0] & 15
        del buffer[: at + 4 + length]
        return opcode, payload


def frame(payload: bytes) -> bytes:
    """One text frame of a server."""
    if len(payload) < 126:
        return bytes((0x81, len(payload))) + payload
    if len(payload) < 65_536:
        return b"\x81\x7e" + len(payload).to_bytes(2, "big") + payload
    return b"\x81\x7f" + len(payload).to_bytes(8, "big") + payload


def _price(tenths: int) -> str:
    return f"{tenths // 10}.{tenths % 10}"


def _login(kind: str, message: dict[str, object]) -> dict[str, object]:
    if kind == "trade":
        return {"reqId": message.get("reqId", ""), "retCode": 0, "retMsg": "OK", "op": "auth", "connId": "1"}
    return {"success": True, "ret_msg": "", "op": "auth", "req_id": message.get("req_id", ""), "conn_id": "1"}


def _ended(order: dict[str, str], ids: dict[str, str], now_ms: str) -> dict[str, object]:
    """The order as the private stream shows it: cancelled, for there was nothing to take."""
    return {
        **ids,
        "category": "linear",
        "symbol": SYMBOL,
        "side": order["side"],
        "orderType": "Limit",
        "orderStatus": "Cancelled",
        "timeInForce": "IOC",
        "price": order["price"],
        "qty": order["qty"],
        "leavesQty": "",
        "leavesValue": "",
        "cumExecQty": "0",
        "cumExecValue": "0",
        "cumExecFee": "0",
        "avgPrice": "",
        "positionIdx": 0,
        "reduceOnly": False,
        "closeOnTrigger": False,
        "isLeverage": "",
        "cancelType": "UNKNOWN",
        "rejectReason": "EC_NoImmediateQtyToFill",
        "stopOrderType": "",
        "triggerPrice": "",
        "triggerBy": "",
        "triggerDirection": 0,
        "takeProfit": "",
        "stopLoss": "",
        "tpTriggerBy": "",
        "slTriggerBy": "",
        "tpslMode": "",
        "smpType": "None",
        "smpGroup": 0,
        "smpOrderId": "",
        "orderIv": "",
        "lastPriceOnCreated": "",
        "blockTradeId": "",
        "placeType": "",
        "feeCurrency": "",
        "closedPnl": "0",
        "createType": "CreateByUser",
        "createdTime": now_ms,
        "updatedTime": now_ms,
    }
