"""How many requests venues allow; how they are counted is in `mlthon._core.request_limits`."""

from __future__ import annotations

from dataclasses import dataclass

from mlthon.engine.ports import RequestKind

__all__ = ["RequestRates"]

_ORDERS = frozenset(
    {RequestKind.NewOrder, RequestKind.ModifyOrder, RequestKind.CancelOrder, RequestKind.CancelAll}
)


@dataclass(frozen=True, slots=True)
class RequestRates:
    """What a venue allows an account a second, of each kind of request; the defaults are Bybit's."""

    orders: int = 10  #: each of new, modify, cancel, cancel in batches, cancel-all
    spot_orders: int = 20  #: the same in spot, but for modify
    questions: int = 50

    def of(self, kind: RequestKind, *, is_spot: bool) -> int:
        """The allowance of one kind of request."""
        if kind not in _ORDERS:
            return self.questions
        return self.spot_orders if is_spot and kind is not RequestKind.ModifyOrder else self.orders
