# The way into a strategy's callbacks, for compiled callers on the market data path.

cimport cython
from mlthon._core.int128 cimport int128


@cython.final
cdef class Dispatcher:
    cdef readonly object strategy
    cdef readonly object failure          # the exception a callback raised, or None
    cdef readonly str failed_in           # the callback that raised it
    cdef list methods                     # bound methods by position in CALLBACKS; None where not defined
    cdef list counts
    cdef object waiting                   # deque of (position, args) posted while user code was running
    cdef object journal                   # called with (name, args) before each callback, or None
    cdef object wake                      # asks the event loop to call deliver_waiting soon
    cdef bint busy                        # user code is running
    cdef bint draining                    # the waiting ones are being delivered
    cdef bint closed

    cdef inline bint wants(self, Py_ssize_t position)
    cdef int invoke(self, Py_ssize_t position, tuple args) except -1

    # Market data: nothing is built for a callback that the strategy does not define.
    cdef int price_level(self, Py_ssize_t position, object exchange, object instrument_id, int side,
                         int128 price, int128 qty, bint with_qty, object recv_ts) except -1
    cdef int level(self, Py_ssize_t position, object exchange, object instrument_id, int side, object level_id,
                   int128 price, int128 qty, bint with_price, bint with_qty, object recv_ts) except -1
    cdef int best(self, int side, object exchange, object instrument_id, int128 price, int128 qty,
                  object recv_ts) except -1
    cdef int public_trade(self, object exchange, object instrument_id, int side, int128 price, int128 qty,
                          object exec_ts, object recv_ts) except -1

# Positions in CALLBACKS of the market data callbacks.
cdef enum:
    ON_ADD_PRICE_LEVEL = 0
    ON_MODIFY_PRICE_LEVEL = 1
    ON_DELETE_PRICE_LEVEL = 2
    ON_ADD_LEVEL = 3
    ON_MODIFY_LEVEL = 4
    ON_DELETE_LEVEL = 5
    ON_BEST_BID = 6
    ON_BEST_ASK = 7
    ON_PUBLIC_TRADE = 8
