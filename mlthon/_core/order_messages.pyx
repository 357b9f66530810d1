"""What passes between the engine and a gateway about orders: requests one way, reports the other.

Named tuples, since they are values that nobody changes; compiled code makes them, and takes them apart by position.
They are published by `mlthon.engine.ports`.
"""

from typing import NamedTuple

from mlthon._core.enums import CancelCode, GtwRejectCode, OrderStatus

from mlthon._core.fixed cimport Qty, qty_from

cdef Qty NOTHING = qty_from(0)
cdef object NEW = OrderStatus.New
cdef object PARTIALLY_FILLED = OrderStatus.PartiallyFilled


# -- towards the venue -----------------------------------------------------------------------------------------


class NewOrderRequest(NamedTuple):
    __module__ = "mlthon.engine.ports"

    wire_id: str
    instrument: object
    side: object
    price: object                     # None: a market order
    qty: object
    order_type: object
    tif: object
    exec_instr: object
    close_position: bool


class ModifyOrderRequest(NamedTuple):
    __module__ = "mlthon.engine.ports"

    wire_id: str
    exchange_id: str                  # "" while the venue has not told it
    instrument: object
    new_price: object                 # None: unchanged
    new_qty: object                   # total quantity, fills included; None: unchanged


class CancelOrderRequest(NamedTuple):
    __module__ = "mlthon.engine.ports"

    wire_id: str
    exchange_id: str
    instrument: object


# -- from the venue --------------------------------------------------------------------------------------------


class OrderReport(NamedTuple):
    """An order's state as the venue tells it: absolute, so applying it twice changes nothing."""

    __module__ = "mlthon.engine.ports"

    wire_id: str                      # "" for an order that was not sent with an id
    exchange_id: str
    instrument_id: int
    side: object
    price: object
    qty: object
    cum_qty: object
    status: object
    order_type: object
    tif: object
    exec_instr: object
    cancel_code: object = CancelCode.Unset
    reject_code: object = GtwRejectCode.Other     # meaningful where status is Rejected
    reason: str = ""
    venue_ms: int = 0
    recv_ms: int = 0

    @property
    def leaves_qty(self):
        """Quantity still open at the venue; zero once the order has ended."""
        if self.status is NEW or self.status is PARTIALLY_FILLED:
            return self.qty - self.cum_qty
        return NOTHING


class FillReport(NamedTuple):
    """One execution of one order. ``exec_id`` is unique per venue, and is what makes applying it idempotent."""

    __module__ = "mlthon.engine.ports"

    exec_id: str
    wire_id: str
    exchange_id: str
    instrument_id: int
    side: object
    price: object
    qty: object
    fee: object                       # positive: paid; negative: a rebate
    fee_currency: str
    is_maker: bool
    exec_ms: int
    recv_ms: int
    order_qty: object = None          # what the order was for when it was filled, where the venue says so
