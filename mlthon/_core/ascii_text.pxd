# Short texts of ASCII characters, made without anything in between.

from libc.string cimport memcpy

cdef extern from "Python.h":
    object PyUnicode_New(Py_ssize_t size, unsigned int max_char)
    void *PyUnicode_DATA(object text) noexcept
    Py_ssize_t PyUnicode_GET_LENGTH(object text) noexcept
    bint PyUnicode_IS_ASCII(object text) noexcept

cdef enum:
    MAX_DIGITS = 20


# The first characters, then the last.
cdef inline str joined_ascii(const char *head, Py_ssize_t head_size, const char *tail, Py_ssize_t tail_size):
    text = PyUnicode_New(head_size + tail_size, 127)
    cdef char *chars = <char *>PyUnicode_DATA(text)
    memcpy(chars, head, head_size)
    memcpy(chars + head_size, tail, tail_size)
    return <str>text


# The same with a number for the last.
cdef inline str numbered_ascii(const char *head, Py_ssize_t head_size, unsigned long long number):
    cdef char[MAX_DIGITS] digits
    cdef int start = MAX_DIGITS
    while True:
        start -= 1
        digits[start] = <char>(c"0" + number % 10)
        number //= 10
        if number == 0:
            return joined_ascii(head, head_size, digits + start, MAX_DIGITS - start)
