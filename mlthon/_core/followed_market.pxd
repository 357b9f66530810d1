# A joined book that follows a market's depth messages and trades, for the matching engine and for compiled loops.

from libc.stdint cimport int64_t
from mlthon._core.int128 cimport int128
from mlthon._core.joined_book cimport JoinedBook
from mlthon._core.market_event cimport DepthUpdate, PublicTrade
from mlthon._core.price_book cimport Level, Spot
from mlthon._core.resting_orders cimport Queue, RestingSide

cdef enum QueueRule:                  # who cancelled, when less is left at an order's price and no trade says why
    BEHIND = 0
    PROPORTIONAL = 1
    AHEAD = 2

cdef class FollowedMarket(JoinedBook):
    cdef readonly Py_ssize_t crossed_updates   # depth messages that left the market's own book crossed
    cdef QueueRule queue_rule
    cdef int64_t depth_ns                      # venue time of the last depth message
    cdef int64_t depth_before_ns               # and of the one before it

    # Apply an event; returns what it changed of what is displayed: the message itself where that is what it says, or
    # a new one, or None for no change. Whether clients are concerned is told by `is_eventful`. Raise ValueError as
    # `apply_depth` and `apply_trade` do.
    cdef DepthUpdate follow_depth(self, DepthUpdate update)
    cdef DepthUpdate follow_trade(self, PublicTrade trade)

    cdef Py_ssize_t tell_side(self, int side, const Level *levels, Py_ssize_t count, Spot *spots) except -1
    cdef int replace_side(self, int side, const Level *levels, Py_ssize_t count) except -1
    cdef void note_standing(self, int side) noexcept
    cdef int settle_side(self, int side) except -1
    cdef void shrink(self, RestingSide clients, Queue *queue, int128 now) noexcept
    cdef int fill_crossed(self, int side) except -1
    cdef int times_told(self, PublicTrade trade) noexcept
    cdef int128 trade_through(self, int side, int128 price, int128 qty, int told) except -1
    cdef int128 trade_at(self, int side, int128 price, int128 qty, int told) except -1
