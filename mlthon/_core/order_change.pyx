"""What some markets tell beside levels and trades: `OrderChange` (one displayed order) and `RateUpdate`.

Both are values, checked while they are made.
"""

cimport cython
from libc.stdint cimport int64_t

from mlthon._core.enums cimport side_from, side_index
from mlthon._core.fixed cimport MLDecimal, Price, Qty, mldecimal_from, price_from, qty_from

ACTIONS = ("add", "modify", "delete")
RATES = ("funding", "mark", "index")


@cython.final
@cython.freelist(64)
cdef class OrderChange:
    """A change of one displayed order, where a venue shows them all (L3).

    `action` is ``"add"``, ``"modify"`` or ``"delete"``; an unknown id in the last two is no error but a ghost: the
    recording began after it. `price` and `qty` are whatever `Price` and `Qty` take; an added order has both above 0,
    elsewhere 0 means not told: a modification that keeps its price, a deletion. `is_first` and `is_last` say where
    in its message the change stands; with `is_snapshot` the message is a whole book.

    Raises TypeError for a wrong type and ValueError for a wrong value.

    >>> from mlthon._core.enums import Side
    >>> OrderChange("add", 7, Side.Buy, "9226.5", "0.1")
    <OrderChange add 7 Buy 0.10000000 @ 9226.50000000>
    """

    def __init__(
        self, str action not None, int64_t order_id, side, price="0", qty="0", *, bint is_snapshot=False,
        bint is_first=True, bint is_last=True, int64_t venue_ns=0, int64_t recv_ns=0, int64_t seq=0,
    ):
        cdef Price exact_price = Price(price)
        cdef Qty exact_qty = Qty(qty)
        cdef bint is_add = action == "add"
        if action not in ACTIONS:
            raise ValueError(f"action: expected one of {', '.join(ACTIONS)}, got {action!r}")
        if exact_price.mantissa < is_add or exact_qty.mantissa < is_add:
            raise ValueError(
                f"order {order_id}: expected a price and a qty {'above 0' if is_add else 'of 0 or more'},"
                f" got {exact_price} and {exact_qty}"
            )
        self.action_index = ACTIONS.index(action)
        self.order_id = order_id
        self.side_index = side_index(side)
        self.price_mantissa = exact_price.mantissa
        self.qty_mantissa = exact_qty.mantissa
        self.is_snapshot = is_snapshot
        self.is_first = is_first
        self.is_last = is_last
        self.venue_ns, self.recv_ns, self.seq = venue_ns, recv_ns, seq

    @property
    def action(self):
        """``"add"``, ``"modify"`` or ``"delete"``."""
        return ACTIONS[self.action_index]

    @property
    def side(self):
        """On which side the order rests."""
        return side_from(self.side_index)

    @property
    def price(self):
        """Where it rests; 0: not told."""
        return price_from(self.price_mantissa)

    @property
    def qty(self):
        """What is left of it; 0: not told."""
        return qty_from(self.qty_mantissa)

    def __eq__(self, other):
        if not isinstance(other, OrderChange):
            return NotImplemented
        return order_parts(self) == order_parts(<OrderChange>other)

    def __hash__(self):
        return hash(order_parts(self))

    def __reduce__(self):
        return restore_order_change, order_parts(self)

    def __repr__(self):
        return f"<OrderChange {self.action} {self.order_id} {self.side.name} {self.qty} @ {self.price}>"


@cython.final
@cython.freelist(16)
cdef class RateUpdate:
    """A rate of a perpetual: `kind` is ``"funding"`` (a fraction), ``"mark"`` or ``"index"`` (prices, above 0).

    `due_ns` is when a funding rate is charged next, 0 where the venue does not tell. Raises ValueError for a wrong
    value.

    >>> RateUpdate("funding", "-0.0001", due_ns=1723161600000000000)
    <RateUpdate funding -0.00010000>
    """

    def __init__(self, str kind not None, value, *, int64_t due_ns=0, int64_t venue_ns=0, int64_t recv_ns=0):
        cdef MLDecimal exact = MLDecimal(value)
        if kind not in RATES:
            raise ValueError(f"kind: expected one of {', '.join(RATES)}, got {kind!r}")
        if kind != "funding" and exact.mantissa <= 0:
            raise ValueError(f"{kind} price: expected more than 0, got {exact}")
        self.kind_index = RATES.index(kind)
        self.mantissa = exact.mantissa
        self.due_ns, self.venue_ns, self.recv_ns = due_ns, venue_ns, recv_ns

    @property
    def kind(self):
        """``"funding"``, ``"mark"`` or ``"index"``."""
        return RATES[self.kind_index]

    @property
    def value(self):
        """The fraction or the price, exact."""
        return mldecimal_from(self.mantissa)

    def __eq__(self, other):
        if not isinstance(other, RateUpdate):
            return NotImplemented
        return rate_parts(self) == rate_parts(<RateUpdate>other)

    def __hash__(self):
        return hash(rate_parts(self))

    def __reduce__(self):
        return restore_rate_update, rate_parts(self)

    def __repr__(self):
        return f"<RateUpdate {self.kind} {self.value}>"


cdef tuple order_parts(OrderChange change):
    return (
        change.action, change.order_id, change.side, change.price, change.qty,
        change.is_snapshot, change.is_first, change.is_last, change.venue_ns, change.recv_ns, change.seq,
    )


cdef tuple rate_parts(RateUpdate rate):
    return rate.kind, rate.value, rate.due_ns, rate.venue_ns, rate.recv_ns


def restore_order_change(
    action, order_id, side, price, qty, is_snapshot, is_first, is_last, venue_ns, recv_ns, seq,
):
    """Rebuild a pickled `OrderChange`."""
    return OrderChange(
        action, order_id, side, price, qty, is_snapshot=is_snapshot, is_first=is_first, is_last=is_last,
        venue_ns=venue_ns, recv_ns=recv_ns, seq=seq,
    )


def restore_rate_update(kind, value, due_ns, venue_ns, recv_ns):
    """Rebuild a pickled `RateUpdate`."""
    return RateUpdate(kind, value, due_ns=due_ns, venue_ns=venue_ns, recv_ns=recv_ns)
