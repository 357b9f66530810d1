"""One client's websocket, of which every message passes a fault plan."""

from __future__ import annotations

import random
from collections.abc import Callable

import orjson
from aiohttp import web

from mlthon.venues.bybit.connection import Connection, Session
from mlthon.venues.bybit.limits import VenueLimits
from mlthon.venues.bybit.order_messages import Json
from mlthon.venues.bybit.wire import to_ms
from mlthon.venues.faults.injector import FaultInjector, Injection
from mlthon.venues.faults.lines import Line, corrupted, truncated
from mlthon.venues.faults.plan import (
    Channel,
    Corrupt,
    Cut,
    Delay,
    Direction,
    Drop,
    Duplicate,
    Hang,
    LoseAck,
    Refuse,
    RefuseLogin,
    Reorder,
    Throttle,
    Truncate,
)

__all__ = ["FaultyConnection", "channel_of", "no_quota"]

_WEBSOCKETS = {"/v5/private": Channel.Private, "/v5/trade": Channel.Trade}
_PUBLIC_PREFIX = "/v5/public/"
_LONGEST_SHORT_FRAME, _LONGEST_MIDDLE_FRAME = 125, 0xFFFF
_FINAL_TEXT_FRAME = 0x81
_TELLS_NOTHING = "?"


class FaultyConnection(Connection):
    """A connection of which every message passes the fault plan, in both directions."""

    def __init__(
        self,
        request: web.Request,
        limits: VenueLimits,
        idle_s: float | None,
        faults: FaultInjector,
        now_ns: Callable[[], int],
        on_end: Callable[[FaultyConnection], None],
    ) -> None:
        super().__init__(request, limits, idle_s)
        self.channel = channel_of(request.path)
        self._faults = faults
        self._now_ns = now_ns
        self._on_end = on_end
        self._out: Line[str] = Line(super().send)
        self._in: Line[bytes | str] = Line(self._hand_in)
        self._session: Session | None = None
        self._hangs = False

    @property
    def hangs(self) -> bool:
        """Whether nothing goes through it any more."""
        return self._hangs

    async def run(self, open_session: Callable[[Connection], Session]) -> web.WebSocketResponse:
        try:
            return await super().run(open_session)
        finally:
            self._out.close()
            self._in.close()
            self._on_end(self)

    def send(self, text: str) -> None:
        if self._ended or self._hangs:
            return
        message: Json = orjson.loads(text)
        injection = self._faults.on_message(self.channel, Direction.Out, _kind(message))
        if injection is None:
            self._out.take(text)
        elif isinstance(injection.fault, Refuse):
            refusal = {"retCode": injection.fault.code, "retMsg": injection.fault.text, "data": {}}
            self._out.take(orjson.dumps(message | refusal).decode())
        elif isinstance(injection.fault, Cut):
            self._cut_within(text, injection.rng)
        else:
            self._misplay(self._out, text, injection)

    def _take(self, session: Session, data: bytes | str) -> None:
        self._session = session
        if self._hangs:
            return
        message = _parse(data)
        injection = self._faults.on_message(self.channel, Direction.In, _kind(message))
        if injection is None:
            self._in.take(data)
        elif isinstance(injection.fault, Refuse | Throttle | RefuseLogin):
            self._refuse(message, injection.fault)
        elif isinstance(injection.fault, Cut):
            self.drop()
        else:
            self._misplay(
                self._in, data if isinstance(data, str) else data.decode(errors="replace"), injection
            )

    def _hand_in(self, data: bytes | str) -> None:
        if self._session is not None and not self._ended:
            super()._take(self._session, data)

    def _misplay(self, line: Line[str] | Line[bytes | str], text: str, injection: Injection) -> None:
        """Do to one message what is done in both directions alike."""
        fault = injection.fault
        if isinstance(fault, Delay):
            line.take(text, fault.delay_ms / 1_000)
        elif isinstance(fault, Duplicate):
            line.take(text)
            line.take(text)
        elif isinstance(fault, Reorder):
            line.hold(text, fault.behind, fault.within_ms / 1_000)
        elif isinstance(fault, Truncate):
            line.take(truncated(text, injection.rng))
        elif isinstance(fault, Corrupt):
            line.take(corrupted(text, injection.rng))
        elif isinstance(fault, Hang):
            self._hangs = True
        else:
            assert isinstance(fault, Drop | LoseAck), fault

    def _refuse(self, message: Json, fault: Refuse | Throttle | RefuseLogin) -> None:
        """Answer a request in the words of its channel, without carrying it out."""
        if self.channel is Channel.Private:
            told = {"success": False, "ret_msg": fault.text, "req_id": message.get("req_id", "")}
            told |= {"conn_id": self.id, "retCode": fault.code, "retMsg": fault.text}
        else:
            told = {"retCode": fault.code, "retMsg": fault.text, "data": {}, "retExtInfo": {}}
            header = no_quota(to_ms(self._now_ns())) if isinstance(fault, Throttle) else {}
            told |= {"connId": self.id, "header": header}
            if "reqId" in message:
                told["reqId"] = message["reqId"]
        self._out.take(orjson.dumps({"op": message.get("op", ""), **told}).decode())

    def _cut_within(self, text: str, rng: random.Random) -> None:
        """Send what was to be sent before, then a part of this message's frame, and end the connection."""
        transport = self._request.transport
        if transport is not None:
            frame = _frame(text)
            before = b"".join(map(_frame, self._outbox))
            transport.write(before + frame[: rng.randrange(1, len(frame))])
            transport.close()
        self._outbox.clear()
        self._ended = True


def _parse(data: bytes | str) -> Json:
    try:
        message = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {}
    return message if isinstance(message, dict) else {}


def _kind(message: Json) -> str:
    """What a message is about: its topic, or else its operation."""
    kind = message.get("topic") or message.get("op")
    return kind if isinstance(kind, str) else _TELLS_NOTHING


def _frame(text: str) -> bytes:
    """A text as the server's side of a websocket sends it: in one frame, without a mask."""
    payload = text.encode()
    size = len(payload)
    if size <= _LONGEST_SHORT_FRAME:
        header = bytes((_FINAL_TEXT_FRAME, size))
    elif size <= _LONGEST_MIDDLE_FRAME:
        header = bytes((_FINAL_TEXT_FRAME, 126)) + size.to_bytes(2, "big")
    else:
        header = bytes((_FINAL_TEXT_FRAME, 127)) + size.to_bytes(8, "big")
    return header + payload


def channel_of(path: str) -> Channel:
    """The channel that a path belongs to."""
    if path.startswith(_PUBLIC_PREFIX):
        return Channel.Public
    return _WEBSOCKETS.get(path, Channel.Rest)


def no_quota(now_ms: int) -> dict[str, str]:
    """The headers of a rate limit that is used up for the next second."""
    reset_ms = now_ms + 1_000
    return {
        "X-Bapi-Limit": "10",
        "X-Bapi-Limit-Status": "0",
        "X-Bapi-Limit-Reset-Timestamp": str(reset_ms),
    }
