# Orders found by their ids: an open-addressed table, which costs a few instructions where a dict has to make an int.
#
# Ids are positive. The orders are the owner's; so is the memory, which `free_index` gives back.

from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport int64_t, uint64_t
from mlthon._core.resting_orders cimport Order

cdef enum:
    FIRST_BITS = 6                    # of the number of slots; twice as many whenever half of them are in use

cdef struct Slot:
    int64_t order_id                  # 0: empty
    Order *order

cdef struct OrderIndex:
    Slot *slots
    Py_ssize_t size                   # orders
    Py_ssize_t mask                   # the number of slots, a power of two, less one
    int shift


# Where an id is looked for first. Ids mostly come one after the other, and so stand side by side.
cdef inline Py_ssize_t home(const OrderIndex *index, int64_t order_id) noexcept:
    return <Py_ssize_t>((<uint64_t>order_id * 0x9E3779B97F4A7C15u) >> index.shift)


# NULL when there is none.
cdef inline Order *find_order(const OrderIndex *index, int64_t order_id) noexcept:
    cdef Py_ssize_t at
    if index.size == 0:
        return NULL
    at = home(index, order_id)
    while index.slots[at].order_id != 0:
        if index.slots[at].order_id == order_id:
            return index.slots[at].order
        at = (at + 1) & index.mask
    return NULL


# Its id is not there yet.
cdef inline int add_order(OrderIndex *index, Order *order) except -1:
    if index.slots is NULL or 2 * index.size > index.mask:
        grow_index(index)
    put_order(index, order)
    index.size += 1
    return 0


cdef inline void put_order(OrderIndex *index, Order *order) noexcept:
    cdef Py_ssize_t at = home(index, order.order_id)
    while index.slots[at].order_id != 0:
        at = (at + 1) & index.mask
    index.slots[at] = Slot(order.order_id, order)


# It is there. What stands behind it moves up, so that no search ends too early.
cdef inline void drop_order(OrderIndex *index, int64_t order_id) noexcept:
    cdef Py_ssize_t hole = home(index, order_id)
    cdef Py_ssize_t at
    while index.slots[hole].order_id != order_id:
        hole = (hole + 1) & index.mask
    at = (hole + 1) & index.mask
    while index.slots[at].order_id != 0:
        if ((at - home(index, index.slots[at].order_id)) & index.mask) >= ((at - hole) & index.mask):
            index.slots[hole] = index.slots[at]
            hole = at
        at = (at + 1) & index.mask
    index.slots[hole].order_id = 0
    index.size -= 1


cdef inline int grow_index(OrderIndex *index) except -1:
    cdef Slot *before = index.slots
    cdef Py_ssize_t count = 0 if before is NULL else index.mask + 1
    cdef Py_ssize_t at
    cdef int bits = FIRST_BITS if before is NULL else 65 - index.shift
    cdef Slot *slots = <Slot *>PyMem_Calloc(<size_t>1 << bits, sizeof(Slot))
    if slots is NULL:
        raise MemoryError(f"no memory for an index of {1 << bits} orders")
    index.slots, index.mask, index.shift = slots, (<Py_ssize_t>1 << bits) - 1, 64 - bits
    for at in range(count):
        if before[at].order_id != 0:
            put_order(index, before[at].order)
    PyMem_Free(before)
    return 0


cdef inline void free_index(OrderIndex *index) noexcept:
    PyMem_Free(index.slots)
