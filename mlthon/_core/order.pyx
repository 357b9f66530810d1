"""Order: what is known of one order of a strategy, and how each message about it changes that.

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

cimport cython

from mlthon._core.fixed cimport Price, Qty, qty_from
from mlthon._core.int128 cimport add_overflows, int128

cdef tuple END_NAMES = ("open", "filled", "cancelled", "rejected")


@cython.freelist(64)
cdef class Order:
    """One order, as far as is known. Made by `OrderMgr`, which keeps it up to date; read only.

    >>> from mlthon.basics.defs import Side
    >>> from mlthon.basics.price import Price
    >>> from mlthon.basics.qty import Qty
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

    __module__ = "mlthon.order.order"

    def __init__(self):
        raise TypeError("an Order is made by OrderMgr.prepare_new_order or OrderMgr.add_open_order")

    # -- what it is ------------------------------------------------------------------------------------------

    def get_client_id(self) -> str:
        """Return the strategy's own id of the order."""
        return self.client_id

    def get_exchange_id(self) -> str:
        """Return the venue's id of the order; ``""`` while it is not known."""
        return self.exchange_id

    def get_instrument_id(self):
        """Return the instrument's id; the symbol, if the order was prepared with one."""
        return self.instrument_id

    def get_side(self):
        """Return whether it buys or sells."""
        return self.side

    def get_type(self):
        """Return how it is priced."""
        return self.order_type

    def get_tif(self):
        """Return its time in force."""
        return self.tif

    def get_exec_instructions(self):
        """Return what it must or must not do when it arrives."""
        return self.exec_instr

    def get_attachment(self):
        """Return what was given as `nullable_attachment` when the order was prepared; None if nothing was."""
        return self.attachment

    # -- price and quantity ----------------------------------------------------------------------------------

    def get_price(self) -> Price | None:
        """Return the price the venue has acknowledged, before that the one asked for; None: a market order."""
        return self.price

    def get_leaves_qty(self) -> Qty:
        """Return the quantity that may still trade; zero once the order has ended, never negative.

        It counts from the quantity last acknowledged, before the first ack from the one asked for.
        """
        return qty_from(self.leaves_qty())

    def get_leaves_qty_after_modify_prep(self) -> Qty:
        """Return what `get_leaves_qty` will be if the pending modify is acknowledged."""
        return qty_from(self.leaves_of(self.pending_qty if self.pending_qty else self.qty))

    def get_pending_price(self) -> Price | None:
        """Return the price that the pending new order or modify asks for; None: nothing pending, or unchanged."""
        return self.price if self.new_pending else self.pending_price

    def get_pending_qty(self) -> Qty | None:
        """Return the total quantity that the pending new order or modify asks for, fills included.

        None: nothing is pending, or the modify leaves the quantity unchanged.
        """
        if self.new_pending:
            return qty_from(self.qty)
        return qty_from(self.pending_qty) if self.pending_qty else None

    # -- where it stands -------------------------------------------------------------------------------------

    def is_open(self) -> bool:
        """Tell whether the order may still trade: it has not ended. True from its preparation on."""
        return self.end == OPEN

    def is_cancelled(self) -> bool:
        """Tell whether the order ended by being cancelled."""
        return self.end == CANCELLED

    def is_new_pending(self) -> bool:
        """Tell whether the order awaits its ack or reject."""
        return self.new_pending

    def is_modify_pending(self) -> bool:
        """Tell whether a modify awaits its ack or reject."""
        return self.modify_pending

    def is_cancel_pending(self) -> bool:
        """Tell whether a cancel was prepared that has neither ended the order nor been rejected."""
        return self.cancel_pending

    def has_any_pending_request(self) -> bool:
        """Tell whether the order awaits an answer to a new, modify or cancel request."""
        return self.has_pending_request()

    def __str__(self):
        price = "market" if self.price is None else str(self.price)
        return (f"{self.client_id} {self.side.name} {qty_from(self.qty)} @ {price} of {self.instrument_id},"
                f" leaves {qty_from(self.leaves_qty())}, {standing(self)}")

    def __repr__(self):
        return f"<Order {self}>"

    # -- questions of the manager ----------------------------------------------------------------------------

    cdef int128 cum_qty(self) noexcept:
        """Filled quantity. More than `qty` only when the venue fills more than was ordered."""
        return self.fills_qty if self.fills_qty > self.proven_qty else self.proven_qty

    cdef int128 leaves_qty(self) noexcept:
        return self.leaves_of(self.qty)

    cdef int128 leaves_of(self, int128 qty) noexcept:
        """What of a quantity may still trade."""
        cdef int128 filled = self.cum_qty()
        return qty - filled if self.end == OPEN and qty > filled else 0

    cdef bint has_pending_request(self) noexcept:
        return self.new_pending or self.modify_pending or self.cancel_pending

    # -- requests --------------------------------------------------------------------------------------------

    cdef int prepare_modify(self, Price new_price, int128 new_qty) except -1:
        """Note a modify that is about to be sent; a `new_qty` of zero leaves the quantity as it is."""
        self.modify_pending = True
        self.pending_price = new_price
        self.pending_qty = new_qty
        if new_qty:
            self.was_resized = True
            self.least_qty = min(self.least_qty, new_qty)
        return 0

    # -- messages --------------------------------------------------------------------------------------------

    cdef int apply_ack(self, str exchange_id, Price price, Qty leaves) except -1:
        """The venue took the order. Only the first ack tells price and leaves; later ones are out of date."""
        if not self.exchange_id:
            self.exchange_id = exchange_id
        if not self.new_pending:
            return 0
        self.new_pending = False
        if self.price is not None and price is not None:
            self.price = price
        self.learn_from_ack(leaves)
        return 0

    cdef int apply_reject(self) except -1:
        """The venue refused the order; not to be believed of one that it took, or filled in part."""
        if self.new_pending:
            self.new_pending = False
            if self.cum_qty() == 0:
                self.end_as(REJECTED)
        return 0

    cdef int apply_modify_ack(self, Price new_price, Qty new_qty, Qty leaves) except -1:
        """The venue took the pending modify, with the given values where it tells them, else as asked."""
        if not self.modify_pending:
            return 0
        cdef Price price = self.pending_price if new_price is None else new_price
        cdef int128 qty = self.pending_qty if new_qty is None else new_qty.mantissa
        cdef int128 doubtful_qty = self.doubtful_qty
        self.forget_modify()
        if price is not None:
            self.price = price
        if qty and qty != self.qty:
            self.qty = qty
            self.count_filled(doubtful_qty)
            self.was_resized = True
            self.least_qty = min(self.least_qty, qty)
            self.fills_told = None
            self.nothing_left = False
        self.learn_from_ack(leaves)
        if leaves is None or leaves.mantissa == 0 or self.zero_told:
            self.end_if_filled()
        return 0

    cdef int apply_modify_reject(self) except -1:
        """The venue refused the pending modify; the order stays as it was."""
        if self.modify_pending:
            self.forget_modify()
            self.end_if_filled()
        return 0

    cdef bint apply_fill(self, Qty fill, Qty leaves) except -1:
        """Count a fill; returns whether the order is now known to be filled whole."""
        if leaves is None:
            self.count_filled(fill.mantissa)
        else:
            self.count_fill(fill, leaves)
        if self.end != OPEN:
            return self.end == FILLED or self.cum_qty() >= self.qty
        self.end_if_filled()
        return self.end != OPEN

    cdef int apply_cancelled(self) except -1:
        """The rest of the order is gone, whoever asked for it."""
        if self.end == OPEN:
            self.end_as(CANCELLED)
        return 0

    # -- details ---------------------------------------------------------------------------------------------

    cdef int count_fill(self, Qty fill, Qty leaves) except -1:
        told = (fill, leaves)
        if self.fills_told is None:
            self.fills_told = set()
        if told not in self.fills_told:
            self.fills_told.add(told)
            self.count_filled(fill.mantissa)
        elif self.pending_qty and add_overflows(self.doubtful_qty, fill.mantissa, &self.doubtful_qty):
            raise too_much(self)
        if leaves.mantissa == 0:
            self.nothing_left = self.zero_told = True
        if self.end == OPEN:
            self.proven_qty = max(self.proven_qty, self.least_qty - leaves.mantissa)
        return 0

    cdef int count_filled(self, int128 qty) except -1:
        if add_overflows(self.fills_qty, qty, &self.fills_qty):
            raise too_much(self)
        return 0

    cdef void learn_from_ack(self, Qty leaves) noexcept:
        if leaves is None:
            return
        if leaves.mantissa == 0:      # no proof: an order that was cancelled at once leaves nothing, too
            self.zero_told = True
        else:
            self.proven_qty = max(self.proven_qty, self.qty - leaves.mantissa)

    cdef void end_if_filled(self) noexcept:
        if self.is_filled():
            self.end_as(FILLED)

    cdef bint is_filled(self) noexcept:
        cdef int128 most = max(self.qty, self.pending_qty)
        if self.nothing_left and most == self.qty:
            return True
        if self.cum_qty() < most:
            return False
        return self.zero_told or not (self.was_resized and self.fills_told is not None)

    cdef void forget_modify(self) noexcept:
        self.modify_pending = False
        self.pending_price = None
        self.pending_qty = 0
        self.doubtful_qty = 0

    cdef void end_as(self, End end) noexcept:
        self.end = end
        self.new_pending = False
        self.cancel_pending = False
        self.forget_modify()


