"""Market data as Bybit v5 JSON: instruments, trades, tickers. Pure functions; numbers are text."""

from __future__ import annotations

from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.venues.bybit.market import Market, TradeLine
from mlthon.venues.bybit.wire import exact

Json = dict[str, object]
Levels = list[list[str]]  # [price, qty], the best first

_FUNDING_INTERVAL_MS = 8 * 3600 * 1000
MAX_LEVERAGE = MLDecimal("100")


def instrument_info(market: Market) -> Json:
    """One row of instruments-info; spot pairs have a shape of their own."""
    return _spot_info(market) if market.is_spot else _contract_info(market)


def _contract_info(market: Market) -> Json:
    instrument, formats = market.instrument, market.formats
    tick, lot = instrument.get_price_tick_rules(), instrument.get_quantity_tick_rules()
    max_qty = exact(market.max_qty)
    min_notional = instrument.get_min_notional()
    return {
        "symbol": market.symbol,
        "contractType": "InversePerpetual" if market.category == "inverse" else "LinearPerpetual",
        "status": "Trading",
        "baseCoin": instrument.get_base_currency(),
        "quoteCoin": instrument.get_quote_currency(),
        "settleCoin": market.settle_coin,
        "launchTime": str(instrument.get_valid_start_ts() or 0),
        "deliveryTime": "0",
        "deliveryFeeRate": "",
        "priceScale": str(instrument.get_price_precision()),
        "leverageFilter": {"minLeverage": "1", "maxLeverage": exact(MAX_LEVERAGE), "leverageStep": "0.01"},
        "priceFilter": {
            "minPrice": formats.price(tick),
            "maxPrice": formats.price(market.max_price),
            "tickSize": formats.price(tick),
        },
        "lotSizeFilter": {
            "minOrderQty": formats.qty(instrument.get_min_quantity()),
            "maxOrderQty": max_qty,
            "maxMktOrderQty": max_qty,
            "postOnlyMaxOrderQty": max_qty,
            "qtyStep": formats.qty(lot),
            "minNotionalValue": "0" if min_notional is None else exact(min_notional),
        },
        "unifiedMarginTrade": True,
        "fundingInterval": _FUNDING_INTERVAL_MS // 60_000,
        "copyTrading": "none",
        "upperFundingRate": "0",
        "lowerFundingRate": "0",
        "isPreListing": False,
        "preListingInfo": None,
        "symbolType": "",
    }


def _spot_info(market: Market) -> Json:
    instrument, formats = market.instrument, market.formats
    tick, lot = instrument.get_price_tick_rules(), instrument.get_quantity_tick_rules()
    max_qty = exact(market.max_qty)
    return {
        "symbol": market.symbol,
        "baseCoin": instrument.get_base_currency(),
        "quoteCoin": instrument.get_quote_currency(),
        "innovation": "0",
        "status": "Trading",
        "marginTrading": "none",
        "stTag": "0",
        "lotSizeFilter": {
            "basePrecision": formats.qty(lot),
            "quotePrecision": exact(tick * lot),
            "minOrderQty": formats.qty(instrument.get_min_quantity()),
            "maxOrderQty": max_qty,
            "minOrderAmt": exact(instrument.get_min_notional() or tick * lot),
            "maxOrderAmt": f"{market.max_price.to_decimal() * market.max_qty.to_decimal():f}",
            "maxLimitOrderQty": max_qty,
            "maxMarketOrderQty": max_qty,
            "postOnlyMaxLimitOrderSize": max_qty,
        },
        "priceFilter": {"tickSize": formats.price(tick)},
        "riskParameters": {"priceLimitRatioX": "", "priceLimitRatioY": ""},
        "symbolType": "",
    }


def stream_trade(market: Market, line: TradeLine) -> Json:
    """One entry of a ``publicTrade`` message; spot does not tell the tick direction."""
    direction = {} if market.is_spot else {"L": line.tick_direction}
    return {
        "T": line.time_ms,
        "s": market.symbol,
        "S": line.trade.taker_side.name,
        "v": market.formats.qty(line.trade.qty),
        "p": market.formats.price(line.trade.price),
        **direction,
        "i": line.exec_id,
        "BT": False,
        "RPI": False,
        "seq": line.seq,
    }


