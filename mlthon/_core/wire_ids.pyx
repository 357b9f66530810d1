"""Wire ids: the order ids that venues see.

Invariants: no id is returned twice; the number grows by one with each.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from mlthon._core.ascii_text cimport joined_ascii

cdef enum:
    MAX_LENGTH = 20
    NUMBER_LENGTH = 7                 # room for as many digits; at first six are used, lest ids look short
    ROOM = 13                         # for any 64-bit number

cdef const char *DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


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
        cdef char[ROOM] digits
        cdef Py_ssize_t start = ROOM
        self.count += 1
        cdef unsigned long long rest = self.count
        while rest or start > ROOM - NUMBER_LENGTH + 1:
            start -= 1
            digits[start] = DIGITS[rest % 36]
            rest //= 36
        return joined_ascii(
            PyBytes_AS_STRING(self.head), PyBytes_GET_SIZE(self.head), digits + start, ROOM - start)
