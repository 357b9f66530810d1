"""One connection for public market data: what is subscribed on it, and whether each book is in step with the venue.

A book message either continues the one before (its number is one higher) or is a whole book. Anything else means
that messages are missing: the book is reported lost, the topic is subscribed anew, and what still arrives of it is
dropped until the new snapshot. What cannot even be attributed to a topic may have been any book's message, and
ends the connection.

A book that has fallen silent is subscribed anew as well, but not given up: when its snapshot bears the number that
the book has got to, the market was only quiet, and nobody is told.

Nearly all messages are the next change of a book. The compiled scanner hands those straight on; what it leaves, for
any reason, takes the ways below, which suit every message.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

import aiohttp

from mlthon._core.bybit_frames import FrameScanner
from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon._core.scanned_messages import ScannedMessages
from mlthon.api.istrat_env import MDSub
from mlthon.basics.defs import GtwRejectCode
from mlthon.engine.ports import FeedListener
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
    ticker_topic,
    trades_topic,
)
from mlthon.exchanges.bybit.config import BybitConfig
from mlthon.exchanges.bybit.market_topics import (
    AWAITED,
    BookTopic,
    SubscribeRequest,
    Subscription,
    TradesTopic,
)
from mlthon.exchanges.bybit.silence import LOOKS_A_BOUND
from mlthon.exchanges.bybit.tally import Tally
from mlthon.exchanges.socket import ReconnectingSocket
from mlthon.exchanges.tap import MarketTap
from mlthon.instruments.instrument import Instrument

__all__ = ["MarketStream"]

log = logging.getLogger("mlthon.exchanges.bybit")

_MOST_TOPIC_CHARS = 21_000  # in the names of all the topics of a connection


class MarketStream:
    """Books and trades of instruments of one category, as far as one connection may carry them.

    `listener` gives whom to tell; it is asked while messages arrive, not before. `is_traded` is asked, with an
    instrument's id, whether a book that cannot be had now may be had later. `tap` hears of every message first.
    """

    def __init__(
        self,
        name: str,
        category: str,
        config: BybitConfig,
        http: Callable[[], aiohttp.ClientSession],
        clock: VenueClock,
        listener: Callable[[], FeedListener],
        tally: Tally,
        is_traded: Callable[[int], bool],
        tap: MarketTap | None = None,
    ) -> None:
        self._config = config
        self._clock = clock
        self._listener = listener
        self._is_traded = is_traded
        self._topic_chars = 0  # of all that may be subscribed for the present instruments
        self._subscriptions: dict[int, Subscription] = {}
        self._books: dict[str, BookTopic] = {}  # what is subscribed now, by topic
        self._trades: dict[str, TradesTopic] = {}
        self._scanner = FrameScanner(config.stale_after_ms)
        self._messages = ScannedMessages(self._scanner.scan, clock, self._on_left)
        self._requests: dict[str, SubscribeRequest] = {}
        self._last_req_id = 0
        self._silence: asyncio.TimerHandle | None = None
        self.tally = tally
        self._tap = None if tap is None else tap.tap(name)
        self._tickers = tap is not None and tap.tickers
        self.on_message = self._messages.on_message if self._tap is None else self._on_tapped
        """Take in one message, stamped when it was read."""
        self._socket = ReconnectingSocket(
            name,
            f"{config.ws_public_url.rstrip('/')}/{category}",
            self,
            http=http,
            ping=PING,
            now_ns=clock.local_ns,
            limits=config.socket,
        )

    # -- life ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to connect; does nothing when already begun."""
        self._socket.start()

    async def wait_open(self) -> None:
        """Wait for the first connection; raises VenueUnreachable."""
        await self._socket.wait_open()

    async def close(self) -> None:
        """End the connection, and tell nobody."""
        await self._socket.close()
        self._forget_connection()

    # -- what is wanted --------------------------------------------------------------------------------------

    def carries(self, instrument: Instrument) -> bool:
        """Whether an instrument is subscribed on this connection."""
        return instrument.get_instrument_id() in self._subscriptions

    def has_room_for(self, instrument: Instrument) -> bool:
        """Whether the connection may carry the topics of one more instrument."""
        return self._topic_chars + self._chars_of(instrument) <= _MOST_TOPIC_CHARS

    def subscribe(self, instrument: Instrument, subs: frozenset[MDSub]) -> None:
        """Add to what an instrument is subscribed to."""
        instrument_id = instrument.get_instrument_id()
        subscription = self._subscriptions.get(instrument_id)
        if subscription is None:
            subscription = Subscription(instrument_id, instrument.get_exch_instr_id(), frozenset())
            self._subscriptions[instrument_id] = subscription
            self._topic_chars += self._chars_of(instrument)
        subscription.subs |= subs
        if self._tap is not None:
            self._tap.on_subscribed(instrument)
        if self._socket.is_open:
            self._subscribe(subscription)

    def _chars_of(self, instrument: Instrument) -> int:
        """How long the names of an instrument's topics are, if all of them come to be subscribed."""
        symbol = instrument.get_exch_instr_id()
        topics = [book_topic(self._config.depth, symbol), trades_topic(symbol)]
        return sum(map(len, topics)) + (len(ticker_topic(symbol)) if self._tickers else 0)

    # -- SocketListener --------------------------------------------------------------------------------------

    def on_open(self) -> None:
        if self._tap is not None:
            self._tap.on_connected(self._clock.local_ns())
        for subscription in self._subscriptions.values():
            self._subscribe(subscription)
        self._listen_for_silence()

    def _on_tapped(self, data: bytes, recv_ns: int) -> None:
        assert self._tap is not None
        self._tap.on_frame(data, recv_ns)
        self._messages.on_message(data, recv_ns)

    def _on_left(self, data: bytes, recv_ns: int) -> None:
        """Handle a message that the scanner has not handed on."""
        scanner = self._scanner
        owner, update, trades = scanner.owner, scanner.update, scanner.trades
        if isinstance(owner, BookTopic) and update is not None:
            self._on_book(owner, scanner.update_id, scanner.sent_ms, update)
        elif isinstance(owner, TradesTopic) and trades is not None:
            self._on_trades(owner, scanner.sent_ms, trades, recv_ns)
        else:
            self._on_unscanned(data, recv_ns)

    def on_closed(self, reason: str) -> None:
        if self._tap is not None:
            self._tap.on_disconnected(reason, self._clock.local_ns())
        self._forget_connection()
        if self._subscriptions:
            self._tell.on_feed_lost(reason, list(self._subscriptions))

    # -- messages --------------------------------------------------------------------------------------------

    def _on_unscanned(self, data: bytes, recv_ns: int) -> None:
        """Handle what the scanner did not read: unusual, bad, or not market data at all."""
        try:
            frame = decode_public(data, recv_ns)
        except FrameError as error:
            self._on_bad_message(error)
            return
        if isinstance(frame, BookFrame):
            book = self._books.get(frame.topic)
            if book is not None:
                self._on_book(book, frame.update_id, frame.sent_ms, frame.update)
            else:
                self.tally.count("message of a topic that is not subscribed", frame.topic)
        elif isinstance(frame, TradesFrame):
            trades = self._trades.get(frame.topic)
            if trades is not None:
                self._on_trades(trades, frame.sent_ms, frame.trades, recv_ns)
            else:
                self.tally.count("message of a topic that is not subscribed", frame.topic)
        elif isinstance(frame, Ack):
            self._on_ack(frame)
        elif isinstance(frame, Unknown):
            if self._tickers and frame.what.startswith("tickers."):
                return  # for the tap alone
            self.tally.count("unknown message ignored", frame.what)
        else:
            assert isinstance(frame, Pong)

    def _on_book(self, book: BookTopic, update_id: int, sent_ms: int, update: DepthUpdate) -> None:
        before = book.update_id
        if update.is_snapshot:
            if before == AWAITED:
                self._found(book)
            elif book.resync is not None:
                book.end_wait()
                if update_id == before:
                    return  # it was silent because there was nothing to tell
            elif update_id == before:
                book.silence.broken()  # repeated, to show that it still stands
            elif self._is_stale(book.topic, sent_ms, update.recv_ns):
                return
        elif before == AWAITED:
            self.tally.count("delta before its snapshot dropped", book.topic)
            return
        elif update_id != before + 1:
            self._lose(book, f"expected message {before + 1} of {book.topic}, got {update_id}")
            return
        elif self._is_stale(book.topic, sent_ms, update.recv_ns):
            return
        book.scanned.update_id = update_id
        if not self._tell.on_depth(book.subscription.instrument_id, update):
            self._lose(book, f"{book.topic} is crossed after message {update_id}")

    def _on_trades(
        self, source: TradesTopic, sent_ms: int, trades: Sequence[PublicTrade], recv_ns: int
    ) -> None:
        if trades and not self._is_stale(source.topic, sent_ms, recv_ns):
            self._tell.on_trades(source.subscription.instrument_id, trades)

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

    def _subscribe(self, subscription: Subscription) -> None:
        """Bring the venue's subscriptions in line with what is wanted."""
        wanted = subscription.wanted(self._config.depth, tickers=self._tickers)
        dropped = [topic for topic in subscription.topics if topic not in wanted]
        added = [topic for topic in wanted if topic not in subscription.topics]
        subscription.topics = wanted
        if dropped:
            self._forget_topics(dropped)
            self._send_unsubscribe(dropped)
        for topic in added:
            if topic.startswith("orderbook."):
                self._add_book(subscription, topic)
            elif topic.startswith("publicTrade."):
                self._trades[topic] = TradesTopic(subscription, topic)
                self._scanner.add(topic, self._trades[topic])
        if added:
            self._send_subscribe(subscription, added)
        elif not self._is_pending(subscription):
            # Nothing new on the wire, a top level served by the deeper book say: that is confirmed already.
            asyncio.get_running_loop().call_soon(self._confirm, subscription)

    def _add_book(self, subscription: Subscription, topic: str) -> None:
        pauses = Backoff(self._config.retry_first_ms, self._config.retry_longest_ms, free_tries=1)
        book = BookTopic(subscription, topic, pauses)
        book.scanned = self._scanner.add(topic, book, self._tell.delta_sink(subscription.instrument_id))
        self._books[topic] = book

    def _send_subscribe(
        self,
        subscription: Subscription,
        topics: list[str],
        anew: BookTopic | None = None,
        *,
        keeps_book: bool = False,
    ) -> None:
        self._last_req_id += 1
        req_id = str(self._last_req_id)
        timeout_s = self._config.request_timeout_ms / 1_000
        deadline = asyncio.get_running_loop().call_later(
            timeout_s,
            self._socket.drop,
            f"no answer to subscribing {', '.join(topics)} within {timeout_s:g} s",
        )
        self._requests[req_id] = SubscribeRequest(subscription, topics, anew, deadline)
        for topic in topics:
            book = self._books.get(topic)
            if book is not None:
                if not keeps_book:
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
            self._not_anew(request.anew, f"subscribing {request.anew.topic} anew refused: {ack.text}")
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

    def _is_pending(self, subscription: Subscription) -> bool:
        return any(request.subscription is subscription for request in self._requests.values())

    def _confirm(self, subscription: Subscription) -> None:
        if self._socket.is_open and self._subscriptions.get(subscription.instrument_id) is subscription:
            self._tell.on_stream_ready(subscription.instrument_id)

    def _refused(self, subscription: Subscription, words: str) -> None:
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

    def _lose(self, book: BookTopic, reason: str) -> None:
        """Tell that a book is lost, and subscribe it anew after a pause that grows as long as that fails."""
        loop = asyncio.get_running_loop()
        if book.update_id != AWAITED:
            if (loop.time() - book.whole_since) * 1_000 >= self._config.socket.stable_after_ms:
                book.pauses.reset()
            if self._tap is not None:
                self._tap.on_book_lost(book.subscription.instrument_id, reason, self._clock.local_ns())
            self._tell.on_book_lost(book.subscription.instrument_id, reason)
        elif book.resync is not None:
            self.tally.count("bad message while awaiting a snapshot", reason)
            return
        self._retry(book, reason)

    def _retry(self, book: BookTopic, reason: str) -> None:
        """Subscribe a book anew after its next pause, unless it has been given up."""
        if self._books.get(book.topic) is not book:
            return
        book.stop()
        pause_s = book.pauses.next_s()
        log.warning("book lost: %s; subscribing it anew in %.2f s", reason, pause_s)
        book.resync = asyncio.get_running_loop().call_later(pause_s, self._resubscribe, book)

    def _resubscribe(self, book: BookTopic) -> None:
        self._send_unsubscribe([book.topic])
        self._send_subscribe(book.subscription, [book.topic], anew=book)

    def _no_snapshot(self, book: BookTopic) -> None:
        self._not_anew(book, f"no snapshot of {book.topic}")

    def _not_anew(self, book: BookTopic, reason: str) -> None:
        """A book could not be had anew: give up what there still is of it, and try again if it may come back.

        One of an instrument that is no longer traded never will, and all other books would be waiting for it.
        """
        if book.update_id == AWAITED:
            if self._is_traded(book.subscription.instrument_id):
                self._retry(book, reason)
            else:
                self._refused(book.subscription, f"no longer traded: {reason}")
        elif self._books.get(book.topic) is book:
            self._lose(book, reason)

    def _found(self, book: BookTopic) -> None:
        book.stop()
        book.whole_since = asyncio.get_running_loop().time()
        book.silence.began(book.whole_since)

    # -- silence ---------------------------------------------------------------------------------------------

    def _listen_for_silence(self) -> None:
        """Look at all books, now and again until the connection ends, for those that have fallen silent."""
        bound_ms = self._config.silent_after_ms
        if bound_ms is None:
            return
        loop = asyncio.get_running_loop()
        for book in list(self._books.values()):
            if book.resync is None:
                silent_s = book.silence.look(book.update_id, loop.time(), bound_ms / 1_000)
                if silent_s:
                    self._look_into(book, silent_s)
        pause_s = bound_ms / LOOKS_A_BOUND / 1_000
        self._silence = loop.call_later(pause_s, self._listen_for_silence)

    def _look_into(self, book: BookTopic, silent_s: float) -> None:
        """Ask for a silent book whole: if its number has moved, messages were missed."""
        log.info("no message of %s for %.2f s: asking for the whole book", book.topic, silent_s)
        self._send_unsubscribe([book.topic])
        self._send_subscribe(book.subscription, [book.topic], anew=book, keeps_book=True)

    # -- details ---------------------------------------------------------------------------------------------

    @property
    def _tell(self) -> FeedListener:
        return self._listener()

    def _forget_topics(self, topics: list[str]) -> None:
        for topic in topics:
            self._scanner.discard(topic)
            self._trades.pop(topic, None)
            book = self._books.pop(topic, None)
            if book is not None:
                book.stop()

    def _forget_connection(self) -> None:
        """Nothing is subscribed any more; what is wanted stays."""
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None
        for request in self._requests.values():
            request.deadline.cancel()
        self._requests.clear()
        self._forget_topics([*self._books, *self._trades])
        for subscription in self._subscriptions.values():
            subscription.topics = []
