# cython: binding=False, embedsignature=True, embedsignature.format=clinic
# Plain method descriptors are called faster than what Cython makes of methods else.
"""The short way of order requests: those with which nothing is wrong go straight to their desk.

Whether anything is wrong, or out of the ordinary, is all that is judged here; what it is, and what to tell the
strategy, is found by the Python code behind (`mlthon.engine.order_entry`), which every other request takes, and to
which the answers of this module must agree.

Invariants: nothing has happened to a request that is given to the long way; a route is never older than the
instruments it was made of.
"""

from mlthon._core.enums import TIF, ExecInstructions, OrderType, Side

cimport cython
from mlthon._core.ascii_text cimport PyUnicode_DATA, PyUnicode_GET_LENGTH
from mlthon._core.fixed cimport MLDecimal, Price, Qty
from mlthon._core.int128 cimport INT128_MAX, int128, mul_scaled_overflows
from mlthon._core.order_messages cimport NewOrderRequest
from mlthon._core.order_story cimport DeskOrder, OrderStory
from mlthon._core.text_hash cimport PyUnicode_KIND
from mlthon._core.wire_ids cimport WireIds

cdef extern from "Python.h":
    unsigned long PyThread_get_thread_ident() noexcept
    unsigned int PyUnicode_READ(int kind, const void *characters, Py_ssize_t index) noexcept

cdef enum:
    MAX_CLIENT_ID = 128
    MAX_INT64_DIGITS = 18

cdef object BUY = Side.Buy
cdef object SELL = Side.Sell
cdef object LIMIT = OrderType.Limit
cdef object GTC = TIF.GTC
cdef object NO_INSTRUCTIONS = ExecInstructions.Unset
cdef object NO_TYPE = OrderType.Unset
cdef object NO_TIF = TIF.Unset
cdef object TIFS = TIF                 # the classes, where they are looked at often
cdef object EXEC_INSTRUCTIONS = ExecInstructions


@cython.final
cdef class OrderRules:
    """An instrument's rules for new orders, as integers; None where there is no such rule.

    ``worth_qty``: an order is worth its quantity, as of inverse contracts, not its price x qty.

    >>> from mlthon._core.fixed import MLDecimal, Price, Qty
    >>> rules = OrderRules(None, tick=Price("0.5"), lot=Qty("0.1"), min_notional=MLDecimal("5"))
    >>> rules.are_kept(Price("9226.5"), Qty("0.1")), rules.are_kept(Price("9226.4"), Qty("0.1"))
    (True, False)
    """

    def __init__(self, instrument, *, Price tick=None, Qty lot=None, Qty min_qty=None, Qty max_qty=None,
                 MLDecimal min_notional=None, bint worth_qty=False):
        self.instrument = instrument
        self.tick = 1 if tick is None else tick.mantissa
        self.lot = 1 if lot is None else lot.mantissa
        self.min_qty = 1 if min_qty is None else min_qty.mantissa
        self.max_qty = INT128_MAX if max_qty is None else max_qty.mantissa
        self.min_notional = 0 if min_notional is None else min_notional.mantissa
        self.worth_qty = worth_qty

    def are_kept(self, Price price not None, Qty qty not None, *, bint closes=False) -> bool:
        """Whether a limit order keeps every rule; one that ``closes`` a position may be worth less than the least."""
        return self.keeps(price.mantissa, qty.mantissa, closes)

    cdef bint keeps(self, int128 price, int128 qty, bint closes) noexcept:
        cdef int128 notional = qty
        if price <= 0 or price % self.tick != 0:
            return False
        if qty <= 0 or qty % self.lot != 0 or not self.min_qty <= qty <= self.max_qty:
            return False
        if closes or self.min_notional == 0:
            return True
        if not self.worth_qty and mul_scaled_overflows(price, qty, &notional):
            return False
        return notional >= self.min_notional


cdef class SendPermit:
    """Whether a strategy's requests may be sent; its session is one."""


cdef class Versioned:
    """What changes now and then, and counts its changes in ``version``; the table of instruments is one."""


@cython.final
cdef class Route:
    """What one name of an instrument leads to: where its orders go, and what they must keep."""

    cdef object exchange
    cdef OrderStory desk
    cdef OrderRules rules
    cdef object ref                    # the name
    cdef Route next                    # where the same name leads on another exchange, or None


