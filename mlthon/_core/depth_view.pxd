# The best N levels of a book as a venue publishes them: what changed since last published, in text.

from mlthon._core.price_book cimport Book, BookSide, Level

cdef struct SideView:
    Level *levels                     # as last published, best first
    Py_ssize_t size

cdef class DepthView:
    cdef readonly Py_ssize_t depth
    cdef readonly int price_decimals
    cdef readonly int qty_decimals
    cdef SideView bids
    cdef SideView asks
    cdef Level *latest                # scratch, as long as a side

    cdef list side_changes(self, SideView *view, BookSide side)
    cdef list side_snapshot(self, const SideView *view)
    cdef list entry(self, const Level *level, bint is_gone)
