"""Market data of one exchange, between its feed and the strategy.

`on_feed_handler_status` names no instrument, and strategies clear all their books on SnapshotStart. So the books of
an exchange are live together or not at all: when one is lost, the strategy is told Disconnected; when all are whole
again, SnapshotStart, the adds of every book (the healthy ones from memory), SnapshotEnd.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from mlthon._core.dispatch import Dispatcher
from mlthon._core.instrument_feed import InstrumentFeed
from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon._core.price_book import PriceLevelBook
from mlthon.api.istrat_env import MDSub
from mlthon.basics.defs import Exchange, FeedHandlerStatus, GtwRejectCode
from mlthon.engine.ports import Feed, RequestKind
from mlthon.instruments.instrument import Instrument

__all__ = ["MarketData"]

log = logging.getLogger("mlthon.engine")

_NS_PER_MS = 1_000_000
_LEVEL_ID_DECIMALS = 4  # a level id is the price times 10 000, finer where the tick asks for it
_BOOK_SUBS = frozenset({MDSub.PriceLevelBook, MDSub.LevelBook, MDSub.BBO})


@dataclass(slots=True)
class _Stream:
    instrument: Instrument
    feed: InstrumentFeed
    subs: frozenset[MDSub]
    needs_book: bool = False
    confirmed: bool = False  # the venue took the subscription
    whole: bool = False  # the book is what the venue has

    @property
    def ready(self) -> bool:
        return self.confirmed and (self.whole or not self.needs_book)


class MarketData:
    """The subscriptions of one exchange, and the books behind them. Implements `FeedListener`."""

    def __init__(
        self, exchange: Exchange, feed: Feed, dispatcher: Dispatcher, now_ns: Callable[[], int]
    ) -> None:
        self._exchange = exchange
        self._feed = feed
        self._dispatcher = dispatcher
        self._now_ns = now_ns
        self._streams: dict[int, _Stream] = {}
        self._live = False
        self._events = 0  # messages received, but for those that went straight into a book
        self.resyncs = 0  # times a live book was lost
        feed.attach(self)

    @property
    def is_live(self) -> bool:
        """Whether the strategy's books are in step with the venue."""
        return self._live

    @property
    def events(self) -> int:
        """Messages received."""
        return self._events + sum(stream.feed.followed for stream in self._streams.values())

    def book(self, instrument: Instrument) -> PriceLevelBook | None:
        """The engine's own book of an instrument; None when it is not subscribed."""
        stream = self._streams.get(instrument.get_instrument_id())
        return stream.feed.book if stream is not None else None

    def subscribe(self, instrument: Instrument, subs: frozenset[MDSub]) -> None:
        """Ask the venue for data; what it does not publish is answered with on_unsupported_op."""
        for sub in sorted(subs & self._feed.unsupported_subs(), key=lambda member: member.name):
            self._dispatcher.post("on_unsupported_op", self._exchange, f"MarketData.{sub.name}")
        subs = subs - self._feed.unsupported_subs()
        stream = self._streams.get(instrument.get_instrument_id())
        if stream is None:
            stream = self._streams[instrument.get_instrument_id()] = self._new_stream(instrument)
        added = subs - stream.subs
        if not added:
            return
        if MDSub.OrderBook in stream.subs | added and MDSub.LevelBook in stream.subs | added:
            # Both are told by the same callbacks: those of levels carry the ids of orders then.
            self._dispatcher.post("on_unsupported_op", self._exchange, f"MarketData.{MDSub.LevelBook.name}")
            added -= {MDSub.LevelBook}
            if not added:
                return
        only_trades = added == {MDSub.PublicTrades}
        had_levels = stream.feed.keeps_book
        if self._live and not only_trades:
            self._go_down(stream)
        stream.subs |= added
        stream.needs_book = bool(stream.subs & _BOOK_SUBS)
        stream.feed.price_levels = MDSub.PriceLevelBook in stream.subs
        stream.feed.levels = MDSub.LevelBook in stream.subs
        stream.feed.bbo = MDSub.BBO in stream.subs
        stream.feed.trades = MDSub.PublicTrades in stream.subs
        stream.feed.orders = MDSub.OrderBook in stream.subs
        stream.confirmed = stream.confirmed and only_trades
        if stream.feed.keeps_book and not had_levels:
            stream.whole = False  # the book of a stream of best levels has one level a side
        self._mark_steps()
        self._feed.subscribe(instrument, added)

    def update_instrument(self, instrument: Instrument) -> None:
        """Take over an instrument's new rules.

        Where levels need finer ids from now on, the books are told anew, with new ids.
        """
        stream = self._streams.get(instrument.get_instrument_id())
        if stream is None:
            return
        stream.instrument = instrument
        decimals = _level_id_decimals(instrument)
        if decimals <= stream.feed.level_id_decimals:
            return
        if self._live:
            self._go_down(stream)
        stream.feed.level_id_decimals = decimals
        self._go_live_if_ready()

    def announce(self) -> None:
        """Tell a strategy that starts again everything about books that are already live."""
        if self._live:
            self._live = False
            self._go_live_if_ready()

    # -- FeedListener ------------------------------------------------------------------------------------------

    def on_depth(self, instrument_id: int, update: DepthUpdate) -> bool:
        self._events += 1
        stream = self._streams.get(instrument_id)
        if stream is None or not (stream.whole or update.is_snapshot):
            return True
        if update.is_snapshot and stream.feed.keeps_book and self._live:
            self._lose(stream, "the venue sent a new snapshot")
        if not stream.feed.apply(update, self._live):
            self.on_book_lost(instrument_id, "crossed book")
            return False
        if update.is_snapshot and not stream.whole:
            stream.whole = True
            self._mark_steps()
            self._go_live_if_ready()
        return True

    def delta_sink(self, instrument_id: int) -> Callable[[DepthUpdate], bool] | None:
        stream = self._streams.get(instrument_id)
        return stream.feed.follow if stream is not None else None

    def instrument_feed(self, instrument_id: int) -> InstrumentFeed | None:
        stream = self._streams.get(instrument_id)
        return stream.feed if stream is not None else None

    def on_trades(self, instrument_id: int, trades: Sequence[PublicTrade]) -> None:
        self._events += 1
        stream = self._streams.get(instrument_id)
        if stream is not None:
            stream.feed.tell_trades(trades)

    def on_stream_ready(self, instrument_id: int) -> None:
        stream = self._streams.get(instrument_id)
        if stream is not None and not stream.confirmed:
            stream.confirmed = True
            self._go_live_if_ready()

    def on_subscribe_refused(self, instrument_id: int, code: GtwRejectCode, reason: str) -> None:
        stream = self._streams.pop(instrument_id, None)
        if stream is None:
            return
        stream.feed.in_step = False
        self._events += stream.feed.followed
        name = stream.instrument.get_instrument_name()
        log.warning("%s: the venue refused market data of %s: %s", self._exchange.name, name, reason)
        self._dispatcher.call(
            "on_request_reject", self._exchange, code, f"{name}: {reason}", RequestKind.MarketData.value
        )
        self._go_live_if_ready()

    def on_book_lost(self, instrument_id: int, reason: str) -> None:
        stream = self._streams.get(instrument_id)
        if stream is None:
            return
        if self._live:
            self._lose(stream, reason)
        stream.whole = False
        self._mark_steps()

    def on_feed_lost(self, reason: str, instrument_ids: Collection[int] | None = None) -> None:
        lost = self._streams if instrument_ids is None else self._streams.keys() & instrument_ids
        for number in lost:
            self._streams[number].whole = self._streams[number].confirmed = False
        if self._live and lost:
            self._live = False
            self._mark_steps()
            self.resyncs += 1
            log.warning("%s: market data lost: %s", self._exchange.name, reason)
            self._tell_status(FeedHandlerStatus.Disconnected, reason)

    # -- details -----------------------------------------------------------------------------------------------

    def _new_stream(self, instrument: Instrument) -> _Stream:
        feed = InstrumentFeed(
            self._dispatcher,
            self._exchange,
            instrument.get_instrument_id(),
            level_id_decimals=_level_id_decimals(instrument),
        )
        return _Stream(instrument, feed, frozenset())

    def _lose(self, stream: _Stream, reason: str) -> None:
        """Note that a live book has broken, and tell that the books are out of step."""
        stream.whole = False
        self.resyncs += 1
        name = stream.instrument.get_instrument_name()
        log.warning("%s: book of %s lost: %s", self._exchange.name, name, reason)
        self._go_down(stream)

    def _go_down(self, stream: _Stream) -> None:
        """Tell that the books are out of step until the next snapshot, naming the instrument that it is about."""
        self._live = False
        self._mark_steps()
        self._tell_status(FeedHandlerStatus.Disconnected, stream.instrument.get_instrument_name())

    def _go_live_if_ready(self) -> None:
        streams = list(self._streams.values())
        if self._live or not streams or not all(stream.ready for stream in streams):
            return
        self._live = True
        recv_ms = self._now_ns() // _NS_PER_MS
        self._tell_status(FeedHandlerStatus.SnapshotStart, "")
        for stream in streams:
            stream.feed.replay(recv_ms)
        self._tell_status(FeedHandlerStatus.SnapshotEnd, "")
        self._mark_steps()

    def _mark_steps(self) -> None:
        """Say which books may take their changes straight from the feed."""
        for stream in self._streams.values():
            stream.feed.in_step = self._live and (stream.whole or not stream.needs_book)

    def _tell_status(self, status: FeedHandlerStatus, detail: str) -> None:
        self._dispatcher.call("on_feed_handler_status", self._exchange, status, detail)


def _level_id_decimals(instrument: Instrument) -> int:
    return max(_LEVEL_ID_DECIMALS, instrument.get_price_precision() or 0)
