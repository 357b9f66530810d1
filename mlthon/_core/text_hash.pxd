# A hash of texts that reads their characters as they are, eight at a time, where Python's is made against whoever
# chooses keys to collide.

from libc.stdint cimport uint64_t
from libc.string cimport memcmp, memcpy

cdef extern from "Python.h":
    void *PyUnicode_DATA(object text) noexcept
    Py_ssize_t PyUnicode_GET_LENGTH(object text) noexcept
    int PyUnicode_KIND(object text) noexcept               # bytes of a character


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
    return hash * 0x9E3779B97F4A7C15u     # so that its top bits differ most


cdef inline uint64_t stirred(uint64_t hash) noexcept:
    hash *= 0x9E3779B97F4A7C15u
    return hash ^ (hash >> 32)


cdef inline bint is_same(object text, object other) noexcept:
    return text is other or (
        PyUnicode_KIND(text) == PyUnicode_KIND(other) and size_of(text) == size_of(other)
        and memcmp(PyUnicode_DATA(text), PyUnicode_DATA(other), size_of(text)) == 0)
