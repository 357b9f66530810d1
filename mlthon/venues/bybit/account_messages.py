"""Positions and wallets as Bybit v5 JSON. Pure functions.

REST and the private stream carry the same objects; `stream_position` adds what only the stream has.
"""

from __future__ import annotations

from collections.abc import Sequence

from mlthon.basics.mldecimal import MLDecimal
from mlthon.sim.orders import Position, Wallet
from mlthon.venues.bybit.market import Market
from mlthon.venues.bybit.wire import exact

Json = dict[str, object]


def position_row(position: Position, market: Market, seq: int, now_ms: int) -> Json:
    """A position, as position/list shows it."""
    size, formats = position.size, market.formats
    is_flat = size.is_zero()
    realised = position.realised_pnl - position.fees - position.funding
    liquidation = position.liquidation_price
    average = "0" if position.avg_price is None else exact(position.avg_price)
    return {
        "positionIdx": 0,
        "riskId": 1,
        "riskLimitValue": "",
        "symbol": market.symbol,
        "side": "" if is_flat else "Buy" if size.sign() > 0 else "Sell",
        "size": "0" if is_flat else formats.qty(abs(size)),
        "avgPrice": average,
        "positionValue": exact(abs(position.entry_value)),
        "leverage": exact(position.leverage),
        "markPrice": "" if position.mark_price is None else exact(position.mark_price),
        "positionBalance": exact(position.margin),
        "positionIM": exact(position.margin),
        "positionIMByMp": exact(position.margin),
        "positionMM": exact(position.maintenance_margin),
        "positionMMByMp": exact(position.maintenance_margin),
        "unrealisedPnl": exact(position.unrealised_pnl),
        "curRealisedPnl": exact(realised),
        "cumRealisedPnl": exact(realised),
        "sessionAvgPrice": "",
        "tradeMode": 0,
        "positionStatus": "Normal",
        "autoAddMargin": 0,
        "adlRankIndicator": 0,
        "liqPrice": "" if liquidation is None else market.formats.price(liquidation),
        "bustPrice": "",
        "tpslMode": "Full",
        "takeProfit": "",
        "stopLoss": "",
        "trailingStop": "0",
        "isReduceOnly": False,
        "leverageSysUpdatedTime": "",
        "mmrSysUpdatedTime": "",
        "createdTime": str(now_ms),
        "updatedTime": str(now_ms),
        "seq": seq,
    }


def stream_position(position: Position, market: Market, seq: int, now_ms: int) -> Json:
    """A position, as the ``position`` topic pushes it: the average price has another name there."""
    row = position_row(position, market, seq, now_ms)
    row["entryPrice"] = row.pop("avgPrice")
    return {"category": market.category, **row}


def wallet_row(wallets: Sequence[tuple[Wallet, MLDecimal]]) -> Json:
    """An account's coins, each with what one of it is worth in USD, and the account's totals in USD."""
    zero = MLDecimal("0")
    equity = balance = unrealised = available = margin = maintenance = zero
    for wallet, usd in wallets:
        equity += wallet.equity * usd
        balance += wallet.balance * usd
        unrealised += wallet.unrealised_pnl * usd
        available += wallet.available * usd
        margin += (wallet.position_margin + wallet.order_margin) * usd
        maintenance += wallet.maintenance_margin * usd
    return {
        "accountType": "UNIFIED",
        "accountIMRate": _rate(margin, equity),
        "accountMMRate": _rate(maintenance, equity),
        "accountLTV": "0",
        "totalEquity": exact(equity),
        "totalWalletBalance": exact(balance),
        "totalMarginBalance": exact(equity),
        "totalAvailableBalance": exact(max(available, zero)),
        "totalPerpUPL": exact(unrealised),
        "totalInitialMargin": exact(margin),
        "totalMaintenanceMargin": exact(maintenance),
        "coin": [_coin_row(wallet, usd) for wallet, usd in wallets],
    }


def _coin_row(wallet: Wallet, usd: MLDecimal) -> Json:
    return {
        "coin": wallet.coin,
        "equity": exact(wallet.equity),
        "usdValue": exact(wallet.equity * usd),
        "walletBalance": exact(wallet.balance),
        "locked": exact(wallet.locked),
        "unrealisedPnl": exact(wallet.unrealised_pnl),
        "totalPositionIM": exact(wallet.position_margin),
        "totalOrderIM": exact(wallet.order_margin),
        "totalPositionMM": exact(wallet.maintenance_margin),
        "cumRealisedPnl": "",
        "availableToWithdraw": "",
        "availableToBorrow": "",
        "borrowAmount": "0",
        "accruedInterest": "0",
        "bonus": "0",
        "spotBorrow": "0",
        "spotHedgingQty": "0",
        "collateralSwitch": True,
        "marginCollateral": True,
    }


def _rate(margin: MLDecimal, equity: MLDecimal) -> str:
    return "0" if equity.sign() <= 0 else f"{margin / equity:.4f}"
