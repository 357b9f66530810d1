"""What Bybit answers and this venue does not: asked for, it says so, where an address that nobody has is a 404."""

from __future__ import annotations

__all__ = ["NOT_SIMULATED"]

_MARKET = (
    *(
        "account-ratio",
        "adlAlert",
        "delivery-price",
        "full_orderbook",
        "historical-volatility",
        "index-price-kline",
    ),
    *(
        "insurance",
        "mark-price-kline",
        "open-interest",
        "premium-index-price-kline",
        "price-limit",
        "risk-limit",
    ),
    "rpi_orderbook",
)
_ORDER = ("disconnected-cancel-all", "pre-check", "spot-borrow-check")
_POSITION = (
    *(
        "add-margin",
        "closed-pnl",
        "confirm-pending-mmr",
        "move-history",
        "move-positions",
        "set-auto-add-margin",
    ),
    *("set-risk-limit", "set-tpsl-mode", "switch-isolated", "trading-stop"),
)
_ACCOUNT = (
    *(
        "borrow-history",
        "collateral-info",
        "contract-transaction-log",
        "instruments-info",
        "mmp-modify",
        "mmp-reset",
    ),
    *("mmp-state", "query-dcp-info", "quick-repayment", "set-collateral-switch", "set-hedging-mode"),
    *("set-margin-mode", "smp-group", "transaction-log", "upgrade-to-uta", "withdrawal"),
)
_ASSET = (
    *("coin-greeks", "delivery-record", "deposit/query-record", "exchange/order-record", "settlement-record"),
    *(
        "transfer/inter-transfer",
        "transfer/query-account-coin-balance",
        "transfer/query-account-coins-balance",
    ),
    *("transfer/query-asset-info", "transfer/query-inter-transfer-list", "transfer/query-transfer-coin-list"),
    *("withdraw/create", "withdraw/query-record"),
)

NOT_SIMULATED: frozenset[str] = frozenset(
    f"/v5/{family}/{name}"
    for family, names in (
        ("market", _MARKET),
        ("order", _ORDER),
        ("position", _POSITION),
        ("account", _ACCOUNT),
        ("asset", _ASSET),
    )
    for name in names
)
"""Paths that real clients know."""
