"""Messages of Bybit v5 as a venue would send them, for tests."""

from __future__ import annotations

from typing import Any

import orjson

from mlthon.exchanges.bybit.categories import category_of
from mlthon.exchanges.bybit.codec.fields import Json
from mlthon.exchanges.bybit.instruments import decode_instruments
from mlthon.instruments.instrument import Instrument

NOW_MS = 1_700_000_000_000
RECV_NS = NOW_MS * 1_000_000 + 500


def instrument_row(
    symbol: str = "BTCUSDT", base: str = "BTC", tick: str = "0.10", lot: str = "0.001"
) -> Json:
    return {
        "symbol": symbol,
        "contractType": "LinearPerpetual",
        "status": "Trading",
        "baseCoin": base,
        "quoteCoin": "USDT",
        "settleCoin": "USDT",
        "launchTime": "1585526400000",
        "deliveryTime": "0",
        "priceScale": "2",
        "priceFilter": {"minPrice": "0.10", "maxPrice": "1999999.80", "tickSize": tick},
        "lotSizeFilter": {
            "minOrderQty": lot,
            "maxOrderQty": "1190.000",
            "qtyStep": lot,
            "minNotionalValue": "5",
        },
    }


def inverse_row(symbol: str = "BTCUSD", base: str = "BTC", tick: str = "0.50") -> Json:
    row = instrument_row(symbol, base, tick, "1") | {"contractType": "InversePerpetual"}
    row["lotSizeFilter"] |= {"maxOrderQty": "1000000", "minNotionalValue": ""}
    return row | {"quoteCoin": "USD", "settleCoin": base}


def spot_row(symbol: str = "BTCUSDT", base: str = "BTC", tick: str = "0.01", lot: str = "0.000001") -> Json:
    return {
        "symbol": symbol,
        "baseCoin": base,
        "quoteCoin": "USDT",
        "status": "Trading",
        "lotSizeFilter": {
            "basePrecision": lot,
            "quotePrecision": "0.0000001",
            "minOrderQty": "0.000011",
            "maxLimitOrderQty": "83",
            "maxMarketOrderQty": "41",
            "minOrderAmt": "5",
        },
        "priceFilter": {"tickSize": tick},
    }


def make_instruments(*rows: Json, category: str = "linear") -> dict[str, Instrument]:
    """Instruments by symbol."""
    found = decode_instruments(list(rows) or [instrument_row()], category).instruments
    return {instrument.get_exch_instr_id(): instrument for instrument in found}


def by_symbol(instruments: dict[str, Instrument]) -> dict[tuple[str, str], Instrument]:
    """Instruments by category and symbol, as decoders want them."""
    return {(category_of(instrument), symbol): instrument for symbol, instrument in instruments.items()}


def book_frame(
    u: int,
    bids: list[list[str]],
    asks: list[list[str]],
    *,
    kind: str = "delta",
    symbol: str = "BTCUSDT",
    depth: int = 50,
    ts: int = NOW_MS,
) -> Json:
    return {
        "topic": f"orderbook.{depth}.{symbol}",
        "type": kind,
        "ts": ts,
        "data": {"s": symbol, "b": bids, "a": asks, "u": u, "seq": 7_000 + u},
        "cts": ts - 3,
    }


def trades_frame(*trades: tuple[str, str, str], symbol: str = "BTCUSDT", ts: int = NOW_MS) -> Json:
    """Trades as (side, price, qty)."""
    data = [
        {
            "T": ts - 3,
            "s": symbol,
            "S": side,
            "v": qty,
            "p": price,
            "L": "PlusTick",
            "i": f"id-{n}",
            "BT": False,
        }
        for n, (side, price, qty) in enumerate(trades)
    ]
    return {"topic": f"publicTrade.{symbol}", "type": "snapshot", "ts": ts, "data": data}


def order_row(link_id: str, **changes: Any) -> Json:
    row: Json = {
        "category": "linear",
        "symbol": "BTCUSDT",
        "orderId": f"venue-{link_id}",
        "orderLinkId": link_id,
        "side": "Buy",
        "orderType": "Limit",
        "price": "50000.0",
        "qty": "0.010",
        "leavesQty": "0.010",
        "cumExecQty": "0.000",
        "cumExecValue": "0",
        "avgPrice": "",
        "timeInForce": "GTC",
        "orderStatus": "New",
        "cancelType": "UNKNOWN",
        "rejectReason": "EC_NoError",
        "reduceOnly": False,
        "positionIdx": 0,
        "createdTime": str(NOW_MS),
        "updatedTime": str(NOW_MS),
        "tpslMode": "",
    }
    return row | changes


def fill_row(exec_id: str, link_id: str, **changes: Any) -> Json:
    row: Json = {
        "category": "linear",
        "symbol": "BTCUSDT",
        "orderId": f"venue-{link_id}",
        "orderLinkId": link_id,
        "side": "Buy",
        "execId": exec_id,
        "execPrice": "50000.0",
        "execQty": "0.010",
        "execType": "Trade",
        "execValue": "500",
        "execFee": "0.275",
        "feeRate": "0.00055",
        "feeCurrency": "USDT",
        "isMaker": False,
        "leavesQty": "0.000",
        "execTime": str(NOW_MS),
        "seq": 44,
    }
    return row | changes


def position_row(**changes: Any) -> Json:
    row: Json = {
        "category": "linear",
        "symbol": "BTCUSDT",
        "side": "Buy",
        "size": "0.010",
        "positionIdx": 0,
        "entryPrice": "50000",
        "seq": 44,
        "updatedTime": str(NOW_MS),
    }
    return row | changes


def wallet_row(coin: str = "USDT", balance: str = "1000", **changes: Any) -> Json:
    coin_row = {
        "coin": coin,
        "walletBalance": balance,
        "locked": "0",
        "totalOrderIM": "0",
        "totalPositionIM": "0",
    }
    return {"accountType": "UNIFIED", "coin": [coin_row | changes]}


def private_frame(topic: str, *rows: Json) -> Json:
    return {"id": "m-1", "topic": topic, "creationTime": NOW_MS, "data": list(rows)}


def encoded(message: object) -> bytes:
    return orjson.dumps(message)
