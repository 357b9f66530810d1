# Objects by name, looked up by the characters of a name wherever they are.

from cpython.object cimport PyObject

cdef struct Slot:
    const char *name                  # NULL: free; else kept alive by the table's names
    Py_ssize_t size
    PyObject *value

cdef class NameTable:
    cdef dict values                  # by name, as bytes
    cdef Slot *slots                  # the same as an open hash table, without references of its own
    cdef Py_ssize_t slot_count        # a power of two, at least twice the number of names

    cdef int put(self, bytes name, object value) except -1     # in place of what had the name
    cdef int drop(self, bytes name) except -1                  # nothing happens when there is none
    cdef object find(self, const char *name, Py_ssize_t size)  # None: there is none
    cdef int lay_out(self) except -1
    cdef Slot *slot_of(self, const char *name, Py_ssize_t size) noexcept
