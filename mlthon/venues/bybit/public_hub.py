"""All public topics of the venue, and what drives them: the exchange's events, and the clock for some.

The clock drives the exchange too: it pays funding when its time has come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon.sim.exchange import SimExchange
from mlthon.sim.orders import Origin, SimFill
from mlthon.venues.bybit.listing import Listing
from mlthon.venues.bybit.market import Market
from mlthon.venues.bybit.public_topics import (
    BOOK_DEPTHS,
    TOP_DEPTH,
    BookTopic,
    LiquidationTopic,
    TickerTopic,
    Topic,
    TradeTopic,
)
from mlthon.venues.bybit.wire import to_ms

_TICKER_PERIOD_S = 0.1
_TOP_SILENCE_NS = 3_000_000_000


@dataclass(frozen=True, slots=True)
class _SymbolTopics:
    market: Market
    books: dict[int, BookTopic]  # by depth
    trades: TradeTopic
    ticker: TickerTopic
    liquidations: LiquidationTopic

    def all(self) -> tuple[Topic, ...]:
        topics: tuple[Topic, ...] = (*self.books.values(), self.trades, self.ticker)
        return topics if self.market.is_spot else (*topics, self.liquidations)


class PublicHub:
    """Finds topics by name, and tells them what happens. A listener of the exchange."""

    def __init__(self, exchange: SimExchange, listing: Listing, now_ns: Callable[[], int]) -> None:
        self._exchange = exchange
        self._now_ns = now_ns
        self._symbols = {market.traded_as: _topics(exchange, market, now_ns) for market in listing}
        self._by_name = {
            (topics.market.category, topic.name): topic
            for topics in self._symbols.values()
            for topic in topics.all()
        }
        self._clock: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start what follows the clock."""
        self._clock = asyncio.create_task(self._follow_clock(), name="bybit tickers")

    async def close(self) -> None:
        clock, self._clock = self._clock, None
        if clock is None:
            return
        clock.cancel()
        await asyncio.wait({clock})
        if not clock.cancelled():
            clock.result()

    def find(self, category: str, name: str) -> Topic | None:
        """A topic of one category's stream."""
        return self._by_name.get((category, name))

    def restart(self) -> None:
        """Number the books' messages from 1 again, and say so to whoever listens."""
        for topics in self._symbols.values():
            for book in topics.books.values():
                book.restart()

    def book(self, market: Market, depth: int) -> BookTopic:
        """One of a market's book topics; `depth` is one of those published."""
        return self._symbols[market.traded_as].books[depth]

    def ticker(self, market: Market) -> TickerTopic:
        return self._symbols[market.traded_as].ticker

    def on_depth(self, symbol: str, update: DepthUpdate) -> None:
        for book in self._symbols[symbol].books.values():
            book.on_depth()

    def on_fill(self, fill: SimFill) -> None:
        """Of what clients trade, the public hears by `on_trade`; of liquidations, which do not trade, here."""
        if fill.origin is Origin.Liquidation:
            self._symbols[fill.symbol].liquidations.on_takeover(fill)

    def on_trade(self, symbol: str, trade: PublicTrade) -> None:
        topics = self._symbols[symbol]
        line = topics.market.add_trade(trade, self._exchange.market_seq(symbol), to_ms(self._now_ns()))
        topics.trades.on_trade(line)

    async def _follow_clock(self) -> None:
        while True:
            await asyncio.sleep(_TICKER_PERIOD_S)
            self._exchange.pass_time()
            for topics in self._symbols.values():
                topics.ticker.tell_changes()
                topics.books[TOP_DEPTH].repeat(_TOP_SILENCE_NS)


def _topics(exchange: SimExchange, market: Market, now_ns: Callable[[], int]) -> _SymbolTopics:
    books = {depth: BookTopic(exchange, market, depth, now_ns) for depth in BOOK_DEPTHS}
    return _SymbolTopics(
        market=market,
        books=books,
        trades=TradeTopic(market, now_ns),
        ticker=TickerTopic(exchange, market, books[TOP_DEPTH], now_ns),
        liquidations=LiquidationTopic(market, now_ns),
    )
