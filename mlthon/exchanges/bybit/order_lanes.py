"""The way of new orders to the trade stream, one lane for each instrument: what is always the same is prepared.

The first order of a kind is encoded in full; those that follow take its text, with their own ids, time, quantity and
price. A lane has no words for what is wrong with an order: such a one takes the general way.
"""

from __future__ import annotations

import re

from mlthon._core.order_template import OrderTemplates
from mlthon.engine.ports import NewOrderRequest
from mlthon.exchanges.bybit.categories import SPOT, category_of
from mlthon.exchanges.bybit.codec.fields import Json
from mlthon.exchanges.bybit.codec.trade import CREATE, create_fields, encode_request
from mlthon.exchanges.bybit.rate_limits import bucket_of
from mlthon.instruments.instrument import Instrument

__all__ = ["OrderLane", "OrderLanes"]

_GAPS = ("req_id", "time", "qty", "wire_id", "price")  # in the order in which they stand
_GAP = re.compile(rb"\{(req_id|time|qty|wire_id|price)\}")


class OrderLane:
    """The new orders of one instrument. Raises ValueError for an instrument that has no category."""

    __slots__ = ("_recv_window_ms", "bucket", "instrument", "is_spot", "templates")

    def __init__(self, instrument: Instrument, recv_window_ms: int) -> None:
        category = category_of(instrument)
        self.instrument = instrument
        self.bucket = bucket_of(CREATE, category)
        self.is_spot = category == SPOT
        self._recv_window_ms = recv_window_ms
        self.templates = OrderTemplates()

    def encode(self, request: NewOrderRequest, req_id: str, timestamp_ms: int) -> bytes:
        """A new order for the trade stream; raises ValueError where the venue has no words for it."""
        data = self.templates.fill(request, req_id, timestamp_ms)
        if data is None:
            fields = create_fields(request)
            data = encode_request(CREATE, req_id, str(timestamp_ms), self._recv_window_ms, fields)
            self._learn(request, fields)
        return data

    def _learn(self, request: NewOrderRequest, fields: Json) -> None:
        """Keep the text of an order as the template for more of its kind, if it can be cut without doubt."""
        if "price" not in fields:
            return
        gaps = {"qty": "{qty}", "orderLinkId": "{wire_id}", "price": "{price}"}
        text = encode_request(CREATE, "{req_id}", "{time}", self._recv_window_ms, fields | gaps)
        pieces = _GAP.split(text)
        if tuple(pieces[1::2]) == tuple(gap.encode() for gap in _GAPS):
            self.templates.learn(request, tuple(pieces[::2]))


class OrderLanes:
    """The lanes of all instruments, made when they are first needed."""

    def __init__(self, recv_window_ms: int) -> None:
        self._recv_window_ms = recv_window_ms
        self._lanes: dict[int, OrderLane] = {}
        self._last: OrderLane | None = None

    def of(self, instrument: Instrument) -> OrderLane:
        """The lane of an instrument, made anew where that has changed; raises ValueError for one of no category."""
        lane = self._last
        if lane is None or lane.instrument is not instrument:
            number = instrument.get_instrument_id()
            lane = self._lanes.get(number)
            if lane is None or lane.instrument is not instrument:
                lane = self._lanes[number] = OrderLane(instrument, self._recv_window_ms)
            self._last = lane
        return lane