def listed_trade(market: Market, line: TradeLine) -> Json:
    """One row of recent-trade."""
    return {
        "execId": line.exec_id,
        "symbol": market.symbol,
        "price": market.formats.price(line.trade.price),
        "size": market.formats.qty(line.trade.qty),
        "side": line.trade.taker_side.name,
        "time": str(line.time_ms),
        "isBlockTrade": False,
        "isRPITrade": False,
        "seq": str(line.seq),
    }


def spot_ticker(market: Market, mark: Price | None) -> Json:
    """The fields of a spot ticker on the stream. What the pair is marked at stands for its index."""
    last = market.last_price or mark
    return {
        "symbol": market.symbol,
        "lastPrice": _price(market, last),
        "highPrice24h": _price(market, market.high_price or last),
        "lowPrice24h": _price(market, market.low_price or last),
        "prevPrice24h": _price(market, market.first_price or last),
        "volume24h": market.formats.qty(market.volume),
        "turnover24h": exact(market.turnover),
        "price24hPcnt": _change(market, last),
        "usdIndexPrice": "" if mark is None else exact(mark),
    }


def top_of_book(bids: Levels, asks: Levels) -> Json:
    """The best levels, as tickers show them (of spot: those of REST only)."""
    return {
        "bid1Price": bids[0][0] if bids else "",
        "bid1Size": bids[0][1] if bids else "",
        "ask1Price": asks[0][0] if asks else "",
        "ask1Size": asks[0][1] if asks else "",
    }


def contract_ticker(market: Market, bids: Levels, asks: Levels, mark: Price | None, now_ms: int) -> Json:
    """The fields of a contract's ticker, in REST and on the stream.

    The simulated exchange charges no funding, so the rate is 0; index and mark price are one. Prices that do not
    exist yet are "".
    """
    formats = market.formats
    last = market.last_price or mark
    last_text, mark_text = _price(market, last), "" if mark is None else exact(mark)
    first_text = _price(market, market.first_price or last)
    return {
        "symbol": market.symbol,
        "tickDirection": market.trades[-1].tick_direction if market.trades else "ZeroPlusTick",
        "price24hPcnt": _change(market, last),
        "lastPrice": last_text,
        "prevPrice24h": first_text,
        "highPrice24h": _price(market, market.high_price or last),
        "lowPrice24h": _price(market, market.low_price or last),
        "prevPrice1h": first_text,
        "markPrice": mark_text,
        "indexPrice": mark_text,
        "openInterest": "0",
        "openInterestValue": "0",
        "turnover24h": exact(market.turnover),
        "volume24h": formats.qty(market.volume),
        "fundingRate": "0",
        "nextFundingTime": str(next_funding_ms(now_ms)),
        "fundingIntervalHour": str(_FUNDING_INTERVAL_MS // 3_600_000),
        "fundingCap": "0",
        **top_of_book(bids, asks),
        "deliveryFeeRate": "",
        "deliveryTime": "0",
        "predictedDeliveryPrice": "",
        "basisRate": "",
        "basis": "",
        "preOpenPrice": "",
        "preQty": "",
        "curPreListingPhase": "",
    }


def next_funding_ms(now_ms: int) -> int:
    """The next 00:00, 08:00 or 16:00 UTC.

    >>> next_funding_ms(1)
    28800000
    """
    return (now_ms // _FUNDING_INTERVAL_MS + 1) * _FUNDING_INTERVAL_MS


def _change(market: Market, last: Price | None) -> str:
    """How far the price has come since the first trade, as a fraction."""
    if last is None or market.first_price is None:
        return "0"
    return f"{(last - market.first_price) / market.first_price:.6f}"


def _price(market: Market, price: Price | None) -> str:
    return "" if price is None else market.formats.price(price)
