"""The short way of new orders to a venue's stream: those that read like one before, with room for them.

What is in their way, if anything, is found by the Python code behind (`mlthon.exchanges.bybit.order_entry`), which
every other order takes, and with whose texts those of this module agree.

Invariants: nothing has happened to an order that is given to the long way; an order that was written is noted before
anything else can happen.
"""

from mlthon._core.order_messages cimport NewOrderRequest
from mlthon._core.order_template cimport OrderTemplates

cdef str SPOT_MARK = "-s"             # at the end of a request's id: its answer does not say what it is counted for


cdef class StreamedOrders:
    """New orders by a stream, on the short way; a subclass has the long one for all others.

    ``lanes.of(instrument)`` gives an instrument's lane, or raises ValueError; ``limits.bucket(name)`` what its orders
    are counted in. ``stamp_ms()`` is the time that requests bear. ``write(data)`` puts a message on the stream and
    tells whether it went. The subclass's ``send_in_full(request)`` is the long way, and its
    ``note_sent(req_id, lane, request)`` takes note of an order that has been written. Requests are numbered behind
    ``req_prefix``.
    """

    cdef readonly object lanes
    cdef object limits, stamp_ms, write
    cdef str req_prefix
    cdef long long last_req
    # of the lane that was used last
    cdef object lane, instrument, bucket
    cdef OrderTemplates templates
    cdef bint is_spot

    def __init__(self, lanes not None, limits not None, stamp_ms not None, write not None, str req_prefix not None):
        self.lanes = lanes
        self.limits = limits
        self.stamp_ms = stamp_ms
        self.write = write
        self.req_prefix = req_prefix

    def send_new(self, NewOrderRequest request not None):
        """Send a new order."""
        if not self.send_short(request):
            self.send_in_full(request)

    def next_req_id(self, *, bint is_spot) -> str:
        """An id for a request that is going to be sent."""
        cdef str req_id = self.req_id(is_spot)
        self.last_req += 1
        return req_id

    def is_own_id(self, str req_id not None) -> bool:
        """Whether a request's id is one of ours."""
        return req_id.startswith(f"{self.req_prefix}-")

    @staticmethod
    def is_spot_id(str req_id not None) -> bool:
        """Whether a request, by its id, is counted for spot."""
        return req_id.endswith(SPOT_MARK)

    cdef bint send_short(self, NewOrderRequest request) except -1:
        """Send an order if nothing is in its way."""
        cdef bytes data
        cdef str req_id
        if request.instrument is not self.instrument and not self.enter(request.instrument):
            return False
        if len(self.bucket.taken) + self.bucket.others >= self.bucket.limit:
            return False                  # as far as can be seen without a clock
        req_id = self.req_id(self.is_spot)
        data = self.templates.text_of(request, req_id, self.stamp_ms())
        if data is None or not self.write(data):
            return False
        self.last_req += 1
        self.note_sent(req_id, self.lane, request)
        return True

    cdef bint enter(self, object instrument) except -1:
        """Take an instrument's lane; False: it has none."""
        try:
            lane = self.lanes.of(instrument)
        except ValueError:                # which the long way words
            return False
        self.bucket = self.limits.bucket(lane.bucket)
        self.templates = lane.templates
        self.is_spot = lane.is_spot
        self.lane = lane
        self.instrument = instrument
        return True

    cdef str req_id(self, bint is_spot):
        return f"{self.req_prefix}-{self.last_req + 1}{SPOT_MARK if is_spot else ''}"