cdef class PlainRequests:
    """The ordinary requests of one strategy, on the short way; a subclass has the long one for all others.

    ``session`` tells whether requests pass, a gateway's ``status`` is ``ready`` when it takes them, and
    ``instruments`` whether any of them has changed; all are asked at every request. Where ``is_recorded``,
    ``record(name, **arguments)`` writes requests down. ``desks`` are those of all exchanges. Routes are learned from
    the long way (`learn`): an instrument that could be traded once can be until it changes.
    """

    cdef readonly WireIds wire_ids
    cdef public long long requests     # new orders asked for
    cdef SendPermit session
    cdef Versioned instruments
    cdef object ready, record
    cdef dict desks
    cdef bint is_recorded
    cdef unsigned long thread          # the one that may send
    cdef dict routes                   # by the name that strategies use
    cdef Route last                    # the one taken last
    cdef long long version             # of the instruments they were made of

    def __init__(self, SendPermit session not None, dict desks not None, Versioned instruments not None,
                 WireIds wire_ids not None, ready, record, *, bint is_recorded):
        self.session = session
        self.desks = desks
        self.instruments = instruments
        self.ready = ready
        self.wire_ids = wire_ids
        self.record = record
        self.is_recorded = is_recorded
        self.thread = PyThread_get_thread_ident()
        self.routes = {}

    def learn(self, exchange, ref, OrderStory desk not None, OrderRules rules not None):
        """Remember what a name leads to: the desk of its exchange, and the rules of a tradable instrument."""
        cdef Route route
        if is_name(ref) and self.find_route(exchange, ref) is None:
            route = Route.__new__(Route)
            route.exchange, route.ref, route.desk, route.rules = exchange, ref, desk, rules
            route.next = self.routes.get(ref)
            self.routes[ref] = route

    # -- requests ----------------------------------------------------------------------------------------------

    cdef object new(self, object client_id, object exchange, object ref, object side, object price, object qty,
                    object exec_instr, object ord_type, object tif, object close_position):
        """Send a new order, or post its reject; returns the number in the client id."""
        cdef Route route = self.open_route(exchange, ref)
        cdef str own_id = None if route is None else self.unused_id(route.desk, client_id)
        cdef NewOrderRequest request = None
        if own_id is not None:
            request = self.plain_request(route, side, price, qty, exec_instr, ord_type, tif, close_position)
        if request is None:
            return self.new_checked(
                client_id, exchange, ref, side, price, qty, exec_instr, ord_type, tif, close_position)
        self.requests += 1
        if self.is_recorded:
            self.record(
                "send_new_order", client_id=own_id, exchange=exchange, instrument_id=ref, side=side, price=price,
                qty=qty, exec_instr=request.exec_instr, ord_type=LIMIT, time_in_force=request.tif,
                close_position=close_position, wire_id=request.wire_id)
        route.desk.send_new_order(own_id, request)
        return self.number(own_id)

    cdef int cancel(self, object exchange, object ref, object client_id) except -1:
        """Ask to cancel one order, or post the reject."""
        cdef Route route = self.open_route(exchange, ref)
        cdef DeskOrder order = None
        if route is not None and type(client_id) is str:
            order = route.desk.order_of(client_id)
        if order is None or order.ended or order.cancel_pending or order.instrument is not route.rules.instrument:
            self.cancel_checked(exchange, ref, client_id)
            return 0
        if self.is_recorded:
            self.record("send_cancel_order", exchange=exchange, instrument_id=ref, client_ord_id=client_id)
        return route.desk.send_cancel_order(order)

    def number_in(self, str client_id not None) -> int:
        """The digits at the end of an id as a number; of an id without any, the number of the request."""
        return self.number(client_id)

    cdef object number(self, str client_id):
        cdef Py_ssize_t size = PyUnicode_GET_LENGTH(client_id)
        cdef Py_ssize_t start = size
        cdef int kind = PyUnicode_KIND(client_id)
        cdef const void *characters = PyUnicode_DATA(client_id)
        cdef long long number = 0
        cdef long long unit = 1
        cdef unsigned int digit
        while start > 0:
            digit = PyUnicode_READ(kind, characters, start - 1) - c"0"
            if digit > 9:
                break
            start -= 1
            if size - start > MAX_INT64_DIGITS:
                return int(ending_digits(client_id))
            number += digit * unit
            unit *= 10
        return self.requests if start == size else number

    # -- is anything wrong? ------------------------------------------------------------------------------------

    cdef Route open_route(self, object exchange, object ref):
        """The route of a name, while requests may take it; else None."""
        if not is_name(ref) or not self.session.may_send or PyThread_get_thread_ident() != self.thread:
            return None
        cdef Route route = self.find_route(exchange, ref)
        return None if route is None or route.desk.requests.status_now() is not self.ready else route

    cdef str unused_id(self, OrderStory desk, object client_id):
        """The id of a new order as text, or None where the long way has to judge it."""
        cdef OrderStory other
        if client_id is None:
            client_id = f"{self.requests + 1}"
            for other in self.desks.values():
                if other.by_client_id.find(client_id) is not None:
                    return None
        elif type(client_id) is int:
            client_id = str(client_id)
        if type(client_id) is not str or not 0 < len(<str>client_id) <= MAX_CLIENT_ID:
            return None
        return client_id if desk.by_client_id.find(client_id) is None else None

    cdef NewOrderRequest plain_request(self, Route route, object side, object price, object qty, object exec_instr,
                                       object ord_type, object tif, object close_position):
        """The request for a limit order with which nothing is wrong, with a wire id; else None."""
        cdef OrderRules rules = route.rules
        if side is not BUY and side is not SELL:
            return None
        if close_position is not True and close_position is not False:
            return None
        if ord_type is not None and ord_type is not LIMIT and ord_type is not NO_TYPE:
            return None
        if tif is None or tif is NO_TIF:
            tif = GTC
        if exec_instr is None:
            exec_instr = NO_INSTRUCTIONS
        if type(tif) is not TIFS or type(exec_instr) is not EXEC_INSTRUCTIONS:
            return None
        if type(price) is not Price or type(qty) is not Qty:
            try:
                price, qty = plain_value(Price, price), plain_value(Qty, qty)
            except (ValueError, OverflowError):
                return None
            if price is None or qty is None:
                return None
        if not rules.keeps((<Price>price).mantissa, (<Qty>qty).mantissa, close_position is True):
            return None
        cdef NewOrderRequest request = NewOrderRequest.__new__(NewOrderRequest)
        request.wire_id, request.instrument, request.side = self.wire_ids.next_id(), rules.instrument, side
        request.price, request.qty = price, qty
        request.order_type, request.tif, request.exec_instr = LIMIT, tif, exec_instr
        request.close_position = close_position is True
        return request

    # -- details -----------------------------------------------------------------------------------------------

    cdef Route find_route(self, object exchange, object ref):
        cdef Route route
        if self.version != self.instruments.version:
            self.version = self.instruments.version
            self.routes.clear()
            self.last = None
            return None
        if self.last is not None and self.last.ref is ref and self.last.exchange is exchange:
            return self.last
        route = self.routes.get(ref)
        while route is not None and route.exchange is not exchange:
            route = route.next
        if route is not None:
            self.last = route
        return route


