"""All that is between the websocket of a Bybit connection and the strategy, without the websocket.

`connected_feed` is the connector's feed, subscribed, with the engine's books, dispatcher and a strategy behind it, as
`LiveEngine` wires them; messages are put in where the socket would.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from unittest.mock import patch

import orjson
from interleave import Piece
from recorded_market import DEPTH, NOW_MS

from mlthon._core.dispatch import Dispatcher
from mlthon.api.istrat_env import MDSub
from mlthon.basics.defs import Exchange
from mlthon.engine.market_data import MarketData
from mlthon.exchanges.bybit import BybitConfig, feed, market_stream
from mlthon.exchanges.bybit.clock import VenueClock
from mlthon.exchanges.bybit.instruments import decode_instruments

__all__ = ["frames_to_callback", "orjson_alone"]

RECV_NS = NOW_MS * 1_000_000


async def frames_to_callback(symbol: str, frames: list[bytes]) -> Piece:
    """Scanning, the checks of sequence and staleness, the book, and a callback for each best level that changed."""
    on_message, dispatcher = connected_feed(symbol)
    await asyncio.sleep(0)  # the venue agrees

    def run(n: int) -> None:
        for _ in range(n):
            for frame in frames:
                on_message(frame, RECV_NS)

    run(1)
    assert dispatcher.callback_total > len(frames) / 10
    return Piece(run, len(frames))


def orjson_alone(frames: list[bytes]) -> Piece:
    """Reading the same bytes, the results dropped."""

    def run(n: int) -> None:
        loads = orjson.loads
        for _ in range(n):
            for frame in frames:
                loads(frame)

    return Piece(run, len(frames))


class Strategy:
    """Wants the best levels, and does nothing with them."""

    def on_best_bid_level_update(self, exchange, instrument_id, price, qty, recv_ts): ...

    def on_best_ask_level_update(self, exchange, instrument_id, price, qty, recv_ts): ...


class OpenSocket:
    """A websocket that is connected for good to a venue that agrees to everything."""

    is_open = True

    def __init__(self, name: str, url: str, listener: market_stream.MarketStream, **_options: object) -> None:
        self.listener = listener

    def send(self, data: bytes) -> bool:
        request = orjson.loads(data)
        answer = {"success": True, "ret_msg": "", "op": request["op"], "req_id": request["req_id"]}
        asyncio.get_running_loop().call_soon(self.listener.on_message, orjson.dumps(answer), 0)
        return True

    def drop(self, reason: str) -> None:
        raise AssertionError(reason)


def no_session() -> None:
    raise AssertionError("an open socket needs no session")


def connected_feed(symbol: str) -> tuple[Callable[[bytes, int], None], Dispatcher]:
    """The feed's way in for messages, subscribed to the symbol's best levels, and the dispatcher at its end."""
    url = "ws://127.0.0.1/v5"
    config = BybitConfig("http://127.0.0.1", f"{url}/public", f"{url}/private", f"{url}/trade", depth=DEPTH)
    with patch.object(market_stream, "ReconnectingSocket", OpenSocket):
        bybit = feed.BybitFeed(config, no_session, VenueClock(lambda: RECV_NS))
    dispatcher = Dispatcher(Strategy())
    market_data = MarketData(Exchange.Bybit, bybit, dispatcher, lambda: RECV_NS)
    instrument = decode_instruments([row_of(symbol)], "linear").instruments[0]
    market_data.subscribe(instrument, frozenset({MDSub.BBO}))
    # Whoever wants levels gets the deep topic, but would be told of a resync at each run's snapshot.
    bybit.subscribe(instrument, frozenset({MDSub.PriceLevelBook}))
    return bybit.streams[0].on_message, dispatcher


def row_of(symbol: str) -> dict[str, object]:
    """The least that has to be told of an instrument."""
    return {
        "symbol": symbol,
        "contractType": "LinearPerpetual",
        "status": "Trading",
        "baseCoin": symbol.removesuffix("USDT"),
        "quoteCoin": "USDT",
        "settleCoin": "USDT",
        "launchTime": "0",
        "deliveryTime": "0",
        "priceScale": "4",
        "priceFilter": {"minPrice": "0.0001", "maxPrice": "1000000", "tickSize": "0.0001"},
        "lotSizeFilter": {"minOrderQty": "0.001", "maxOrderQty": "1000000", "qtyStep": "0.001"},
    }
