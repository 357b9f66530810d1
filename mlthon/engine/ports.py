"""What the engine asks of its surroundings, and what it offers them: the ports.

A connector (`mlthon.exchanges.*`) implements `Connector`, `Feed` and `Gateway`, and talks back through
`FeedListener` and `GatewayListener`, which the engine implements. All calls are synchronous and happen on the
one thread; only connecting, closing and loading instruments are awaited.

Invariants that every gateway keeps:

* each ``send_*`` ends in exactly one of ``on_request_accepted`` or ``on_request_refused`` (a request whose fate is
  unknown is resolved by asking the venue, never by guessing);
* reports may repeat and may arrive in any order: the listener is idempotent by ``exec_id`` and by order state;
* a listener method is never called from inside a ``send_*`` or ``fetch_*`` call.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from mlthon._core.enums import OrderEvent, RequestKind
from mlthon._core.instrument_feed import InstrumentFeed
from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon._core.order_messages import (
    CancelOrderRequest,
    FillReport,
    ModifyOrderRequest,
    NewOrderRequest,
    OrderReport,
)
from mlthon.api.istrat_env import MDSub
from mlthon.basics.defs import (
    Exchange,
    GtwRejectCode,
    GtwStatus,
)
from mlthon.basics.qty import Qty
from mlthon.instruments.instrument import Instrument

__all__ = [
    "CancelOrderRequest",
    "Clock",
    "Connector",
    "Feed",
    "FeedListener",
    "FillReport",
    "Gateway",
    "GatewayListener",
    "Journal",
    "ModifyOrderRequest",
    "NewOrderRequest",
    "OrderEvent",
    "OrderReport",
    "RequestKind",
]


class Clock(Protocol):
    """Where the engine's time comes from: the machine's clock, a tape's, or a test's."""

    def now_ns(self) -> int:
        """Nanoseconds since the epoch, UTC."""


class GatewayListener(Protocol):
    """What a gateway tells the engine."""

    def on_status(self, status: GtwStatus, detail: str) -> None: ...

    def on_request_accepted(self, kind: RequestKind, wire_id: str, exchange_id: str) -> None:
        """The venue took a new, modify or cancel request; the order's state follows in a report."""

    def on_request_refused(self, kind: RequestKind, wire_id: str, code: GtwRejectCode, reason: str) -> None:
        """The venue refused a new, modify or cancel request."""

    def on_cancel_all_accepted(self, instrument: Instrument) -> None: ...

    def on_cancel_all_refused(self, instrument: Instrument, code: GtwRejectCode, reason: str) -> None: ...

    def on_order_report(self, report: OrderReport) -> None: ...

    def on_fill_report(self, fill: FillReport) -> None: ...

    def on_order_status(self, report: OrderReport) -> None:
        """Answer to fetch_order_status."""

    def on_orders(self, reports: Sequence[OrderReport]) -> None:
        """Answer to fetch_orders: the open ones."""

    def on_position(self, instrument: Instrument, position: Qty) -> None:
        """Signed position, in the instrument's quantity unit; asked for or pushed."""

    def on_wallet(self, coin: str, total: Qty, available: Qty) -> None:
        """Balances of one coin; asked for or pushed."""

    def on_account(self, user_id: str) -> None: ...

    def on_funding(self, instrument: Instrument, rate: float, next_ms: int) -> None: ...

    def on_query_refused(self, kind: RequestKind, code: GtwRejectCode, detail: str) -> None: ...

    def on_rate_limit(self, limit: int, remaining: int, reset_ms: int) -> None: ...

    def on_unsupported(self, kind: RequestKind) -> None: ...


