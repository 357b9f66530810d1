# What an account's orders could cost it, for other compiled modules.

cimport cython
from mlthon._core.fixed cimport Price, Qty
from mlthon._core.holding cimport Holding
from mlthon._core.int128 cimport int128
from mlthon._core.order_archive cimport OrderArchive
from mlthon._core.sim_order cimport SimOrder


@cython.final
cdef class Exposure:
    cdef int128 buys, sells
    cdef Py_ssize_t open_count        # orders
    cdef bint is_spot, is_inverse
    cdef str symbol
    cdef object coin                  # of a contract, as the next two; None in spot
    cdef Holding position
    cdef list mates                   # all that is settled in the same coin, itself included

    cdef int outlay(self, bint is_buy, Price price, Qty qty, int128 *outlay) except -1
    cdef int settle_in(self, object coin, Holding position, list mates) except -1
    cdef int outlay_of(self, SimOrder order, int128 *outlay) except -1
    cdef int count(self, bint is_buy, int128 outlay, int orders) except -1
    cdef int128 held_at_cost(self) except? -1
    cdef bint is_idle(self) noexcept
    cdef int128 worst_value(self, int128 held, int128 more_buys, int128 more_sells) except? -1


cdef class Funds:
    cdef readonly str name
    cdef readonly Py_ssize_t index    # the matching engines' number of it
    cdef readonly object purse
    cdef dict cash                    # the purse's, by coin
    cdef readonly OrderArchive archive
    cdef readonly dict terms          # by symbol
    cdef readonly dict leverages      # of contracts, by symbol
    cdef readonly dict settled_in     # symbols of contracts, by coin
    cdef readonly list pairs          # terms of the spot pairs
    cdef readonly object mark_price
    cdef dict exposures               # by symbol

    cdef Py_ssize_t count_open(self, Exposure exposure) except -1
    cdef bint affords(self, Exposure exposure, bint is_buy, int128 outlay) except -1
    cdef int128 margin_of(self, Exposure exposure) except? -1
    cdef int128 by_leverage(self, Exposure exposure, int128 value) except? -1
    cdef int128 available(self, Exposure exposure) except? -1
    cdef int128 unrealised_pnl(self, Exposure exposure) except? -1
    cdef int128 locked_qty(self, object coin) except? -1
