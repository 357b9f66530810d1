"""What anybody may ask for: the time, the instruments, and their books, tickers, trades and funding.

Each method returns the ``result`` of the answer, or raises ApiError.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from mlthon.sim.exchange import SimExchange
from mlthon.venues.bybit.account_messages import Json
from mlthon.venues.bybit.klines import INTERVALS
from mlthon.venues.bybit.listing import CONTRACTS, Listing, category_of
from mlthon.venues.bybit.market_messages import instrument_info, listed_candle, listed_trade
from mlthon.venues.bybit.paging import page
from mlthon.venues.bybit.params import Params, bad_param
from mlthon.venues.bybit.public_hub import PublicHub
from mlthon.venues.bybit.wire import exact, to_ms

_LONGEST_BOOK = 1000
_NS_PER_S = 1_000_000_000


class MarketQueries:
    """Answers the public queries."""

    def __init__(
        self, exchange: SimExchange, listing: Listing, hub: PublicHub, now_ns: Callable[[], int]
    ) -> None:
        self._exchange = exchange
        self._listing = listing
        self._hub = hub
        self._now_ns = now_ns

    def time(self, params: Params) -> Json:
        now_ns = self._now_ns()
        return {"timeSecond": str(now_ns // _NS_PER_S), "timeNano": str(now_ns)}

    def instruments(self, params: Params) -> Json:
        """What is listed, in pages; of spot all at once."""
        category = category_of(params)
        markets = self._listing.select(category, params, all_by_default=True)
        if params.text("status", "Trading") != "Trading":
            markets = []  # nothing is announced, settling or closed here
        if category == "spot":
            params = Params({})
        shown, cursor = page(markets, params, lambda market: market.symbol, most=1000, default=500)
        return {
            "category": category,
            "list": [instrument_info(market, self._exchange.funding_rules) for market in shown],
            "nextPageCursor": cursor,
        }

    def order_book(self, params: Params) -> Json:
        """The best levels, numbered as the 1000-level stream numbers its messages."""
        category = category_of(params)
        market = self._listing.market(category, params.text("symbol"))
        limit = params.integer("limit", 1, _LONGEST_BOOK, 1 if market.is_spot else 25)
        book = self._hub.book(market, _LONGEST_BOOK).current()
        return {
            "s": market.symbol,
            "b": book.bids[:limit],
            "a": book.asks[:limit],
            "ts": book.ts_ms,
            "u": book.update_id,
            "seq": book.seq,
            "cts": book.cts_ms,
        }

    def tickers(self, params: Params) -> Json:
        category = category_of(params)
        markets = self._listing.select(category, params, all_by_default=True)
        return {"category": category, "list": [self._hub.ticker(market).listed() for market in markets]}

    def recent_trades(self, params: Params) -> Json:
        """Public trades, newest first."""
        category = category_of(params)
        market = self._listing.market(category, params.text("symbol"))
        limit = (
            params.integer("limit", 1, 60, 60) if market.is_spot else params.integer("limit", 1, 1000, 500)
        )
        newest = islice(reversed(market.trades), limit)
        return {"category": category, "list": [listed_trade(market, line) for line in newest]}

    def klines(self, params: Params) -> Json:
        """Candles, newest first: the latest, or those that begin within a time."""
        category = category_of(params) if params.is_given("category") else "linear"
        market = self._listing.market(category, params.text("symbol"))
        interval = params.choice("interval", INTERVALS)
        begin_ms, end_ms = params.time_ms("start") or 0, params.time_ms("end")
        limit = params.integer("limit", 1, 1000, 200)
        candles = [
            candle
            for candle in market.klines.candles(interval, to_ms(self._now_ns()))
            if begin_ms <= candle.start_ms and (end_ms is None or candle.start_ms <= end_ms)
        ]
        return {
            "symbol": market.symbol,
            "category": category,
            "list": [listed_candle(market, candle) for candle in candles[: -limit - 1 : -1]],
        }

    def funding_history(self, params: Params) -> Json:
        """Past funding, newest first: of all, or of those due within a time."""
        category = category_of(params, CONTRACTS)
        market = self._listing.market(category, params.text("symbol"))
        begin_ms, end_ms = params.time_ms("startTime"), params.time_ms("endTime")
        if begin_ms is not None and end_ms is None:
            raise bad_param("endTime is required where startTime is given")
        rows = [
            {
                "symbol": market.symbol,
                "fundingRate": exact(past.rate),
                "fundingRateTimestamp": str(to_ms(past.due_ns)),
            }
            for past in reversed(self._exchange.past_funding(market.traded_as))
            if (begin_ms or 0) <= to_ms(past.due_ns) and (end_ms is None or to_ms(past.due_ns) <= end_ms)
        ]
        return {"category": category, "list": rows[: params.integer("limit", 1, 200, 200)]}
