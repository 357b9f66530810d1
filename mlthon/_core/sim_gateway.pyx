"""The busy part of a backtest's gateway: new orders and cancels on their way to the exchange, and its answers.

Nothing overtakes on either way: what is sent later arrives later, or at the same moment and behind. Orders that are
not plain, and all other requests, are carried out by a subclass, over the same two ways.
"""

from mlthon._core.enums import CancelCode, ExecInstructions, GtwRejectCode, OrderStatus, OrderType, RequestKind, TIF

cimport cython
from cpython.object cimport PyObject
from libc.stdint cimport int64_t

from mlthon._core.fixed cimport Price, Qty, price_from
from mlthon._core.funds cimport Funds
from mlthon._core.order_messages cimport CancelOrderRequest, NewOrderRequest, OrderReport
from mlthon._core.order_story cimport OrderStory
from mlthon._core.plain_exchange cimport PlainExchange
from mlthon._core.python_call cimport Py_REFCNT
from mlthon._core.recipient cimport (
    CALL, CANCEL_ARRIVED, DEPTH, FILL, FUNDING, NEW_ARRIVED, ORDER, ORDER_ARRIVED, POSITION, TRADE, WALLET,
    CompiledGateway, Recipient,
)
from mlthon._core.replay cimport MarketView, Replay
from mlthon._core.request_limits cimport Allowance, RequestLimits
from mlthon._core.sim_order cimport (
    BEFORE_LIQUIDATION, BY_USER, IS_CANCELLED, IS_REJECTED, NOT_ENDED, SELF_TRADE, WOULD_CROSS, SimOrder,
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

# By the codes of states, and of the reasons of ends.
cdef tuple STATUSES = (None, OrderStatus.New, OrderStatus.PartiallyFilled, OrderStatus.Filled, OrderStatus.Cancelled,
                       OrderStatus.Rejected)
cdef object NO_CODE = CancelCode.Unset
cdef object CANCELLED_BY_USER = CancelCode.CanceledByUser
cdef object SELF_TRADE_PREVENTED = CancelCode.SelfTradePrevention
cdef object POST_ONLY_WOULD_CROSS = GtwRejectCode.PostOnlyWouldCross
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

assert len(STATUSES) == IS_REJECTED + 1
assert len(END_REASONS) == BEFORE_LIQUIDATION - NOT_ENDED + 1


def order_report(SimOrder order not None, instrument_id, int64_t recv_ns):
    """An order's state, as connectors report it.

    One that was rejected after it had traded is cancelled: a rejection has no fills.
    """
    cdef OrderReport report = OrderReport.__new__(OrderReport)
    write_report(report, order, instrument_id, recv_ns)
    return report


cdef int write_report(OrderReport report, SimOrder order, object instrument_id, int64_t recv_ns) except -1:
    cdef int state = order.state_code
    cdef int reason = order.reason_code
    cdef bint has_fills = order.cum_qty.mantissa != 0
    if state == IS_CANCELLED and reason == WOULD_CROSS and not has_fills:
        state = IS_REJECTED
    elif state == IS_REJECTED and has_fills:
        state = IS_CANCELLED
    report.cancel_code = NO_CODE
    if state == IS_CANCELLED:
        if reason == BY_USER:
            report.cancel_code = CANCELLED_BY_USER
        elif reason == SELF_TRADE:
            report.cancel_code = SELF_TRADE_PREVENTED
    report.wire_id, report.exchange_id, report.instrument_id = order.link_id, order.exchange_id(), instrument_id
    report.side, report.order_type, report.status = order.side, order.order_type, STATUSES[state]
    report.price = NO_PRICE if order.price is None else order.price
    report.qty, report.cum_qty = order.qty, order.cum_qty
    report.tif = GTC if order.post_only else order.tif
    report.exec_instr = ONLY_POST if order.post_only else NO_INSTRUCTIONS
    report.reject_code = POST_ONLY_WOULD_CROSS if reason == WOULD_CROSS else OTHER
    report.reason = END_REASONS[reason - NOT_ENDED]
    report.venue_ms, report.recv_ms = order.updated_ns // NS_PER_MS, recv_ns // NS_PER_MS
    return 0


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
        self.put(self.replay.caller, CALL, function, args)

    cdef int put(self, Recipient recipient, int what, object first, object second) except -1:
        self.pass_unheard()
        return self.replay.add_private(self.last_ns, recipient, what, first, second)

    cdef int pass_unheard(self) except -1:
        """Send what need not be delivered: it only holds up what comes behind it."""
        cdef int64_t now_ns = self.replay.clock.ns
        cdef int64_t due_ns = now_ns + (self.delay_ns if self.delay is None else <int64_t>self.delay.next_ns(now_ns))
        self.last_ns = due_ns if due_ns > self.last_ns else self.last_ns
        return 0


@cython.final
cdef class Listed:
    """An instrument, as a gateway's requests name it."""


cdef class SimGateway(CompiledGateway):
    """New orders and cancels of one account at a simulated exchange, both ways.

    ``instruments`` are those of the exchange, by its symbols. The subclass has ``place(request)`` and
    ``cancel(request)``, which carry out and answer what is not plain; ``send_cancels(requests)`` for those that have
    to wait, which it keeps in ``waiting_cancels``, and ``drop_cancels(order)`` for those of an order that has ended;
    and ``refuse_here(kind, wire_id, reason)`` for what is not to be sent. It listens to the exchange,
    except to orders and depth, of which it is told here.
    """

    def __init__(self, PlainExchange exchange not None, Funds account not None, dict instruments not None,
                 Replay replay not None, RequestLimits limits not None, Way there not None, Way back not None,
                 feed):
        cdef Listed listed
        self.feed = feed
        self.views = feed.views
        self.exchange = exchange
        self.account = account
        self.replay = replay
        self.limits = limits
        self.there = there
        self.back = back
        self.filled = set()
        self.scratch = OrderReport.__new__(OrderReport)
        self.by_instrument = {}
        self.by_symbol = {}
        for symbol, instrument in instruments.items():
            listed = Listed.__new__(Listed)
            listed.instrument, listed.symbol = instrument, symbol
            listed.number = instrument.get_instrument_id()
            listed.market = exchange.markets[symbol]
            listed.exposure = account.exposures[symbol]
            listed.news = limits.limits_of(NEW_ORDER, listed.market.is_spot, False)
            listed.cancels = limits.limits_of(CANCEL_ORDER, listed.market.is_spot, False)
            self.by_symbol[symbol] = self.by_instrument[listed.number] = listed

    def listen(self, OrderStory listener not None):
        """Say who listens; called once, before anything else."""
        self.listener = listener

    cdef int receive(self, int what, object first, object second) except -1:
        if what == NEW_ARRIVED:
            self.new_arrived(<NewOrderRequest>first)
        elif what == CANCEL_ARRIVED:
            self.cancel_arrived(<CancelOrderRequest>first)
        elif what == ORDER_ARRIVED:
            self.order_arrived(<SimOrder>first)
        elif what == ORDER:
            self.report_order(<SimOrder>first)
        else:
            self.hear(what, first, second)
        return 0

    cdef int hear(self, int what, object first, object second) except -1:
        """The exchange tells something, other than of an order."""
        if what == DEPTH:
            self.show_depth(first, second)
        elif what == FILL:
            self.on_fill(first)
        elif what == FUNDING:
            self.on_funding(first)
        elif what == POSITION:
            self.on_position(first, second)
        elif what == WALLET:
            self.on_wallet(first, second)
        elif what == TRADE:
            self.on_trade(first, second)
        return 0

    # -- requests ----------------------------------------------------------------------------------------------

    def send_new(self, NewOrderRequest request not None):
        """Send a new order, or refuse it here when the venue would for its number."""
        self.take_new(request)

    def send_cancel(self, CancelOrderRequest request not None):
        """Send a cancel when its turn has come: at once, where none waits and there is room."""
        self.take_cancel(request)

    cdef int take_new(self, NewOrderRequest request) except -1:
        cdef str reason = self.listed(request.instrument).news.take_own(self.replay.clock.ns)
        if reason is None:
            return self.there.put(self, NEW_ARRIVED, request, None)
        self.refuse_here(NEW_ORDER, request.wire_id, reason)
        return 0

    cdef int take_cancel(self, CancelOrderRequest request) except -1:
        cdef Allowance own = self.listed(request.instrument).cancels.own
        if not self.waiting_cancels and own.take_some(self.replay.clock.ns, 1):
            return self.there.put(self, CANCEL_ARRIVED, request, None)
        self.send_cancels([request])
        return 0

    cdef int new_arrived(self, NewOrderRequest request) except -1:
        """A new order has reached the exchange."""
        cdef Listed listed = self.listed(request.instrument)
        cdef SimOrder placed = None
        self.usage = listed.news.count_arrived(self.replay.clock.ns, 1)
        if request.order_type is LIMIT and not request.close_position:
            placed = self.exchange.place_limit(
                self.account, listed.market, listed.exposure, request.wire_id, request.side, request.price,
                request.qty, request.tif, request.exec_instr is ONLY_POST)
        if placed is None:
            self.place(request)
            return 0
        return self.answer()

    cdef int cancel_arrived(self, CancelOrderRequest request) except -1:
        """A cancel has reached the exchange."""
        cdef Listed listed = self.listed(request.instrument)
        cdef SimOrder ended
        self.usage = listed.cancels.count_arrived(self.replay.clock.ns, 1)
        ended = self.exchange.cancel_open(self.account, listed.market, request.wire_id)
        if ended is None:
            self.cancel(request)
            return 0
        return self.answer()

    def count_arrived(self, kind, int64_t now_ns, *, bint is_spot, Py_ssize_t batch):
        """Count a request that has reached the exchange; how far the limit is used is told with its answer."""
        self.usage = self.limits.count_arrived(kind, now_ns, is_spot, batch)

    # -- answers -----------------------------------------------------------------------------------------------

    def tell_usage(self):
        """Tell how far a rate limit is used, if that is news: venues say so with the answer."""
        self.tell_new_usage()

    cdef int tell_new_usage(self) except -1:
        if self.usage is None:
            return 0
        usage, self.usage = self.usage, None
        return self.back.put(self.replay.caller, CALL, self.listener.on_rate_limit, usage)

    def on_order(self, SimOrder order not None):
        """The exchange tells of an order: send the report."""
        self.report_order(order)

    def on_depth(self, str symbol not None, update):
        """The exchange tells what it displays: send it to who sees that."""
        self.show_depth(symbol, update)

    def follow_position(self, str symbol not None):
        """Tell a position when it changes, and with the first order: venues tell it far more often."""
        self.follow(self.by_symbol[symbol])

    cdef int report_order(self, SimOrder order) except -1:
        if order.account != self.account.name:
            return 0
        self.back.put(self, ORDER_ARRIVED, order, None)
        if self.filled and order.order_id in self.filled:
            self.filled.discard(order.order_id)       # the position follows by itself
            return 0
        cdef Listed listed = self.listed_as(order.symbol)
        return 0 if listed.market.is_spot else self.follow(listed)

    cdef int follow(self, Listed listed) except -1:
        cdef Qty size = listed.exposure.position.size
        if listed.told_size is None or listed.told_size.mantissa != size.mantissa:
            listed.told_size = size
            self.back.put(self.replay.caller, CALL, self.listener.on_position, (listed.instrument, size))
        return 0

    cdef int show_depth(self, str symbol, object update) except -1:
        cdef MarketView view = self.views.get(symbol)
        if view is None or not view.shows_book:
            return 0
        if view.is_lost:
            self.feed.on_depth(symbol, update)
            return 0
        return self.replay.send_change(view, update)

    cdef int order_arrived(self, SimOrder order) except -1:
        """A report of an order has reached the strategy's side."""
        if not order.is_open and self.waiting_cancels:
            self.drop_cancels(order)
        if Py_REFCNT(<PyObject *>self.scratch) > 1:
            self.scratch = OrderReport.__new__(OrderReport)
        write_report(self.scratch, order, self.listed_as(order.symbol).number, self.replay.clock.ns)
        return self.listener.apply_report(self.scratch)

    cdef int answer(self) except -1:
        """Answer a request that was carried out: behind the order's report, which says all that the answer would."""
        self.tell_new_usage()
        return self.back.pass_unheard()

    cdef Listed listed(self, object instrument):
        if self.last is None or self.last.instrument is not instrument:
            self.last = self.by_instrument[instrument.get_instrument_id()]
        return self.last

    cdef Listed listed_as(self, str symbol):
        if self.last is None or self.last.symbol is not symbol:
            self.last = self.by_symbol[symbol]
        return self.last
