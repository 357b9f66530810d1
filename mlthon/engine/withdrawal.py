"""Cancelling what a strategy has left open."""

from __future__ import annotations

from collections.abc import Collection

from mlthon.engine.order_desk import DeskOrder, OrderDesk

__all__ = ["withdraw", "withdraw_orders"]

_LOOK_AGAIN_S = 0.02
_PAUSE_AFTER_REFUSAL_S = 1.0
_GIVE_UP_S = 5.0  # without one order ending


async def withdraw_orders(desks: Collection[OrderDesk]) -> list[DeskOrder]:
    """Cancel every open order; returns those whose end the venue did not confirm.

    The strategy is told that its orders are cancelled, unsolicited, but not of the requests. The gateways pace them.
    Gives up when no order has ended for five seconds.
    """
    import asyncio  # noqa: PLC0415  (a backtest uses `withdraw` alone, and has no use for it)

    loop = asyncio.get_running_loop()
    last_progress = loop.time()
    next_try = loop.time()
    refused = _refused(desks)
    left = _open_orders(desks)
    while left:
        now = loop.time()
        if now - last_progress > _GIVE_UP_S:
            break
        if _refused(desks) > refused:
            refused = _refused(desks)
            next_try = now + _PAUSE_AFTER_REFUSAL_S
        if now >= next_try:
            withdraw(desks)
        await asyncio.sleep(_LOOK_AGAIN_S)
        still_left = _open_orders(desks)
        if len(still_left) < len(left):
            last_progress = loop.time()
        left = still_left
    return left


def withdraw(desks: Collection[OrderDesk]) -> None:
    """Ask to cancel every open order of which that has not been asked; the gateways pace it.

    Whatever their status: a gateway that cannot be told what becomes of orders may well have a way for cancels, and
    refuses them where it has none.
    """
    for desk in desks:
        orders = [
            order for order in desk.open_orders() if not (order.cancel_pending or order.withdrawal_pending)
        ]
        if orders:
            desk.withdraw(orders)


def _open_orders(desks: Collection[OrderDesk]) -> list[DeskOrder]:
    return [order for desk in desks for order in desk.open_orders()]


def _refused(desks: Collection[OrderDesk]) -> int:
    return sum(desk.counts["withdrawals refused"] for desk in desks)
