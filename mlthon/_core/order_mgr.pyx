# cython: binding=False, embedsignature=True, embedsignature.format=clinic
# Plain method descriptors are called faster than what Cython makes of methods else.
"""OrderMgr: a strategy's own account of its orders, told of every request before it and every callback after it.

Compiled, because a strategy that quotes calls it half a dozen times an order. What a message means for an order is
in `mlthon._core.order`; here is which order it is about, and which requests are allowed.

Invariants: an order that is known is in `orders`, which holds it, and in one of the chains `open` and `ended`.
"""

from mlthon._core.enums import TIF, ExecInstructions, OrderType, Side

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from mlthon._core.ascii_text cimport numbered_ascii
from mlthon._core.chain cimport Chain, items_of, join, leave
from mlthon._core.fixed cimport Price, Qty
from mlthon._core.id_register cimport IdRegister
from mlthon._core.order cimport OPEN, Order, new_order

cdef enum:
    ENDED_ORDERS_KEPT = 10_000        # for late messages and questions; the oldest are forgotten first

cdef object GTC = TIF.GTC
cdef object LIMIT = OrderType.Limit
cdef object MARKET = OrderType.Market
cdef object NO_INSTRUCTIONS = ExecInstructions.Unset
cdef object SIDES = Side              # the classes, where they are looked at often
cdef object ORDER_TYPES = OrderType
cdef object TIFS = TIF
cdef object EXEC_INSTRUCTIONS = ExecInstructions


