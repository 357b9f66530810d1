"""Order requests as text that was written before: only what differs from order to order is put in.

A template is an encoded request, cut where the id of the request, its time, the quantity, the order's id and the
price stand. It serves orders that agree with the one it was made of in all else: the text is the same that encoding
anew would give. Invariant: what is put in needs no escaping in JSON.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcpy
from mlthon._core.fixed cimport mantissa_to_text
from mlthon._core.order_messages cimport NewOrderRequest

cdef extern from "Python.h":
    bint PyUnicode_IS_ASCII(object text) noexcept
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL

cdef enum:
    GAPS = 5


@cython.final
cdef class OrderTemplate:
    """The text around the gaps, for orders of one kind."""

    cdef bint suits(self, NewOrderRequest request) noexcept:
        return (request.side is self.side and request.tif is self.tif
                and request.exec_instr is self.exec_instr and request.order_type is self.order_type
                and request.close_position == self.close_position)


@cython.final
cdef class OrderTemplates:
    """The templates for new orders of one instrument.

    Orders without a price have none.
    """

    def learn(self, NewOrderRequest request not None, tuple parts not None):
        """Take in the encoded text of a request, cut at the gaps: six pieces of bytes."""
        if len(parts) != GAPS + 1:
            raise ValueError(f"order template: expected {GAPS + 1} parts, got {len(parts)}")
        cdef OrderTemplate template = OrderTemplate.__new__(OrderTemplate)
        template.side, template.order_type = request.side, request.order_type
        template.tif, template.exec_instr = request.tif, request.exec_instr
        template.close_position = request.close_position
        template.parts = tuple([bytes(part) for part in parts])
        template.next = self.first
        self.first = template

    def fill(self, NewOrderRequest request not None, str req_id not None, long long timestamp_ms) -> bytes | None:
        """The text of a request; None where there is no template for it."""
        return self.text_of(request, req_id, timestamp_ms)

    cdef bytes text_of(self, NewOrderRequest request, str req_id, long long timestamp_ms):
        cdef OrderTemplate template = self.first
        while template is not None and not template.suits(request):
            template = template.next
        if template is None or request.price is None:
            return None
        if not is_plain(request.wire_id) or not is_plain(req_id):
            return None
        return joined(template.parts, (
            req_id,
            str(timestamp_ms),
            mantissa_to_text(request.qty.mantissa, 0),
            request.wire_id,
            mantissa_to_text(request.price.mantissa, 0),
        ))


cdef bint is_plain(str text) except -1:
    """Whether a text stands in JSON as it is."""
    cdef Py_ssize_t size, at
    cdef const char *chars
    if not PyUnicode_IS_ASCII(text):
        return False
    chars = PyUnicode_AsUTF8AndSize(text, &size)
    for at in range(size):
        if chars[at] < c" " or chars[at] == c'"' or chars[at] == c"\\":
            return False
    return True


cdef bytes joined(tuple parts, tuple values):
    """The parts with the values, all of them ASCII, between them."""
    cdef const char *chars
    cdef Py_ssize_t gap, size
    cdef Py_ssize_t total = 0
    for gap in range(GAPS):
        total += PyBytes_GET_SIZE(<bytes>parts[gap]) + len(<str>values[gap])
    total += PyBytes_GET_SIZE(<bytes>parts[GAPS])
    cdef bytes text = PyBytes_FromStringAndSize(NULL, total)
    cdef char *out = PyBytes_AS_STRING(text)
    for gap in range(GAPS):
        out = put(out, PyBytes_AS_STRING(<bytes>parts[gap]), PyBytes_GET_SIZE(<bytes>parts[gap]))
        chars = PyUnicode_AsUTF8AndSize(values[gap], &size)
        out = put(out, chars, size)
    put(out, PyBytes_AS_STRING(<bytes>parts[GAPS]), PyBytes_GET_SIZE(<bytes>parts[GAPS]))
    return text


cdef inline char *put(char *out, const char *chars, Py_ssize_t size) noexcept:
    memcpy(out, chars, size)
    return out + size