cdef Order new_order(str client_id, str exchange_id, object instrument_id, object side, Price price, Qty qty,
                     object order_type, object tif, object exec_instr, object attachment):
    cdef Order order = Order.__new__(Order)
    order.client_id = client_id
    order.exchange_id = exchange_id
    order.instrument_id = instrument_id
    order.side = side
    order.price = price
    order.qty = order.least_qty = qty.mantissa
    order.order_type = order_type
    order.tif = tif
    order.exec_instr = exec_instr
    order.attachment = attachment
    return order


def seen_order(str client_id, str exchange_id, instrument_id, side, Price price, Qty qty, Qty cum_qty, order_type,
               tif, exec_instr, *, bint is_cancel_pending):
    """An open order as a venue shows it; nothing will keep it up to date."""
    cdef Order order = new_order(client_id, exchange_id, instrument_id, side, price, qty, order_type, tif,
                                 exec_instr, None)
    order.proven_qty = cum_qty.mantissa
    order.cancel_pending = is_cancel_pending
    return order


cdef str standing(Order order):
    if order.end != OPEN:
        return END_NAMES[order.end]
    requests = {"new": order.new_pending, "modify": order.modify_pending, "cancel": order.cancel_pending}
    pending = " and ".join([kind for kind, is_pending in requests.items() if is_pending])
    return f"{pending} pending" if pending else "open"


cdef object too_much(Order order):
    return OverflowError(f"{order.client_id}: its fills sum to more than a quantity can be")
