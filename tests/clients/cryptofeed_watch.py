"""The client's side of test_cryptofeed.py, a process of its own: what cryptofeed sees, as JSON lines.

Arguments: the venue's port, then cryptofeed's names of what to watch. The certificate to trust is in the environment.
"""

from __future__ import annotations

import json
import sys

from cryptofeed import FeedHandler
from cryptofeed.connection import RestEndpoint, Routes, WebsocketEndpoint
from cryptofeed.defines import FUTURES, L2_BOOK, PERPETUAL, SPOT, TRADES
from cryptofeed.exchanges import Bybit

HOST = f"127.0.0.1:{sys.argv[1]}"


def stream(category: str, *types: str) -> WebsocketEndpoint:
    return WebsocketEndpoint(
        f"wss://{HOST}/v5/public/{category}",
        instrument_filter=("TYPE", types),
        channel_filter=tuple(Bybit.websocket_channels[channel] for channel in (L2_BOOK, TRADES)),
        options={"compression": None},
    )


class LoopbackBybit(Bybit):
    """The exchange at another address, which this library keeps in the class."""

    websocket_endpoints = [stream("linear", FUTURES, PERPETUAL), stream("spot", SPOT)]  # noqa: RUF012
    rest_endpoints = [  # noqa: RUF012
        RestEndpoint(
            f"https://{HOST}",
            routes=Routes(
                [
                    f"/v5/market/instruments-info?&category={category}&status=Trading&limit=1000"
                    for category in ("linear", "spot")
                ]
            ),
        )
    ]


def say(what: str, symbol: str, **seen: object) -> None:
    print(json.dumps({"what": what, "symbol": symbol, **seen}), flush=True)


async def on_book(book: object, _received: float) -> None:
    bids, asks = (
        [[str(price), str(side[price])] for price in side] for side in (book.book.bids, book.book.asks)
    )
    say("book", book.symbol, bids=bids, asks=asks)


async def on_trade(trade: object, _received: float) -> None:
    say("trade", trade.symbol, side=trade.side, price=str(trade.price), qty=str(trade.amount))


handler = FeedHandler(config={"uvloop": False, "log": {"filename": "/dev/stderr", "level": "WARNING"}})
handler.add_feed(
    LoopbackBybit(
        symbols=sys.argv[2:],
        channels=[L2_BOOK, TRADES],
        callbacks={L2_BOOK: on_book, TRADES: on_trade},
    )
)
handler.run()
