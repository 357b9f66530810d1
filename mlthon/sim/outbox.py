"""What the exchange has to tell, in order, and its delivery to the listeners."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from mlthon._core.market_event import DepthUpdate, PublicTrade
from mlthon.sim.account import Account
from mlthon.sim.orders import SimFill, SimListener, SimOrder, SimPayment

__all__ = ["Outbox"]


class Outbox:
    """A listener that passes on what it is told to all listeners, when `deliver` is called.

    Delivery never nests: what a listener causes waits behind what is under way. Nothing is kept while nobody listens.
    """

    def __init__(self) -> None:
        self._listeners: list[SimListener] = []
        self._messages: deque[Callable[[SimListener], None]] = deque()
        self._delivering = False

    def attach(self, listener: SimListener) -> None:
        self._listeners.append(listener)

    def deliver(self) -> None:
        """Deliver all that is queued, unless a delivery is under way, which then does.

        A listener's exception passes to the caller; what is behind it is delivered next time.
        """
        if self._delivering or not self._messages:
            return
        self._delivering = True
        try:
            while self._messages:
                message = self._messages.popleft()
                for listener in tuple(self._listeners):
                    message(listener)
        finally:
            self._delivering = False

    def on_order(self, order: SimOrder) -> None:
        if self._listeners:
            self._messages.append(lambda listener: listener.on_order(order))

    def on_fill(self, fill: SimFill) -> None:
        if self._listeners:
            self._messages.append(lambda listener: listener.on_fill(fill))

    def on_funding(self, payment: SimPayment) -> None:
        if self._listeners:
            self._messages.append(lambda listener: listener.on_funding(payment))

    def on_position(self, account: Account, symbol: str) -> None:
        if self._listeners:
            self._messages.append(lambda listener: listener.on_position(account, symbol))

    def on_wallet(self, account: Account, coins: tuple[str, ...]) -> None:
        if self._listeners:
            self._messages.append(lambda listener: listener.on_wallet(account, coins))

    def on_depth(self, symbol: str, update: DepthUpdate) -> None:
        if self._listeners:
            self._messages.append(lambda listener: listener.on_depth(symbol, update))

    def on_trade(self, symbol: str, trade: PublicTrade) -> None:
        if self._listeners:
            self._messages.append(lambda listener: listener.on_trade(symbol, trade))
