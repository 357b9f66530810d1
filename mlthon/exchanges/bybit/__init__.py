"""Bybit v5, linear and inverse perpetuals and spot pairs: market data, order entry, account.

Written after the venue's documentation, and tried against recorded messages and the simulated venue; not against
the live one.
"""

from mlthon.exchanges.bybit.config import BybitConfig
from mlthon.exchanges.bybit.connector import BybitConnector

__all__ = ["BybitConfig", "BybitConnector"]
