# Things found by texts, and never taken out again: a table that reads a text's characters, eight at a time, where a
# dict has Python hash them first.
#
# It holds its texts and its things, which Python's garbage collection does not see: nothing may lead back from them
# to the table's owner, who calls `free_texts` in the end.

from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF, Py_XDECREF
from libc.stdint cimport uint64_t
from libc.string cimport memcmp, memcpy

cdef extern from "Python.h":
    void *PyUnicode_DATA(object text) noexcept
    Py_ssize_t PyUnicode_GET_LENGTH(object text) noexcept
    int PyUnicode_KIND(object text) noexcept               # bytes of a character

cdef enum:
    FIRST_BITS = 6                    # of the number of slots; twice as many whenever half of them are in use

cdef struct TextSlot:
    uint64_t hash
    PyObject *text                    # NULL: empty
    PyObject *item

cdef struct TextTable:                # empty where it is zero
    TextSlot *slots
    Py_ssize_t size                   # how many are in it
    Py_ssize_t mask                   # the number of slots, a power of two, less one
    int shift


cdef inline Py_ssize_t size_of(object text) noexcept:
    return PyUnicode_GET_LENGTH(text) * PyUnicode_KIND(text)


cdef inline uint64_t hash_text(str text) noexcept:
    cdef Py_ssize_t left = size_of(text)
    cdef const char *chars = <const char *>PyUnicode_DATA(text)
    cdef uint64_t hash = <uint64_t>left
    cdef uint64_t word = 0
    while left >= 8:
        memcpy(&word, chars, 8)
        hash = stirred(hash ^ word)
        chars += 8
        left -= 8
    if left:
        word = 0
        memcpy(&word, chars, left)
        hash = stirred(hash ^ word)
    return hash * 0x9E3779B97F4A7C15u     # its top bits are what a text is looked for by


cdef inline uint64_t stirred(uint64_t hash) noexcept:
    hash *= 0x9E3779B97F4A7C15u
    return hash ^ (hash >> 32)


cdef inline bint is_same(object text, object other) noexcept:
    return text is other or (
        PyUnicode_KIND(text) == PyUnicode_KIND(other) and size_of(text) == size_of(other)
        and memcmp(PyUnicode_DATA(text), PyUnicode_DATA(other), size_of(text)) == 0)


# Borrowed; NULL when there is none.
cdef inline PyObject *find_text(const TextTable *table, str text) noexcept:
    cdef uint64_t hash
    cdef Py_ssize_t at
    if table.size == 0:
        return NULL
    hash = hash_text(text)
    at = <Py_ssize_t>(hash >> table.shift)
    while table.slots[at].text is not NULL:
        if table.slots[at].hash == hash and is_same(<object>table.slots[at].text, text):
            return table.slots[at].item
        at = (at + 1) & table.mask
    return NULL


# The text is not there yet.
cdef inline int add_text(TextTable *table, str text, object item) except -1:
    if table.slots is NULL or 2 * table.size > table.mask:
        grow_texts(table)
    put_text(table, TextSlot(hash_text(text), <PyObject *>text, <PyObject *>item))
    Py_INCREF(text)
    Py_INCREF(item)
    table.size += 1
    return 0


cdef inline void put_text(TextTable *table, TextSlot slot) noexcept:
    cdef Py_ssize_t at = <Py_ssize_t>(slot.hash >> table.shift)
    while table.slots[at].text is not NULL:
        at = (at + 1) & table.mask
    table.slots[at] = slot


cdef inline int grow_texts(TextTable *table) except -1:
    cdef TextSlot *before = table.slots
    cdef Py_ssize_t count = 0 if before is NULL else table.mask + 1
    cdef Py_ssize_t at
    cdef int bits = FIRST_BITS if before is NULL else 65 - table.shift
    cdef TextSlot *slots = <TextSlot *>PyMem_Calloc(<size_t>1 << bits, sizeof(TextSlot))
    if slots is NULL:
        raise MemoryError(f"no memory for a table of {1 << bits} slots")
    table.slots, table.mask, table.shift = slots, (<Py_ssize_t>1 << bits) - 1, 64 - bits
    for at in range(count):
        if before[at].text is not NULL:
            put_text(table, before[at])
    PyMem_Free(before)
    return 0


cdef inline void free_texts(TextTable *table) noexcept:
    cdef Py_ssize_t at
    if table.slots is not NULL:
        for at in range(table.mask + 1):
            Py_XDECREF(table.slots[at].text)
            Py_XDECREF(table.slots[at].item)
    PyMem_Free(table.slots)