cdef class OrderMgr:
    """Keeps the state of a strategy's orders on one exchange, and says which requests that state allows.

    Ask a ``prepare_*`` before each request, and send only what it allows; feed every order callback to the
    ``apply_*`` of its name. Messages may come in any order and more than once: orders never end twice or open
    again, and leaves never go below zero. A client id that is not known is never an error: ``prepare_*`` refuse it,
    ``apply_*`` return False, `apply_order_execution` None. The last 10,000 ended orders stay known.

    Client ids are ``client_id_prefix`` and a number from 1, so a replayed run makes the same ids. Two managers of
    one strategy need different prefixes; the environment refuses a client id it has seen.

    Prices and quantities are `Price`/`Qty`, or str, Decimal or int; a float is a TypeError. An instrument is named
    by its id, in older strategies by its symbol; the manager takes the two for different instruments.

    >>> from mlthon.basics.price import Price
    >>> from mlthon.basics.qty import Qty
    >>> mgr = OrderMgr("demo")
    >>> order = mgr.prepare_new_order(30000000000, Side.Buy, "9226.5", "10")
    >>> mgr.apply_order_execution("demo1", Qty("4"), Qty("6"))  # the fill overtook the ack
    False
    >>> mgr.apply_new_order_ack("demo1", "ex-1", Price("9226.5"), Qty("6"))
    True
    >>> mgr.prepare_cancel_order("demo1"), mgr.prepare_cancel_order("demo1")  # once is enough
    (True, False)
    >>> mgr.apply_order_cancelled("demo1")
    True
    >>> order.is_cancelled(), order.get_leaves_qty(), mgr.get_num_open_orders()
    (True, Qty('0.00000000'), 0)
    """

    __module__ = "mlthon.order.order_mgr"

    cdef str prefix
    cdef bytes ascii_prefix           # the same, or None where it is not ASCII
    cdef unsigned long long last_number
    cdef IdRegister orders            # by client id
    cdef Chain open                   # the oldest first
    cdef Chain ended                  # in the order in which they ended
    cdef dict pending_cancel_alls     # instruments, oldest first; None: all of them
    cdef Order last                   # the one prepared last: most messages are about it

    def __init__(self, client_id_prefix):
        if not isinstance(client_id_prefix, str):
            raise TypeError(f"client_id_prefix: expected a str, got {client_id_prefix!r}")
        self.prefix = client_id_prefix
        self.ascii_prefix = client_id_prefix.encode() if client_id_prefix.isascii() else None
        self.last_number = 0
        self.orders = IdRegister()
        self.pending_cancel_alls = {}

    # -- questions ----------------------------------------------------------------------------------------------

    def get_open_orders(self) -> list:
        """Return the orders that have not ended, oldest first; those awaiting their first ack included."""
        return items_of(&self.open)

    def get_num_open_orders(self) -> int:
        """Return how many orders have not ended; those awaiting their first ack included."""
        return self.open.count

    def get_order_with_client_id(self, client_id):
        """Return the order, open or ended; None when the id is not known, or was forgotten long after its end."""
        return self.find(client_id)

    # -- before a request ---------------------------------------------------------------------------------------

    def prepare_new_order(self, instrument_id=None, side=None, price=None, qty=None, exec_instr=NO_INSTRUCTIONS,
                          order_type=LIMIT, tif=GTC, nullable_attachment=None, *, symbol=None):
        """Register an order about to be sent; returns it, or None while a cancel-all of its instrument is pending.

        Send it with its `get_client_id()`. It counts as open at once, awaiting its ack. `price` is None for
        ``OrderType.Market`` only. `nullable_attachment` is anything to keep with the order. `symbol` is the older
        name of `instrument_id`. Whether price and quantity suit the instrument is not judged here.

        Raises TypeError for a wrong or missing argument, ValueError for a quantity that is not above zero.
        """
        if symbol is not None:
            if instrument_id is not None:
                raise TypeError("give instrument_id or its older name symbol, not both")
            instrument_id = symbol
        check_instrument(instrument_id)
        check_member(SIDES, "side", side)
        check_member(ORDER_TYPES, "order_type", order_type)
        cdef Price limit = price_for(price, order_type)
        cdef Qty amount = positive("qty", qty)
        check_member(TIFS, "tif", tif)
        check_member(EXEC_INSTRUCTIONS, "exec_instr", exec_instr)
        if self.is_cancel_all_pending(instrument_id):
            return None
        cdef Order order = new_order(None, "", instrument_id, side, limit, amount, order_type, tif, exec_instr,
                                     nullable_attachment)
        order.new_pending = True
        while True:
            order.client_id = self.next_client_id()
            if self.keep(order):      # an order added from outside may have the id already
                self.last = order
                return order

    def prepare_modify_order(self, client_id, new_price=None, new_qty=None) -> bool:
        """Register a modify about to be sent; returns whether it may be.

        `new_qty` is the order's whole quantity, fills included; None leaves price or quantity unchanged.

        Refused: an unknown or ended order, one with any request pending, one whose instrument has a cancel-all
        pending, and a quantity that is filled already. Raises ValueError when neither value is given.

        >>> from mlthon.basics.qty import Qty
        >>> mgr = OrderMgr("demo")
        >>> order = mgr.prepare_new_order(30000000000, Side.Sell, "9227", "10")
        >>> mgr.prepare_modify_order("demo1", new_qty="15")  # not before the ack
        False
        >>> mgr.apply_new_order_ack("demo1", "ex-1") and mgr.prepare_modify_order("demo1", new_qty="15")
        True
        >>> mgr.apply_order_execution("demo1", Qty("4"), Qty("6"))
        False
        >>> order.get_leaves_qty(), order.get_leaves_qty_after_modify_prep()
        (Qty('6.00000000'), Qty('11.00000000'))
        """
        if new_price is None and new_qty is None:
            raise ValueError("a modify needs new_price or new_qty, got neither")
        cdef Price price = nullable_price(new_price)
        cdef Qty qty = None if new_qty is None else positive("new_qty", new_qty)
        cdef Order order = self.find(client_id)
        if order is None or order.end != OPEN or order.has_pending_request():
            return False
        if self.is_cancel_all_pending(order.instrument_id):
            return False
        if qty is not None and qty.mantissa <= order.cum_qty():
            return False
        order.prepare_modify(price, 0 if qty is None else qty.mantissa)
        return True

    def prepare_cancel_order(self, client_id) -> bool:
        """Register a cancel about to be sent; returns whether it may be.

        Refused: an unknown or ended order, and one with a cancel pending. An order that awaits its ack, or the
        answer to a modify, may be cancelled: the venue may answer that it does not know it yet, which arrives as a
        reject and allows the next cancel.
        """
        cdef Order order = self.find(client_id)
        if order is None or order.end != OPEN or order.cancel_pending:
            return False
        order.cancel_pending = True
        return True

    def prepare_cancel_all(self, instrument_id=None) -> bool:
        """Register a cancel-all about to be sent, of one instrument or of all; returns whether it may be.

        Until it is answered, new orders and modifies of its instruments are refused, and so is a second one. The
        orders themselves end one by one, by `apply_order_cancelled`.

        >>> mgr = OrderMgr("demo")
        >>> mgr.prepare_cancel_all(30000000000)
        True
        >>> print(mgr.prepare_new_order(30000000000, Side.Buy, "9226.5", "1"))
        None
        >>> mgr.apply_cancel_all_ack(30000000000)
        True
        """
        if instrument_id is not None:
            check_instrument(instrument_id)
        if self.is_cancel_all_pending(instrument_id):
            return False
        self.pending_cancel_alls[instrument_id] = None
        return True

    def add_open_order(self, client_id, exchange_id, instrument_id, side, price, qty, order_type, tif, exec_instr,
                       nullable_attachment=None):
        """Register an order that was open at the venue before this manager; None when its client id is known.

        `qty` is what is still open of it. Better to leave no orders behind when a strategy stops.
        """
        for name, text in (("client_id", client_id), ("exchange_id", exchange_id)):
            if not isinstance(text, str):
                raise TypeError(f"{name}: expected a str, got {text!r}")
        check_instrument(instrument_id)
        check_member(SIDES, "side", side)
        cdef Price limit = Price(price)
        cdef Qty amount = positive("qty", qty)
        check_member(ORDER_TYPES, "order_type", order_type)
        check_member(TIFS, "tif", tif)
        check_member(EXEC_INSTRUCTIONS, "exec_instr", exec_instr)
        cdef Order order = new_order(client_id, exchange_id, instrument_id, side, limit, amount, order_type, tif,
                                     exec_instr, nullable_attachment)
        return order if self.keep(order) else None

    # -- after a callback: new, modify, cancel ------------------------------------------------------------------

    def apply_new_order_ack(self, client_id, exchange_id=None, price=None, leaves_qty=None) -> bool:
        """Take over on_new_order_ack; returns whether the order is known.

        What is left out stays as it was asked for. An ack that comes after fills does not undo them, one that
        comes after the end of the order, or twice, tells no more than the exchange id.
        """
        cdef Price told_price = nullable_price(price)
        cdef Qty leaves = leaves_or_none(leaves_qty)
        cdef Order order = self.find(client_id)
        if order is None:
            return False
        order.apply_ack("" if exchange_id is None else exchange_id, told_price, leaves)
        return self.retire_if_ended(order)

    def apply_new_order_reject(self, client_id) -> bool:
        """Take over on_new_order_reject; returns whether the order is known.

        The order ends, unless it was acknowledged or filled in part: such an order lives, whatever the reject
        was about.
        """
        cdef Order order = self.find(client_id)
        if order is None:
            return False
        order.apply_reject()
        return self.retire_if_ended(order)

    def apply_modify_order_ack(self, client_id, leaves_qty=None, *, new_price=None, new_qty=None) -> bool:
        """Take over on_modify_order_ack; returns whether the order is known.

        Price and quantity are those asked for, unless given. Leaves become the new quantity less all fills, in
        whatever order fills and ack come; an order that has no more to fill then ends as filled. An ack without
        a pending modify, a repeated one say, changes nothing.
        """
        cdef Qty qty = None if new_qty is None else positive("new_qty", new_qty)
        cdef Price price = nullable_price(new_price)
        cdef Qty leaves = leaves_or_none(leaves_qty)
        cdef Order order = self.find(client_id)
        if order is None:
            return False
        order.apply_modify_ack(price, qty, leaves)
        return self.retire_if_ended(order)

    def apply_modify_order_reject(self, client_id) -> bool:
        """Take over on_modify_order_reject: the order stays as it was. Returns whether it is known."""
        cdef Order order = self.find(client_id)
        if order is None:
            return False
        order.apply_modify_reject()
        return self.retire_if_ended(order)

    def apply_cancel_order_ack(self, client_id) -> bool:
        """Take over on_cancel_order_ack; returns whether the order is known.

        The order is still open and its cancel still pending: only `apply_order_cancelled` ends it.
        """
        return self.find(client_id) is not None

    def apply_cancel_order_reject(self, client_id) -> bool:
        """Take over on_cancel_order_reject: the order may be cancelled anew. Returns whether it is known.

        None, as the callback's `nullable_client_id` may be, is the reject of every pending cancel-all.
        """
        if client_id is None:
            return self.apply_cancel_all_reject()
        cdef Order order = self.find(client_id)
        if order is None:
            return False
        order.cancel_pending = False
        return True

    def apply_cancel_all_ack(self, instrument_id=None) -> bool:
        """Take over on_cancel_all_ack: orders may be sent again. Returns whether a cancel-all was pending.

        An instrument's ack answers its own cancel-all, else the first one named in another way: the one of all
        instruments, or one by symbol where the callback brings an id. None answers every one.
        """
        return self.answer_cancel_all(instrument_id)

    def apply_cancel_all_reject(self, instrument_id=None) -> bool:
        """Take over on_cancel_all_reject: orders may be sent again. Returns whether a cancel-all was pending."""
        return self.answer_cancel_all(instrument_id)

    # -- after a callback: what became of an order --------------------------------------------------------------

    def apply_order_execution(self, client_id, fill_qty, nullable_leaves_qty=None):
        """Take over on_order_execution; returns whether the order is filled whole, None when it is not known.

        Pass the callback's leaves: with them a fill told twice counts once, and fills may come in any order.
        Without them every call counts. Zero leaves end the order, unless a modify to a larger quantity is pending,
        whose answer then decides. A fill after the order's end is counted, and opens nothing.

        Raises ValueError for a fill that is not above zero, or leaves below zero.

        >>> from mlthon.basics.qty import Qty
        >>> mgr = OrderMgr("demo")
        >>> order = mgr.prepare_new_order(30000000000, Side.Buy, "9226.5", "10")
        >>> mgr.apply_order_execution("demo1", fill_qty=Qty("10"), nullable_leaves_qty=Qty("0"))
        True
        >>> print(mgr.apply_order_execution("demo2", fill_qty=Qty("10")))
        None
        """
        cdef Qty fill = positive("fill_qty", fill_qty)
        cdef Qty leaves = leaves_or_none(nullable_leaves_qty)
        cdef Order order = self.find(client_id)
        if order is None:
            return None
        is_filled = order.apply_fill(fill, leaves)
        self.retire_if_ended(order)
        return is_filled

    def apply_order_cancelled(self, client_id) -> bool:
        """Take over on_order_cancelled: the order ends, asked for or not. Returns whether it is known."""
        cdef Order order = self.find(client_id)
        if order is None:
            return False
        order.apply_cancelled()
        return self.retire_if_ended(order)

    # -- details ------------------------------------------------------------------------------------------------

    @cython.final
    cdef Order find(self, object client_id):
        if self.last is not None and self.last.client_id is client_id:
            return self.last
        if type(client_id) is str:
            return self.orders.find(client_id)
        return self.orders.find(str.__str__(client_id)) if isinstance(client_id, str) else None

    cdef str next_client_id(self):
        self.last_number += 1
        if self.ascii_prefix is None:
            return f"{self.prefix}{self.last_number}"
        return numbered_ascii(
            PyBytes_AS_STRING(self.ascii_prefix), PyBytes_GET_SIZE(self.ascii_prefix), self.last_number)

    cdef bint keep(self, Order order) except -1:
        """Know an open order from now on; False: its client id is that of another one."""
        if not self.orders.add(order.client_id, order):
            return False
        join(&self.open, &order.place, order)
        return True

    cdef bint retire_if_ended(self, Order order) except -1:
        """Move an order that has ended to those that have; returns True."""
        cdef Order oldest
        if order.end == OPEN or order.retired:
            return True
        order.retired = True
        leave(&self.open, &order.place)
        join(&self.ended, &order.place, order)
        if self.ended.count > ENDED_ORDERS_KEPT:
            oldest = <Order>self.ended.first.item
            leave(&self.ended, &oldest.place)
            self.orders.remove(oldest.client_id)
        return True

    cdef bint is_cancel_all_pending(self, object instrument_id) except -1:
        pending = self.pending_cancel_alls
        return len(pending) > 0 and (instrument_id in pending or None in pending)

    cdef bint answer_cancel_all(self, object instrument_id) except -1:
        pending = self.pending_cancel_alls
        if instrument_id is None:
            answered = list(pending)
        elif instrument_id in pending:
            answered = [instrument_id]
        else:
            answered = [name for name in pending if type(name) is not type(instrument_id)][:1]
        for name in answered:
            del pending[name]
        return len(answered) > 0


