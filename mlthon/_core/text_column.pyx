"""A column of texts, in as little memory as they need.

Invariants: text `row` is the bytes from ends[row - 1] (0 for the first) to ends[row], in UTF-8.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.string cimport memcpy
from mlthon._core.ascii_text cimport PyUnicode_DATA, PyUnicode_GET_LENGTH, PyUnicode_IS_ASCII

cdef enum:
    FIRST_ROOM = 64


@cython.final
cdef class TextColumn:
    """Texts, one after the other in one piece of memory, and where each ends. Lone surrogates are kept, too.

    >>> column = TextColumn()
    >>> column.append("a1")
    >>> column.append("")
    >>> list(column), column[0]
    (['a1', ''], 'a1')
    """

    def __dealloc__(self):
        PyMem_Free(self.letters)
        PyMem_Free(self.ends)

    def __len__(self):
        return self.count

    def __iter__(self):
        cdef Py_ssize_t row
        for row in range(self.count):
            yield self[row]

    def __getitem__(self, Py_ssize_t row):
        """The text of a row; raises IndexError for one that is not there."""
        if not 0 <= row < self.count:
            raise IndexError(f"row: expected one of {self.count}, got {row}")
        cdef Py_ssize_t start = self.ends[row - 1] if row else 0
        return self.letters[start:self.ends[row]].decode("utf-8", "surrogatepass")

    def append(self, str text not None):
        """Add a row; raises MemoryError."""
        self.add(text)

    cdef int add(self, str text) except -1:
        cdef bytes encoded
        if PyUnicode_IS_ASCII(text):      # and so lies there in UTF-8 already
            return self.add_letters(<const char *>PyUnicode_DATA(text), PyUnicode_GET_LENGTH(text))
        encoded = text.encode("utf-8", "surrogatepass")
        return self.add_letters(PyBytes_AS_STRING(encoded), PyBytes_GET_SIZE(encoded))

    cdef int add_letters(self, const char *letters, Py_ssize_t size) except -1:
        cdef Py_ssize_t start = self.ends[self.count - 1] if self.count else 0
        if self.count == self.row_room:
            self.ends = <Py_ssize_t *>grown(self.ends, &self.row_room, self.count + 1, sizeof(Py_ssize_t))
        if start + size > self.letter_room:
            self.letters = <char *>grown(self.letters, &self.letter_room, start + size, 1)
        memcpy(self.letters + start, letters, size)
        self.ends[self.count] = start + size
        self.count += 1
        return 0


cdef void *grown(void *memory, Py_ssize_t *room, Py_ssize_t wanted, Py_ssize_t cell_size) except NULL:
    """The same memory with room for `wanted` cells, and for as many again as it has."""
    cdef Py_ssize_t more = max(wanted, 2 * room[0], FIRST_ROOM)
    cdef void *moved = PyMem_Realloc(memory, more * cell_size)
    if moved is NULL:
        raise MemoryError
    room[0] = more
    return moved
