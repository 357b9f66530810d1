"""Wire ids: the order ids that venues see.

Invariants: no id is returned twice; the number grows by one with each.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.string cimport memset
from mlthon._core.ascii_text cimport joined_ascii

cdef enum:
    MAX_LENGTH = 20
    NUMBER_LENGTH = 7                 # room for as many digits; at first six are used, lest ids look short


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
        memset(self.digits, c"0", ROOM)
        self.start = ROOM - NUMBER_LENGTH + 1

    def next(self) -> str:
        """Return an id never returned before."""
        return self.next_id()

    cdef str next_id(self):
        cdef Py_ssize_t place = ROOM - 1
        while self.digits[place] == c"z":
            self.digits[place] = c"0"
            place -= 1
        self.digits[place] = c"a" if self.digits[place] == c"9" else self.digits[place] + 1
        self.start = min(self.start, place)
        return joined_ascii(
            PyBytes_AS_STRING(self.head), PyBytes_GET_SIZE(self.head), self.digits + self.start, ROOM - self.start)
