"""What a venue tells of the account: positions, balances, funding, limits, and refused questions."""

from __future__ import annotations

from collections import Counter

from mlthon._core.dispatch import Dispatcher
from mlthon.basics.defs import Exchange, GtwRejectCode
from mlthon.basics.qty import Qty
from mlthon.engine.ports import RequestKind
from mlthon.instruments.instrument import Instrument

__all__ = ["AccountInfo"]


class AccountInfo:
    """The part of `GatewayListener` that is not about single orders.

    Venues push positions and balances far more often than they change. The strategy is told an answer it asked
    for always, and a pushed value when it is new. Until the connection has been announced to it, it is told nothing;
    what was learned meanwhile follows the announcement.
    """

    exchange: Exchange
    announced: bool  # the strategy is being told; before, nothing is
    events: int  # reports and answers received

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._positions: dict[int, Qty] = {}
        self._wallets: dict[str, tuple[Qty, Qty]] = {}
        self._asked: Counter[int | str] = Counter()  # by instrument id or coin

    def expect_answer(self, about: int | str) -> None:
        """Note that the strategy asked for a position (by instrument id) or a balance (by coin)."""
        self._asked[about] += 1

    def venue_position(self, instrument: Instrument) -> Qty | None:
        """The position the venue last told; None: it told none yet."""
        return self._positions.get(instrument.get_instrument_id())

    def on_position(self, instrument: Instrument, position: Qty) -> None:
        self.events += 1
        number = instrument.get_instrument_id()
        changed = self._positions.get(number) != position
        self._positions[number] = position
        if self._is_answer(number) or changed:
            self._tell("on_position_info", self.exchange, number, position)

    def on_wallet(self, coin: str, total: Qty, available: Qty) -> None:
        self.events += 1
        changed = self._wallets.get(coin) != (total, available)
        self._wallets[coin] = (total, available)
        if self._is_answer(coin) or changed:
            self._tell("on_wallet_info", self.exchange, coin, total, available)

    def on_account(self, user_id: str) -> None:
        self._tell("on_account_info", self.exchange, user_id)

    def on_funding(self, instrument: Instrument, rate: float, next_ms: int) -> None:
        self._tell("on_funding_info", self.exchange, instrument.get_instrument_id(), rate, next_ms)

    def on_query_refused(self, kind: RequestKind, code: GtwRejectCode, detail: str) -> None:
        self._tell("on_request_reject", self.exchange, code, detail, kind.value)

    def on_rate_limit(self, limit: int, remaining: int, reset_ms: int) -> None:
        self._tell("on_rate_limit_info", self.exchange, limit, remaining, reset_ms)

    def on_unsupported(self, kind: RequestKind) -> None:
        self._tell("on_unsupported_op", self.exchange, kind.value)

    def announce_account(self) -> None:
        """Begin to tell the strategy, with the positions and balances that are known already."""
        self.announced = True
        for number, position in self._positions.items():
            self._tell("on_position_info", self.exchange, number, position)
        for coin, (total, available) in self._wallets.items():
            self._tell("on_wallet_info", self.exchange, coin, total, available)

    def _tell(self, callback: str, *args: object) -> None:
        if self.announced:
            self._dispatcher.call(callback, *args)

    def _is_answer(self, about: int | str) -> bool:
        if not self._asked[about]:
            return False
        self._asked[about] -= 1
        return True
