# The busy part of a backtest's gateway.

cimport cython
from libc.stdint cimport int64_t
from mlthon._core.fixed cimport Qty
from mlthon._core.funds cimport Exposure, Funds
from mlthon._core.order_messages cimport CancelOrderRequest, NewOrderRequest, OrderReport
from mlthon._core.order_story cimport OrderStory
from mlthon._core.plain_exchange cimport PlainExchange, PlainMarket
from mlthon._core.recipient cimport CompiledGateway, Recipient
from mlthon._core.replay cimport Replay
from mlthon._core.request_limits cimport KindLimits, RequestLimits
from mlthon._core.sim_order cimport SimOrder


@cython.final
cdef class Way:
    cdef Replay replay
    cdef object delay                 # None: always `delay_ns`
    cdef int64_t delay_ns
    cdef int64_t last_ns              # when the last message arrives

    cdef int put(self, Recipient recipient, int what, object first, object second) except -1
    cdef int pass_unheard(self) except -1


@cython.final
cdef class Listed:
    cdef object instrument
    cdef object number
    cdef str symbol
    cdef PlainMarket market
    cdef Exposure exposure
    cdef KindLimits news, cancels     # of its requests
    cdef Qty told_size                # the position last told, or None


cdef class SimGateway(CompiledGateway):
    cdef PlainExchange exchange
    cdef readonly Funds account
    cdef Replay replay
    cdef readonly RequestLimits limits
    cdef readonly Way there, back
    cdef readonly set filled          # ids of orders whose fills were told, and they not yet
    cdef readonly OrderStory listener  # None: nobody listens yet
    cdef object feed
    cdef dict views                   # the feed's: whom it shows what is displayed, by symbol
    cdef Listed last                  # the instrument last asked for
    cdef public dict waiting_cancels  # empty when none waits
    cdef OrderReport scratch          # the last report: the next one, where nobody has kept it
    cdef tuple usage                  # of a rate limit, to be told with the answer; else None
    cdef dict by_instrument           # by instrument id
    cdef dict by_symbol

    cdef int hear(self, int what, object first, object second) except -1
    cdef int new_arrived(self, NewOrderRequest request) except -1
    cdef int cancel_arrived(self, CancelOrderRequest request) except -1
    cdef int tell_new_usage(self) except -1
    cdef int report_order(self, SimOrder order) except -1
    cdef int follow(self, Listed listed) except -1
    cdef int show_depth(self, str symbol, object update) except -1
    cdef int order_arrived(self, SimOrder order) except -1
    cdef int answer(self) except -1
    cdef Listed listed(self, object instrument)
    cdef Listed listed_as(self, str symbol)
