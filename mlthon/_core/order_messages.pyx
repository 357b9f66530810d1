"""What passes between the engine and a gateway about orders: requests one way, reports the other.

All are values that nobody changes. Those of every order are compiled classes, which compiled code makes and reads
without Python; the others are named tuples. They are published by `mlthon.engine.ports`.
"""

from typing import NamedTuple

from mlthon._core.enums import CancelCode, GtwRejectCode, OrderStatus

cimport cython
from libc.stdint cimport int64_t
from mlthon._core.fixed cimport Price, Qty, qty_from

cdef Qty NOTHING = qty_from(0)
cdef object NEW = OrderStatus.New
cdef object PARTIALLY_FILLED = OrderStatus.PartiallyFilled
cdef object NO_CANCEL_CODE = CancelCode.Unset
cdef object OTHER = GtwRejectCode.Other


# -- towards the venue -----------------------------------------------------------------------------------------


@cython.final
@cython.no_gc                         # what it is of is values: no cycle leads back from one
@cython.freelist(64)
cdef class NewOrderRequest:
    """A new order; without a ``price`` a market order."""

    __module__ = "mlthon.engine.ports"

    def __init__(self, str wire_id not None, instrument, side, Price price, Qty qty not None, order_type, tif,
                 exec_instr, bint close_position):
        self.wire_id, self.instrument, self.side, self.price, self.qty = wire_id, instrument, side, price, qty
        self.order_type, self.tif, self.exec_instr = order_type, tif, exec_instr
        self.close_position = close_position

    def replace(self, **changes):
        """The request with other values in some fields; raises TypeError for a name that is none."""
        return NewOrderRequest(**{**new_order_values(self), **changes})

    def __eq__(self, other):
        if type(other) is not NewOrderRequest:
            return NotImplemented
        return new_order_values(self) == new_order_values(other)

    def __hash__(self):
        return hash(tuple(new_order_values(self).values()))

    def __repr__(self):
        return in_words("NewOrderRequest", new_order_values(self))


class ModifyOrderRequest(NamedTuple):
    __module__ = "mlthon.engine.ports"

    wire_id: str
    exchange_id: str                  # "" while the venue has not told it
    instrument: object
    new_price: object                 # None: unchanged
    new_qty: object                   # total quantity, fills included; None: unchanged


@cython.final
@cython.no_gc
@cython.freelist(64)
cdef class CancelOrderRequest:
    """The end of an open order; ``exchange_id`` is empty while the venue has not told it."""

    __module__ = "mlthon.engine.ports"

    def __init__(self, str wire_id not None, str exchange_id not None, instrument):
        self.wire_id, self.exchange_id, self.instrument = wire_id, exchange_id, instrument

    def __eq__(self, other):
        if type(other) is not CancelOrderRequest:
            return NotImplemented
        return cancel_values(self) == cancel_values(other)

    def __hash__(self):
        return hash(tuple(cancel_values(self).values()))

    def __repr__(self):
        return in_words("CancelOrderRequest", cancel_values(self))


# -- from the venue --------------------------------------------------------------------------------------------


@cython.final
@cython.no_gc
@cython.freelist(64)
cdef class OrderReport:
    """An order's state as the venue tells it: absolute, so applying it twice changes nothing.

    ``wire_id`` is empty for an order that was not sent with an id; ``reject_code`` counts where ``status`` is
    Rejected.
    """

    __module__ = "mlthon.engine.ports"

    def __init__(self, str wire_id not None, str exchange_id not None, instrument_id, side, Price price not None,
                 Qty qty not None, Qty cum_qty not None, status, order_type, tif, exec_instr,
                 cancel_code=NO_CANCEL_CODE, reject_code=OTHER, str reason not None="", int64_t venue_ms=0,
                 int64_t recv_ms=0):
        self.wire_id, self.exchange_id, self.instrument_id, self.side = wire_id, exchange_id, instrument_id, side
        self.price, self.qty, self.cum_qty, self.status = price, qty, cum_qty, status
        self.order_type, self.tif, self.exec_instr = order_type, tif, exec_instr
        self.cancel_code, self.reject_code, self.reason = cancel_code, reject_code, reason
        self.venue_ms, self.recv_ms = venue_ms, recv_ms

    @property
    def leaves_qty(self):
        """Quantity still open at the venue; zero once the order has ended."""
        if self.status is NEW or self.status is PARTIALLY_FILLED:
            return self.qty - self.cum_qty
        return NOTHING

    def replace(self, **changes):
        """The report with other values in some fields; raises TypeError for a name that is none."""
        return OrderReport(**{**report_values(self), **changes})

    def __eq__(self, other):
        if type(other) is not OrderReport:
            return NotImplemented
        return report_values(self) == report_values(other)

    def __hash__(self):
        return hash(tuple(report_values(self).values()))

    def __repr__(self):
        return in_words("OrderReport", report_values(self))


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


# -- details ---------------------------------------------------------------------------------------------------


cdef dict new_order_values(NewOrderRequest request):
    return {
        "wire_id": request.wire_id, "instrument": request.instrument, "side": request.side, "price": request.price,
        "qty": request.qty, "order_type": request.order_type, "tif": request.tif, "exec_instr": request.exec_instr,
        "close_position": request.close_position,
    }


cdef dict cancel_values(CancelOrderRequest request):
    return {"wire_id": request.wire_id, "exchange_id": request.exchange_id, "instrument": request.instrument}


cdef dict report_values(OrderReport report):
    return {
        "wire_id": report.wire_id, "exchange_id": report.exchange_id, "instrument_id": report.instrument_id,
        "side": report.side, "price": report.price, "qty": report.qty, "cum_qty": report.cum_qty,
        "status": report.status, "order_type": report.order_type, "tif": report.tif,
        "exec_instr": report.exec_instr, "cancel_code": report.cancel_code, "reject_code": report.reject_code,
        "reason": report.reason, "venue_ms": report.venue_ms, "recv_ms": report.recv_ms,
    }


cdef str in_words(str name, dict values):
    return f"{name}({', '.join([f'{field}={value!r}' for field, value in values.items()])})"
