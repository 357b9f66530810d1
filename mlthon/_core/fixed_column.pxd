# A column of exact numbers, for other compiled modules.

cimport cython
from mlthon._core.int128 cimport int128


@cython.final
cdef class FixedColumn:
    cdef int128 *cells
    cdef Py_ssize_t count, room

    cdef int add(self, int128 mantissa) except -1
    cdef Py_ssize_t place(self, Py_ssize_t row) except -1
    cdef int grow(self) except -1
