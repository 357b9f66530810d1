# Whom compiled code tells something, for compiled modules.

cdef enum Message:
    # What a simulated exchange tells; `Outbox` names the listeners' methods in this order.
    ORDER, FILL, FUNDING, POSITION, WALLET, DEPTH, TRADE
    # Requests that a desk hands to a gateway.
    SEND_NEW, SEND_CANCEL
    # What arrives at an end of the way between a gateway and its exchange.
    NEW_ARRIVED, CANCEL_ARRIVED, ORDER_ARRIVED, NEW_ACCEPTED, CANCEL_ACCEPTED
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
