"""The clock of a simulation, and whatever clock there is as compiled code asks it."""

cimport cython
from libc.stdint cimport int64_t


@cython.final
cdef class SimClock:
    """The time of a simulation, which stands still until the loop moves it on.

    >>> SimClock(1_000).now_ns()
    1000
    """

    def __init__(self, int64_t now_ns=0):
        self.ns = now_ns

    def now_ns(self) -> int:
        """Nanoseconds since the epoch, UTC."""
        return self.ns


@cython.final
cdef class TimeSource:
    """What ``now_ns()`` returns, without the call where it is a `SimClock`'s."""

    def __init__(self, now_ns):
        owner = getattr(now_ns, "__self__", None)
        self.clock = owner if isinstance(owner, SimClock) else None
        self.now_ns = now_ns
