"""The topics of the public stream: books of several depths, trades and tickers, each with its subscribers.

A message is encoded once, however many clients it goes to. A topic nobody listens to costs nothing: a book topic
catches up with the book when somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import orjson

from mlthon._core.depth_view import DepthView
from mlthon.sim.exchange import SimExchange
from mlthon.sim.orders import SimFill
from mlthon.venues.bybit.connection import Connection
from mlthon.venues.bybit.market import Market, TradeLine
from mlthon.venues.bybit.market_messages import (
    Json,
    Levels,
    contract_state,
    contract_ticker,
    liquidation,
    spot_ticker,
    stream_trade,
    top_of_book,
)
from mlthon.venues.bybit.wire import to_ms

TOP_DEPTH = 1  # the level-1 topic sends snapshots only
BOOK_DEPTHS = (TOP_DEPTH, 50, 200, 500, 1000)


class Topic(Protocol):
    """Something that clients subscribe to."""

    @property
    def name(self) -> str: ...

    def add(self, connection: Connection) -> None:
        """Subscribe a client, and send what it must have first; it is not subscribed yet."""

    def remove(self, connection: Connection) -> None: ...


class Audience:
    """The subscribers of a topic, in the order in which they came."""

    def __init__(self) -> None:
        self._connections: dict[Connection, None] = {}

    def __bool__(self) -> bool:
        return bool(self._connections)

    def add(self, connection: Connection) -> None:
        self._connections[connection] = None

    def remove(self, connection: Connection) -> None:
        self._connections.pop(connection, None)

    def send(self, message: Json) -> None:
        text = orjson.dumps(message).decode()
        for connection in self._connections:
            connection.send(text)


@dataclass(frozen=True, slots=True)
class BookState:
    """A book of limited depth as it stands, as text."""

    bids: Levels
    asks: Levels
    update_id: int
    seq: int
    ts_ms: int
    cts_ms: int


class BookTopic:
    """``orderbook.<depth>.<symbol>``: a snapshot, then a delta for every change of the best `depth` levels.

    ``u`` counts the topic's messages without a gap, starting from 1, which the protocol reads as a restart.
    """

    def __init__(self, exchange: SimExchange, market: Market, depth: int, now_ns: Callable[[], int]) -> None:
        self.name = f"orderbook.{depth}.{market.symbol}"
        self._exchange = exchange
        self._market = market
        self._depth = depth
        self._now_ns = now_ns
        instrument = market.instrument
        self._view = DepthView(depth, instrument.get_price_precision(), instrument.get_quantity_precision())
        self._audience = Audience()
        self._update_id = 1
        self._told_ns = 0

    def add(self, connection: Connection) -> None:
        snapshot = self._message("snapshot", self.current())
        if not self._audience:
            self._told_ns = self._now_ns()
        self._audience.add(connection)
        connection.send_json(snapshot)

    def remove(self, connection: Connection) -> None:
        self._audience.remove(connection)

    def on_depth(self) -> None:
        """Tell the audience what an event changed, if it changed anything within the depth."""
        if self._audience:
            self._catch_up()

    def current(self) -> BookState:
        """The best levels as they are now."""
        self._catch_up()
        return self._state(*self._view.snapshot())

    def repeat(self, silence_ns: int) -> None:
        """Say again what was said last, when that was `silence_ns` ago or longer."""
        if self._audience and self._now_ns() - self._told_ns >= silence_ns:
            self._tell("snapshot", self.current())

    def restart(self) -> None:
        """Start counting anew, with a snapshot."""
        self._catch_up()
        self._update_id = 1
        if self._audience:
            self._tell("snapshot", self.current())

    def _catch_up(self) -> None:
        bids, asks = self._view.changes(self._exchange.book(self._market.traded_as))
        if not bids and not asks:
            return
        self._update_id += 1
        if not self._audience:
            return
        if self._depth == TOP_DEPTH:
            self._tell("snapshot", self._state(*self._view.snapshot()))
        else:
            self._tell("delta", self._state(bids, asks))

    def _tell(self, kind: str, state: BookState) -> None:
        self._told_ns = self._now_ns()
        self._audience.send(self._message(kind, state))

    def _state(self, bids: Levels, asks: Levels) -> BookState:
        symbol = self._market.traded_as
        now_ms = to_ms(self._now_ns())
        return BookState(
            bids=bids,
            asks=asks,
            update_id=self._update_id,
            seq=self._exchange.market_seq(symbol),
            ts_ms=now_ms,
            cts_ms=to_ms(self._exchange.market_ns(symbol)) or now_ms,
        )

    def _message(self, kind: str, state: BookState) -> Json:
        data = {
            "s": self._market.symbol,
            "b": state.bids,
            "a": state.asks,
            "u": state.update_id,
            "seq": state.seq,
        }
        message = {"topic": self.name, "type": kind, "ts": state.ts_ms, "data": data, "cts": state.cts_ms}
        if self._market.is_spot or self._depth == TOP_DEPTH:
            return stamp_first(message)
        return message


class TradeTopic:
    """``publicTrade.<symbol>``: every trade, one a message."""

    def __init__(self, market: Market, now_ns: Callable[[], int]) -> None:
        self.name = f"publicTrade.{market.symbol}"
        self._market = market
        self._now_ns = now_ns
        self._audience = Audience()

    def add(self, connection: Connection) -> None:
        self._audience.add(connection)

    def remove(self, connection: Connection) -> None:
        self._audience.remove(connection)

    def on_trade(self, line: TradeLine) -> None:
        if self._audience:
            self._audience.send(
                {
                    "topic": self.name,
                    "type": "snapshot",
                    "ts": to_ms(self._now_ns()),
                    "data": [stream_trade(self._market, line)],
                }
            )


class LiquidationTopic:
    """``allLiquidation.<symbol>``: the positions that were taken over, with the side that was held."""

    def __init__(self, market: Market, now_ns: Callable[[], int]) -> None:
        self.name = f"allLiquidation.{market.symbol}"
        self._market = market
        self._now_ns = now_ns
        self._audience = Audience()

    def add(self, connection: Connection) -> None:
        self._audience.add(connection)

    def remove(self, connection: Connection) -> None:
        self._audience.remove(connection)

    def on_takeover(self, fill: SimFill) -> None:
        row = liquidation(self._market, fill)
        message = {"topic": self.name, "type": "snapshot", "ts": to_ms(self._now_ns()), "data": [row]}
        self._audience.send(message)


class TickerTopic:
    """``tickers.<symbol>``: all fields once, then the changed ones (of spot: all of them, whenever one changes).

    Looked at by the clock, not at every event.
    """

    def __init__(
        self, exchange: SimExchange, market: Market, top: BookTopic, now_ns: Callable[[], int]
    ) -> None:
        self.name = f"tickers.{market.symbol}"
        self._exchange = exchange
        self._market = market
        self._top = top
        self._now_ns = now_ns
        self._audience = Audience()
        self._told: Json = {}

    def add(self, connection: Connection) -> None:
        self.tell_changes()
        self._told = self.current()
        self._audience.add(connection)
        connection.send_json(self._message("snapshot", self._told))

    def remove(self, connection: Connection) -> None:
        self._audience.remove(connection)

    def current(self) -> Json:
        """All fields as they are now."""
        if self._market.is_spot:
            return spot_ticker(self._market, self._exchange.mark_price(self._market.traded_as))
        top = self._top.current()
        return contract_ticker(self._market, top.bids, top.asks, contract_state(self._exchange, self._market))

    def listed(self) -> Json:
        """The fields as REST lists them."""
        if not self._market.is_spot:
            return self.current()
        top = self._top.current()
        return self.current() | top_of_book(top.bids, top.asks)

    def tell_changes(self) -> None:
        if not self._audience:
            return
        fields = self.current()
        changed = {name: value for name, value in fields.items() if value != self._told[name]}
        if not changed:
            return
        self._told = fields
        if self._market.is_spot:
            self._audience.send(self._message("snapshot", fields))
        else:
            self._audience.send(self._message("delta", {"symbol": self._market.symbol, **changed}))

    def _message(self, kind: str, fields: Json) -> Json:
        message = {
            "topic": self.name,
            "type": kind,
            "data": fields,
            "cs": self._exchange.market_seq(self._market.traded_as),
            "ts": to_ms(self._now_ns()),
        }
        return stamp_first(message) if self._market.is_spot else message


def stamp_first(message: Json) -> Json:
    """The same message with its time before its type, as spot and level-1 books have it."""
    return {"topic": message["topic"], "ts": message["ts"], **message}
