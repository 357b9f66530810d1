"""What is known of one order, and how each message about it changes that.

Messages may come late, in any order and more than once, and none of them carries an execution id. So the filled
quantity is taken as the larger of two figures:

* **the sum** of the fills told one by one. A fill of the same quantity with the same leaves as one before it is a
  repetition and adds nothing: while an order's quantity stays the same, no two fills leave the same;
* **the proof** in a leaves figure: if 4 of 10 are left, 6 are filled, whether or not their fills were told yet.

Where the quantity was changed, or may have been, a figure can count from the old quantity or from the new one. Then
the proof takes the smallest the order ever had; a fill like one before it waits for the answer to the change, which
tells whether it was a repetition; and the sum alone does not end the order as long as leaves figures come: one of
them must have been zero.

Two things cannot be known. A fill told twice *without* a leaves figure counts twice. And an answer carries no
request id: a modify's answer, repeated while the next modify is pending, is taken for that one's.

An order ends once: filled, cancelled or rejected. Nothing opens it again; fills that arrive later only add to the
filled quantity.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from mlthon.basics.defs import TIF, ExecInstructions, OrderStatus, OrderType, Side
from mlthon.basics.price import Price
from mlthon.basics.qty import Qty

__all__ = ["InstrumentId", "OrderState"]

InstrumentId: TypeAlias = int | str
"""An instrument's id, or in older strategies its symbol."""

_ZERO = Qty(0)


