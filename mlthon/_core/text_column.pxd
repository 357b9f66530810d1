# A column of texts, for other compiled modules.

cimport cython


@cython.final
cdef class TextColumn:
    cdef char *letters
    cdef Py_ssize_t letter_room
    cdef Py_ssize_t *ends             # where each text ends
    cdef Py_ssize_t row_room
    cdef Py_ssize_t count

    cdef int add(self, str text) except -1
    cdef int add_letters(self, const char *letters, Py_ssize_t size) except -1
