"""A column of exact numbers: what a run writes down of prices, quantities and money.

Owns its memory, 16 bytes a row, which grows by doubling. One mantissa stands for "not known": no value has it.
"""

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Realloc

from mlthon._core.fixed cimport Fixed
from mlthon._core.int128 cimport INT128_MIN, int128

cdef enum:
    FIRST_ROOM = 64


@cython.final
cdef class FixedColumn:
    """Mantissas of 18 decimals, in the order in which they were appended. None stands for what is not known.

    The memory lies as Arrow's decimal128(38, 18) does, little-endian.

    >>> from mlthon._core.fixed import Price
    >>> column = FixedColumn()
    >>> column.append(Price("1.5"))
    >>> column.append(None)
    >>> list(column)
    [1500000000000000000, None]
    >>> column[1] = Price("2")
    >>> column[1], len(column)
    (2000000000000000000, 2)
    """

    def __dealloc__(self):
        PyMem_Free(self.cells)

    def __len__(self):
        return self.count

    def __iter__(self):
        cdef Py_ssize_t row
        for row in range(self.count):
            yield self[row]

    def __getitem__(self, Py_ssize_t row):
        """The mantissa, or None; counted from the end where ``row`` is negative. Raises IndexError."""
        cdef int128 mantissa = self.cells[self.place(row)]
        return None if mantissa == INT128_MIN else mantissa

    def __setitem__(self, Py_ssize_t row, Fixed value):
        """Put a value, or None, in the place of another."""
        self.cells[self.place(row)] = INT128_MIN if value is None else value.mantissa

    def append(self, Fixed value):
        """Add a row, for a value of any kind, or None; raises MemoryError."""
        self.add(INT128_MIN if value is None else value.mantissa)

    cdef int add(self, int128 mantissa) except -1:
        if self.count == self.room:
            self.grow()
        self.cells[self.count] = mantissa
        self.count += 1
        return 0

    def take(self, rows) -> FixedColumn:
        """A new column of the rows with these numbers, in their order. Raises IndexError."""
        cdef FixedColumn taken = FixedColumn()
        cdef Py_ssize_t row
        for row in rows:
            taken.add(self.cells[self.place(row)])
        return taken

    def to_bytes(self) -> bytes:
        """A copy of the memory. What is not known has a mantissa that means nothing."""
        return PyBytes_FromStringAndSize(<char *>self.cells, self.count * sizeof(int128))

    cdef Py_ssize_t place(self, Py_ssize_t row) except -1:
        if row < 0:
            row += self.count
        if not 0 <= row < self.count:
            raise IndexError(f"row: expected one of {self.count}, got {row}")
        return row

    cdef int grow(self) except -1:
        cdef Py_ssize_t room = 2 * self.room if self.room else FIRST_ROOM
        cdef int128 *cells = <int128 *>PyMem_Realloc(self.cells, room * sizeof(int128))
        if cells == NULL:
            raise MemoryError
        self.cells = cells
        self.room = room
        return 0
