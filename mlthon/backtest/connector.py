"""One simulated exchange, as the engine sees a connector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from mlthon._core.replay import Market, Replay
from mlthon.backtest.feed import BacktestFeed
from mlthon.backtest.gateway import BacktestGateway
from mlthon.backtest.latency import Latency
from mlthon.backtest.request_limits import RequestRates
from mlthon.backtest.trace import Trace
from mlthon.basics.defs import Exchange
from mlthon.instruments.instrument import Instrument
from mlthon.sim.account import Account
from mlthon.sim.exchange import SimExchange

__all__ = ["BacktestConnector"]


class BacktestConnector:
    """Implements `mlthon.engine.ports.Connector` over a `SimExchange`, without a wire, but with its delays.

    What live connectors wait for is here at once: none of the coroutines ever suspends.
    """

    def __init__(
        self,
        name: Exchange,
        exchange: SimExchange,
        account: Account,
        replay: Replay,
        latency: Latency,
        trace: Trace,
        rates: RequestRates,
    ) -> None:
        self.exchange = name
        self.sim = exchange
        self.account = account
        self.markets = {
            symbol: Market(
                exchange.engine(symbol),
                partial(exchange.catch_up, symbol),
                partial(exchange.apply_rate, symbol),
            )
            for symbol in exchange.instruments
        }
        self.feed = BacktestFeed(self.markets, replay, latency)
        self.gateway = BacktestGateway(exchange, account, self.feed, replay, latency, trace, rates)

    async def load_instruments(self) -> list[Instrument]:
        return list(self.sim.instruments.values())

    def watch_instruments(self, tell: Callable[[Sequence[Instrument]], None]) -> None:
        """Tell nothing: what a simulated exchange lists does not change."""

    async def close(self) -> None:
        await self.feed.close()
        await self.gateway.close()