cdef class OrderRequests:
    """What a strategy calls most often of its environment, which is a subclass: straight into its `orders`."""

    cdef public PlainRequests orders

    def send_new_order(self, client_id, exchange, instrument_id=None, side=None, price=None, qty=None,
                       exec_instr=None, ord_type=None, time_in_force=None, close_position=False, *, symbol=None):
        """Send a new order; see `mlthon.api.istrat_env.IStratEnv`."""
        if instrument_id is None:
            instrument_id = symbol
        elif symbol is not None:
            raise TypeError("send_new_order: expected instrument_id or symbol, got both")
        if instrument_id is None or side is None or qty is None:
            given = {"instrument_id": instrument_id, "side": side, "qty": qty}
            missing = [name for name, value in given.items() if value is None]
            raise TypeError(f"send_new_order: expected {' and '.join(missing)}, got None")
        return self.orders.new(client_id, exchange, instrument_id, side, price, qty, exec_instr, ord_type,
                               time_in_force, close_position)

    def send_cancel_order(self, exchange, instrument_id, client_ord_id):
        """Ask to cancel one order; see `mlthon.api.istrat_env.IStratEnv`."""
        self.orders.cancel(exchange, instrument_id, client_ord_id)


cdef str ending_digits(str text):
    return text[len(text.rstrip("0123456789")):]


cdef inline bint is_name(object ref) noexcept:
    """Whether it names an instrument in the usual way, by its id, name or symbol."""
    return type(ref) is int or type(ref) is str


cdef object plain_value(object kind, object value):
    """A price or a quantity as such; None for what may not be given as one."""
    if type(value) is kind:
        return value
    return kind(value) if type(value) is str or type(value) is int else None
