"""The way into a connection for market data: first to the scanner, then to whoever reads what that leaves.

It is compiled because every message passes here, and nearly all go no further than the scanner.
"""

cimport cython


@cython.final
cdef class ScannedMessages:
    """Offers each message to ``scan(data, recv_ns, venue_ahead_ns)``, and what that does not take to `rest`.

    ``clock.offset_ns`` is how far the venue's clock is ahead of the one that stamps messages.

    >>> from types import SimpleNamespace
    >>> clock = SimpleNamespace(offset_ns=5)
    >>> messages = ScannedMessages(lambda data, recv_ns, ahead_ns: ahead_ns == 5 and data == b"mine", clock, print)
    >>> messages.on_message(b"mine", 77), messages.on_message(b"other", 78)
    b'other' 78
    (None, None)
    """

    cdef object scan, clock, rest

    def __init__(self, scan not None, clock not None, rest not None):
        self.scan = scan
        self.clock = clock
        self.rest = rest

    def on_message(self, data, recv_ns):
        """Take in one message."""
        if not self.scan(data, recv_ns, self.clock.offset_ns):
            self.rest(data, recv_ns)
