"""The least a client can do: aiohttp, and an order made beforehand; inbound, `orjson.loads` and no book."""

import asyncio

import aiohttp
import orjson
import uvloop
from line import MODE, PRICE, QTY, SYMBOL, WS, Quotes


async def main() -> None:
    async with aiohttp.ClientSession() as http:
        public = await http.ws_connect(f"{WS}/v5/public/linear", max_msg_size=0, decode_text=False)
        if MODE == "inbound":
            await subscribe(public)
            await count(public)
        trade = await http.ws_connect(f"{WS}/v5/trade", decode_text=False)
        await trade.send_json({"op": "auth", "args": ["key", "0", "sign"]})
        await trade.receive()
        await subscribe(public)
        await answer(public, trade)


async def subscribe(public: aiohttp.ClientWebSocketResponse) -> None:
    await public.send_json({"op": "subscribe", "args": [f"orderbook.50.{SYMBOL}"]})
    await public.receive()
    await public.receive()


async def answer(public: aiohttp.ClientWebSocketResponse, trade: aiohttp.ClientWebSocketResponse) -> None:
    order = {"category": "linear", "symbol": SYMBOL, "side": "Buy", "orderType": "Limit"}
    order |= {"qty": QTY, "price": PRICE, "timeInForce": "IOC"}
    ready = orjson.dumps({"reqId": "1", "header": {}, "op": "order.create", "args": [order]})
    reader = asyncio.create_task(drain(trade))
    async for _ in public:
        await trade.send_frame(ready, aiohttp.WSMsgType.TEXT)
    await reader


async def drain(trade: aiohttp.ClientWebSocketResponse) -> None:
    async for _ in trade:
        pass


async def count(public: aiohttp.ClientWebSocketResponse) -> None:
    quotes = Quotes()
    async for message in public:
        asks = orjson.loads(message.data)["data"]["a"]
        if asks:
            quotes.on_ask(0.0 if asks[0][1] == "0" else float(asks[0][0]))


uvloop.run(main())