@dataclass(slots=True, eq=False, kw_only=True)
class OrderState:
    """One order's facts and pending requests. Quantities are totals, fills included, where nothing else is said.

    Made with the first nine fields alone, it is an order the venue has acknowledged.

    >>> state = OrderState(
    ...     client_id="demo1", exchange_id="", instrument_id=30000000000, side=Side.Buy, price=Price("9226.5"),
    ...     qty=Qty("10"), order_type=OrderType.Limit, tif=TIF.GTC, exec_instr=ExecInstructions.Unset,
    ... )
    >>> state.apply_fill(Qty("4"), leaves_qty=Qty("6"))
    False
    >>> state.apply_fill(Qty("4"), leaves_qty=Qty("6"))  # told twice, counted once
    False
    >>> state.cum_qty, state.leaves_qty
    (Qty('4.00000000'), Qty('6.00000000'))
    """

    client_id: str
    exchange_id: str  # "" while the venue has not told it
    instrument_id: InstrumentId
    side: Side
    price: Price | None  # last acknowledged, or asked for at first; None: a market order
    qty: Qty  # last acknowledged, or asked for at first
    order_type: OrderType
    tif: TIF
    exec_instr: ExecInstructions
    attachment: Any = None

    is_new_pending: bool = False
    is_cancel_pending: bool = False
    is_modify_pending: bool = False
    pending_price: Price | None = None  # what the pending modify asks for; None: unchanged
    pending_qty: Qty | None = None
    end: OrderStatus | None = None  # Filled, Cancelled or Rejected

    fills_qty: Qty = _ZERO  # the sum
    proven_qty: Qty = _ZERO  # the proof
    _doubtful_qty: Qty = field(init=False, default=_ZERO)  # fills that wait for a modify's answer
    _least_qty: Qty = field(init=False)  # the smallest quantity the order had or was to have
    _was_resized: bool = field(init=False, default=False)  # another quantity was asked for, at any time
    _fills_told: set[tuple[Qty, Qty]] = field(init=False, default_factory=set)  # with leaves, since resized
    _nothing_left: bool = field(init=False, default=False)  # a fill left zero since the order was resized
    _zero_told: bool = field(init=False, default=False)  # a fill or an ack left zero, ever

    def __post_init__(self) -> None:
        self._least_qty = self.qty

    # -- questions -------------------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether the order may still trade: not known to have ended, acknowledged or not."""
        return self.end is None

    @property
    def has_pending_request(self) -> bool:
        return self.is_new_pending or self.is_modify_pending or self.is_cancel_pending

    @property
    def cum_qty(self) -> Qty:
        """Filled quantity. More than `qty` only when the venue fills more than was ordered."""
        return max(self.fills_qty, self.proven_qty)

    @property
    def leaves_qty(self) -> Qty:
        """Quantity that may still trade; zero once the order has ended, never negative."""
        return max(self.qty - self.cum_qty, _ZERO) if self.is_open else _ZERO

    @property
    def leaves_qty_if_modified(self) -> Qty:
        """`leaves_qty` as it will be when the pending modify is acknowledged."""
        qty = self.qty if self.pending_qty is None else self.pending_qty
        return max(qty - self.cum_qty, _ZERO) if self.is_open else _ZERO

    # -- requests --------------------------------------------------------------------------------------------

    def prepare_modify(self, new_price: Price | None, new_qty: Qty | None) -> None:
        self.is_modify_pending = True
        self.pending_price = new_price
        self.pending_qty = new_qty
        if new_qty is not None:
            self._was_resized = True
            self._least_qty = min(self._least_qty, new_qty)

    # -- messages --------------------------------------------------------------------------------------------

    def apply_ack(self, exchange_id: str, price: Price | None, leaves_qty: Qty | None) -> None:
        """The venue took the order. Only the first ack tells price and leaves; later ones are out of date."""
        self.exchange_id = self.exchange_id or exchange_id
        if not self.is_new_pending:
            return
        self.is_new_pending = False
        if self.price is not None and price is not None:
            self.price = price
        self._learn_from_ack(leaves_qty)

    def apply_reject(self) -> None:
        """The venue refused the order; not to be believed of one that it took, or filled in part."""
        if not self.is_new_pending:
            return
        self.is_new_pending = False
        if self.cum_qty.is_zero():
            self._end_as(OrderStatus.Rejected)

    def apply_modify_ack(self, new_price: Price | None, new_qty: Qty | None, leaves_qty: Qty | None) -> None:
        """The venue took the pending modify, with the given values where it tells them, else as asked."""
        if not self.is_modify_pending:
            return
        price = self.pending_price if new_price is None else new_price
        qty = self.pending_qty if new_qty is None else new_qty
        doubtful_qty = self._doubtful_qty
        self._forget_modify()
        if price is not None:
            self.price = price
        if qty is not None and qty != self.qty:
            self.qty = qty
            self.fills_qty += doubtful_qty
            self._was_resized = True
            self._least_qty = min(self._least_qty, qty)
            self._fills_told.clear()
            self._nothing_left = False
        self._learn_from_ack(leaves_qty)
        if not leaves_qty or self._zero_told:
            self._end_if_filled()

    def apply_modify_reject(self) -> None:
        """The venue refused the pending modify; the order stays as it was."""
        if self.is_modify_pending:
            self._forget_modify()
            self._end_if_filled()

    def apply_cancel_reject(self) -> None:
        self.is_cancel_pending = False

    def apply_fill(self, fill_qty: Qty, leaves_qty: Qty | None) -> bool:
        """Count a fill; returns whether the order is now known to be filled whole."""
        if leaves_qty is None:
            self.fills_qty += fill_qty
        else:
            self._count(fill_qty, leaves_qty)
        if not self.is_open:
            return self.end is OrderStatus.Filled or self.cum_qty >= self.qty
        self._end_if_filled()
        return not self.is_open

    def apply_cancelled(self) -> None:
        """The rest of the order is gone, whoever asked for it."""
        if self.is_open:
            self._end_as(OrderStatus.Cancelled)

    # -- details ---------------------------------------------------------------------------------------------

    def _count(self, fill_qty: Qty, leaves_qty: Qty) -> None:
        told = (fill_qty, leaves_qty)
        if told not in self._fills_told:
            self._fills_told.add(told)
            self.fills_qty += fill_qty
        elif self.pending_qty is not None:
            self._doubtful_qty += fill_qty
        if leaves_qty.is_zero():
            self._nothing_left = self._zero_told = True
        if self.is_open:
            self.proven_qty = max(self.proven_qty, self._least_qty - leaves_qty)

    def _learn_from_ack(self, leaves_qty: Qty | None) -> None:
        if leaves_qty is None:
            return
        if leaves_qty.is_zero():  # no proof: an order that was cancelled at once leaves nothing, too
            self._zero_told = True
        else:
            self.proven_qty = max(self.proven_qty, self.qty - leaves_qty)

    def _end_if_filled(self) -> None:
        if self._is_filled():
            self._end_as(OrderStatus.Filled)

    def _is_filled(self) -> bool:
        most = self.qty if self.pending_qty is None else max(self.qty, self.pending_qty)
        if self._nothing_left and most == self.qty:
            return True
        if self.cum_qty < most:
            return False
        return self._zero_told or not (self._was_resized and self._fills_told)

    def _forget_modify(self) -> None:
        self.is_modify_pending = False
        self.pending_price = None
        self.pending_qty = None
        self._doubtful_qty = _ZERO

    def _end_as(self, end: OrderStatus) -> None:
        self.end = end
        self.is_new_pending = False
        self.is_cancel_pending = False
        self._forget_modify()
