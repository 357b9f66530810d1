"""pybit: an order from the order book stream's callback, on its thread; inbound, its book's best ask."""

import threading

import pybit._websocket_trading as trading
import pybit.unified_trading as unified
from line import KEY, MODE, PRICE, QTY, SECRET, SYMBOL, WS, Quotes

unified.PUBLIC_WSS = f"{WS}/v5/public/{{CHANNEL_TYPE}}"
trading.TRADE_WSS = f"{WS}/v5/trade"

ORDER = {
    "category": "linear",
    "symbol": SYMBOL,
    "side": "Buy",
    "orderType": "Limit",
    "qty": QTY,
    "price": PRICE,
}


def answer() -> None:
    trade = unified.WebSocketTrading(testnet=False, api_key=KEY, api_secret=SECRET)
    public = unified.WebSocket(testnet=False, channel_type="linear")

    def on_book(_message: object) -> None:
        trade.place_order(lambda _answer: None, timeInForce="IOC", **ORDER)

    public.orderbook_stream(50, SYMBOL, on_book)


def count() -> None:
    quotes = Quotes()
    public = unified.WebSocket(testnet=False, channel_type="linear")

    def on_book(message: dict) -> None:
        quotes.on_ask(min(float(price) for price, _ in message["data"]["a"]))  # its book is not sorted

    public.orderbook_stream(50, SYMBOL, on_book)


answer() if MODE == "order" else count()
threading.Event().wait()
