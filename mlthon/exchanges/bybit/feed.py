"""Market data: which topics are subscribed, and whether each book is in step with the venue.

A book message either continues the one before (its number is one higher) or is a whole book. Anything else means
that messages are missing: the book is reported lost, the topic is subscribed anew, and what still arrives of it is
dropped until the new snapshot. What cannot even be attributed to a topic may have been any book's message, and
ends the connection.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp

from mlthon.api.istrat_env import MDSub
from mlthon.basics.defs import GtwRejectCode
from mlthon.engine.ports import FeedListener
from mlthon.errors import UsageError
from mlthon.exchanges.backoff import Backoff
from mlthon.exchanges.bybit.clock import VenueClock
from mlthon.exchanges.bybit.codec.fields import Ack, FrameError, Pong, Unknown
from mlthon.exchanges.bybit.codec.public import (
    PING,
    BookFrame,
    TradesFrame,
    book_topic,
    decode_public,
    encode_subscribe,
    encode_unsubscribe,
    trades_topic,
)
from mlthon.exchanges.bybit.config import BybitConfig
from mlthon.exchanges.bybit.tally import Tally
from mlthon.exchanges.socket import ReconnectingSocket
from mlthon.instruments.instrument import Instrument

__all__ = ["BybitFeed"]

log = logging.getLogger("mlthon.exchanges.bybit")

_DEEP = frozenset({MDSub.PriceLevelBook, MDSub.LevelBook})
_UNSUPPORTED = frozenset({MDSub.OrderBook})  # the venue publishes no order-by-order book
_TOP_ONLY = 1


@dataclass(slots=True, eq=False)
class _Subscription:
    """What one instrument is subscribed to. `confirmed`: the venue has said yes to all of it."""

    instrument_id: int
    symbol: str
    subs: frozenset[MDSub]
    topics: list[str] = field(default_factory=list)

    def wanted(self, depth: int) -> list[str]:
        """The topics that serve `subs`."""
        topics = []
        if self.subs & _DEEP:
            topics.append(book_topic(depth, self.symbol))
        elif MDSub.BBO in self.subs:
            topics.append(book_topic(_TOP_ONLY, self.symbol))
        if MDSub.PublicTrades in self.subs:
            topics.append(trades_topic(self.symbol))
        return topics


@dataclass(slots=True, eq=False)
class _Book:
    """One order book topic. `update_id` is the last message's number; None while a snapshot is awaited."""

    subscription: _Subscription
    topic: str
    pauses: Backoff
    update_id: int | None = None
    whole_since: float = 0.0
    resync: asyncio.TimerHandle | None = None  # the next subscribe, or the deadline of its snapshot

    def stop(self) -> None:
        self.update_id = None
        if self.resync is not None:
            self.resync.cancel()
            self.resync = None


@dataclass(slots=True, eq=False)
class _Request:
    """A subscribe request that the venue has not answered. `anew`: it is to find a lost book again."""

    subscription: _Subscription
    topics: list[str]
    anew: _Book | None
    deadline: asyncio.TimerHandle


