"""How many requests an account may make, on the simulated clock.

Two counts, as in a live run. The strategy's side counts what it sends, a little more strictly than the venue: what
the venue would refuse is refused at once and not sent, and cancels, which always keep a way, wait for their turn. The
venue's side counts what arrives, and says with its answers how much of an allowance is used.

Invariants: an allowance's times are in order, and never more than its limit.
"""

from mlthon._core.enums import RequestKind

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Malloc

cdef enum:
    VENUE_WINDOW_NS = 1_000_000_000
    OWN_WINDOW_NS = 1_100_000_000     # requests may bunch up on their way
    NS_PER_MS = 1_000_000
    FIRST_ROOM = 16

cdef object CANCEL_ORDER = RequestKind.CancelOrder
cdef object ORDERS = frozenset(
    {RequestKind.NewOrder, RequestKind.ModifyOrder, RequestKind.CancelOrder, RequestKind.CancelAll})


@cython.final
cdef class Allowance:
    """So many within any window of time, and no more.

    >>> allowance = Allowance(2, 1_000)
    >>> [allowance.take(now_ns) for now_ns in (0, 10, 20, 999, 1_000)]
    [True, True, False, False, True]
    >>> allowance.wait_ns(1_000)
    10
    """

    def __init__(self, Py_ssize_t limit, int64_t window_ns):
        self.limit = limit
        self.window_ns = window_ns

    def __dealloc__(self):
        PyMem_Free(self.taken_ns)

    def used(self, int64_t now_ns) -> int:
        """How many of the last window count now."""
        return self.count_used(now_ns)

    def free(self, int64_t now_ns) -> int:
        """How many more there is room for now."""
        return self.limit - self.count_used(now_ns)

    def take(self, int64_t now_ns, Py_ssize_t count=1) -> bool:
        """Count so many more; False: there is no room for them, and nothing is counted."""
        return self.take_some(now_ns, count)

    def wait_ns(self, int64_t now_ns) -> int:
        """How long until there is room for one more."""
        return self.wait(now_ns)

    cdef Py_ssize_t count_used(self, int64_t now_ns) noexcept:
        while self.count and self.taken_ns[self.first] <= now_ns - self.window_ns:
            self.first = (self.first + 1) & (self.room - 1)
            self.count -= 1
        return self.count

    cdef bint take_some(self, int64_t now_ns, Py_ssize_t count) except -1:
        if self.count_used(now_ns) + count > self.limit:
            return False
        while self.count + count > self.room:
            self.grow()
        for _ in range(count):
            self.taken_ns[(self.first + self.count) & (self.room - 1)] = now_ns
            self.count += 1
        return True

    cdef int64_t wait(self, int64_t now_ns) noexcept:
        if self.count_used(now_ns) < self.limit or self.count == 0:
            return 0
        return self.taken_ns[self.first] + self.window_ns - now_ns

    cdef int grow(self) except -1:
        cdef Py_ssize_t room = max(2 * self.room, FIRST_ROOM)
        cdef int64_t *taken_ns = <int64_t *>PyMem_Malloc(room * sizeof(int64_t))
        cdef Py_ssize_t index
        if taken_ns is NULL:
            raise MemoryError
        for index in range(self.count):
            taken_ns[index] = self.taken_ns[(self.first + index) & (self.room - 1)]
        PyMem_Free(self.taken_ns)
        self.taken_ns = taken_ns
        self.room = room
        self.first = 0
        return 0


@cython.final
cdef class KindLimits:
    """Both counts of one kind of request, in spot or elsewhere. Cancels in batches are a kind of their own."""

    def __init__(self, kind, bint is_spot, bint in_batch, Py_ssize_t limit):
        self.kind = kind
        self.is_spot = is_spot
        self.in_batch = in_batch
        self.own = Allowance(limit, OWN_WINDOW_NS)
        self.venues = Allowance(limit, VENUE_WINDOW_NS)

    cdef str take_own(self, int64_t now_ns):
        if self.own.take_some(now_ns, 1):
            return None
        return (f"not sent: all {self.own.limit} {self.kind.value} requests a second are used up; "
                f"the next is possible in {<double>self.own.wait(now_ns) / NS_PER_MS:.0f} ms")

    cdef tuple count_arrived(self, int64_t now_ns, Py_ssize_t count):
        cdef Py_ssize_t used, limit = self.venues.limit
        cdef int level, before = self.level
        self.venues.take_some(now_ns, count)
        used = self.venues.count_used(now_ns)
        level = (used * 100 >= 50 * limit) + (used * 100 >= 90 * limit) + (used >= limit)
        self.level = level
        return (limit, limit - used, (now_ns + NS_PER_MS - 1) // NS_PER_MS) if level > before else None


@cython.final
cdef class RequestLimits:
    """Both counts of one account's requests; ``rates.of(kind, is_spot=...)`` is what a venue allows a second."""

    def __init__(self, rates):
        self.rates = rates
        self.kinds = []

    def take(self, kind, int64_t now_ns, *, bint is_spot):
        """Count a request that is about to be sent, or say why it is not."""
        return self.take_one(kind, now_ns, is_spot)

    def wait_ns(self, kind, int64_t now_ns, *, bint is_spot) -> int:
        """Count a request that can wait, and is sent now (0), or say how long it has to wait at least."""
        cdef Allowance own = self.limits_of(kind, is_spot, False).own
        return 0 if own.take_some(now_ns, 1) else own.wait(now_ns)

    def cancels(self, *, bint is_spot) -> tuple:
        """What is left to send of single cancels, and of cancels in batches."""
        return self.limits_of(CANCEL_ORDER, is_spot, False).own, self.limits_of(CANCEL_ORDER, is_spot, True).own

    def arrived(self, kind, int64_t now_ns, *, bint is_spot, Py_ssize_t batch=0):
        """Count a request at the venue; returns limit, remaining and reset (ms) when usage has passed a threshold.

        `batch` is how many cancels came in one message, which are counted apart.
        """
        return self.count_arrived(kind, now_ns, is_spot, batch)

    cdef str take_one(self, object kind, int64_t now_ns, bint is_spot):
        return self.limits_of(kind, is_spot, False).take_own(now_ns)

    cdef tuple count_arrived(self, object kind, int64_t now_ns, bint is_spot, Py_ssize_t batch):
        return self.limits_of(kind, is_spot, batch > 0).count_arrived(now_ns, batch or 1)

    cdef KindLimits limits_of(self, object kind, bint is_spot, bint in_batch):
        cdef KindLimits limits
        for limits in self.kinds:
            if limits.kind is kind and limits.is_spot == is_spot and limits.in_batch == in_batch:
                return limits
        if is_spot and kind not in ORDERS:
            return self.limits_of(kind, False, in_batch)
        limits = KindLimits(kind, is_spot, in_batch, self.rates.of(kind, is_spot=is_spot))
        self.kinds.append(limits)
        return limits
