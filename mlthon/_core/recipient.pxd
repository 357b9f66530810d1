# Whom compiled code tells something, for compiled modules.

from mlthon._core.order_messages cimport CancelOrderRequest, NewOrderRequest

cdef enum Message:
    # What a simulated exchange tells; `Outbox` names the listeners' methods in this order.
    ORDER, FILL, FUNDING, POSITION, WALLET, DEPTH, TRADE
    # What arrives at an end of the way between a gateway and its exchange.
    NEW_ARRIVED, CANCEL_ARRIVED, ORDER_ARRIVED
    # Market data that arrives at a strategy's side.
    NEWS_ARRIVED
    # A Python function to be called: the content is (function, args).
    CALL

cdef class Recipient:
    cdef int receive(self, int what, object first, object second) except -1


cdef class Caller(Recipient):
    pass


cdef class CompiledGateway(Recipient):
    cdef public object status         # GtwStatus

    cdef object status_now(self)
    # A request: what the gateway refuses by raising was never sent; answers come later.
    cdef int take_new(self, NewOrderRequest request) except -1
    cdef int take_cancel(self, CancelOrderRequest request) except -1