class BybitFeed:
    """Market data of linear contracts. Implements `mlthon.engine.ports.Feed`."""

    def __init__(
        self, config: BybitConfig, http: Callable[[], aiohttp.ClientSession], clock: VenueClock
    ) -> None:
        self._config = config
        self._clock = clock
        self._listener: FeedListener | None = None
        self._subscriptions: dict[int, _Subscription] = {}
        self._books: dict[str, _Book] = {}  # what is subscribed now, by topic
        self._trades: dict[str, _Subscription] = {}
        self._requests: dict[str, _Request] = {}
        self._last_req_id = 0
        self.tally = Tally("feed")
        self._socket = ReconnectingSocket(
            "bybit public",
            f"{config.ws_public_url.rstrip('/')}/{config.category}",
            self,
            http=http,
            ping=PING,
            now_ns=clock.local_ns,
            limits=config.socket,
        )

    # -- Feed ------------------------------------------------------------------------------------------------

    def attach(self, listener: FeedListener) -> None:
        self._listener = listener

    async def connect(self) -> None:
        if self._listener is None:
            raise UsageError("BybitFeed.connect: expected attach(listener) before it")
        self._socket.start()
        try:
            await self._socket.wait_open()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        await self._socket.close()
        self._forget_connection()

    def unsupported_subs(self) -> frozenset[MDSub]:
        return _UNSUPPORTED

    def subscribe(self, instrument: Instrument, subs: frozenset[MDSub]) -> None:
        instrument_id = instrument.get_instrument_id()
        subscription = self._subscriptions.get(instrument_id)
        if subscription is None:
            subscription = _Subscription(instrument_id, instrument.get_exch_instr_id(), frozenset())
            self._subscriptions[instrument_id] = subscription
        subscription.subs |= subs - _UNSUPPORTED
        if self._socket.is_open:
            self._subscribe(subscription)

    # -- SocketListener --------------------------------------------------------------------------------------

    def on_open(self) -> None:
        for subscription in self._subscriptions.values():
            self._subscribe(subscription)

    def on_message(self, data: bytes, recv_ns: int) -> None:
        try:
            frame = decode_public(data, recv_ns)
        except FrameError as error:
            self._on_bad_message(error)
            return
        if isinstance(frame, BookFrame):
            self._on_book(frame)
        elif isinstance(frame, TradesFrame):
            self._on_trades(frame, recv_ns)
        elif isinstance(frame, Ack):
            self._on_ack(frame)
        elif isinstance(frame, Unknown):
            self.tally.count("unknown message ignored", frame.what)
        else:
            assert isinstance(frame, Pong)

    def on_closed(self, reason: str) -> None:
        self._forget_connection()
        self._tell.on_feed_lost(reason)

    # -- messages --------------------------------------------------------------------------------------------

    def _on_book(self, frame: BookFrame) -> None:
        book = self._books.get(frame.topic)
        if book is None:
            self.tally.count("message of a topic that is not subscribed", frame.topic)
            return
        update = frame.update
        before = book.update_id
        if update.is_snapshot:
            if before is None:
                self._found(book)
            elif frame.update_id != before and self._is_stale(frame.topic, frame.sent_ms, update.recv_ns):
                return
        elif before is None:
            self.tally.count("delta before its snapshot dropped", frame.topic)
            return
        elif frame.update_id != before + 1:
            self._lose(book, f"expected message {before + 1} of {frame.topic}, got {frame.update_id}")
            return
        elif self._is_stale(frame.topic, frame.sent_ms, update.recv_ns):
            return
        book.update_id = frame.update_id
        if not self._tell.on_depth(book.subscription.instrument_id, update):
            self._lose(book, f"{frame.topic} is crossed after message {frame.update_id}")

    def _on_trades(self, frame: TradesFrame, recv_ns: int) -> None:
        subscription = self._trades.get(frame.topic)
        if subscription is None:
            self.tally.count("message of a topic that is not subscribed", frame.topic)
        elif frame.trades and not self._is_stale(frame.topic, frame.sent_ms, recv_ns):
            self._tell.on_trades(subscription.instrument_id, frame.trades)

    def _on_bad_message(self, error: FrameError) -> None:
        book = self._books.get(error.topic)
        if book is not None:
            self._lose(book, str(error))
        elif error.topic:
            self.tally.count("bad message dropped", str(error))
        else:
            self._socket.drop(str(error))

    def _is_stale(self, topic: str, sent_ms: int, recv_ns: int) -> bool:
        """Tell whether a message is too old, and end the connection if it is.

        Only news is judged: the first snapshot of a quiet book, and the repeated ones of the top level, may
        rightly bear an old stamp.
        """
        bound_ms = self._config.stale_after_ms
        if bound_ms is None:
            return False
        lag_ms = self._clock.at_ms(recv_ns) - sent_ms
        if lag_ms <= bound_ms:
            return False
        self._socket.drop(f"stale: {topic} is {lag_ms / 1_000:.1f} s behind the venue's clock")
        return True

    # -- subscribing -----------------------------------------------------------------------------------------

    def _subscribe(self, subscription: _Subscription) -> None:
        """Bring the venue's subscriptions in line with what is wanted."""
        wanted = subscription.wanted(self._config.depth)
        dropped = [topic for topic in subscription.topics if topic not in wanted]
        added = [topic for topic in wanted if topic not in subscription.topics]
        subscription.topics = wanted
        if dropped:
            self._forget_topics(dropped)
            self._send_unsubscribe(dropped)
        for topic in added:
            if topic.startswith("orderbook."):
                pauses = Backoff(self._config.retry_first_ms, self._config.retry_longest_ms, free_tries=1)
                self._books[topic] = _Book(subscription, topic, pauses)
            else:
                self._trades[topic] = subscription
        if added:
            self._send_subscribe(subscription, added)
        elif not self._is_pending(subscription):
            # Nothing new on the wire, a top level served by the deeper book say: that is confirmed already.
            asyncio.get_running_loop().call_soon(self._confirm, subscription)

    def _send_subscribe(
        self, subscription: _Subscription, topics: list[str], anew: _Book | None = None
    ) -> None:
        self._last_req_id += 1
        req_id = str(self._last_req_id)
        timeout_s = self._config.request_timeout_ms / 1_000
        deadline = asyncio.get_running_loop().call_later(
            timeout_s,
            self._socket.drop,
            f"no answer to subscribing {', '.join(topics)} within {timeout_s:g} s",
        )
        self._requests[req_id] = _Request(subscription, topics, anew, deadline)
        for topic in topics:
            book = self._books.get(topic)
            if book is not None:
                book.stop()
                book.resync = asyncio.get_running_loop().call_later(timeout_s, self._no_snapshot, book)
        self._socket.send(encode_subscribe(req_id, topics))

    def _send_unsubscribe(self, topics: list[str]) -> None:
        self._last_req_id += 1
        self._socket.send(encode_unsubscribe(str(self._last_req_id), topics))

    def _on_ack(self, ack: Ack) -> None:
        if ack.op != "subscribe":
            return
        req_id = ack.req_id or self._req_id_named_in(ack.text)
        request = self._requests.pop(req_id, None)
        if request is None:
            self.tally.count("answer to no request", f"{ack.req_id!r} {ack.text[:80]!r}")
            return
        request.deadline.cancel()
        if not ack.success and request.anew is not None:
            self._retry(request.anew, f"subscribing {request.anew.topic} anew refused: {ack.text}")
        elif not ack.success:
            self._refused(request.subscription, ack.text)
        elif not self._is_pending(request.subscription):
            self._confirm(request.subscription)

    def _req_id_named_in(self, words: str) -> str:
        """The request a refusal without an id is about: some of them name the topic instead."""
        for req_id, request in self._requests.items():
            if any(topic in words for topic in request.topics):
                return req_id
        return ""

    def _is_pending(self, subscription: _Subscription) -> bool:
        return any(request.subscription is subscription for request in self._requests.values())

    def _confirm(self, subscription: _Subscription) -> None:
        if self._socket.is_open and self._subscriptions.get(subscription.instrument_id) is subscription:
            self._tell.on_stream_ready(subscription.instrument_id)

    def _refused(self, subscription: _Subscription, words: str) -> None:
        """Give up an instrument: the venue said no."""
        log.warning("subscribing %s refused: %s", ", ".join(subscription.topics), words)
        if self._subscriptions.pop(subscription.instrument_id, None) is None:
            return
        self._forget_topics(subscription.topics)
        self._send_unsubscribe(subscription.topics)
        self._tell.on_subscribe_refused(
            subscription.instrument_id, GtwRejectCode.InvalidRequest, words or "no reason given"
        )

    # -- losing and finding books ----------------------------------------------------------------------------

    def _lose(self, book: _Book, reason: str) -> None:
        """Tell that a book is lost, and subscribe it anew after a pause that grows as long as that fails."""
        loop = asyncio.get_running_loop()
        if book.update_id is not None:
            if (loop.time() - book.whole_since) * 1_000 >= self._config.socket.stable_after_ms:
                book.pauses.reset()
            self._tell.on_book_lost(book.subscription.instrument_id, reason)
        elif book.resync is not None:
            self.tally.count("bad message while awaiting a snapshot", reason)
            return
        self._retry(book, reason)

    def _retry(self, book: _Book, reason: str) -> None:
        """Subscribe a book anew after its next pause, unless it has been given up."""
        if self._books.get(book.topic) is not book:
            return
        book.stop()
        pause_s = book.pauses.next_s()
        log.warning("book lost: %s; subscribing it anew in %.2f s", reason, pause_s)
        book.resync = asyncio.get_running_loop().call_later(pause_s, self._resubscribe, book)

    def _resubscribe(self, book: _Book) -> None:
        self._send_unsubscribe([book.topic])
        self._send_subscribe(book.subscription, [book.topic], anew=book)

    def _no_snapshot(self, book: _Book) -> None:
        self._retry(book, f"no snapshot of {book.topic}")

    def _found(self, book: _Book) -> None:
        book.stop()
        book.whole_since = asyncio.get_running_loop().time()

    # -- details ---------------------------------------------------------------------------------------------

    @property
    def _tell(self) -> FeedListener:
        assert self._listener is not None
        return self._listener

    def _forget_topics(self, topics: list[str]) -> None:
        for topic in topics:
            self._trades.pop(topic, None)
            book = self._books.pop(topic, None)
            if book is not None:
                book.stop()

    def _forget_connection(self) -> None:
        """Nothing is subscribed any more; what is wanted stays."""
        for request in self._requests.values():
            request.deadline.cancel()
        self._requests.clear()
        self._forget_topics([*self._books, *self._trades])
        for subscription in self._subscriptions.values():
            subscription.topics = []
