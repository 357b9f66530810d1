# The book order by order, for compiled modules that keep one.

from mlthon._core.queued_book cimport QueuedBook

cdef class OrderBook(QueuedBook):
    pass