class Gateway(Protocol):
    """Order entry and queries on one exchange."""

    @property
    def status(self) -> GtwStatus: ...

    def attach(self, listener: GatewayListener) -> None:
        """Say who listens; called once, before `connect`."""

    async def connect(self) -> None:
        """Return once ready to trade; raises VenueError. Reconnects by itself from then on."""

    async def close(self) -> None: ...

    def send_new(self, request: NewOrderRequest) -> None: ...

    def send_modify(self, request: ModifyOrderRequest) -> None: ...

    def send_cancel(self, request: CancelOrderRequest) -> None: ...

    def send_cancels(self, requests: Sequence[CancelOrderRequest]) -> None:
        """Cancel several orders, at the pace and in the batches that the venue takes; each gets its own answer."""

    def send_cancel_all(self, instrument: Instrument) -> None: ...

    def fetch_order_status(self, instrument: Instrument, wire_id: str, exchange_id: str) -> None: ...

    def fetch_orders(self, instrument: Instrument | None) -> None: ...

    def recover_fills(self, instrument: Instrument, wire_id: str, exchange_id: str) -> None:
        """Ask for all fills of one order; they arrive as fill reports, known ones included."""

    def fetch_position(self, instrument: Instrument) -> None: ...

    def fetch_wallet(self, coin: str) -> None: ...

    def fetch_account(self) -> None: ...

    def fetch_funding(self, instrument: Instrument) -> None: ...


# -- market data -----------------------------------------------------------------------------------------------


class FeedListener(Protocol):
    """What a feed tells the engine. Each call is one whole message."""

    def on_depth(self, instrument_id: int, update: DepthUpdate) -> bool:
        """Apply a message to the instrument's book.

        Returns whether the book is sound afterwards. On False (crossed) the feed must fetch a new snapshot.
        """

    def delta_sink(self, instrument_id: int) -> Callable[[DepthUpdate], bool] | None:
        """A short way for the next changes of the instrument's book, or None where there is no such way.

        The sink returns whether it took the change. What it did not take goes to `on_depth`, as everything may.
        """

    def instrument_feed(self, instrument_id: int) -> InstrumentFeed | None:
        """The same for compiled callers: where changes and trades may go straight in; None where nothing may."""

    def on_trades(self, instrument_id: int, trades: Sequence[PublicTrade]) -> None: ...

    def on_stream_ready(self, instrument_id: int) -> None:
        """The venue confirmed all of the instrument's subscriptions (the book's snapshot may still be to come)."""

    def on_subscribe_refused(self, instrument_id: int, code: GtwRejectCode, reason: str) -> None:
        """The venue will not send this instrument's data; nothing more comes for it."""

    def on_book_lost(self, instrument_id: int, reason: str) -> None:
        """The instrument's book is not to be trusted until its next snapshot."""

    def on_feed_lost(self, reason: str, instrument_ids: Collection[int] | None = None) -> None:
        """A connection is gone, and with it the books and trades of these instruments; None: all of the exchange.

        What it carried is subscribed anew: `on_stream_ready` and a snapshot follow.
        """


class Feed(Protocol):
    """Market data of one exchange."""

    def attach(self, listener: FeedListener) -> None:
        """Say who listens; called once, before `connect`."""

    async def connect(self) -> None:
        """Return once connected; raises VenueError. Reconnects and resubscribes by itself from then on."""

    async def close(self) -> None: ...

    def unsupported_subs(self) -> frozenset[MDSub]:
        """The kinds of data this venue does not publish."""

    def subscribe(self, instrument: Instrument, subs: frozenset[MDSub]) -> None:
        """Add to what the instrument is subscribed to."""


class Connector(Protocol):
    """One exchange, as `run` wires it to the engine."""

    @property
    def exchange(self) -> Exchange: ...

    @property
    def feed(self) -> Feed: ...

    @property
    def gateway(self) -> Gateway: ...

    async def load_instruments(self) -> list[Instrument]: ...

    def watch_instruments(self, tell: Callable[[Sequence[Instrument]], None]) -> None:
        """From now on, tell of instruments that are new, whose rules have changed, or that are no longer traded.

        Each is told whole; one that is no longer traded says so by its status.
        """

    async def close(self) -> None:
        """Close feed and gateway, and release every socket."""


# -- the record ------------------------------------------------------------------------------------------------


class Journal(Protocol):
    """Where the engine writes down what happened, before it acts on it."""

    def record_request(self, engine_ns: int, name: str, arguments: Mapping[str, object]) -> None:
        """A request the strategy made. Orders carry their wire id here, which makes this the id map."""

    def record_callback(self, engine_ns: int, name: str, arguments: Sequence[object]) -> None:
        """A callback the strategy was given."""
