"""The simulated exchange's short way: limit orders that come to rest, and their cancels, when nothing else happens.

Whether that is so is all that is judged here. An order with which anything is wrong or unusual is left, untouched, to
the Python code behind (`mlthon.sim.exchange`); so is everything that follows when the matching engine says that an
order has concerned somebody.

Invariant: nothing has happened to an order that is left.
"""

from mlthon._core.enums import TIF, OrderType, Side
from mlthon._core.sim_order import Origin, SelfTrade, SimOrder

from cpython.object cimport PyObject
from libc.stdint cimport int64_t
from mlthon._core.fixed cimport Price, Qty
from mlthon._core.funds cimport Exposure, Funds
from mlthon._core.int128 cimport int128
from mlthon._core.matching cimport MatchingEngine
from mlthon._core.order_archive cimport KeptOrder, KeptOrders, archive_of
from mlthon._core.order_entry cimport OrderRules
from mlthon._core.outbox cimport Outbox
from mlthon._core.python_call cimport Py_REFCNT
from mlthon._core.sim_clock cimport TimeSource
from mlthon._core.sim_order cimport BY_USER, IS_CANCELLED, SimOrder, begin_order

cdef object BUY = Side.Buy
cdef object SELL = Side.Sell
cdef object LIMIT = OrderType.Limit
cdef object GTC = TIF.GTC
cdef object CLIENT = Origin.Client
cdef object ALLOW = SelfTrade.Allow


cdef class PlainMarket:
    """One listed instrument, as far as plain orders need it; ``rules`` are those of `mlthon.sim.symbol_market`."""

    def __init__(self, str symbol not None, MatchingEngine engine not None, OrderRules rules not None, *,
                 bint is_spot):
        self.symbol = symbol
        self.engine = engine
        self.rules = rules
        self.is_spot = is_spot


cdef class OrderKeeper:
    """Keeps the state of orders, and queues what there is to tell of one that nothing has happened to."""

    def __init__(self, Outbox outbox not None, now_ns):
        self.outbox = outbox
        self.now_ns = now_ns
        self.clock = TimeSource(now_ns)
        self.orders = KeptOrders()

    def owner(self, int64_t order_id):
        """Whose an open order is; raises KeyError when it is not open."""
        return archive_of(self.open_order(order_id)).account

    def is_open(self, int64_t order_id) -> bool:
        """Whether an order is open."""
        cdef KeptOrder kept = self.orders.find(order_id)
        return kept is not None and kept.order.is_open

    def new_order(self, account, order, origin=CLIENT):
        """An order as it begins; `put` it to keep it."""
        self.orders_made += 1
        return SimOrder.begin(self.orders_made, account.name, origin, order, self.now_ns())

    def put(self, Funds account not None, SimOrder order not None):
        """Keep an order's new state."""
        self.keep(account, order)

    def end(self, Funds account not None, SimOrder order not None, state, reason, met_id=0):
        """Keep that an order has ended with quantity left."""
        return self.end_order(self.open_order(order.order_id), state.value, reason.value, met_id)

    def tell_quiet(self, PlainMarket market not None, SimOrder order not None):
        """Queue what there is to tell when an order came to rest, changed or ended, and nothing else happened."""
        self.tell_of(market, order)

    def tell_depth(self, PlainMarket market not None):
        """Queue what the engine's last call changed of what is displayed."""
        self.tell_changes(market)

    cdef int keep(self, Funds account, SimOrder order) except -1:
        cdef KeptOrder kept = self.orders.find(order.order_id)
        cdef Exposure exposure
        cdef int128 outlay
        if kept is not None:
            return self.replace(kept, order)
        exposure = account.exposures[order.symbol]
        exposure.outlay_of(order, &outlay)
        return self.begin(account, exposure, order, outlay)

    cdef int begin(self, Funds account, Exposure exposure, SimOrder order, int128 outlay) except -1:
        """Keep an order that is new, and open; `outlay` is what is open of it."""
        cdef KeptOrder kept = account.archive.begin(order, exposure)
        kept.outlay = outlay
        return exposure.count(order.side is BUY, outlay, 1)

    cdef int replace(self, KeptOrder kept, SimOrder order) except -1:
        """Keep another state of an order that was open."""
        cdef Exposure exposure = kept.exposure
        cdef int128 outlay
        exposure.outlay_of(order, &outlay)
        exposure.count(order.side is BUY, outlay - kept.outlay, 0 if order.is_open else -1)
        kept.order, kept.outlay = order, outlay
        return 0 if order.is_open else archive_of(kept).close(kept)

    cdef KeptOrder open_order(self, int64_t order_id):
        cdef KeptOrder kept = self.orders.find(order_id)
        if kept is None or not kept.order.is_open:
            raise KeyError(order_id)
        return kept

    cdef SimOrder end_order(self, KeptOrder kept, int state_code, int reason_code, object met_id):
        if Py_REFCNT(<PyObject *>kept.order) > 1:
            kept.order = kept.order.twin()    # somebody has the order as it was
        kept.order.end(state_code, reason_code, met_id, self.clock.now())
        self.replace(kept, kept.order)
        return kept.order

    cdef int tell_of(self, PlainMarket market, SimOrder order) except -1:
        self.outbox.post_order(order)
        return self.tell_changes(market)

    cdef int tell_at_once(self, PlainMarket market, SimOrder order) except -1:
        """Tell what `tell_of` queues, and deliver it; everything has to be booked."""
        if self.is_news(market):
            self.tell_of(market, order)
        else:
            self.outbox.tell_order(order)
        return self.outbox.pass_on()

    cdef int tell_changes(self, PlainMarket market) except -1:
        if not self.is_news(market):
            return 0
        return self.outbox.post_depth(market.symbol, market.engine.displayed_changes())

    cdef bint is_news(self, PlainMarket market) except -1:
        """Whether the engine's last call changed what somebody wants to see."""
        return (market.engine.is_watched or self.outbox.wants_depth) and market.engine.has_changes()


