"""Market data of the simulated exchange, as it reaches the strategy."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon._core.replay import FeedLine, Market, MarketView, Replay
from mlthon.api.istrat_env import MDSub
from mlthon.backtest.latency import Latency
from mlthon.basics.defs import GtwRejectCode
from mlthon.engine.ports import FeedListener
from mlthon.errors import UsageError
from mlthon.instruments.instrument import Instrument
from mlthon.sim.terms import symbol_of

__all__ = ["BacktestFeed"]

_BOOKS = frozenset({MDSub.PriceLevelBook, MDSub.LevelBook, MDSub.BBO})


class BacktestFeed:
    """What a simulated exchange displays, some time later. Implements `mlthon.engine.ports.Feed`.

    A subscription takes the time of a request; then the whole book comes, and after it every change, as the venue's
    stream has it; who wants the best levels alone is sent those. A book that is displayed crossed, as recordings with
    missing messages make it, is lost to the strategy until it no longer is.
    """

    def __init__(self, markets: Mapping[str, Market], replay: Replay, latency: Latency) -> None:
        self._markets = markets
        self._replay = replay
        self._latency = latency
        self._listener: FeedListener | None = None
        self._line = FeedLine(replay.clock)
        self.views: dict[str, MarketView] = {}  #: what strategies see, by symbol; changes while it goes
        self._books: dict[str, set[MDSub]] = {}  # the kinds that are subscribed

    def attach(self, listener: FeedListener) -> None:
        self._listener = listener

    async def connect(self) -> None:
        """Nothing has to be waited for."""

    async def close(self) -> None:
        for view in self.views.values():
            view.close()

    def unsupported_subs(self) -> frozenset[MDSub]:
        if any(market.orders is not None for market in self._markets.values()):
            return frozenset()
        return frozenset({MDSub.OrderBook})

    def subscribe(self, instrument: Instrument, subs: frozenset[MDSub]) -> None:
        now_ns = self._replay.clock.now_ns()
        due_ns = now_ns + self._latency.order.next_ns(now_ns)
        if MDSub.OrderBook in subs and self._markets[symbol_of(instrument)].orders is None:
            number, reason = instrument.get_instrument_id(), "its tape does not tell orders one by one"
            refuse = self._told.on_subscribe_refused
            self._replay.later(due_ns, refuse, number, GtwRejectCode.InvalidRequest, reason)
        else:
            self._replay.later(due_ns, self._open, instrument, subs)

    # -- what the exchange shows -------------------------------------------------------------------------------

    def on_depth(self, symbol: str, update: DepthUpdate) -> None:
        """Send a change of the displayed book on its way."""
        view = self.views.get(symbol)
        if view is None:
            return
        if view.is_lost:
            self._send_book(symbol)
        else:
            self._replay.send(view, update)

    def on_trade(self, symbol: str, trade: PublicTrade) -> None:
        """Send a public trade on its way."""
        view = self.views.get(symbol)
        if view is not None:
            self._replay.send(view, trade)

    # -- details -----------------------------------------------------------------------------------------------

    def _open(self, instrument: Instrument, subs: frozenset[MDSub]) -> None:
        """A subscription has reached the exchange."""
        symbol, number = symbol_of(instrument), instrument.get_instrument_id()
        listener, send = self._told, self._replay.send
        view = self.views.get(symbol)
        if view is None:
            ask_anew = partial(self._ask_anew, symbol)
            view = self.views[symbol] = MarketView(number, listener, self._latency.feed, ask_anew, self._line)
            self._markets[symbol].watch(view)
        books = self._books.setdefault(symbol, set())
        books |= subs & _BOOKS
        view.only_best = books == {MDSub.BBO}
        wants_book, orders = bool(subs & _BOOKS), self._markets[symbol].orders
        if wants_book:
            view.show_book()
        wants_orders = MDSub.OrderBook in subs
        send(
            view,
            partial(view.open, book=wants_book, trades=MDSub.PublicTrades in subs, orders=wants_orders),
        )
        if wants_orders and orders is not None:
            send(view, partial(self._load_orders, number, orders.snapshot()))
        if wants_book:
            self._send_book(symbol)
        send(view, partial(listener.on_stream_ready, number))

    def _load_orders(self, number: int, orders: list[tuple[int, int, int, int]]) -> None:
        """A whole book of orders has reached the strategy's side."""
        feed = self._told.instrument_feed(number)
        if feed is not None:
            feed.load_orders(orders)

    def _ask_anew(self, symbol: str) -> None:
        """Ask for the whole book again: the strategy's has crossed, or the exchange's may not be crossed any more."""
        if self.views[symbol].is_lost:
            self._send_book(symbol)
            return
        now_ns = self._replay.clock.now_ns()
        self._replay.later(now_ns + self._latency.order.next_ns(now_ns), self._send_book, symbol)

    def _send_book(self, symbol: str) -> None:
        """Send the whole displayed book, or wait until it is not crossed."""
        view, whole = self.views[symbol], self._markets[symbol].whole_book()
        view.is_lost = whole is None
        if whole is not None:
            self._replay.send(view, whole)

    @property
    def _told(self) -> FeedListener:
        if self._listener is None:
            raise UsageError("BacktestFeed: expected attach(listener) before a subscription")
        return self._listener
