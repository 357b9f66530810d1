"""The two ways to the venue's order service: the trade stream, and REST.

Which way a request went makes no difference to what follows: its answer comes back as a `TradeAnswer`.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from mlthon.errors import DecodeError, VenueRefusal, VenueUnreachable
from mlthon.exchanges.background import Background
from mlthon.exchanges.bybit.clock import VenueClock
from mlthon.exchanges.bybit.codec.fields import Json, text_or_empty
from mlthon.exchanges.bybit.codec.trade import CANCEL, CANCEL_BATCH, TradeAnswer, decode_batch, encode_request
from mlthon.exchanges.bybit.config import BybitConfig
from mlthon.exchanges.bybit.rate_limits import HTTP
from mlthon.exchanges.bybit.rest import NotSent, RestClient

__all__ = ["OrderRoutes", "Route"]

_CANCELS = (CANCEL, CANCEL_BATCH)


class Route(Enum):
    """Which way a request went."""

    Stream = 1
    Rest = 2


class OrderRoutes:
    """Sends order requests by the trade stream, or by REST while that is down or where the configuration says so.

    `stream` puts bytes on the trade stream and says whether they went. What comes back goes to `on_answer`;
    `on_unanswered` and `on_not_sent` are called with the request's id and the reason, where REST gave no answer.
    """

    def __init__(
        self, config: BybitConfig, clock: VenueClock, rest: RestClient, stream: Callable[[bytes], bool]
    ) -> None:
        self._config = config
        self._clock = clock
        self._rest = rest
        self._uses_stream = config.order_entry == "websocket"
        self.write = stream if self._uses_stream else _refuse
        """Put an encoded request on the trade stream; False: it did not go, nor was it sent any other way."""
        self._posts = Background()
        self.on_answer: Callable[[TradeAnswer], None] = lambda _: None
        self.on_unanswered: Callable[[str, str], None] = lambda *_: None
        self.on_not_sent: Callable[[str, str], None] = lambda *_: None

    def send(self, op: str, req_id: str, fields: Json) -> Route | None:
        """Send a request; None: the allowance of HTTP requests is used up, and nothing was sent."""
        if self._uses_stream:
            now_ms = str(self._clock.now_ms())
            if self.write(encode_request(op, req_id, now_ms, self._config.recv_window_ms, fields)):
                return Route.Stream
        if not self._rest.limits.take(HTTP, is_cancel=op in _CANCELS):
            return None
        self._posts.spawn(self._post(op, req_id, fields), f"{op} {req_id}")
        return Route.Rest

    async def close(self) -> None:
        """Stop waiting for answers."""
        await self._posts.close()

    async def _post(self, op: str, req_id: str, fields: Json) -> None:
        path = "/v5/" + op.replace(".", "/")
        try:
            envelope = await self._rest.command(path, fields)
            fates = decode_batch(envelope.result, envelope.extra, path) if op == CANCEL_BATCH else ()
            exchange_id = text_or_empty(envelope.result, "orderId", path)
        except NotSent as error:
            self.on_not_sent(req_id, str(error))
        except VenueRefusal as refusal:
            self.on_answer(TradeAnswer(req_id, op, refusal.code, refusal.text, "", None))
        except (VenueUnreachable, DecodeError) as error:
            self.on_unanswered(req_id, str(error))
        else:
            self.on_answer(TradeAnswer(req_id, op, 0, envelope.text, exchange_id, None, fates))


def _refuse(_data: bytes) -> bool:
    """Write nothing: by configuration, orders do not go by the trade stream."""
    return False
