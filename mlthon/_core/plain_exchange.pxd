# The simulated exchange's short way, for compiled gateways.

from libc.stdint cimport int64_t
from mlthon._core.fixed cimport Price, Qty
from mlthon._core.funds cimport Exposure, Funds
from mlthon._core.int128 cimport int128
from mlthon._core.matching cimport MatchingEngine
from mlthon._core.order_archive cimport KeptOrder, KeptOrders
from mlthon._core.order_entry cimport OrderRules
from mlthon._core.outbox cimport Outbox
from mlthon._core.sim_clock cimport TimeSource
from mlthon._core.sim_order cimport SimOrder


cdef class PlainMarket:
    cdef readonly str symbol
    cdef readonly MatchingEngine engine
    cdef readonly bint is_spot
    cdef OrderRules rules


cdef class OrderKeeper:
    cdef readonly Outbox outbox
    cdef readonly object now_ns
    cdef TimeSource clock             # the same
    cdef readonly KeptOrders orders
    cdef long long orders_made

    cdef int keep(self, Funds account, SimOrder order) except -1
    cdef int begin(self, Funds account, Exposure exposure, SimOrder order, int128 outlay) except -1
    cdef int replace(self, KeptOrder kept, SimOrder order) except -1
    cdef KeptOrder open_order(self, int64_t order_id)          # KeyError when it is not open
    cdef SimOrder end_order(self, KeptOrder kept, int state_code, int reason_code, object met_id)
    cdef int tell_of(self, PlainMarket market, SimOrder order) except -1
    cdef int tell_at_once(self, PlainMarket market, SimOrder order) except -1
    cdef int tell_changes(self, PlainMarket market) except -1
    cdef bint is_news(self, PlainMarket market) except -1


cdef class PlainExchange:
    cdef OrderKeeper keeper
    cdef dict markets                 # by symbol
    cdef Py_ssize_t max_open_orders

    # None: not plain, and nothing was done.
    cdef SimOrder place_limit(self, Funds account, PlainMarket market, Exposure exposure, str link_id, object side,
                              Price price, Qty qty, object tif, bint post_only)
    cdef bint is_plain(self, Funds account, PlainMarket market, Exposure exposure, str link_id, object side,
                       Price price, Qty qty, object tif, int128 *outlay) except -1
    cdef SimOrder cancel_open(self, Funds account, PlainMarket market, str link_id)
