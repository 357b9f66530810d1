# The busy part of a backtest's gateway.

cimport cython
from libc.stdint cimport int64_t
from mlthon._core.fixed cimport Qty
from mlthon._core.funds cimport Funds
from mlthon._core.plain_exchange cimport PlainExchange
from mlthon._core.replay cimport Replay
from mlthon._core.request_limits cimport RequestLimits


@cython.final
cdef class Way:
    cdef Replay replay
    cdef object delay                 # None: always `delay_ns`
    cdef int64_t delay_ns
    cdef int64_t last_ns              # when the last message arrives

    cdef int put(self, object function, tuple args) except -1


@cython.final
cdef class Listed:
    cdef object instrument
    cdef object number
    cdef str symbol
    cdef bint is_spot
    cdef Qty told_size                # the position last told, or None


cdef class SimGateway:
    cdef PlainExchange exchange
    cdef readonly Funds account
    cdef Replay replay
    cdef readonly RequestLimits limits
    cdef readonly Way there, back
    cdef readonly set filled          # ids of orders whose fills were told, and they not yet
    cdef readonly object listener     # GatewayListener
    cdef object feed                  # whose `views` are shown what is displayed
    # Bound methods that every order comes by.
    cdef object send_arrived, cancel_sent_arrived, order_told, report, accepted
    cdef Listed last                  # the instrument last asked for
    cdef public object cancels        # those that wait
    cdef tuple usage                  # of a rate limit, to be told with the answer; else None
    cdef dict by_instrument           # by instrument id
    cdef dict by_symbol

    cdef int accept(self, object kind, object wire_id, tuple order) except -1
    cdef Listed listed(self, object instrument)
