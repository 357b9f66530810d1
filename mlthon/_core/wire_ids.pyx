"""Wire ids: the order ids that venues see.

Invariants: no id is returned twice; the number grows by one with each.
"""

cimport cython

cdef enum:
    MAX_LENGTH = 20
    NUMBER_LENGTH = 7                 # room for as many digits; at first six are used, lest ids look short

cdef str DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@cython.final
cdef class WireIds:
    """An endless supply of ids that no other run makes: the run's epoch, and a sequence number in base 36.

    Raises ValueError for an epoch that is not 1 to 13 alphanumerics.

    >>> ids = WireIds("mc9x2k1a7")
    >>> ids.next(), ids.next()
    ('mc9x2k1a7000001', 'mc9x2k1a7000002')
    """

    def __init__(self, str epoch not None):
        if not (epoch.isascii() and epoch.isalnum() and len(epoch) <= MAX_LENGTH - NUMBER_LENGTH):
            raise ValueError(f"run epoch: expected 1 to {MAX_LENGTH - NUMBER_LENGTH} alphanumerics, got {epoch!r}")
        self.epoch = epoch
        self.head = epoch.encode()

    def next(self) -> str:
        """Return an id never returned before."""
        return self.next_id()

    cdef str next_id(self):
        cdef char[MAX_LENGTH] digits
        cdef int start = MAX_LENGTH
        self.count += 1
        cdef unsigned long long rest = self.count
        while rest or start > MAX_LENGTH - NUMBER_LENGTH + 1:
            start -= 1
            digits[start] = <char>ord(DIGITS[rest % 36])
            rest //= 36
        return (self.head + digits[start:MAX_LENGTH]).decode("ascii")
