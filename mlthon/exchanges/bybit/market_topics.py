"""What is subscribed on a connection for market data: instruments, their topics, and the requests for those."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from mlthon._core.bybit_frames import Topic
from mlthon.api.istrat_env import MDSub
from mlthon.exchanges.backoff import Backoff
from mlthon.exchanges.bybit.codec.public import book_topic, ticker_topic, trades_topic
from mlthon.exchanges.bybit.silence import Silence

__all__ = ["AWAITED", "BookTopic", "SubscribeRequest", "Subscription", "TradesTopic"]

AWAITED = -1  # the number of the message before a book's first snapshot

_DEEP = frozenset({MDSub.PriceLevelBook, MDSub.LevelBook})
_TOP_ONLY = 1


@dataclass(slots=True, eq=False)
class Subscription:
    """What one instrument is subscribed to."""

    instrument_id: int
    symbol: str
    subs: frozenset[MDSub]
    topics: list[str] = field(default_factory=list)

    def wanted(self, depth: int, *, tickers: bool) -> list[str]:
        """The topics that serve `subs`, and the ticker where that is recorded."""
        topics = []
        if self.subs & _DEEP:
            topics.append(book_topic(depth, self.symbol))
        elif MDSub.BBO in self.subs:
            topics.append(book_topic(_TOP_ONLY, self.symbol))
        if MDSub.PublicTrades in self.subs:
            topics.append(trades_topic(self.symbol))
        if tickers:
            topics.append(ticker_topic(self.symbol))
        return topics


@dataclass(slots=True, eq=False)
class BookTopic:
    """One order book topic."""

    subscription: Subscription
    topic: str
    pauses: Backoff
    scanned: Topic = field(init=False)
    whole_since: float = 0.0
    silence: Silence = field(default_factory=Silence)
    resync: asyncio.TimerHandle | None = None  # the next subscribe, or the deadline of its snapshot

    @property
    def update_id(self) -> int:
        """The last message's number; `AWAITED` while a snapshot is awaited."""
        return self.scanned.update_id

    def stop(self) -> None:
        self.scanned.update_id = AWAITED
        self.end_wait()

    def end_wait(self) -> None:
        if self.resync is not None:
            self.resync.cancel()
            self.resync = None


@dataclass(slots=True, eq=False)
class TradesTopic:
    """One topic of public trades."""

    subscription: Subscription
    topic: str


@dataclass(slots=True, eq=False)
class SubscribeRequest:
    """A subscribe request that the venue has not answered. `anew`: it is to find a lost book again."""

    subscription: Subscription
    topics: list[str]
    anew: BookTopic | None
    deadline: asyncio.TimerHandle
