# One subscribed instrument, for the compiled loop that hands it what it arrives at simulated times.

cimport cython
from libc.stdint cimport int64_t
from mlthon._core.dispatch cimport Batch, Dispatcher
from mlthon._core.int128 cimport int128
from mlthon._core.market_event cimport DepthUpdate, PublicTrade
from mlthon._core.milliseconds cimport Milliseconds
from mlthon._core.order_book cimport OrderBook
from mlthon._core.order_change cimport OrderChange
from mlthon._core.price_book cimport BookSide, Change, Level, PriceLevelBook
from mlthon._core.tape_orders cimport Effect


@cython.final
cdef class InstrumentFeed:
    cdef readonly object exchange
    cdef readonly object instrument_id
    cdef readonly PriceLevelBook book
    cdef public bint price_levels, levels, bbo, trades, orders
    cdef public bint in_step              # the book is whole, and the strategy is being told: changes may come in
    cdef readonly int64_t followed        # messages that came straight in
    cdef OrderBook order_book             # None where orders are not told one by one
    cdef Dispatcher dispatcher
    cdef int level_id_decimals_
    cdef int128 level_id_unit
    cdef Level told_bid, told_ask
    cdef Milliseconds recv_ms, exec_ms
    cdef Change *changes                  # what each level of the message being applied did
    cdef Py_ssize_t changes_capacity

    # As `follow` and `tell_trades`, for what arrives at another time than it says.
    cdef bint follow_at(self, DepthUpdate update, int64_t recv_ns) except -1
    cdef int tell_trade_at(self, PublicTrade trade, int64_t recv_ns) except -1
    cdef int tell_order_at(self, OrderChange change, int64_t recv_ns) except -1

    cdef int tell_change(self, OrderChange change, Effect effect, int side, int128 price,
                         const Batch *batch) except -1
    cdef int tell_orders(self, Py_ssize_t position, bint more, const Batch *batch) except -1

    cdef bint apply_message(self, DepthUpdate update, bint tell, int64_t recv_ns) except -1
    cdef int reserve(self, Py_ssize_t count) except -1
    cdef int tell(self, DepthUpdate update, int64_t recv_ns) except -1
    cdef Py_ssize_t count_to_tell(self, Py_ssize_t count) noexcept
    cdef bint tells(self, Change change) noexcept
    cdef bint wants(self, Py_ssize_t by_price, Py_ssize_t by_id) noexcept
    cdef int tell_changes(self, DepthUpdate update, Py_ssize_t count, bint more, const Batch *batch) except -1
    cdef int tell_side(self, int side_index, BookSide side, Py_ssize_t count, bint more,
                       const Batch *batch) except -1
    cdef int tell_level(self, Py_ssize_t by_price, Py_ssize_t by_id, int side, const Level *level, bint more,
                        const Batch *batch) except -1
    cdef int tell_best(self, bint bid_moved, bint ask_moved, const Batch *batch) except -1
    cdef bint has_moved(self, int side_index, BookSide side, Level *told) noexcept
    cdef void forget_told(self) noexcept
