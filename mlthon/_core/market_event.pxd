# What a market does, decoded once: a change of displayed levels, or a public trade.
#
# Invariants: prices are positive; a level's qty is zero or more, a trade's positive; nothing ever changes.

from libc.stdint cimport int64_t
from mlthon._core.int128 cimport int128
from mlthon._core.price_book cimport Level, Spot

cdef class DepthUpdate:
    cdef readonly bint is_snapshot    # True: these levels are the whole book; False: qty 0 deletes
    cdef readonly int64_t venue_ns    # the venue's stamp (matching engine time where it tells one)
    cdef readonly int64_t recv_ns     # when the bytes arrived
    cdef readonly int64_t seq         # the venue's number of this message's last change
    cdef readonly int64_t prev_seq    # the seq this one continues, or -1 where the venue tells none
    cdef readonly Py_ssize_t bid_count
    cdef readonly Py_ssize_t ask_count
    cdef Level *levels                # bids first, then asks, in the order given; NULL when there are none
    cdef Py_ssize_t room              # for how many levels there is memory, and behind them as many spots
    cdef bint has_spots               # where the exchange's book had the levels; no part of the value

    # For the one who fills it anew, while nobody else holds it: memory for so many levels, those there kept.
    cdef int reserve(self, Py_ssize_t count) except -1

    cpdef DepthUpdate copy(self)

cdef class PublicTrade:
    cdef readonly int64_t venue_ns
    cdef readonly int64_t recv_ns
    cdef readonly str trade_id
    cdef int taker_index              # 0: Buy, 1: Sell
    cdef int128 price_mantissa
    cdef int128 qty_mantissa

    cpdef PublicTrade copy(self)

cdef inline Spot *spots_of(DepthUpdate update) noexcept:
    return <Spot *>(update.levels + update.room)

# An update with a copy of the levels, bids first, without stamps. The caller keeps the invariants.
cdef DepthUpdate depth_update_from(const Level *levels, Py_ssize_t bid_count, Py_ssize_t ask_count)

# Two changes as one, without their recv_ns and prev_seq: of a price that both tell, the later one counts.
cdef DepthUpdate merged(DepthUpdate before, DepthUpdate after)

# A trade without stamps or id. The caller keeps the invariants.
cdef PublicTrade public_trade_from(int taker_index, int128 price, int128 qty)
