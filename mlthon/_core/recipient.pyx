"""Whom compiled code tells something without a Python call: one method for every kind of message.

Whoever is not compiled is wrapped by the one who tells it (`outbox`, `order_story`).
"""

from mlthon._core.order_messages cimport CancelOrderRequest, NewOrderRequest


cdef class Recipient:
    """Made of subclasses only."""

    cdef int receive(self, int what, object first, object second) except -1:
        raise NotImplementedError(f"{type(self).__name__} takes no messages of kind {what}")


cdef class Caller(Recipient):
    """Calls what it is sent, a function with its arguments."""

    cdef int receive(self, int what, object first, object second) except -1:
        first(*<tuple>second)
        return 0


cdef class CompiledGateway(Recipient):
    """Takes a desk's requests, without Python in between; ``status`` says whether it takes any."""

    cdef object status_now(self):
        return self.status

    cdef int take_new(self, NewOrderRequest request) except -1:
        raise NotImplementedError(f"{type(self).__name__} takes no new orders")

    cdef int take_cancel(self, CancelOrderRequest request) except -1:
        raise NotImplementedError(f"{type(self).__name__} takes no cancels")
