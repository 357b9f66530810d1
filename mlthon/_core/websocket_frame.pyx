"""Websocket frames of a client (RFC 6455, section 5.2): a header, a mask, and the masked payload, in one pass."""

import random

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef enum:
    TEXT = 0x81                       # a whole text message
    MASKED = 0x80
    SHORT = 125                       # the longest payload whose length takes no further bytes,
    MEDIUM = 65_535                   # and the longest whose length takes two
    IN_TWO_BYTES = 126
    IN_EIGHT_BYTES = 127
    MASK_BYTES = 4
    WORD = 8
    MOST_UNSENT_BYTES = 65_536


@cython.final
cdef class MessageWriter:
    """Writes text messages to a transport."""

    cdef object is_closing, write, unsent_bytes, random_bits

    def __init__(self, transport):
        self.is_closing = transport.is_closing
        self.write = transport.write
        self.unsent_bytes = transport.get_write_buffer_size
        self.random_bits = random.getrandbits

    def send(self, bytes data not None):
        """Write one text message.

        Raises ConnectionError when it was certainly not sent, and BufferError when it was written, but the peer has
        stopped reading.
        """
        if self.is_closing():
            raise ConnectionError("the connection is closing")
        self.write(text_frame(data, self.random_bits(32)))
        if self.unsent_bytes() > MOST_UNSENT_BYTES:
            raise BufferError("the peer has stopped reading")


def text_frame(bytes payload not None, uint32_t mask) -> bytes:
    """Encode one text message of a client; `mask` has to be unpredictable, and new for every message.

    >>> text_frame(b"Hello", 0x3d21fa37)  # the RFC's own example
    b'\\x81\\x857\\xfa!=\\x7f\\x9fMQX'
    """
    cdef Py_ssize_t size = PyBytes_GET_SIZE(payload)
    cdef Py_ssize_t header = 2 if size <= SHORT else 4 if size <= MEDIUM else 10
    cdef bytes frame = PyBytes_FromStringAndSize(NULL, header + MASK_BYTES + size)
    cdef uint8_t *out = <uint8_t *>PyBytes_AS_STRING(frame)
    out[0] = TEXT
    if header == 2:
        out[1] = MASKED | <uint8_t>size
    elif header == 4:
        out[1] = MASKED | IN_TWO_BYTES
        write_length(out + 2, 2, size)
    else:
        out[1] = MASKED | IN_EIGHT_BYTES
        write_length(out + 2, 8, size)
    memcpy(out + header, &mask, MASK_BYTES)
    write_masked(out + header + MASK_BYTES, <const uint8_t *>PyBytes_AS_STRING(payload), size, mask)
    return frame


cdef void write_length(uint8_t *out, int width, uint64_t size) noexcept:
    """Write a length in network order."""
    cdef int at
    for at in range(width):
        out[at] = <uint8_t>(size >> (8 * (width - 1 - at)))


cdef void write_masked(uint8_t *out, const uint8_t *payload, Py_ssize_t size, uint32_t mask) noexcept:
    """Copy a payload, each byte combined with the byte of the mask whose turn it is."""
    cdef uint64_t wide = (<uint64_t>mask << 32) | mask
    cdef uint64_t word
    cdef Py_ssize_t at = 0
    while at + WORD <= size:
        memcpy(&word, payload + at, WORD)
        word ^= wide
        memcpy(out + at, &word, WORD)
        at += WORD
    word = 0
    memcpy(&word, payload + at, size - at)
    word ^= wide
    memcpy(out + at, &word, size - at)