cdef class PlainExchange:
    """Takes plain orders to the matching engine and keeps them; a subclass does all else.

    The subclass has ``settle_request(account, market, order, is_new)``, which books and queues what an order did that
    has concerned somebody, and returns the order as it is then, and ``liquidate(market)``.
    """

    def __init__(self, OrderKeeper keeper not None, dict markets not None, Py_ssize_t max_open_orders):
        self.keeper = keeper
        self.markets = markets
        self.max_open_orders = max_open_orders

    def place_plain(self, account, str symbol not None, str link_id not None, side, price, qty, *, order_type=LIMIT,
                    tif=GTC, bint post_only=False):
        """Enter a plain order, and return it as it is then; None when it is not plain, and nothing was done."""
        if order_type is not LIMIT or type(price) is not Price or type(qty) is not Qty:
            return None
        cdef PlainMarket market = self.markets.get(symbol)
        if market is None:
            return None
        return self.place_limit(
            account, market, (<Funds?>account).exposures[symbol], link_id, side, price, qty, tif, post_only)

    def cancel_plain(self, Funds account not None, str symbol not None, str link_id not None):
        """End an open order, and return it; None when there is none of that id, and nothing was done."""
        cdef PlainMarket market = self.markets.get(symbol)
        return None if market is None else self.cancel_open(account, market, link_id)

    cdef SimOrder place_limit(self, Funds account, PlainMarket market, Exposure exposure, str link_id, object side,
                              Price price, Qty qty, object tif, bint post_only):
        cdef int128 outlay
        if not self.is_plain(account, market, exposure, link_id, side, price, qty, tif, &outlay):
            return None
        self.keeper.orders_made += 1
        cdef int64_t order_id = self.keeper.orders_made
        cdef SimOrder placed = begin_order(
            order_id, link_id, account.name, market.symbol, CLIENT, side, LIMIT, GTC, post_only, False,
            ALLOW, False, price, qty, self.keeper.clock.now())
        market.engine.place_limit(
            order_id, account.index, 0 if side is BUY else 1, price.mantissa, qty.mantissa, post_only)
        self.keeper.begin(account, exposure, placed, outlay)
        if market.engine.is_eventful():
            placed = self.settle_request(account, market, placed, True)
            self.keeper.outbox.pass_on()
        else:
            self.keeper.tell_at_once(market, placed)
        return placed

    cdef bint is_plain(self, Funds account, PlainMarket market, Exposure exposure, str link_id, object side,
                       Price price, Qty qty, object tif, int128 *outlay) except -1:
        """Whether an order breaks no rule and is covered. In spot, where funds are locked, others judge that."""
        if market.is_spot or tif is not GTC or (side is not BUY and side is not SELL):
            return False
        if not market.rules.keeps(price.mantissa, qty.mantissa, False):
            return False
        if link_id and account.archive.known_by_link(link_id) is not None:
            return False
        if account.count_open(exposure) >= self.max_open_orders:
            return False
        try:
            exposure.outlay(side is BUY, price, qty, outlay)
            return account.affords(exposure, side is BUY, outlay[0])
        except OverflowError:
            return False

    cdef SimOrder cancel_open(self, Funds account, PlainMarket market, str link_id):
        cdef KeptOrder kept = account.archive.known_by_link(link_id)
        if kept is None or kept.order is None or not kept.order.is_open or kept.order.symbol != market.symbol:
            return None
        market.engine.cancel_order(kept.order.order_id)
        cdef SimOrder ended = self.keeper.end_order(kept, IS_CANCELLED, BY_USER, 0)
        if market.engine.is_eventful():
            self.keeper.tell_of(market, ended)
            self.liquidate(market)            # cancels fill nobody, but may move the mark
            self.keeper.outbox.pass_on()
        else:
            self.keeper.tell_at_once(market, ended)
        return ended
