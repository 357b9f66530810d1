"""ccxt.pro: watch the order book, create an order by websocket."""

import ccxt.pro
import uvloop
from line import KEY, MODE, PRICE, QTY, REST, SECRET, WS, Quotes


def point(urls: dict, here: str) -> None:
    for key, value in urls.items():
        if isinstance(value, dict):
            point(value, here)
        elif value.startswith(("wss://", "ws://")):
            urls[key] = here + "/v5/" + value.rpartition("/v5/")[2]
        else:
            urls[key] = REST


async def main() -> None:
    exchange = ccxt.pro.bybit({"apiKey": KEY, "secret": SECRET, "enableRateLimit": False})
    exchange.options["fetchMarkets"] = {"types": ["linear"]}
    point(exchange.urls["api"], WS)
    await exchange.load_markets()
    symbol = "BTC/USDT:USDT"
    quotes = Quotes() if MODE == "inbound" else None
    while True:
        book = await exchange.watch_order_book(symbol, 50)
        if quotes is not None:
            quotes.on_ask(book["asks"][0][0])
        else:
            await exchange.create_order_ws(
                symbol, "limit", "buy", float(QTY), float(PRICE), {"timeInForce": "IOC"}
            )


uvloop.run(main())
