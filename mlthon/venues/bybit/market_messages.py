"""Market data as Bybit v5 JSON: instruments, trades, tickers. Numbers are text."""

from __future__ import annotations

from dataclasses import dataclass

from mlthon.basics.defs import Side
from mlthon.basics.mldecimal import MLDecimal
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.sim.exchange import SimExchange
from mlthon.sim.funding import FundingRules
from mlthon.sim.orders import SimFill
from mlthon.venues.bybit.klines import Candle
from mlthon.venues.bybit.market import Market, TradeLine
from mlthon.venues.bybit.wire import exact, to_ms

Json = dict[str, object]
Levels = list[list[str]]  # [price, qty], the best first

_NS_PER_MINUTE = 60 * 10**9
MAX_LEVERAGE = MLDecimal("100")


def instrument_info(market: Market, funding: FundingRules) -> Json:
    """One row of instruments-info; spot pairs have a shape of their own."""
    return _spot_info(market) if market.is_spot else _contract_info(market, funding)


def _contract_info(market: Market, funding: FundingRules) -> Json:
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
        "fundingInterval": funding.interval_ns // _NS_PER_MINUTE,
        "copyTrading": "none",
        "upperFundingRate": exact(funding.cap),
        "lowerFundingRate": exact(-funding.cap),
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


def listed_candle(market: Market, candle: Candle) -> list[str]:
    """One row of kline."""
    prices = (candle.open, candle.high, candle.low, candle.close)
    return [
        str(candle.start_ms),
        *map(market.formats.price, prices),
        market.formats.qty(candle.volume),
        exact(candle.turnover),
    ]


def liquidation(market: Market, fill: SimFill) -> Json:
    """One entry of an ``allLiquidation`` message: its side is that of the position, not of what closed it."""
    return {
        "T": to_ms(fill.exec_ns),
        "s": market.symbol,
        "S": "Sell" if fill.side is Side.Buy else "Buy",
        "v": market.formats.qty(fill.qty),
        "p": market.formats.price(fill.price),
    }


def spot_ticker(market: Market, mark: Price | None) -> Json:
    """The fields of a spot ticker on the stream. What the pair is marked at stands for its index."""
    last = _last_price(market, mark)
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


@dataclass(frozen=True, slots=True)
class ContractState:
    """What the exchange knows of a contract beside its market: prices (None: not yet), interest and funding."""

    mark: Price | None
    index: Price | None
    open_interest: Qty
    funding_rate: MLDecimal
    funding_due_ms: int
    funding: FundingRules


def contract_state(exchange: SimExchange, market: Market) -> ContractState:
    """A contract as it stands."""
    symbol = market.traded_as
    return ContractState(
        mark=exchange.mark_price(symbol),
        index=exchange.index_price(symbol),
        open_interest=exchange.open_interest(symbol),
        funding_rate=exchange.funding_rate(symbol),
        funding_due_ms=to_ms(exchange.funding_due_ns(symbol)),
        funding=exchange.funding_rules,
    )


def contract_ticker(market: Market, bids: Levels, asks: Levels, state: ContractState) -> Json:
    """The fields of a contract's ticker, in REST and on the stream. Prices that do not exist yet are ""."""
    formats = market.formats
    mark = state.mark
    last = _last_price(market, mark)
    last_text = _price(market, last)
    interest_value = None if mark is None else market.terms.value(mark, state.open_interest)
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
        "markPrice": "" if mark is None else exact(mark),
        "indexPrice": "" if state.index is None else exact(state.index),
        "openInterest": formats.qty(state.open_interest),
        "openInterestValue": "0" if interest_value is None else exact(interest_value),
        "turnover24h": exact(market.turnover),
        "volume24h": formats.qty(market.volume),
        "fundingRate": exact(state.funding_rate),
        "nextFundingTime": str(state.funding_due_ms),
        "fundingIntervalHour": str(state.funding.interval_ns // (60 * _NS_PER_MINUTE)),
        "fundingCap": exact(state.funding.cap),
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


def _last_price(market: Market, mark: Price | None) -> Price | None:
    """What was traded last; before the first trade, the price on the tick that is next to the mark."""
    if market.last_price is not None or mark is None:
        return market.last_price
    return mark.round_nearest(market.instrument.get_price_tick_rules())


def _change(market: Market, last: Price | None) -> str:
    """How far the price has come since the first trade, as a fraction."""
    if last is None or market.first_price is None:
        return "0"
    return f"{(last - market.first_price) / market.first_price:.6f}"


def _price(market: Market, price: Price | None) -> str:
    return "" if price is None else market.formats.price(price)