# -- arguments ----------------------------------------------------------------------------------------------------


cdef inline int check_instrument(object value) except -1:
    if not isinstance(value, (int, str)) or isinstance(value, bool):
        raise TypeError(f"instrument_id: expected an int or a symbol as str, got {value!r}")
    return 0


cdef inline int check_member(object kind, str name, object value) except -1:
    if type(value) is not kind:
        raise TypeError(f"{name}: expected {kind.__name__}.*, got {value!r}")
    return 0


cdef Price price_for(object value, object order_type):
    if value is None and order_type is not MARKET:
        raise TypeError(f"price: expected a Price, str, Decimal or int for a {order_type.name} order, got None")
    return nullable_price(value)


cdef Price nullable_price(object value):
    return <Price>value if value is None or type(value) is Price else Price(value)


cdef Qty positive(str name, object value):
    if value is None:
        raise TypeError(f"{name}: expected a Qty, str, Decimal or int, got None")
    cdef Qty qty = <Qty>value if type(value) is Qty else Qty(value)
    if qty.mantissa <= 0:
        raise ValueError(f"{name}: expected more than zero, got {qty}")
    return qty


cdef Qty leaves_or_none(object value):
    cdef Qty leaves = <Qty>value if value is None or type(value) is Qty else Qty(value)
    if leaves is not None and leaves.mantissa < 0:
        raise ValueError(f"leaves_qty: expected zero or more, got {leaves}")
    return leaves
