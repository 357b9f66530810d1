"""Order requests as text that was written before: only what differs from order to order is put in.

A template is an encoded request, cut where the id of the request, its time, the quantity, the order's id and the
price stand. It serves orders that agree with the one it was made of in all else: the text is the same that encoding
anew would give. Invariant: what is put in needs no escaping in JSON.
"""

from mlthon._core.order_messages import NewOrderRequest

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcpy
from mlthon._core.fixed cimport Price, Qty, mantissa_to_text

cdef extern from "Python.h":
    bint PyUnicode_IS_ASCII(object text) noexcept
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL

cdef enum:
    GAPS = 5
    # where a request has what
    WIRE_ID = 0
    SIDE = 2
    PRICE = 3
    QTY = 4
    ORDER_TYPE = 5
    TIF = 6
    EXEC_INSTR = 7
    CLOSE_POSITION = 8


@cython.final
cdef class OrderTemplate:
    """The text around the gaps, for orders of one kind."""

    cdef bint suits(self, tuple fields) except -1:
        return (fields[SIDE] is self.side and fields[TIF] is self.tif
                and fields[EXEC_INSTR] is self.exec_instr and fields[ORDER_TYPE] is self.order_type
                and fields[CLOSE_POSITION] is self.close_position)


@cython.final
cdef class OrderTemplates:
    """The templates for new orders of one instrument.

    Orders without a price have none.
    """

    def learn(self, request, tuple parts not None):
        """Take in the encoded text of a NewOrderRequest, cut at the gaps: six pieces of bytes."""
        cdef tuple fields = fields_of(request)
        if len(parts) != GAPS + 1:
            raise ValueError(f"order template: expected {GAPS + 1} parts, got {len(parts)}")
        cdef OrderTemplate template = OrderTemplate.__new__(OrderTemplate)
        template.side, template.order_type = fields[SIDE], fields[ORDER_TYPE]
        template.tif, template.exec_instr = fields[TIF], fields[EXEC_INSTR]
        template.close_position = fields[CLOSE_POSITION]
        template.parts = tuple([bytes(part) for part in parts])
        template.next = self.first
        self.first = template

    def fill(self, request, str req_id not None, long long timestamp_ms) -> bytes | None:
        """The text of a NewOrderRequest; None where there is no template for it."""
        return self.text_of(fields_of(request), req_id, timestamp_ms)

    cdef bytes text_of(self, tuple fields, str req_id, long long timestamp_ms):
        cdef OrderTemplate template = self.first
        while template is not None and not template.suits(fields):
            template = template.next
        if template is None or type(fields[PRICE]) is not Price or type(fields[QTY]) is not Qty:
            return None
        wire_id = fields[WIRE_ID]
        if type(wire_id) is not str or not is_plain(<str>wire_id) or not is_plain(req_id):
            return None
        return joined(template.parts, (
            req_id,
            str(timestamp_ms),
            mantissa_to_text((<Qty>fields[QTY]).mantissa, 0),
            wire_id,
            mantissa_to_text((<Price>fields[PRICE]).mantissa, 0),
        ))


cdef tuple fields_of(object request):
    """A request to be taken apart by position; raises TypeError for anything else."""
    if type(request) is not NewOrderRequest:
        raise TypeError(f"order template: expected a NewOrderRequest, got {type(request).__name__}")
    return <tuple>request


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
