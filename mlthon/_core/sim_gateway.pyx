"""The busy part of a backtest's gateway: new orders and cancels on their way to the exchange, and its answers.

Nothing overtakes on either way: what is sent later arrives later, or at the same moment and behind. Orders that are
not plain, and all other requests, are carried out by a subclass, over the same two ways.
"""

from mlthon._core.enums import CancelCode, ExecInstructions, GtwRejectCode, OrderStatus, OrderType, RequestKind, TIF
from mlthon._core.order_messages import OrderReport
from mlthon._core.sim_order import EndReason, OrderState

cimport cython
from libc.stdint cimport int64_t

from mlthon._core.fixed cimport Price, Qty, price_from
from mlthon._core.funds cimport Funds
from mlthon._core.order_messages cimport fields_of, named
from mlthon._core.plain_exchange cimport PlainExchange
from mlthon._core.replay cimport MarketView, Replay
from mlthon._core.request_limits cimport Allowance, RequestLimits
from mlthon._core.sim_order cimport (
    ACCOUNT, CUM_QTY, END_REASON, LINK_ID, ORDER_ID, ORDER_TYPE, POST_ONLY, PRICE, QTY, SIDE, STATE, SYMBOL,
    TIME_IN_FORCE, UPDATED_NS,
)

cdef enum:
    NS_PER_MS = 1_000_000

cdef object NEW_ORDER = RequestKind.NewOrder
cdef object CANCEL_ORDER = RequestKind.CancelOrder
cdef object LIMIT = OrderType.Limit
cdef object GTC = TIF.GTC
cdef object ONLY_POST = ExecInstructions.PostOnly
cdef object NO_INSTRUCTIONS = ExecInstructions.Unset
cdef Price NO_PRICE = price_from(0)

# By the values of OrderState, and of EndReason, which begin at -1.
cdef tuple STATUSES = (None, OrderStatus.New, OrderStatus.PartiallyFilled, OrderStatus.Filled, OrderStatus.Cancelled,
                       OrderStatus.Rejected)
cdef object CANCELLED = OrderStatus.Cancelled
cdef object REJECTED = OrderStatus.Rejected
cdef object CROSSED = EndReason.PostOnlyWouldCross
cdef object BY_USER = EndReason.ByUser
cdef object SELF_TRADE = EndReason.SelfTrade
cdef object NO_CODE = CancelCode.Unset
cdef object CANCELLED_BY_USER = CancelCode.CanceledByUser
cdef object SELF_TRADE_PREVENTED = CancelCode.SelfTradePrevention
cdef object WOULD_CROSS = GtwRejectCode.PostOnlyWouldCross
cdef object OTHER = GtwRejectCode.Other
cdef tuple END_REASONS = (
    "",
    "CancelByUser/EC_PerCancelRequest",
    "EC_PostOnlyWillTakeLiquidity",
    "EC_NoImmediateQtyToFill",
    "EC_CancelForNoFullFill",
    "CancelByReduceOnly/EC_Others",
    "CancelBySmp/EC_BySelfMatch",
    "EC_CancelForNoFullFill",
    "EC_NoEnoughQtyToFill",
    "CancelAllBeforeLiq/EC_Others",
)

assert tuple([reason.value + 1 for reason in EndReason]) == tuple(range(len(END_REASONS)))
assert tuple([state.value for state in OrderState]) == tuple(range(1, len(STATUSES)))


def order_report(order, instrument_id, int64_t recv_ns):
    """An order's state, as connectors report it.

    One that was rejected after it had traded is cancelled: a rejection has no fills.
    """
    return report_of(fields_of(order), instrument_id, recv_ns)


