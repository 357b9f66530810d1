"""Order: what a strategy sees of one of its orders."""

from __future__ import annotations

from typing import Any

from mlthon.basics.defs import TIF, ExecInstructions, OrderStatus, OrderType, Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty
from mlthon.order.order_state import InstrumentId, OrderState

__all__ = ["Order"]


class Order:
    """One order, as far as is known. Made by `OrderMgr`, which keeps it up to date; read only.

    >>> from mlthon.order.order_mgr import OrderMgr
    >>> mgr = OrderMgr("demo")
    >>> order = mgr.prepare_new_order(30000000000, Side.Buy, Price("9226.5"), Qty("2"))
    >>> print(order)
    demo1 Buy 2.00000000 @ 9226.50000000 of 30000000000, leaves 2.00000000, new pending
    >>> mgr.apply_new_order_ack("demo1", "ex-1")
    True
    >>> order.is_open(), order.has_any_pending_request(), order.get_exchange_id()
    (True, False, 'ex-1')
    """

    __slots__ = ("_state",)

    def __init__(self, state: OrderState) -> None:
        self._state = state

    # -- what it is ------------------------------------------------------------------------------------------

    def get_client_id(self) -> str:
        """Return the strategy's own id of the order."""
        return self._state.client_id

    def get_exchange_id(self) -> str:
        """Return the venue's id of the order; ``""`` while it is not known."""
        return self._state.exchange_id

    def get_instrument_id(self) -> InstrumentId:
        """Return the instrument's id; the symbol, if the order was prepared with one."""
        return self._state.instrument_id

    def get_side(self) -> Side:
        return self._state.side

    def get_type(self) -> OrderType:
        return self._state.order_type

    def get_tif(self) -> TIF:
        return self._state.tif

    def get_exec_instructions(self) -> ExecInstructions:
        return self._state.exec_instr

    def get_attachment(self) -> Any:
        """Return what was given as `nullable_attachment` when the order was prepared; None if nothing was."""
        return self._state.attachment

    # -- price and quantity ----------------------------------------------------------------------------------

    def get_price(self) -> Price | None:
        """Return the price the venue has acknowledged, before that the one asked for; None: a market order."""
        return self._state.price

    def get_leaves_qty(self) -> Qty:
        """Return the quantity that may still trade; zero once the order has ended, never negative.

        It counts from the quantity last acknowledged, before the first ack from the one asked for.
        """
        return self._state.leaves_qty

    def get_leaves_qty_after_modify_prep(self) -> Qty:
        """Return what `get_leaves_qty` will be if the pending modify is acknowledged."""
        return self._state.leaves_qty_if_modified

    def get_pending_price(self) -> Price | None:
        """Return the price that the pending new order or modify asks for; None: nothing pending, or unchanged."""
        state = self._state
        return state.price if state.is_new_pending else state.pending_price

    def get_pending_qty(self) -> Qty | None:
        """Return the total quantity that the pending new order or modify asks for, fills included.

        None: nothing is pending, or the modify leaves the quantity unchanged.
        """
        state = self._state
        return state.qty if state.is_new_pending else state.pending_qty

    # -- where it stands -------------------------------------------------------------------------------------

    def is_open(self) -> bool:
        """Tell whether the order may still trade: it has not ended. True from its preparation on."""
        return self._state.is_open

    def is_cancelled(self) -> bool:
        """Tell whether the order ended by being cancelled."""
        return self._state.end is OrderStatus.Cancelled

    def is_new_pending(self) -> bool:
        """Tell whether the order awaits its ack or reject."""
        return self._state.is_new_pending

    def is_modify_pending(self) -> bool:
        """Tell whether a modify awaits its ack or reject."""
        return self._state.is_modify_pending

    def is_cancel_pending(self) -> bool:
        """Tell whether a cancel was prepared that has neither ended the order nor been rejected."""
        return self._state.is_cancel_pending

    def has_any_pending_request(self) -> bool:
        """Tell whether the order awaits an answer to a new, modify or cancel request."""
        return self._state.has_pending_request

    def __str__(self) -> str:
        state = self._state
        price = "market" if state.price is None else str(state.price)
        return (
            f"{state.client_id} {state.side.name} {state.qty} @ {price} of {state.instrument_id},"
            f" leaves {state.leaves_qty}, {_standing(state)}"
        )

    def __repr__(self) -> str:
        return f"<Order {self}>"


def _standing(state: OrderState) -> str:
    if state.end is not None:
        return state.end.name.lower()
    requests = {
        "new": state.is_new_pending,
        "modify": state.is_modify_pending,
        "cancel": state.is_cancel_pending,
    }
    pending = " and ".join(kind for kind, is_pending in requests.items() if is_pending)
    return f"{pending} pending" if pending else "open"
