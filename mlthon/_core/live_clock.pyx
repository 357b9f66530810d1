"""The clock of a live run, which is read for every message.

Invariant: it never runs backwards.
"""

import time

cimport cython
from libc.stdint cimport int64_t

from mlthon._core.ticks cimport monotonic_ns


@cython.final
cdef class LiveClock:
    """The machine's clock, made to never run backwards.

    The wall clock is read once; from then on time advances with the monotonic clock, so that a wall clock step
    neither stalls timers nor fires a burst of them.
    """

    cdef int64_t offset_ns

    def __cinit__(self):
        self.offset_ns = time.time_ns() - monotonic_ns()

    def now_ns(self) -> int:
        """Nanoseconds since the epoch, UTC."""
        return monotonic_ns() + self.offset_ns