cdef tuple report_of(tuple order, object instrument_id, int64_t recv_ns):
    cdef object reason = order[END_REASON]
    cdef object status = STATUSES[order[STATE]._value_]
    cdef bint has_fills = (<Qty?>order[CUM_QTY]).mantissa != 0
    cdef bint is_post_only = order[POST_ONLY]
    cdef object cancel_code = NO_CODE
    cdef int64_t updated_ns = order[UPDATED_NS]
    if status is CANCELLED and reason is CROSSED and not has_fills:
        status = REJECTED
    elif status is REJECTED and has_fills:
        status = CANCELLED
    if status is CANCELLED:
        if reason is BY_USER:
            cancel_code = CANCELLED_BY_USER
        elif reason is SELF_TRADE:
            cancel_code = SELF_TRADE_PREVENTED
    return named(OrderReport, (
        order[LINK_ID], str(order[ORDER_ID]), instrument_id, order[SIDE],
        NO_PRICE if order[PRICE] is None else order[PRICE], order[QTY], order[CUM_QTY], status, order[ORDER_TYPE],
        GTC if is_post_only else order[TIME_IN_FORCE], ONLY_POST if is_post_only else NO_INSTRUCTIONS, cancel_code,
        WOULD_CROSS if reason is CROSSED else OTHER, END_REASONS[<int>reason._value_ + 1], updated_ns // NS_PER_MS,
        recv_ns // NS_PER_MS))


@cython.final
cdef class Way:
    """One direction of a connection; ``delay`` is asked ``next_ns(now_ns)`` for each message.

    A delay that is always the same says so in ``constant_ns``, and is asked once.
    """

    def __init__(self, Replay replay not None, delay):
        constant_ns = getattr(delay, "constant_ns", None)
        self.replay = replay
        self.delay = delay if constant_ns is None else None
        self.delay_ns = 0 if constant_ns is None else constant_ns

    def send(self, function, *args):
        """Let something arrive at the other end."""
        self.put(function, args)

    cdef int put(self, object function, tuple args) except -1:
        cdef int64_t now_ns = self.replay.clock.ns
        cdef int64_t due_ns = now_ns + (self.delay_ns if self.delay is None else <int64_t>self.delay.next_ns(now_ns))
        self.last_ns = due_ns if due_ns > self.last_ns else self.last_ns
        return self.replay.add_private(self.last_ns, function, args)


@cython.final
cdef class Listed:
    """An instrument, as a gateway's requests name it."""


cdef class SimGateway:
    """New orders and cancels of one account at a simulated exchange, both ways.

    ``instruments`` are those of the exchange, by its symbols. The subclass has ``place(request)`` and
    ``cancel(request)``, which carry out and answer what is not plain; ``cancels``, whose ``waiting`` is true while
    cancels wait, ``send_cancels(requests)`` for those that have to, and ``drop_cancels(order)`` for those of an order
    that has ended; and ``refuse_here(kind, wire_id, reason)`` for what is not to be sent.
    """

    def __init__(self, PlainExchange exchange not None, Funds account not None, dict instruments not None,
                 Replay replay not None, RequestLimits limits not None, Way there not None, Way back not None,
                 feed):
        cdef Listed listed
        self.feed = feed
        self.exchange = exchange
        self.account = account
        self.replay = replay
        self.limits = limits
        self.there = there
        self.back = back
        self.filled = set()
        self.by_instrument = {}
        self.by_symbol = {}
        for symbol, instrument in instruments.items():
            listed = Listed.__new__(Listed)
            listed.instrument, listed.symbol = instrument, symbol
            listed.number = instrument.get_instrument_id()
            listed.is_spot = exchange.markets[symbol].is_spot
            self.by_symbol[symbol] = self.by_instrument[listed.number] = listed

    def listen(self, listener):
        """Say who listens; called once, before anything else."""
        self.listener = listener
        self.report, self.accepted = listener.on_order_report, listener.on_request_accepted
        self.send_arrived, self.cancel_sent_arrived = self.new_arrived, self.cancel_arrived
        self.order_told = self.order_arrived

    # -- requests ----------------------------------------------------------------------------------------------

    def send_new(self, request):
        """Send a new order, or refuse it here when the venue would for its number."""
        cdef int64_t now_ns = self.replay.clock.ns
        cdef bint is_spot = self.listed(fields_of(request)[1]).is_spot
        cdef str reason = self.limits.take_one(NEW_ORDER, now_ns, is_spot)
        if reason is None:
            self.there.put(self.send_arrived, (request,))
        else:
            self.refuse_here(NEW_ORDER, request.wire_id, reason)

    def send_cancel(self, request):
        """Send a cancel when its turn has come: at once, where none waits and there is room."""
        cdef Listed listed = self.listed(fields_of(request)[2])
        cdef Allowance own = self.limits.limits_of(CANCEL_ORDER, listed.is_spot, False).own
        if self.cancels.waiting or not own.take_some(self.replay.clock.ns, 1):
            self.send_cancels([request])
        else:
            self.there.put(self.cancel_sent_arrived, (request,))

    def new_arrived(self, request):
        """A new order has reached the exchange."""
        (wire_id, instrument, side, price, qty, order_type, tif, exec_instr, closes) = fields_of(request)
        cdef Listed listed = self.listed(instrument)
        cdef tuple placed = None
        self.usage = self.limits.count_arrived(NEW_ORDER, self.replay.clock.ns, listed.is_spot, 0)
        if order_type is LIMIT and not closes:
            placed = self.exchange.place_limit(
                self.account, listed.symbol, wire_id, side, price, qty, tif, exec_instr is ONLY_POST)
        if placed is None:
            self.place(request)
        else:
            self.accept(NEW_ORDER, wire_id, placed)
        self.tell_usage()

    def cancel_arrived(self, request):
        """A cancel has reached the exchange."""
        (wire_id, _, instrument) = fields_of(request)
        cdef Listed listed = self.listed(instrument)
        cdef tuple ended
        self.usage = self.limits.count_arrived(CANCEL_ORDER, self.replay.clock.ns, listed.is_spot, 0)
        ended = self.exchange.cancel_open(self.account, listed.symbol, wire_id)
        if ended is None:
            self.cancel(request)
        else:
            self.accept(CANCEL_ORDER, wire_id, ended)
        self.tell_usage()

    def count_arrived(self, kind, int64_t now_ns, *, bint is_spot, Py_ssize_t batch):
        """Count a request that has reached the exchange; how far the limit is used is told with its answer."""
        self.usage = self.limits.count_arrived(kind, now_ns, is_spot, batch)

    # -- answers -----------------------------------------------------------------------------------------------

    def tell_usage(self):
        """Tell how far a rate limit is used, if that is news: venues say so with the answer."""
        if self.usage is not None:
            usage, self.usage = self.usage, None
            self.back.put(self.listener.on_rate_limit, usage)

    def on_order(self, order):
        """The exchange tells of an order: send the report."""
        cdef tuple fields = fields_of(order)
        if fields[ACCOUNT] != self.account.name:
            return
        self.back.put(self.order_told, (order,))
        if self.filled and fields[ORDER_ID] in self.filled:
            self.filled.discard(fields[ORDER_ID])     # the position follows by itself
        elif not (<Listed>self.by_symbol[fields[SYMBOL]]).is_spot:
            self.follow_position(fields[SYMBOL])

    def follow_position(self, str symbol not None):
        """Tell a position when it changes, and with the first order: venues tell it far more often."""
        cdef Listed listed = self.by_symbol[symbol]
        cdef Qty size = self.account.purse.positions[symbol].size
        if listed.told_size is None or listed.told_size.mantissa != size.mantissa:
            listed.told_size = size
            self.back.put(self.listener.on_position, (listed.instrument, size))

    def on_depth(self, symbol, update):
        """The exchange tells what it displays: send it to who sees that."""
        cdef MarketView view = self.feed.views.get(symbol)
        if view is not None:
            if view.is_lost:
                self.feed.on_depth(symbol, update)
            else:
                self.replay.send_change(view, update)

    def order_arrived(self, order):
        """A report of an order has reached the strategy's side."""
        cdef tuple fields = fields_of(order)
        cdef Listed listed = self.by_symbol[fields[SYMBOL]]
        if self.cancels.waiting and not fields[STATE].is_open:
            self.drop_cancels(order)
        self.report(report_of(fields, listed.number, self.replay.clock.ns))

    cdef int accept(self, object kind, object wire_id, tuple order) except -1:
        if self.usage is not None:
            self.tell_usage()
        return self.back.put(self.accepted, (kind, wire_id, str(order[ORDER_ID])))

    cdef Listed listed(self, object instrument):
        if self.last is None or self.last.instrument is not instrument:
            self.last = self.by_instrument[instrument.get_instrument_id()]
        return self.last
