# Things in a row, which leave it from anywhere: each has its link in itself, so joining and leaving are a few stores.
#
# A chain holds nothing. What is in it is held by somebody else meanwhile, and leaves before it is let go.

from cpython.object cimport PyObject

cdef struct Link:
    Link *before
    Link *after
    PyObject *item                    # whose link it is

cdef struct Chain:                    # empty where it is zero
    Link *first
    Link *last
    Py_ssize_t count


cdef inline void join(Chain *chain, Link *link, object item) noexcept:
    """Put something at the end."""
    link.item = <PyObject *>item
    link.before, link.after = chain.last, NULL
    if chain.last is NULL:
        chain.first = link
    else:
        chain.last.after = link
    chain.last = link
    chain.count += 1


cdef inline void leave(Chain *chain, Link *link) noexcept:
    """Take something out that is in the chain."""
    if link.before is NULL:
        chain.first = link.after
    else:
        link.before.after = link.after
    if link.after is NULL:
        chain.last = link.before
    else:
        link.after.before = link.before
    chain.count -= 1


cdef inline list items_of(const Chain *chain):
    """What is in it, the first first."""
    cdef list items = []
    cdef const Link *link = chain.first
    while link is not NULL:
        items.append(<object>link.item)
        link = link.after
    return items
