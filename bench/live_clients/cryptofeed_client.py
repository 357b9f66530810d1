"""cryptofeed: its order book's best ask, in the callback."""

import cryptofeed.connection as connection
from cryptofeed import FeedHandler
from cryptofeed.connection import RestEndpoint, Routes, WebsocketEndpoint
from cryptofeed.defines import L2_BOOK
from cryptofeed.exchanges import Bybit
from line import REST, WS, Quotes

connect = connection.connect


def without_tls(address: str, **options: object) -> object:
    """It insists on wss; nobody here pays for encryption."""
    return connect(address.replace("wss://", "ws://"), **options)


connection.connect = without_tls
LINEAR = Bybit.websocket_endpoints[0]
Bybit.websocket_endpoints = [
    WebsocketEndpoint(
        WS.replace("ws://", "wss://") + "/v5/public/linear",
        instrument_filter=LINEAR.instrument_filter,
        channel_filter=LINEAR.channel_filter,
        options={"compression": None},
    )
]
INFO = "/v5/market/instruments-info?&category={}&status=Trading&limit=1000"
Bybit.rest_endpoints = [RestEndpoint(REST, routes=Routes([INFO.format("linear"), INFO.format("spot")]))]

quotes = Quotes()


async def on_book(book: object, _received: float) -> None:
    quotes.on_ask(float(book.book.asks.index(0)[0]))


handler = FeedHandler(config={"log": {"disabled": True}})
handler.add_feed(
    Bybit(symbols=["BTC-USDT-PERP"], channels=[L2_BOOK], max_depth=50, callbacks={L2_BOOK: on_book})
)
handler.run()
