"""The venue's time, estimated from ours; read for every order that is sent.

Numbers are Python's here: none is too large, and a time before the epoch rounds as any other.
"""

import logging
import time

cimport cython

log = logging.getLogger("mlthon.exchanges")

cdef object NS_PER_MS = 1_000_000
cdef object STEP_NS = 250 * NS_PER_MS


@cython.final
cdef class VenueClock:
    """The venue's clock as it was last measured, carried on by a clock of ours that never steps.

    `now_ns` is our wall clock, which stamps what we receive. It may be set while we run: requests go on to bear
    the venue's time, because that is counted by `steady_ns`. Until the first measurement both are taken for equal.

    >>> steady = iter([1_100_000_000, 1_300_000_000])
    >>> clock = VenueClock(lambda: 5_000_000_000, lambda: next(steady))
    >>> clock.measured(sent_ns=1_000_000_000, received_ns=1_200_000_000, venue_ns=7_000_000_000)
    >>> clock.now_ms(), clock.offset_ns
    (7000, 2000000000)
    >>> clock.at_ms(1_000_000_000)  # the steady clock went on, our wall clock did not
    3200
    """

    cdef readonly object local_ns         # () -> our own time, in nanoseconds since the epoch
    cdef readonly object steady_ns        # () -> a time that only goes forward, in nanoseconds since whenever
    cdef readonly object offset_ns        # the venue's time less our wall clock's, as of the last question
    cdef object ahead_ns                  # the venue's time less the steady clock's; None: not measured yet

    def __init__(self, now_ns not None, steady_ns=time.monotonic_ns):
        self.local_ns = now_ns
        self.steady_ns = steady_ns
        self.offset_ns = 0

    def measured(self, *, sent_ns, received_ns, venue_ns):
        """Take over a measurement: the venue read its clock halfway between sending and receiving.

        `sent_ns` and `received_ns` are of the steady clock.
        """
        self.ahead_ns = venue_ns - (sent_ns + received_ns) // 2

    def now_ms(self) -> int:
        """The venue's time, in milliseconds."""
        return self.venue_ns() // NS_PER_MS

    def stamp_ms(self) -> int:
        """The same as `now_ms`, for a request that is waited for: `offset_ns` is left as it is."""
        if self.ahead_ns is None:
            return self.local_ns() // NS_PER_MS
        return (self.steady_ns() + self.ahead_ns) // NS_PER_MS

    def at_ms(self, local_ns) -> int:
        """The venue's time at an instant of our wall clock, in milliseconds."""
        self.venue_ns()
        return (local_ns + self.offset_ns) // NS_PER_MS

    cdef object venue_ns(self):
        """The venue's time; brings `offset_ns` up to date."""
        now_ns = self.local_ns()
        if self.ahead_ns is None:
            return now_ns
        venue_ns = self.steady_ns() + self.ahead_ns
        offset_ns = venue_ns - now_ns
        if self.offset_ns and abs(offset_ns - self.offset_ns) > STEP_NS:
            log.warning(
                "our clock is %+.3f s off the venue's, and was %+.3f s",
                -offset_ns / 1e9,
                -self.offset_ns / 1e9,
            )
        self.offset_ns = offset_ns
        return venue_ns
